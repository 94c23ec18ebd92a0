/** The ai SDK with its OpenAI-compatible provider against the built Worker. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, Output, streamText, tool } from "ai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_KEY } from "../../scripts/service.ts";
import { START_MS_MAX } from "../support/running-service.ts";
import { type Backed, becomes } from "../support/service-with-backend.ts";
import { ASK, endlessStep, MEMORY, serve } from "./served.ts";

let served: Backed;
let brink: ReturnType<typeof createOpenAICompatible>;
beforeAll(async () => {
  served = await serve();
  brink = createOpenAICompatible({
    name: "brink",
    baseURL: `${served.service.url}/v1`,
    apiKey: LOCAL_KEY,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
}, START_MS_MAX);
afterAll(() => served?.stop());

const memory = { providerOptions: { brink: { memory: MEMORY } }, maxRetries: 0 };
const day = jsonSchema<{ day: string }>({
  type: "object",
  properties: { day: { type: "string" } },
  required: ["day"],
});

it("generateText gives the edge's answer with its usage", async () => {
  const { text, usage, finishReason } = await generateText({
    model: brink("edge"),
    prompt: ASK,
    ...memory,
  });
  expect(text).toContain("07:40");
  expect(usage.totalTokens).toBeGreaterThan(0);
  expect(finishReason).toBe("stop");
});

it("streamText streams the same, and an error after the first token is told", async () => {
  const { textStream, usage } = streamText({ model: brink("edge"), prompt: ASK, ...memory });
  let text = "";
  for await (const part of textStream) text += part;
  expect(text).toContain("07:40");
  expect((await usage).totalTokens).toBeGreaterThan(0);

  const choice = { index: 0, delta: { content: "Half an " }, finish_reason: null };
  const event = `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
  served.backend.script({ chunks: [event], ending: "reset" });
  const errors: unknown[] = [];
  const broken = streamText({
    model: brink("backend"),
    prompt: ASK,
    maxRetries: 0,
    onError: ({ error }) => void errors.push(error),
  });
  for await (const _ of broken.textStream);
  expect(errors).toHaveLength(1);
});

it("an aborted stream ends the backend's work", async () => {
  const { backend } = served;
  const before = backend.aborted;
  backend.script(endlessStep());
  const leave = new AbortController();
  const { textStream } = streamText({
    model: brink("backend"),
    prompt: ASK,
    maxRetries: 0,
    abortSignal: leave.signal,
  });
  for await (const _ of textStream) leave.abort();
  expect(await becomes(() => backend.aborted === before + 1)).toBe(true);
});

it("errors have Brink's status and body", async () => {
  const wrong = generateText({ model: brink("gpt-99"), prompt: ASK, maxRetries: 0 });
  await expect(wrong).rejects.toMatchObject({
    statusCode: 404,
    responseBody: expect.stringContaining("model_not_found"),
  });
});

it("an object by its schema comes from the backend", async () => {
  served.backend.script({ text: '{"day":"May"}' });
  const { output } = await generateText({
    model: brink("auto"),
    prompt: ASK,
    output: Output.object({ schema: day }),
    maxRetries: 0,
  });
  expect(output).toEqual({ day: "May" });
  expect(served.backend.requests.at(-1)!.body.response_format.type).toBe("json_schema");
});

it("tools are called and answered", async () => {
  const made = {
    id: "c1",
    type: "function",
    function: { name: "tide", arguments: '{"day":"May"}' },
  };
  const calls = [{ index: 0, ...made }];
  served.backend.script({ text: "", tool_calls: calls, finish_reason: "tool_calls" });
  const { toolCalls, toolResults } = await generateText({
    model: brink("auto"),
    prompt: ASK,
    tools: { tide: tool({ inputSchema: day, execute: async ({ day }) => `low in ${day}` }) },
    maxRetries: 0,
  });
  expect(toolCalls).toMatchObject([{ toolName: "tide", input: { day: "May" } }]);
  expect(toolResults).toMatchObject([{ output: "low in May" }]);
});

it("embedMany gives unit vectors", async () => {
  const model = brink.embeddingModel("all-MiniLM-L6-v2");
  const { embeddings } = await embedMany({ model, values: ["the tide", "the ferry"] });
  expect(embeddings.map((vector) => vector.length)).toEqual([384, 384]);
});
