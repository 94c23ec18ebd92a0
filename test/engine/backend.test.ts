import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { completionsUrl } from "../../src/engine/backend.ts";
import type { BackendPool } from "../../src/engine/backend-pool.ts";
import type { ReplyLimits } from "../../src/engine/backend-reply.ts";
import { BACKEND_ERROR_BYTES_MAX } from "../../src/limits.ts";
import { ask, collect, KEY, memberAt, poolOf } from "../support/backends.ts";
import { endsAt } from "../support/byte-streams.ts";
import { type OpenAiServer, startOpenAiServer, streamReply } from "../support/openai-server.ts";

let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

/** A pool of this one backend. */
function engine(limits: Partial<ReplyLimits & { firstByteMs: number }> = {}): BackendPool {
  const { firstByteMs: deadlineMs = 20_000, ...reply } = limits;
  const member = memberAt(server.url, "big", { model: "big-model", deadlineMs }, reply);
  return poolOf([member], { wholeMs: reply.idleMs ?? 30_000 });
}

const events = (datas: string[]) => datas.map((data) => `data: ${data}\n\n`).join("");
const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

it("a whole answer has its text, finish reason and the backend's usage", async () => {
  server.script({ text: "Because so." });
  const { all } = await collect(engine().answer(ask(false)));
  expect(all).toEqual([{ text: "Because so.", finish_reason: "stop", usage: USAGE }]);
});

it("a streamed answer arrives in its pieces, the last with finish reason and usage", async () => {
  server.script({ text: "Because it is so.", finish_reason: "length" });
  const { all, text, last } = await collect(engine().answer(ask(true)));
  expect(text).toBe("Because it is so.");
  expect(all.length).toBe(5);
  expect(last).toEqual({ text: "", finish_reason: "length", usage: USAGE });
});

