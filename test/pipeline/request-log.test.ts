import { afterEach, expect, it, vi } from "vitest";
import { BackendCall } from "../../src/engine/backend-call.ts";
import { failureOf } from "../../src/engine/backend-failure.ts";
import type { Member } from "../../src/engine/backend-member.ts";
import type { EngineRequest } from "../../src/engine/engine.ts";
import type { WatchingConfig } from "../../src/env-watching.ts";
import { ServiceError } from "../../src/errors.ts";
import { LOG_DETAIL_CHARS_MAX } from "../../src/limits.ts";
import { logRequest } from "../../src/pipeline/request-log.ts";
import { Trace } from "../../src/pipeline/trace.ts";

afterEach(() => vi.restoreAllMocks());

const CONFIG: WatchingConfig = {
  ...{ sample: 1, traceText: false, log: "all", logText: false, otlp: null },
};
const SECRET = "what the patient said";

/** The line of a request that ended so, and where it went. */
function lineOf(trace: Trace, status: number, config: Partial<WatchingConfig> = {}) {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  trace.finish(status);
  logRequest(trace, { ...CONFIG, ...config });
  const [line] = [...log.mock.calls, ...error.mock.calls].flat() as string[];
  if (line === undefined) return null;
  expect(line).not.toContain("\n");
  return { to: error.mock.calls.length > 0 ? "error" : "log", line, told: JSON.parse(line) };
}

function answeredTrace(): Trace {
  const trace = new Trace();
  trace.endpoint = "POST /v1/chat/completions";
  const outcome = { question: SECRET, text: `${SECRET} to a@b.de`, asked: "auto", passages: [] };
  trace.answered = { outcome, report: { route: "edge", engine: "brink-reader" } } as never;
  return trace;
}

it("a request is one line of JSON, without its texts", () => {
  const { line, told, to } = lineOf(answeredTrace(), 200)!;
  expect(line).not.toContain("patient");
  expect(to).toBe("log");
  expect(told).toMatchObject({
    ...{ level: "info", tenant: null, endpoint: "POST /v1/chat/completions", status: 200 },
    ...{ route: "edge", engine: "brink-reader", error: null },
  });
  expect(told.time).toBe(new Date(told.time).toISOString());
  expect(told.trace).toMatch(/^[0-9a-f]{32}$/);
});

it("texts are there when they are asked for, redacted", () => {
  const { told } = lineOf(answeredTrace(), 200, { logText: true })!;
  expect(told.texts).toEqual({ question: SECRET, answer: `${SECRET} to [email]` });
});

it("a refusal is a warning; with errors alone asked for it has no line", () => {
  const refused = () => {
    const trace = new Trace();
    trace.fail(new ServiceError("invalid_request", SECRET));
    return trace;
  };
  const { line, told } = lineOf(refused(), 400)!;
  expect(told).toMatchObject({ level: "warn", error: "invalid_request" });
  expect(line).not.toContain("patient");
  vi.restoreAllMocks();
  expect(lineOf(refused(), 400, { log: "errors" })).toBeNull();
});

it("a bug has its stack in the log, and its message redacted", () => {
  const trace = new Trace();
  trace.fail(new TypeError("no index of undefined for jane@example.com"));
  const { told, to } = lineOf(trace, 500, { log: "errors" })!;
  expect(to).toBe("error");
  expect(told).toMatchObject({
    ...{ level: "error", error: "internal" },
    detail: "TypeError: no index of undefined for [email]",
  });
  expect(told.stack).toMatch(/^\s+at .*request-log\.test\.ts/);
});

it("of an error's message, its cause's and its stack so much is logged", () => {
  for (const more of [0, 1]) {
    const text = "x".repeat(LOG_DETAIL_CHARS_MAX + more);
    const error = new TypeError("", { cause: { toString: () => text } });
    const at = "    at f (file:1:1)";
    error.stack = `TypeError\n${at.padEnd(text.length, "x")}`;
    Object.assign(error, { logged: text });
    const trace = new Trace();
    trace.fail(error);
    const { told } = lineOf(trace, 500)!;
    vi.restoreAllMocks();
    const cut = text.slice(0, LOG_DETAIL_CHARS_MAX) + (more === 0 ? "" : "…");
    expect(told).toMatchObject({ detail: cut, cause: cut });
    expect(told.stack).toBe(at.padEnd(LOG_DETAIL_CHARS_MAX, "x"));
  }
});

it("what a backend said is left out, which may quote the prompt; its status is told", () => {
  const alone = new Trace();
  alone.fail(failureOf(500, `cannot answer ${SECRET}`));
  const { line, told } = lineOf(alone, 502)!;
  expect(line).not.toContain("patient");
  expect(told.detail).toBe("the backend answered 500");
  vi.restoreAllMocks();
  const call = new BackendCall({} as EngineRequest, 1_000, Date.now);
  const member = (name: string) =>
    ({ name, full: () => null, unwell: () => null, config: { model: "m" } }) as unknown as Member;
  const [a, b] = [member("a"), member("b")];
  call.failures.set(a, failureOf(500, SECRET));
  const trace = new Trace();
  const failure = call.failure([a, b]);
  expect(failure.message).toContain(SECRET); // the caller, whose text it is, is told
  trace.fail(failure);
  const both = lineOf(trace, 502)!;
  expect(both.line).not.toContain("patient");
  expect(both.told.detail).toContain("a: the backend answered 500; b: it was not asked");
});
