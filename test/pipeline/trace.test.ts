import { expect, it } from "vitest";
import { ServiceError } from "../../src/errors.ts";
import {
  TRACE_ATTRIBUTE_CHARS_MAX,
  TRACE_PASSAGES_MAX,
  TRACE_SPANS_MAX,
} from "../../src/limits.ts";
import { Trace } from "../../src/pipeline/trace.ts";
import { isSampled, newTraceId, parseTraceparent } from "../../src/pipeline/trace-context.ts";
import { recordOf, summaryOf } from "../../src/pipeline/trace-record.ts";

const PARENT = { trace_id: "ab".repeat(16), span_id: "cd".repeat(8), sampled: true };
const HEADER = `00-${PARENT.trace_id}-${PARENT.span_id}-01`;

it("a traceparent is read as the specification has it, and a malformed one is none", () => {
  expect(parseTraceparent(HEADER)).toEqual(PARENT);
  expect(parseTraceparent(HEADER.replace(/01$/, "02"))).toEqual({ ...PARENT, sampled: false });
  expect(parseTraceparent(`cc${HEADER.slice(2)}-more`)).toEqual(PARENT);
  const bad = [
    undefined,
    "",
    HEADER.toUpperCase(),
    `${HEADER}-more`,
    `ff${HEADER.slice(2)}`,
    `00-${"0".repeat(32)}-${PARENT.span_id}-01`,
    `00-${PARENT.trace_id}-${"0".repeat(16)}-01`,
    HEADER.slice(0, -1),
  ];
  for (const header of bad) expect(parseTraceparent(header)).toBeNull();
});

it("a share of the ids is sampled, and the same ones each time", () => {
  const ids = Array.from({ length: 4_000 }, newTraceId);
  const sampled = ids.filter((id) => isSampled(id, 0.25));
  expect(sampled.length).toBeGreaterThan(850); // 5 standard deviations are 137
  expect(sampled.length).toBeLessThan(1_150);
  expect(sampled.every((id) => isSampled(id, 0.25) && isSampled(id, 0.5))).toBe(true);
  expect(ids.some((id) => isSampled(id, 0))).toBe(false);
  expect(ids.every((id) => isSampled(id, 1))).toBe(true);
});

it("spans stand under the open one of a name, and an error is told by its code", async () => {
  const trace = new Trace();
  await trace.time("retrieve", async () => {
    await trace.span("embed", () => {}, "retrieve");
    const failing = async () => {
      throw new ServiceError("memory_busy", "the text of a document");
    };
    await trace.span("search", failing, "retrieve").catch(() => {});
  });
  await trace.span("late", () => {}, "retrieve"); // it has ended: under the request
  trace.finish(200);
  const { spans, span_id } = recordOf(trace, { texts: false });
  const [retrieve] = spans;
  expect(spans.map(({ name, parent_id, error }) => [name, parent_id, error])).toEqual([
    ["retrieve", null, null],
    ["embed", retrieve!.span_id, null],
    ["search", retrieve!.span_id, "memory_busy"],
    ["late", null, null],
  ]);
  expect(new Set([span_id, ...spans.map((span) => span.span_id)]).size).toBe(5);
  for (const { span_id: id } of spans) expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(Object.keys(trace.timingsMs)).toEqual(["retrieve"]);
});

it("more spans than the bound are counted and not kept", () => {
  const trace = new Trace();
  for (let i = 0; i < TRACE_SPANS_MAX + 3; i++) trace.begin("one").end();
  const { spans, spans_dropped } = recordOf(trace, { texts: false });
  expect([spans.length, spans_dropped]).toEqual([TRACE_SPANS_MAX, 3]);
});

it("names are cut, and of passages the first are told", async () => {
  const most = "n".repeat(TRACE_ATTRIBUTE_CHARS_MAX);
  const passages = Array.from({ length: TRACE_PASSAGES_MAX + 1 }, (_, i) => {
    return { document_id: `d${i}`, passage_id: `d${i}#0`, version: 1 };
  });
  for (const more of [0, 1]) {
    const trace = new Trace();
    const long = most.padEnd(most.length + more, "n");
    const failing = () => Promise.reject(Object.assign(new Error(), { code: long }));
    await trace.span("one", failing).catch(() => {});
    trace.begin("two", null, { long }).end();
    trace.model = long;
    const shown = passages.slice(0, TRACE_PASSAGES_MAX + more);
    const outcome = { question: "q", text: "t", asked: long, namespace: long, passages: shown };
    trace.answered = { outcome, report: { route: "edge", engine: long } } as never;
    const record = recordOf(trace, { texts: false });
    expect(record).toMatchObject({ asked: most, namespace: most, engine: most, model: most });
    expect(record.spans).toMatchObject([{ error: most }, { attributes: { long: most } }]);
    expect(record.passages.map(({ document_id }) => document_id)).toEqual(
      passages.slice(0, TRACE_PASSAGES_MAX).map(({ document_id }) => document_id),
    );
  }
});

it("attempts tell why they were made and how they ended, and carry the caller's trace", () => {
  const trace = new Trace(PARENT);
  const whole = trace.begin("backend");
  const { traceparent, end } = trace.attempts("backend").begin("main", "org/big", "retry");
  end("failed", 503);
  const [, attempt] = trace.spans;
  expect(traceparent).toBe(`00-${PARENT.trace_id}-${attempt!.id}-01`);
  expect(attempt).toMatchObject({ parent: whole.id, error: "failed" });
  expect(attempt!.attributes).toEqual({
    ...{ backend: "main", "gen_ai.request.model": "org/big", kind: "retry" },
    ...{ outcome: "failed", "http.response.status_code": 503 },
  });
});

it("a trace ends once, with what is open of it, and says that its client left", () => {
  const trace = new Trace();
  const open = trace.begin("backend");
  trace.left = true;
  expect([trace.finish(200), trace.finish(500)]).toEqual([true, false]);
  expect(open.endMs).not.toBeNull();
  expect(summaryOf(trace)).toMatchObject({ status: 499, error: null, endpoint: "other" });
});

it("a cost is told in millionths, and not where a price is missing", () => {
  const trace = new Trace();
  expect(summaryOf(trace)).toMatchObject({ tokens: null, cost_micro_usd: null });
  trace.used(10, 2, 1_500);
  trace.used(1, 0, 0);
  expect(summaryOf(trace)).toMatchObject({ cost_micro_usd: 1.5 });
  expect(summaryOf(trace).tokens).toEqual({ prompt: 11, completion: 2 });
  trace.used(1, 1, null);
  expect(summaryOf(trace)).toMatchObject({ cost_micro_usd: null });
});