it("the request has key, model, messages and parameters, and no field of Brink's", async () => {
  const parameters = { temperature: 0.3, tools: [{ type: "function" }], n: 3, model: "other" };
  await collect(engine().answer(ask(true, { parameters })));
  const { headers, path, body } = server.requests[0]!;
  expect(path).toBe("/v1/chat/completions");
  expect(headers.authorization).toBe(`Bearer ${KEY}`);
  expect(body).toEqual({
    temperature: 0.3,
    tools: [{ type: "function" }],
    model: "big-model",
    messages: [{ role: "user", content: "why?" }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

it("tool calls are handed on, whole and streamed", async () => {
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  server.script({ text: "", tool_calls: [call], finish_reason: "tool_calls" });
  const whole = await collect(engine().answer(ask(false)));
  expect(whole.last.tool_calls).toEqual([{ index: 0, ...call }]);
  server.script({ text: "", tool_calls: [{ index: 0, ...call }] });
  const streamed = await collect(engine().answer(ask(true)));
  expect(streamed.all[0]!.tool_calls).toEqual([{ index: 0, ...call }]);
});

it("reasoning is not handed on, and how much of it came is told once", async () => {
  const delta = (fields: object) => JSON.stringify({ choices: [{ delta: fields }] });
  const thought = "Denke nach: übrig";
  const datas = [
    delta({ role: "assistant", content: "", reasoning_content: thought }),
    delta({ reasoning: thought, reasoning_content: thought }), // some send it under two names
    delta({ content: "42" }),
    "[DONE]",
  ];
  server.script({ chunks: [events(datas)], ending: "end" });
  let bytes = 0;
  const hidden = (more: number) => {
    bytes += more;
  };
  const { all } = await collect(engine().answer(ask(true, { hidden })));
  expect(all.map(({ text }) => text)).toEqual(["42", ""]);
  expect(bytes).toBe(2 * Buffer.byteLength(thought));
  const details = [{ type: "reasoning.text", text: thought }];
  const message = { role: "assistant", content: "42", reasoning_details: details };
  const body = JSON.stringify({ choices: [{ message, finish_reason: "stop" }] });
  server.script({ status: 200, headers: { "content-type": "application/json" }, body });
  bytes = 0;
  expect((await collect(engine().answer(ask(false, { hidden })))).all).toEqual([
    { text: "42", finish_reason: "stop" },
  ]);
  expect(bytes).toBe(Buffer.byteLength(JSON.stringify(details)));
});

it("usage has what was cached and what was thought, whole and streamed", async () => {
  const details = {
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 5, audio_tokens: 0 },
  };
  const usage = { ...USAGE, ...details };
  const choice = { index: 0, finish_reason: "stop" };
  const said = { role: "assistant", content: "42" };
  const body = JSON.stringify({ choices: [{ ...choice, message: said }], usage });
  server.script({ status: 200, headers: { "content-type": "application/json" }, body });
  const chunk = JSON.stringify({ choices: [{ ...choice, delta: said }], usage });
  server.script({ chunks: [new TextEncoder().encode(events([chunk, "[DONE]"]))], ending: "end" });
  for (const stream of [false, true]) {
    const { last } = await collect(engine().answer(ask(stream)));
    expect(last.usage).toEqual({ ...USAGE, cached_tokens: 4, reasoning_tokens: 5 });
  }
});

it("a stream cut at every byte reads the same", async () => {
  const all = new TextEncoder().encode(events(streamReply({ text: "naïve 𝔸nswer ✓" })));
  server.script({ chunks: Array.from(all, (byte) => Uint8Array.of(byte)), ending: "end" });
  for (let cut = 1; cut < 60; cut++)
    server.script({ chunks: [all.slice(0, cut), all.slice(cut)], ending: "end" });
  for (let run = 0; run < 60; run++) {
    const { text, last } = await collect(engine().answer(ask(true)));
    expect(text).toBe("naïve 𝔸nswer ✓");
    expect(last.usage).toEqual(USAGE);
  }
});

it("a stream is complete with a finish reason or [DONE], last newline or not", async () => {
  const chunk = '{"choices":[{"delta":{"content":"yes"}}]}';
  const finish = '{"choices":[{"delta":{},"finish_reason":"stop"}]}';
  for (const end of [
    `data: ${finish}\n\n`,
    `data: ${finish}`,
    "data: [DONE]\n\n",
    "data: [DONE]",
  ]) {
    server.script({ chunks: [`data: ${chunk}\n\n`, end], ending: "end" });
    const { text, last } = await collect(engine().answer(ask(true)));
    expect([text, last.finish_reason]).toEqual(["yes", "stop"]);
  }
});

it("a stream that hangs after [DONE] is complete", async () => {
  server.script({ chunks: [events(streamReply({ text: "done" }))], ending: "hang" });
  const { text } = await collect(engine({ idleMs: 5_000 }).answer(ask(true)));
  expect(text).toBe("done");
});

it("a backend that answers whole where a stream was asked for is understood", async () => {
  const body = '{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}';
  server.script({ status: 200, headers: { "content-type": "application/json" }, body });
  expect((await collect(engine().answer(ask(true)))).text).toBe("whole");
});

it("a stream that ends before its answer does is an error, not a short answer", async () => {
  const start = events(streamReply({ text: "half an answer" }).slice(0, 3));
  for (const ending of ["end", "reset"] as const) {
    server.script({ chunks: [start], ending });
    const seen: string[] = [];
    const run = async () => {
      for await (const { text } of engine().answer(ask(true))) seen.push(text);
    };
    await expect(run()).rejects.toMatchObject({ code: "backend_unavailable" });
    expect(seen.join("")).toBe("half an ");
  }
});

it("an error event in a stream ends it with the backend's words", async () => {
  server.script({ chunks: ['data: {"error":{"message":"out of memory"}}\n\n'], ending: "end" });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    code: "backend_unavailable",
    message: expect.stringContaining("out of memory"),
  });
});

it.each([408, 429, 500, 502, 503, 504, 529])("a %i is tried again, twice", async (status) => {
  server.script({ status }, { status }, { text: "third time" });
  expect((await collect(engine().answer(ask(true)))).text).toBe("third time");
  expect(server.requests.length).toBe(3);
});

it("a connection dropped before the first byte is tried again, twice at most", async () => {
  const reset = { silence: "reset" } as const;
  server.script(reset, reset, { text: "third time" });
  expect((await collect(engine().answer(ask(false)))).text).toBe("third time");
  server.script(reset, reset, reset, { text: "fourth time" });
  await expect(collect(engine().answer(ask(false)))).rejects.toMatchObject({
    code: "backend_unavailable",
  });
});

it("a Retry-After longer than a caller's patience is not waited for", async () => {
  server.script({ status: 429, headers: { "retry-after": "60" }, body: "slow down" });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    code: "backend_unavailable",
    message: "the backend answered 429: slow down",
  });
  expect(server.requests.length).toBe(1);
});

