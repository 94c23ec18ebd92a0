/** Log probabilities in both shapes, as an engine may give them. */
import { expect, it } from "vitest";
import { ChatReply } from "../../src/api/schema/replies.ts";
import { ResponsesReply } from "../../src/api/schema/responses-reply.ts";
import type { EnginePiece, TokenLogprob } from "../../src/engine/engine.ts";
import { startApi } from "./fake-service.ts";

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";
const messages = [{ role: "user", content: "Why?" }];
const chat = { messages, logprobs: true };
const response = { input: "Why?", include: ["message.output_text.logprobs"] };

const token = (text: string, bytes: number[] | null): TokenLogprob => {
  const one = { token: text, logprob: -0.5, bytes };
  return { ...one, top_logprobs: [one] };
};

function answering(...pieces: EnginePiece[]) {
  const api = startApi();
  api.service.pieces = async function* () {
    yield* pieces;
  };
  return api;
}

it("tokens of one piece may be more than a call's arguments can be", async () => {
  const one = { token: "a", logprob: 0, bytes: null, top_logprobs: [] };
  const logprobs = Array.from({ length: 150_000 }, () => one);
  const { call } = answering({ text: "a", logprobs, finish_reason: "stop" });
  for (const [path, json] of [
    [CHAT, chat],
    [RESPONSES, response],
  ] as const) {
    const text = await (await call(path, { json })).text();
    expect(text.split('"token":"a"')).toHaveLength(logprobs.length + 1);
  }
});

it("bytes that no backend tells are null in a chat, the token's own in a response", async () => {
  const { call } = answering({ text: "é", logprobs: [token("é", null)], finish_reason: "stop" });
  const whole = ChatReply.parse(await (await call(CHAT, { json: chat })).json());
  expect(whole.choices[0]!.logprobs!.content).toEqual([token("é", null)]);
  const { output } = ResponsesReply.parse(await (await call(RESPONSES, { json: response })).json());
  const logprobs = [token("é", [0xc3, 0xa9])];
  expect(output[0]).toMatchObject({ content: [{ text: "é", logprobs }] });
});

it("tokens whose text comes with a later one's are not lost", async () => {
  const halves = [token("\ufffd", [0xc3]), token("\ufffd", [0xa9])];
  const { call } = answering(
    { text: "", logprobs: [halves[0]!] },
    { text: "é", logprobs: [halves[1]!], finish_reason: "stop" },
  );
  const { output } = ResponsesReply.parse(await (await call(RESPONSES, { json: response })).json());
  expect(output[0]).toMatchObject({ content: [{ text: "é", logprobs: halves }] });
  const json = { ...response, stream: true };
  const events = (await (await call(RESPONSES, { json })).text()).matchAll(/^data: (.*)$/gm);
  const deltas = Array.from(events, ([, data]) => JSON.parse(data!)).filter(
    ({ type }) => type === "response.output_text.delta",
  );
  expect(deltas.map(({ delta, logprobs }) => [delta, logprobs])).toEqual([
    ["", [halves[0]]],
    ["é", [halves[1]]],
  ]);
});
