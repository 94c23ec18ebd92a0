/** Streams of the built Worker: when their headers go, how they break, and what a reader's leaving
 *  ends. The local runtime learns of that when it writes; leaving before the first token, which the
 *  platform tells by the request's signal, is tested in test/api/leaving.test.ts. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { OpenAiServer, Step } from "../support/openai-server.ts";
import { START_MS_MAX, type TestService } from "../support/running-service.ts";
import { becomes, startWithBackend } from "../support/service-with-backend.ts";

let backend: OpenAiServer;
let service: TestService;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ service, backend, stop } = await startWithBackend());
}, START_MS_MAX);
afterAll(() => stop?.());

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";
const bodies = {
  [CHAT]: { model: "backend", messages: [{ role: "user", content: "Why?" }], memory: false },
  [RESPONSES]: { model: "backend", input: "Why?", memory: false },
};

function send(path: keyof typeof bodies, rest: object = {}, signal?: AbortSignal) {
  return fetch(service.url + path, {
    method: "POST",
    headers: { authorization: "Bearer brink-dev", "content-type": "application/json" },
    body: JSON.stringify({ ...bodies[path], stream: true, ...rest }),
    signal,
  });
}

function event(content: string): string {
  const choice = { index: 0, delta: { content }, finish_reason: null };
  return `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
}
const END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const words = (n: number) => Array.from({ length: n }, (_, i) => event(`word${i} `));

it("the headers wait for the first token, and the tokens then come one by one", async () => {
  const pauseMs = 400;
  backend.script({ chunks: [...words(3), END], ending: "end", pauseMs });
  const startMs = performance.now();
  const response = await send(CHAT);
  const headersMs = performance.now() - startMs;
  const arrivals: number[] = [];
  for await (const _ of response.body!) arrivals.push(performance.now() - startMs);
  expect(headersMs).toBeGreaterThan(pauseMs * 0.9);
  expect(arrivals.at(-1)! - headersMs).toBeGreaterThan(pauseMs * 2);
});

it("a backend that fails before its first token leaves the stream to the edge", async () => {
  const failures: Step[] = [
    { status: 400, body: '{"error":{"message":"no"}}' },
    { chunks: ["data: not json\n\n"], ending: "end" },
  ];
  for (const failure of failures) {
    backend.script(failure);
    const messages = [{ role: "user", content: "What would a harbour master weigh, and why?" }];
    const response = await send(CHAT, { model: "auto", messages, memory: { namespace: "docs" } });
    expect([response.status, response.headers.get("x-brink-route")]).toEqual([200, "edge"]);
    const text = await response.text();
    expect(text).toContain('"wanted":"backend"');
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  }
});

it("a stream that breaks after its first token ends with an error, in either shape", async () => {
  const step: Step = { chunks: words(1), ending: "reset" };
  backend.script(step, step);
  const chat = await (await send(CHAT)).text();
  expect(chat).toContain('data: {"error":{"message":"the backend');
  expect(chat).not.toContain("[DONE]");
  const responses = await (await send(RESPONSES)).text();
  expect(responses).toContain("event: error\n");
  expect(responses).toContain("event: response.failed\n");
  expect(responses).not.toContain("response.completed");
});

it.each([CHAT, RESPONSES] as const)(
  "a client that leaves %s in mid-stream ends the backend's work",
  async (path) => {
    const aborted = backend.aborted;
    backend.script({ chunks: words(200), ending: "hang", pauseMs: 50 });
    const leave = new AbortController();
    const response = await send(path, {}, leave.signal);
    const reader = response.body!.getReader();
    await reader.read();
    expect(backend.aborted).toBe(aborted);
    leave.abort();
    expect(await becomes(() => backend.aborted === aborted + 1)).toBe(true);
  },
);

it("a slow reader slows the backend's stream and loses nothing of it", async () => {
  const text = "x".repeat(20_000);
  backend.script({
    chunks: [...Array.from({ length: 50 }, () => event(text)), END],
    ending: "end",
  });
  const response = await send(CHAT);
  let length = 0;
  for await (const bytes of response.body!) {
    length += bytes.length;
    await new Promise((done) => setTimeout(done, 5));
  }
  expect(length).toBeGreaterThan(50 * text.length);
});
