/** The official openai client against the built Worker. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_KEY } from "../../scripts/service.ts";
import { START_MS_MAX } from "../support/running-service.ts";
import { type Backed, becomes } from "../support/service-with-backend.ts";
import { ASK, endlessStep, FERRY, MEMORY, serve } from "./served.ts";

let served: Backed;
let client: OpenAI;
beforeAll(async () => {
  served = await serve();
  client = new OpenAI({
    baseURL: `${served.service.url}/v1`,
    apiKey: LOCAL_KEY,
    maxRetries: 0,
    fetch: (input, init) => fetch(input as string, init), // with the keep-alive of this process
  });
}, START_MS_MAX);
afterAll(() => served?.stop());

const messages = [{ role: "user" as const, content: ASK }];
const edge = { model: "edge", messages, memory: MEMORY };
const schema = { type: "object", properties: { day: { type: "string" } }, required: ["day"] };

it("a whole chat has an answer, its usage, and brink with an exact quote", async () => {
  const { data, response } = await client.chat.completions.create(edge).withResponse();
  expect(data.choices[0]!.message.content).toContain("07:40");
  expect(data.usage!.total_tokens).toBeGreaterThan(0);
  expect(response.headers.get("x-brink-route")).toBe("edge");
  const { brink } = data as unknown as { brink: { citations: { quote: string }[] } };
  expect(FERRY).toContain(brink.citations[0]!.quote);
});

it("a streamed chat adds up to the same answer, and its helper takes it", async () => {
  const whole = await client.chat.completions.create(edge);
  const stream = client.chat.completions.stream({
    ...edge,
    stream_options: { include_usage: true },
  });
  const final = await stream.finalChatCompletion();
  expect(final.choices[0]!.message.content).toBe(whole.choices[0]!.message.content);
  expect(final.usage).toEqual(whole.usage);
});

it("an aborted stream ends the backend's work, and the client lives on", async () => {
  const { backend } = served;
  const before = backend.aborted;
  backend.script(endlessStep());
  const stream = await client.chat.completions.create({
    model: "backend",
    messages,
    stream: true,
  });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  expect(await becomes(() => backend.aborted === before + 1)).toBe(true);
  expect((await client.models.list()).data.length).toBeGreaterThan(3);
});

it("errors are the client's own classes, with status, code and param", async () => {
  const ask = (rest: object) => client.chat.completions.create({ ...edge, ...rest });
  const unknown = ask({ model: "gpt-99" });
  await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(unknown).rejects.toMatchObject({
    status: 404,
    code: "model_not_found",
    param: "model",
  });
  await expect(ask({ temperature: 9 })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  const stranger = new OpenAI({ baseURL: client.baseURL, apiKey: "wrong", maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  const failure = { status: 500, body: "{}" }; // tried again twice, so it takes three
  served.backend.script(failure, failure, failure);
  await expect(ask({ model: "backend" })).rejects.toBeInstanceOf(OpenAI.InternalServerError);
});

it("a stream that breaks in its midst throws from the client's iteration", async () => {
  const choice = { index: 0, delta: { content: "Half an " }, finish_reason: null };
  const event = `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
  served.backend.script({ chunks: [event], ending: "reset" });
  const stream = await client.chat.completions.create({ model: "backend", messages, stream: true });
  const read = async () => {
    for await (const _ of stream);
  };
  await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
});

it("embeddings are the same as base64, which the client asks for, and as numbers", async () => {
  const input = ["the tide", "the ferry"];
  const model = "all-MiniLM-L6-v2";
  const [base64, float] = await Promise.all([
    client.embeddings.create({ model, input }),
    client.embeddings.create({ model, input, encoding_format: "float" }),
  ]);
  expect(base64.data.map(({ embedding }) => embedding.length)).toEqual([384, 384]);
  for (const [i, { embedding }] of base64.data.entries())
    for (const [j, x] of embedding.entries())
      expect(x).toBeCloseTo(float.data[i]!.embedding[j]!, 6);
  const short = await client.embeddings.create({ model, input: "the tide", dimensions: 64 });
  const squares = short.data[0]!.embedding.map((x) => x * x);
  expect(squares.length).toBe(64);
  expect(squares.reduce((sum, x) => sum + x)).toBeCloseTo(1, 5);
});

it("a JSON schema and tools reach the backend as they were sent, and calls come back", async () => {
  const { backend } = served;
  const response_format = {
    type: "json_schema" as const,
    json_schema: { name: "day", schema, strict: true },
  };
  backend.script({ text: '{"day":"May"}' });
  const parsed = await client.chat.completions.parse({ model: "auto", messages, response_format });
  expect(JSON.parse(parsed.choices[0]!.message.content!)).toEqual({ day: "May" });
  expect(backend.requests.at(-1)!.body.response_format).toEqual(response_format);

  const tools = [{ type: "function" as const, function: { name: "tide", parameters: schema } }];
  const made = { id: "c1", type: "function", function: { name: "tide", arguments: "{}" } };
  backend.script({ text: "", tool_calls: [{ index: 0, ...made }], finish_reason: "tool_calls" });
  const called = await client.chat.completions.create({ model: "auto", messages, tools });
  expect(called.choices[0]!.message.tool_calls).toEqual([made]);
  expect(backend.requests.at(-1)!.body.tools).toEqual(tools);
});

it("a backend's log probabilities come whole, streamed and as a response", async () => {
  const { backend } = served;
  const token = (text: string) => ({ token: text, logprob: -0.5, bytes: [...Buffer.from(text)] });
  const content = [{ ...token("Low"), top_logprobs: [token("Low"), token("High")] }];
  const frame = { index: 0, logprobs: { content, refusal: null }, finish_reason: "stop" };
  const whole = JSON.stringify({ choices: [{ ...frame, message: { content: "Low" } }] });
  const event = JSON.stringify({ choices: [{ ...frame, delta: { content: "Low" } }] });
  const asked = { model: "auto", messages, logprobs: true, top_logprobs: 2 };
  backend.script({ status: 200, body: whole });
  const { choices } = await client.chat.completions.create(asked);
  expect(choices[0]!.logprobs).toEqual({ content, refusal: null });
  backend.script({ chunks: [`data: ${event}\n\n`], ending: "end" });
  const stream = client.chat.completions.stream(asked);
  const final = await stream.finalChatCompletion();
  expect(final.choices[0]!.logprobs).toMatchObject({ content });
  backend.script({ status: 200, body: whole });
  const response = await client.responses.create({
    model: "backend",
    input: ASK,
    include: ["message.output_text.logprobs"],
    top_logprobs: 2,
  });
  expect(response.output[0]).toMatchObject({ content: [{ text: "Low", logprobs: content }] });
  const { top_logprobs: _, ...edge } = asked;
  await expect(client.chat.completions.create({ ...edge, model: "edge" })).rejects.toMatchObject({
    code: "unsupported_parameter",
    param: "logprobs",
  });
});

it("a model's refusal is one to the client, and no answer that it fails to parse", async () => {
  const { backend } = served;
  const json_schema = { name: "day", schema, strict: true };
  const response_format = { type: "json_schema" as const, json_schema };
  const asked = { model: "auto", messages, response_format };
  const refusal = "I cannot help with that.";
  const message = { role: "assistant", content: null, refusal };
  const whole = JSON.stringify({ choices: [{ index: 0, message, finish_reason: "stop" }] });
  backend.script({ status: 200, body: whole });
  const parsed = await client.chat.completions.parse(asked);
  expect(parsed.choices[0]!.message).toMatchObject({ content: null, refusal, parsed: null });
  const deltas = refusal.split(/(?= )/).map((said) => ({ refusal: said }));
  const events = [{ role: "assistant", content: "" }, ...deltas].map((delta, i) => {
    const finish_reason = i === deltas.length ? "stop" : null;
    return `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  });
  backend.script({ chunks: events, ending: "end" });
  const stream = client.chat.completions.stream(asked);
  expect((await stream.finalChatCompletion()).choices[0]!.message.refusal).toBe(refusal);
  backend.script({ chunks: events, ending: "end" });
  const response = await client.responses.stream({ model: "backend", input: ASK }).finalResponse();
  expect(response.output).toMatchObject([{ content: [{ type: "refusal", refusal }] }]);
});

it("models are listed and found one by one", async () => {
  const { data } = await client.models.list();
  const ids = data.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(["auto", "edge", "backend", "all-MiniLM-L6-v2"]));
  expect((await client.models.retrieve("edge")).id).toBe("edge");
});

const ask = { model: "edge", input: ASK, memory: MEMORY };

it("a whole response has output_text, annotations and usage", async () => {
  const response = await client.responses.create(ask);
  expect([response.status, response.object]).toEqual(["completed", "response"]);
  expect(response.output_text).toContain("07:40");
  const item = response.output[0]!;
  const cited = { type: "file_citation", file_id: "ferry", filename: "Ferry", index: 0 };
  expect(item).toMatchObject({ type: "message", content: [{ annotations: [cited] }] });
  expect(response.usage!.total_tokens).toBeGreaterThan(0);
});

it("a streamed response is put together by the client's own helper", async () => {
  const whole = await client.responses.create(ask);
  const stream = client.responses.stream(ask);
  let text = "";
  for await (const event of stream)
    if (event.type === "response.output_text.delta") text += event.delta;
  const final = await stream.finalResponse();
  expect(text).toBe(whole.output_text);
  expect(final.output_text).toBe(whole.output_text);
  expect(final.usage).toEqual(whole.usage);
});

it("a response's function calls stream, and their outputs go back to the backend", async () => {
  const { backend } = served;
  const made = {
    id: "c1",
    type: "function",
    function: { name: "tide", arguments: '{"day":"May"}' },
  };
  backend.script({ text: "", tool_calls: [{ index: 0, ...made }], finish_reason: "tool_calls" });
  const tools = [{ type: "function" as const, name: "tide", parameters: schema, strict: true }];
  const stream = client.responses.stream({ model: "backend", input: ASK, tools });
  const { output } = await stream.finalResponse();
  expect(output).toMatchObject([{ type: "function_call", name: "tide", call_id: "c1" }]);
  backend.script({ text: "Low." });
  const next = await client.responses.create({
    model: "backend",
    tools,
    input: [
      { role: "user", content: ASK },
      ...output.filter((item) => item.type === "function_call"),
      { type: "function_call_output", call_id: "c1", output: "low" },
    ],
  });
  expect(next.output_text).toBe("Low.");
  expect(backend.requests.at(-1)!.body.messages.slice(-2)).toEqual([
    { role: "assistant", content: null, tool_calls: [made] },
    { role: "tool", tool_call_id: "c1", content: "low" },
  ]);
});

it("a response that breaks in its midst, or needs stored state, is an error", async () => {
  const choice = { index: 0, delta: { content: "Half an " }, finish_reason: null };
  served.backend.script({
    chunks: [`data: ${JSON.stringify({ choices: [choice] })}\n\n`],
    ending: "reset",
  });
  const stream = await client.responses.create({ model: "backend", input: ASK, stream: true });
  const read = async () => {
    for await (const _ of stream);
  };
  await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
  await expect(
    client.responses.create({ ...ask, previous_response_id: "resp_1" }),
  ).rejects.toMatchObject({ code: "unsupported_parameter", param: "previous_response_id" });
});

it("rerank, which the client has no method for, is reached by its post", async () => {
  const body = { query: ASK, documents: ["The moon is far.", FERRY], top_n: 1 };
  const reply = (await client.post("/rerank", { body })) as { results: { index: number }[] };
  expect(reply.results).toMatchObject([{ index: 1 }]);
});
