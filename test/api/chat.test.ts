import OpenAI from "openai";
import { expect, it, vi } from "vitest";
import { ChatChunk, ChatReply } from "../../src/api/schema/replies.ts";
import { joinToolCalls } from "../../src/api/tool-calls.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";
import { REPORT, startApi } from "./fake-service.ts";

const PATH = "/v1/chat/completions";
const messages = [{ role: "user", content: "When does the lease end?" }];
const USAGE = { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 };

/** The data of an event stream, JSON parsed but for [DONE]; fails on any other framing. */
async function readEvents(response: Response): Promise<unknown[]> {
  const blocks = (await response.text()).split("\n\n");
  expect(blocks.pop()).toBe("");
  return blocks.map((block) => {
    expect(block).toMatch(/^data: [^\n]+$/);
    const data = block.slice("data: ".length);
    return data === "[DONE]" ? data : JSON.parse(data);
  });
}

function requestSeen(service: ReturnType<typeof startApi>["service"]): AnswerRequest {
  return service.calls.find(([name]) => name === "answer")![1] as AnswerRequest;
}

it("a whole reply has OpenAI's shape, brink, and the route and difficulty as headers", async () => {
  const response = await startApi().call(PATH, { json: { model: "auto", messages } });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-brink-route")).toBe("edge");
  expect(response.headers.get("x-brink-difficulty")).toBe("0.1235");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const reply = ChatReply.strict().parse(await response.json());
  expect(reply.id).toBe(`chatcmpl-${response.headers.get("x-brink-trace")}`);
  expect(reply.choices[0]).toEqual({
    index: 0,
    message: { role: "assistant", content: "It ends on 3 May.", refusal: null },
    logprobs: null,
    finish_reason: "stop",
  });
  expect([reply.usage, reply.brink]).toEqual([USAGE, REPORT]);
});

it("a stream begins with the role, ends with finish reason and brink, then [DONE]", async () => {
  const response = await startApi().call(PATH, { json: { messages, stream: true } });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("x-brink-route")).toBe("edge");
  const events = await readEvents(response);
  expect(events.pop()).toBe("[DONE]");
  const chunks = events.map((event) => ChatChunk.strict().parse(event));
  expect(chunks.map(({ choices }) => choices[0]!.delta)).toEqual([
    { role: "assistant", content: "" },
    { content: "It ends " },
    { content: "on 3 May." },
    {},
  ]);
  expect(chunks.map(({ choices }) => choices[0]!.finish_reason)).toEqual([
    null,
    null,
    null,
    "stop",
  ]);
  expect(chunks.map(({ brink }) => brink)).toEqual([undefined, undefined, undefined, REPORT]);
  expect(chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
});

it("include_usage adds a chunk of no choices before [DONE], and null usage before it", async () => {
  const json = { messages, stream: true, stream_options: { include_usage: true } };
  const events = await readEvents(await startApi().call(PATH, { json }));
  expect(events.slice(0, -2).map((event) => (event as { usage: unknown }).usage)).toEqual(
    Array(4).fill(null),
  );
  expect(events.at(-2)).toMatchObject({ choices: [], usage: USAGE });
});

it("a failure before the first token has its own status, streamed or not", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  for (const stream of [false, true]) {
    const { outcome, service } = startApi();
    // biome-ignore lint/correctness/useYield: it fails before it can.
    service.pieces = async function* (): AsyncGenerator<EnginePiece> {
      throw new ServiceError("backend_timeout", "the backend gave no answer in 5 ms");
    };
    expect(await outcome(PATH, { json: { messages, stream } })).toEqual([504, "backend_timeout"]);
  }
  vi.restoreAllMocks();
});

it("a failure after the first token is an error event and no [DONE]", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { call, service } = startApi();
  service.pieces = async function* () {
    yield { text: "It ends" };
    throw new ServiceError("backend_unavailable", "the backend failed: it broke off");
  };
  const events = await readEvents(await call(PATH, { json: { messages, stream: true } }));
  expect(events.length).toBe(3);
  expect(events[2]).toEqual({
    error: {
      message: "the backend failed: it broke off",
      type: "server_error",
      code: "backend_unavailable",
      param: null,
    },
  });
  vi.restoreAllMocks();
});

