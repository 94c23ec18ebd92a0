/** A model's refusal, told apart from an answer as OpenAI tells it. */
import { expect, it } from "vitest";
import { ChatChunk, ChatReply } from "../../src/api/schema/replies.ts";
import { ResponsesReply } from "../../src/api/schema/responses-reply.ts";
import { readCompletion } from "../../src/engine/completion.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { startApi } from "./fake-service.ts";

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";
const messages = [{ role: "user", content: "Why?" }];

const token = (text: string) => ({ token: text, logprob: -1, bytes: null, top_logprobs: [] });
const REFUSED: EnginePiece[] = [
  { text: "I ", refusal: true, logprobs: [token("I ")] },
  { text: "won't.", refusal: true, logprobs: [token("won't.")] },
  { text: "", finish_reason: "stop" },
];

function answering(...pieces: EnginePiece[]) {
  const api = startApi();
  api.service.pieces = async function* () {
    yield* pieces;
  };
  return api;
}

/** The JSON of each `data:` line but [DONE]. */
async function eventsOf(response: Response) {
  const lines = (await response.text()).matchAll(/^data: (\{.*)$/gm);
  return Array.from(lines, ([, data]) => JSON.parse(data!));
}

it("a chat has it beside a content of null, and so have its log probabilities", async () => {
  const { call } = answering(...REFUSED);
  const whole = ChatReply.strict().parse(await (await call(CHAT, { json: { messages } })).json());
  const message = { role: "assistant", content: null, refusal: "I won't." };
  const refusal = [token("I "), token("won't.")];
  expect(whole.choices).toEqual([
    { index: 0, message, logprobs: { content: null, refusal }, finish_reason: "stop" },
  ]);
  const events = await eventsOf(await call(CHAT, { json: { messages, stream: true } }));
  const choices = events.map((event) => ChatChunk.strict().parse(event).choices[0]!);
  expect(choices.map(({ delta }) => delta)).toEqual([
    { role: "assistant", content: "" },
    { refusal: "I " },
    { refusal: "won't." },
    {},
  ]);
  expect(choices[1]!.logprobs).toEqual({ content: null, refusal: [token("I ")] });
});

it("a response has a part of its own for it, with events of its own", async () => {
  const { call } = answering(...REFUSED);
  const content = [{ type: "refusal", refusal: "I won't." }];
  const whole = await (await call(RESPONSES, { json: { input: "Why?" } })).json();
  expect(ResponsesReply.strict().parse(whole).output).toMatchObject([{ content }]);
  const events = await eventsOf(await call(RESPONSES, { json: { input: "Why?", stream: true } }));
  expect(events.map(({ type }) => type)).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.refusal.delta",
    "response.refusal.delta",
    "response.refusal.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  expect(events[3]).toMatchObject({ content_index: 0, part: { type: "refusal", refusal: "" } });
  expect(events[6]).toMatchObject({ refusal: "I won't." });
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i));
  expect(events.at(-1).response.output).toMatchObject([{ content }]);
});

it("text and then a refusal are two parts", async () => {
  const { call } = answering({ text: "Well. " }, ...REFUSED);
  const { choices } = ChatReply.parse(await (await call(CHAT, { json: { messages } })).json());
  expect(choices[0]!.message).toMatchObject({ content: "Well. ", refusal: "I won't." });
  const json = { input: "Why?", stream: true };
  const events = await eventsOf(await call(RESPONSES, { json }));
  const deltas = events.filter(({ delta }) => delta !== undefined);
  expect(deltas.map(({ content_index, delta }) => [content_index, delta])).toEqual([
    [0, "Well. "],
    [1, "I "],
    [1, "won't."],
  ]);
  const { output } = ResponsesReply.parse(events.at(-1).response);
  const content = [{ type: "output_text" }, { type: "refusal", refusal: "I won't." }];
  expect(output).toMatchObject([{ content }]);
});

it("a backend's is read as one, and beside content as its end", () => {
  const read = (message: object) => {
    const { text, refusal } = readCompletion(JSON.stringify({ choices: [{ message }] }));
    return [text, refusal];
  };
  expect(read({ content: null, refusal: "No." })).toEqual(["No.", true]);
  expect(read({ content: "Well. ", refusal: "No." })).toEqual(["Well. No.", undefined]);
  expect(read({ content: "Yes.", refusal: null })).toEqual(["Yes.", undefined]);
});