it.each([
  [400, "invalid_request"],
  [404, "model_not_found"],
  [413, "invalid_request"],
  [422, "invalid_request"],
  [402, "backend_unavailable"],
  [501, "backend_unavailable"],
])("a %i is not retried; it is %s with the status and the message", async (status, code) => {
  server.script({ status, body: JSON.stringify({ error: { message: `no,\n ${KEY} bad` } }) });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    code,
    message: `the backend answered ${status}: no, [key] bad`,
  });
  expect(server.requests.length).toBe(1);
});

it("a conversation that is too long for the backend is told by OpenAI's own code", async () => {
  const said = { message: "at most 8192 tokens", code: "context_length_exceeded" };
  const body = JSON.stringify({ error: said });
  server.script({ status: 400, body }, { status: 500, body }, { status: 501, body });
  const told = { code: said.code, message: `the backend answered 400: ${said.message}` };
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject(told);
  const other = { code: "backend_unavailable" };
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject(other);
});

it("a refused key is told without what the backend says of it", async () => {
  server.script({ status: 401, body: '{"error":{"message":"bad key sk-ve****ret"}}' });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    message: "the backend answered 401: it refused its key",
  });
});

it("a long error body is cut", async () => {
  server.script({ status: 501, body: "x".repeat(100_000) });
  const error = await collect(engine().answer(ask(true))).catch((thrown: Error) => thrown);
  expect((error as Error).message.length).toBeLessThan(400);
});

it("of an error's body so many bytes are read, and the rest is let go", async () => {
  const said = '{"error":{"message":"out of memory"}}';
  const answer = async (bytes: number) => {
    const { body, seen } = endsAt(bytes, said);
    vi.stubGlobal("fetch", async () => new Response(body, { status: 501 }));
    const error = await collect(engine().answer(ask(true))).catch((thrown: Error) => thrown);
    vi.unstubAllGlobals();
    return { message: (error as Error).message, ...seen };
  };
  const whole = await answer(BACKEND_ERROR_BYTES_MAX);
  expect(whole.message).toBe("the backend answered 501: out of memory");
  const long = await answer(BACKEND_ERROR_BYTES_MAX + 1);
  expect(long.message).toBe(`the backend answered 501: ${said.slice(0, -1)}`);
  expect([long.bytes, long.cancelled]).toEqual([BACKEND_ERROR_BYTES_MAX, true]);
});

it("a redirect is refused and its target never sees the key", async () => {
  const elsewhere = await startOpenAiServer();
  const location = `${elsewhere.url}/chat/completions`;
  server.script({ status: 307, headers: { location } });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    code: "backend_unavailable",
    message: "the backend answered 307: redirects are not followed",
  });
  expect(elsewhere.requests).toEqual([]);
  await elsewhere.close();
});

it("a backend that says nothing is a backend_timeout, headers sent or not", async () => {
  const limits = { firstByteMs: 60, idleMs: 60 };
  for (const stream of [true, false]) {
    server.script({ silence: "hang" }, { chunks: [], ending: "hang" });
    for (let run = 0; run < 2; run++)
      await expect(collect(engine(limits).answer(ask(stream)))).rejects.toMatchObject({
        code: "backend_timeout",
      });
  }
});

it("a stream that falls silent is a backend_timeout after what came", async () => {
  server.script({ chunks: [events(streamReply({ text: "so far" }).slice(0, 2))], ending: "hang" });
  const pieces = engine({ idleMs: 60 }).answer(ask(true));
  expect((await pieces.next()).value).toMatchObject({ text: "so " });
  await expect(pieces.next()).rejects.toMatchObject({ code: "backend_timeout" });
});