it("tool calls come through, joined in a whole reply and as deltas in a stream", async () => {
  const deltas = [
    { index: 0, id: "c0", type: "function", function: { name: "look", arguments: "" } },
    { index: 0, function: { arguments: '{"a":' } },
    { index: 1, id: "c1", type: "function", function: { name: "see", arguments: "{}" } },
    { index: 0, function: { arguments: "1}" } },
  ];
  const joined = [
    { id: "c0", type: "function", function: { name: "look", arguments: '{"a":1}' } },
    { id: "c1", type: "function", function: { name: "see", arguments: "{}" } },
  ];
  expect(joinToolCalls(deltas)).toEqual(joined);
  const { call, service } = startApi();
  service.pieces = async function* () {
    for (const delta of deltas) yield { text: "", tool_calls: [delta] };
    yield { text: "", finish_reason: "tool_calls" };
  };
  const whole = ChatReply.parse(await (await call(PATH, { json: { messages } })).json());
  expect(whole.choices[0]!.message).toMatchObject({ content: null, tool_calls: joined });
  expect(whole.choices[0]!.finish_reason).toBe("tool_calls");
  const streamed = await call(PATH, { json: { messages, stream: true } });
  const chunks = (await readEvents(streamed)).slice(1, 5).map((event) => ChatChunk.parse(event));
  expect(chunks.map(({ choices }) => choices[0]!.delta.tool_calls)).toEqual(
    deltas.map((delta) => [delta]),
  );
});

const token = (text: string) => ({
  token: text,
  logprob: -0.5,
  bytes: [...Buffer.from(text)],
  top_logprobs: [{ token: text, logprob: -0.5, bytes: [...Buffer.from(text)] }],
});

/** Two choices that arrive mixed, with log probabilities. */
async function* twoChoices(): AsyncGenerator<EnginePiece> {
  yield { index: 1, text: "No", logprobs: [token("No")] };
  yield { index: 0, text: "Yes", logprobs: [token("Yes")] };
  yield { index: 1, text: ".", logprobs: [token(".")], finish_reason: "length" };
  const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, cached_tokens: 4 };
  yield { index: 0, text: "", finish_reason: "stop", usage };
}

it("several choices with log probabilities and cached tokens have OpenAI's shape", async () => {
  const { call, service } = startApi();
  service.pieces = twoChoices;
  const json = { messages, n: 2, logprobs: true, top_logprobs: 1 };
  const whole = ChatReply.strict().parse(await (await call(PATH, { json })).json());
  expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, "Yes"],
    [1, "No."],
  ]);
  expect(whole.choices[1]).toMatchObject({
    logprobs: { content: [token("No"), token(".")], refusal: null },
    finish_reason: "length",
  });
  expect(whole.usage).toEqual({
    ...{ prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, cached_tokens: 4 },
    prompt_tokens_details: { cached_tokens: 4 },
  });
  expect(requestSeen(service).parameters).toEqual({ n: 2, logprobs: true, top_logprobs: 1 });
});

it("what a backend thought is counted, whole and streamed", async () => {
  const { call, service } = startApi();
  const counts = { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 };
  const usage = { ...counts, reasoning_tokens: 7 };
  service.pieces = async function* () {
    yield { text: "Yes.", finish_reason: "stop", usage };
  };
  const told = { ...counts, completion_tokens_details: { reasoning_tokens: 7 } };
  const whole = ChatReply.strict().parse(await (await call(PATH, { json: { messages } })).json());
  expect(whole.usage).toEqual(told);
  const json = { messages, stream: true, stream_options: { include_usage: true } };
  const events = await readEvents(await call(PATH, { json }));
  expect(ChatChunk.strict().parse(events.at(-2)).usage).toEqual(told);
});

it("a stream of several choices opens and ends each, and the last end has brink", async () => {
  const { call, service } = startApi();
  service.pieces = twoChoices;
  const events = await readEvents(await call(PATH, { json: { messages, n: 2, stream: true } }));
  expect(events.pop()).toBe("[DONE]");
  const chunks = events.map((event) => ChatChunk.strict().parse(event));
  const seen = chunks.map(({ choices: [choice] }) => [
    choice!.index,
    choice!.delta.content ?? choice!.finish_reason,
    choice!.logprobs?.content?.[0]?.token ?? null,
  ]);
  expect(seen).toEqual([
    [1, "", null],
    [1, "No", "No"],
    [0, "", null],
    [0, "Yes", "Yes"],
    [1, ".", "."],
    [1, "length", null],
    [0, "stop", null],
  ]);
  expect(chunks.filter(({ brink }) => brink !== undefined)).toEqual([chunks.at(-1)]);
});

