/** Replies that are not quite as OpenAI's are, and what is made of each. */
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ReplyLimits } from "../../src/engine/backend-reply.ts";
import { BACKEND_ERROR_MS_MAX } from "../../src/limits.ts";
import { ask, collect, memberAt, poolOf } from "../support/backends.ts";
import { type OpenAiServer, type Step, startOpenAiServer } from "../support/openai-server.ts";

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const event = (choice: object) => `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
const OK = event({ delta: { content: "ok" } });
const END = event({ delta: {}, finish_reason: "length" });
const WHOLE = JSON.stringify({
  choices: [{ message: { content: "ok" }, finish_reason: "length" }],
});

function answerTo(step: Step, stream = true, limits: Partial<ReplyLimits> = {}) {
  server.script(step);
  const deadlineMs = limits.idleMs ?? 20_000;
  const member = memberAt(server.url, "big", { deadlineMs }, limits);
  return collect(poolOf([member]).answer(ask(stream)));
}

const chunks = (...all: (string | Uint8Array)[]): Step => ({ chunks: all, ending: "end" });
const typed = (type: string, ...all: (string | Uint8Array)[]): Step => {
  return { chunks: all, ending: "end", type };
};

it.each<[string, Step]>([
  ["a stream that is said to be JSON", typed("application/json", OK, END)],
  ["a stream that is said to be text", typed("text/plain", OK, END)],
  ["a stream of no type that begins with a comment", typed("", ": hello\n\n", OK, END)],
  ["one that begins with an event's name", typed("application/json", `event: x\n${OK}`, END)],
  ["JSON that is said to be a stream", chunks(WHOLE)],
  ["the same behind white space and a byte order mark", chunks("\n", "\ufeff ", WHOLE)],
  ["a mark cut in two", chunks(Uint8Array.of(0xef, 0xbb), Uint8Array.of(0xbf), OK, END)],
  ["events without data", chunks("data:\n\n", OK, "data: \n\n", END)],
  [
    "a stream of Windows lines with comments, names, ids and times",
    chunks(
      `\ufeff: hi\r\n\r\nevent: message\r\nid: 1\r\nretry: 5\r\n${OK.replaceAll("\n", "\r\n")}`,
      `: ping\r\n\r\n${END.replaceAll("\n", "\r\n")}data: [DONE]\r\n\r\n`,
    ),
  ],
  [
    "data of several lines",
    chunks(
      'data: {"choices":\ndata: [{"delta":{"content":"ok"},\ndata:"finish_reason":"length"}]}',
    ),
  ],
])("%s is read as what it is", async (_, step) => {
  const { text, last } = await answerTo(step);
  expect([text, last.finish_reason]).toEqual(["ok", "length"]);
});

it("a compressed reply is read", async () => {
  const headers = { "content-encoding": "gzip", "content-type": "application/json" };
  const body = gzipSync(WHOLE) as unknown as string;
  expect((await answerTo({ status: 200, headers, body }, false)).text).toBe("ok");
});

it.each<[string, Step, boolean, string]>([
  [
    "an event of an error's words",
    chunks('event: error\ndata: {"message":"full"}\n\n'),
    true,
    "full",
  ],
  ["an error that is said to be a stream", chunks('{"error":{"message":"full"}}'), true, "full"],
  [
    "an error without its name",
    typed("application/json", '{"object":"error","message":"full"}'),
    false,
    "full",
  ],
  ["nothing", chunks(), true, "the reply is empty"],
  ["white space", typed("application/json", "\n \n"), false, "the reply is empty"],
  ["no content", { status: 204 }, false, "the reply is empty"],
  ["a page", typed("text/html", "<html>Sign in"), true, "the reply is not JSON"],
])("%s is told as what it is", async (_, step, stream, words) => {
  await expect(answerTo(step, stream)).rejects.toMatchObject({
    code: "backend_unavailable",
    message: expect.stringContaining(words),
  });
});

it.each(["hang", "reset"] as const)("after a finish reason a %s is an end", async (ending) => {
  const { text, last } = await answerTo({ chunks: [OK, END], ending }, true, { idleMs: 100 });
  expect([text, last.finish_reason]).toEqual(["ok", "length"]);
  const usage = { prompt_tokens: 1, completion_tokens: 2 };
  const counted = `data: ${JSON.stringify({ choices: [], usage })}\n\n`;
  const told = await answerTo({ chunks: [OK, END, counted], ending }, true, { idleMs: 100 });
  expect(told.last.usage).toMatchObject(usage);
});

it("after a finish reason an error, nonsense and too much are still failures", async () => {
  for (const more of ['data: {"error":"no"}\n\n', "data: {oops\n\n"])
    await expect(answerTo(chunks(OK, END, more))).rejects.toMatchObject({
      code: "backend_unavailable",
    });
  const much = chunks(...[OK, END, `: ${"x".repeat(5_000)}`]);
  await expect(answerTo(much, true, { bytes: 4_000 })).rejects.toMatchObject({
    message: expect.stringContaining("longer than 4000 bytes"),
  });
});

it("a caller that leaves after the finish reason has left", async () => {
  server.script({ chunks: [OK, END], ending: "hang" });
  const gone = new AbortController();
  const pieces = poolOf([memberAt(server.url, "big")]).answer(ask(true, { signal: gone.signal }));
  await pieces.next();
  const next = pieces.next();
  setTimeout(() => gone.abort(new Error("gone")), 50);
  await expect(next).rejects.toThrow("gone");
});

it("an error whose body never ends is told by its status and its words so far", async () => {
  const { resolve, promise } = Promise.withResolvers<void>();
  const { createServer } = await import("node:http");
  const http = createServer((_, response) => {
    response.on("close", resolve);
    response.writeHead(400).write("too many cooks");
  });
  await new Promise<void>((listening) => http.listen(0, "127.0.0.1", listening));
  const { port } = http.address() as { port: number };
  const pool = poolOf([memberAt(`http://127.0.0.1:${port}/v1`, "big")]);
  const startMs = performance.now();
  await expect(collect(pool.answer(ask(true)))).rejects.toMatchObject({
    code: "invalid_request",
    message: "the backend answered 400: too many cooks",
  });
  expect(performance.now() - startMs).toBeLessThan(BACKEND_ERROR_MS_MAX + 1_500);
  await promise; // its connection is closed
  await new Promise((closed) => http.close(closed));
});