it("the idle bound does not run while the caller digests", async () => {
  server.script({ text: "one two three" });
  const pieces = engine({ idleMs: 40 }).answer(ask(true));
  let text = "";
  for await (const piece of pieces) {
    text += piece.text;
    const end = performance.now() + 60;
    while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(text).toBe("one two three");
});

it("what is not JSON, or no completion, is an error that says so", async () => {
  for (const body of ["<html>", "[]", '{"choices":[]}', '{"choices":[{"message":"hi"}]}']) {
    server.script({ status: 200, body });
    await expect(collect(engine().answer(ask(false)))).rejects.toMatchObject({
      code: "backend_unavailable",
    });
  }
  server.script({ chunks: ["data: {oops\n\n"], ending: "end" });
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    message: expect.stringContaining("not JSON"),
  });
});

it("a reply past its bound ends with an error and closes the connection", async () => {
  const long = `data: {"choices":[{"delta":{"content":"${"x".repeat(5_000)}"}}]}\n\n`;
  server.script({ chunks: Array.from({ length: 50 }, () => long), ending: "hang" });
  await expect(collect(engine({ bytes: 20_000 }).answer(ask(true)))).rejects.toMatchObject({
    message: expect.stringContaining("longer than 20000 bytes"),
  });
  server.script({ status: 200, body: "y".repeat(30_000) });
  await expect(collect(engine({ bytes: 20_000 }).answer(ask(false)))).rejects.toMatchObject({
    message: expect.stringContaining("longer than 20000 bytes"),
  });
});

it("the caller's abort ends the wait, reaches the backend and is rethrown", async () => {
  server.script({ chunks: [events(streamReply({ text: "so far" }).slice(0, 2))], ending: "hang" });
  const gone = new AbortController();
  const pieces = engine().answer(ask(true, { signal: gone.signal }));
  await pieces.next();
  const next = pieces.next();
  gone.abort(new Error("the client has gone"));
  await expect(next).rejects.toThrow("the client has gone");
  await expect.poll(() => server.aborted).toBe(1);
});

it("a caller that stops reading ends the backend's work", async () => {
  server.script({ chunks: [events(streamReply({ text: "so far" }).slice(0, 2))], ending: "hang" });
  for await (const _ of engine().answer(ask(true))) break;
  await expect.poll(() => server.aborted).toBe(1);
});

it("an unreachable backend is backend_unavailable", async () => {
  await server.close();
  await expect(collect(engine().answer(ask(true)))).rejects.toMatchObject({
    code: "backend_unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
  server = await startOpenAiServer();
});

it("a stream that never ends is ended by its bytes, and one that drips by its time", async () => {
  const endless = '{"choices":[{"delta":{"content":"on and on "}}]}';
  server.script({ endless }, { endless: '{"choices":[]}' });
  await expect(collect(engine({ bytes: 5_000 }).answer(ask(true)))).rejects.toMatchObject({
    code: "backend_unavailable",
    message: expect.stringContaining("longer than 5000 bytes"),
  });
  await expect(collect(engine({ wholeMs: 100 }).answer(ask(true)))).rejects.toMatchObject({
    code: "backend_timeout",
    message: "the backend gave no end in 100 ms",
  });
  await expect.poll(() => server.aborted).toBe(2);
});

it("URLs are taken with and without /v1, a last slash, the full path or a query", () => {
  expect(completionsUrl("https://a.test")).toBe("https://a.test/v1/chat/completions");
  expect(completionsUrl("https://a.test/")).toBe("https://a.test/v1/chat/completions");
  expect(completionsUrl("https://a.test/v1/")).toBe("https://a.test/v1/chat/completions");
  expect(completionsUrl("https://a.test/api/v1")).toBe("https://a.test/api/v1/chat/completions");
  expect(completionsUrl("https://a.test/v1/chat/completions?v=2")).toBe(
    "https://a.test/v1/chat/completions?v=2",
  );
});