it("what is omitted or null gets its default, and the key's namespace", async () => {
  const { call, service } = startApi();
  const json = { model: null, messages, stream: null, memory: null, temperature: null, seed: 7 };
  await call(PATH, { json });
  expect(requestSeen(service)).toMatchObject({
    model: "auto",
    messages,
    memory: { namespace: "docs", k: 8, mode: "hybrid", filter: null },
    parameters: { seed: 7 },
    stream: false,
    explain: false,
  });
});

it("memory can be switched off or chosen; other fields go to the engine as they are", async () => {
  const off = startApi();
  await off.call(PATH, { json: { messages, memory: false, custom: { deep: [1] }, user: "u" } });
  expect(requestSeen(off.service)).toMatchObject({
    memory: null,
    parameters: { custom: { deep: [1] }, user: "u" },
  });
  const chosen = startApi();
  const ways = { neighbours: 1, rerank: { model: null, depth: 5 }, iterative: { hops: 2 } };
  const memory = { namespace: "docs", k: 3, mode: "bm25", filter: { language: "en" }, ...ways };
  await chosen.call(PATH, { json: { messages, memory, explain: true } });
  expect(requestSeen(chosen.service)).toMatchObject({ memory, explain: true, parameters: {} });
});

it("a tool may be chosen where there are tools, and none or any where there are none", async () => {
  const tools = [{ type: "function", function: { name: "tide" } }];
  const named = { type: "function", function: { name: "tide" } };
  for (const rest of [
    ...[
      { tools, tool_choice: "required" },
      { tools, tool_choice: named },
    ],
    ...[{ tool_choice: "auto" }, { tool_choice: "none" }],
  ]) {
    const { outcome, service } = startApi();
    expect(await outcome(PATH, { json: { messages, ...rest } })).toEqual([200, null]);
    expect(requestSeen(service).parameters).toEqual(rest);
  }
});

it("content parts, tool messages and extra message fields are taken", async () => {
  const { outcome, service } = startApi();
  const conversation = [
    { role: "developer", content: "be brief" },
    { role: "user", name: "ann", content: [{ type: "text", text: "hi" }, { type: "image_url" }] },
    { role: "assistant", content: null, tool_calls: [{ id: "c" }] },
    { role: "tool", tool_call_id: "c", content: "42" },
  ];
  expect(await outcome(PATH, { json: { messages: conversation } })).toEqual([200, null]);
  expect(requestSeen(service).messages).toEqual(conversation);
});