const named = (name: string, args = "{}") => ({ function: { name, arguments: args } });
const part = (args: string) => ({ function: { arguments: args } });

it.each<[string, object[][], [number, string][]]>([
  [
    "ids",
    [[{ id: "a", ...named("f") }], [{ id: "b", ...named("g") }]],
    [
      [0, "f"],
      [1, "g"],
    ],
  ],
  [
    "several in one",
    [
      [
        { id: "a", ...named("f") },
        { id: "b", ...named("g") },
      ],
    ],
    [
      [0, "f"],
      [1, "g"],
    ],
  ],
  [
    "parts",
    [[{ id: "a", ...named("f", "") }], [part('{"x"')], [part(":1}")]],
    [
      [0, "f"],
      [0, ""],
      [0, ""],
    ],
  ],
  [
    "the id in each part",
    [[{ id: "a", ...named("f", "") }], [{ id: "a", ...part("{}") }]],
    [
      [0, "f"],
      [0, ""],
    ],
  ],
  [
    "no ids",
    [[named("f")], [named("g")]],
    [
      [0, "f"],
      [1, "g"],
    ],
  ],
  [
    "empty ids",
    [[{ id: "", ...named("f") }], [{ id: "", ...named("g") }]],
    [
      [0, "f"],
      [1, "g"],
    ],
  ],
  [
    "some places",
    [[{ index: 2, id: "a", ...named("f") }], [{ id: "b", ...named("g") }]],
    [
      [2, "f"],
      [3, "g"],
    ],
  ],
])("streamed calls without places get theirs, by %s", async (_, deltas, places) => {
  const events = deltas.map((tool_calls) => event({ delta: { tool_calls } }));
  const { all } = await answerTo(chunks(...events, END));
  const calls = all.flatMap(({ tool_calls = [] }) => tool_calls) as {
    index: number;
    function: { name?: string };
  }[];
  expect(calls.map((call) => [call.index, call.function.name ?? ""])).toEqual(places);
});

it("a whole reply's calls are as many as stand in it, whatever places they name", async () => {
  const tool_calls = [
    { index: 0, id: "a", ...named("f") },
    { index: 0, id: "b", ...named("g") },
  ];
  const body = JSON.stringify({ choices: [{ message: { tool_calls } }] });
  const { last } = await answerTo({ status: 200, body }, false);
  expect(last.tool_calls).toEqual(tool_calls.map((call, index) => ({ ...call, index })));
});