const user = (content: unknown) => [{ role: "user", content }];
it.each<[string, object, string, string | null]>([
  ["no messages", {}, "invalid_request", "messages"],
  ["empty messages", { messages: [] }, "invalid_request", "messages"],
  ["too many messages", { messages: Array(257).fill(messages[0]) }, "invalid_request", "messages"],
  [
    "no user message",
    { messages: [{ role: "system", content: "x" }] },
    "invalid_request",
    "messages",
  ],
  ["an empty question", { messages: user("  ") }, "invalid_request", "messages[0].content"],
  ["an absent question", { messages: user(null) }, "invalid_request", "messages[0].content"],
  ["content of a wrong kind", { messages: user(5) }, "invalid_request", "messages[0].content"],
  [
    "a text part without text",
    { messages: user([{ type: "text" }]) },
    "invalid_request",
    "messages[0].content[0].text",
  ],
  [
    "an unknown role",
    { messages: [{ role: "x", content: "x" }] },
    "invalid_request",
    "messages[0].role",
  ],
  [
    "too long a message",
    { messages: user("x".repeat(400_001)) },
    "invalid_request",
    "messages[0].content",
  ],
  ["a lone surrogate", { messages: user("a\ud800") }, "invalid_request", "messages[0].content"],
  ["a NUL", { messages: user("a\0") }, "invalid_request", "messages[0].content"],
  ["an unknown model", { messages, model: "gpt-9" }, "model_not_found", "model"],
  ["a model that is no text", { messages, model: 5 }, "invalid_request", "model"],
  ["a hot temperature", { messages, temperature: 9 }, "invalid_request", "temperature"],
  ["n > 8", { messages, n: 9 }, "invalid_request", "n"],
  ["top_logprobs alone", { messages, top_logprobs: 2 }, "invalid_request", "top_logprobs"],
  ["a bias of 101", { messages, logit_bias: { 5: 101 } }, "invalid_request", "logit_bias"],
  ["a bias of a word", { messages, logit_bias: { x: 1 } }, "invalid_request", "logit_bias.x"],
  ["min_p of 2", { messages, min_p: 2 }, "invalid_request", "min_p"],
  [
    "no penalty at all",
    { messages, repetition_penalty: 0 },
    "invalid_request",
    "repetition_penalty",
  ],
  ["old functions", { messages, functions: [] }, "unsupported_parameter", "functions"],
  ["audio", { messages, modalities: ["text", "audio"] }, "unsupported_parameter", "modalities"],
  ["a voice", { messages, audio: { voice: "x" } }, "unsupported_parameter", "audio"],
  [
    "a call of no tool",
    { messages, tool_choice: "required", tools: [] },
    "invalid_request",
    "tool_choice",
  ],
  ["a tool by number", { messages, tool_choice: 5 }, "invalid_request", "tool_choice"],
  ["memory: true", { messages, memory: true }, "invalid_request", "memory"],
  ["an unknown memory field", { messages, memory: { kk: 1 } }, "invalid_request", "memory.kk"],
  ["k of 0", { messages, memory: { k: 0 } }, "invalid_request", "memory.k"],
  ["an unknown mode", { messages, memory: { mode: "x" } }, "invalid_request", "memory.mode"],
  [
    "a bad filter",
    { messages, memory: { filter: { a: { near: 1 } } } },
    "invalid_request",
    "memory.filter",
  ],
  ["a bad name", { messages, memory: { namespace: "A/b" } }, "invalid_request", "memory.namespace"],
])("%s is refused with its code and place", async (_, json, code, param) => {
  const { call, outcome } = startApi();
  const response = await call(PATH, { json });
  expect(response.status).toBeGreaterThanOrEqual(400);
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ code, param, message: expect.stringMatching(/.{10}/) });
  expect(await outcome(PATH, { json: { messages } })).toEqual([200, null]);
});

it("an unknown namespace is namespace_not_found", async () => {
  const json = { messages, memory: { namespace: "nowhere" } };
  expect(await startApi().outcome(PATH, { json })).toEqual([404, "namespace_not_found"]);
});

it("a body that is no object is refused", async () => {
  const { outcome } = startApi();
  for (const json of [[], "x", 5, null])
    expect(await outcome(PATH, { json })).toEqual([400, "invalid_request"]);
});

it("the official openai client reads replies, streams and errors", async () => {
  const { app, service } = startApi();
  const client = new OpenAI({
    apiKey: "brink-dev",
    baseURL: "http://brink.test/v1",
    maxRetries: 0,
    fetch: async (url, init) => app.request(String(url), init, {}),
  });
  const question = [{ role: "user" as const, content: "When?" }];
  const whole = await client.chat.completions.create({ model: "auto", messages: question });
  expect(whole.choices[0]!.message.content).toBe("It ends on 3 May.");
  const stream = client.chat.completions.stream({ model: "auto", messages: question });
  expect((await stream.finalChatCompletion()).choices[0]!.message.content).toBe(
    "It ends on 3 May.",
  );
  const { data } = await client.embeddings.create({ model: "encoder", input: ["a", "b"] });
  expect(data[1]!.embedding).toHaveLength(4);
  expect(data[1]!.embedding[2]).toBeCloseTo(0.8, 6);
  expect((await client.models.retrieve("backend:org/big")).id).toBe("backend:org/big");
  await expect(
    client.chat.completions.create({ model: "gpt-9", messages: question }),
  ).rejects.toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  vi.spyOn(console, "error").mockImplementation(() => {});
  service.pieces = async function* () {
    yield { text: "It" };
    throw new ServiceError("backend_unavailable", "it broke off");
  };
  const broken = client.chat.completions.stream({ model: "auto", messages: question });
  await expect(broken.finalChatCompletion()).rejects.toThrow("it broke off");
  vi.restoreAllMocks();
});
