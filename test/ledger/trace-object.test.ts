import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { TraceFilter, TraceRecord } from "../../src/ledger/trace-types.ts";
import { SERIES_KEY_CHARS_MAX, SERIES_MAX, TRACE_BYTES_MAX } from "../../src/limits.ts";

const START = Date.UTC(2026, 10, 29);
const ANY: TraceFilter = { route: null, status: null, since: null, min_ms: null, key: null };

function trace(n: number, rest: Partial<TraceRecord> = {}): TraceRecord {
  return {
    ...{ trace_id: n.toString(16).padStart(32, "0"), at: START + n, duration_ms: 10 * n },
    ...{ endpoint: "POST /v1/rerank", status: 200, error: null, key: "k1", namespace: "docs" },
    ...{ stream: false, first_token_ms: null, asked: null, route: null, engine: null },
    ...{ model: null, difficulty: null, cache: null, tokens: null, cost_micro_usd: null },
    ...{ decision: null, passages: [], notes: [], span_id: "0000000000000001", parent: null },
    ...{ spans: [], spans_dropped: 0, texts: null },
    ...rest,
  };
}

const ids = ({ traces }: { traces: { trace_id: string }[] }) =>
  traces.map(({ trace_id }) => Number.parseInt(trace_id, 16));

it("a trace is found as it was, after an eviction too, and shows in the list", async () => {
  const object = env.TRACES.getByName("found");
  const texts = { question: "when?", answer: "on 3 May" };
  const whole = trace(1, { texts, passages: [{ document_id: "d", passage_id: "d#0" }] });
  await object.record({ traces: [whole, trace(2)], series: [] });
  await evictDurableObject(object);
  expect(await object.find(whole.trace_id)).toEqual(whole);
  expect(await object.find("f".repeat(32))).toBeNull();
  const page = await object.page(ANY, 10, null);
  expect(ids(page)).toEqual([2, 1]);
  expect(JSON.stringify(page)).not.toContain("3 May");
});

it("a page has its limit and the next goes on; the same trace twice is one", async () => {
  const object = env.TRACES.getByName("pages");
  await object.record({ traces: [1, 2, 3, 4, 5].map((n) => trace(n)), series: [] });
  await object.record({ traces: [trace(5)], series: [] });
  const first = await object.page(ANY, 2, null);
  expect([ids(first), first.cursor === null]).toEqual([[5, 4], false]);
  const second = await object.page(ANY, 3, Number(first.cursor));
  expect([ids(second), second.cursor]).toEqual([[3, 2, 1], null]);
});

it("filters are by route, status and its class, time, duration and key", async () => {
  const object = env.TRACES.getByName("filters");
  const traces = [
    trace(1, { route: "edge" }),
    trace(2, { route: "backend", status: 502 }),
    trace(3, { status: 404, key: "k2" }),
    trace(4, { status: 504 }),
  ];
  await object.record({ traces, series: [] });
  const found = async (filter: Partial<TraceFilter>) =>
    ids(await object.page({ ...ANY, ...filter }, 10, null));
  expect(await found({ route: "backend" })).toEqual([2]);
  expect(await found({ status: 404 })).toEqual([3]);
  expect(await found({ status: 5 })).toEqual([4, 2]);
  expect(await found({ since: START + 3 })).toEqual([4, 3]);
  expect(await found({ min_ms: 30 })).toEqual([4, 3]);
  expect(await found({ key: "k2" })).toEqual([3]);
  expect(await found({ status: 5, min_ms: 30 })).toEqual([4]);
});

it("the oldest go beyond the bounds of number, bytes and age, by an alarm too", async () => {
  const object = env.TRACES.getByName("bounds");
  await object.record({ traces: [1, 2, 3, 4, 5, 6, 7].map((n) => trace(n)), series: [] });
  expect(ids(await object.page(ANY, 10, null))).toEqual([7, 6, 5, 4, 3]);
  const large = { question: "x".repeat(9_200), answer: "" };
  await object.record({ traces: [trace(8, { texts: large })], series: [] });
  await object.record({ traces: [trace(9, { texts: large })], series: [] });
  expect(ids(await object.page(ANY, 10, null))).toEqual([9, 8, 7]);
  await object.record({ traces: [trace(10, { texts: large })], series: [] });
  expect(ids(await object.page(ANY, 10, null))).toEqual([10, 9]);
  await object.passMs(60_009);
  await object.ring();
  expect(ids(await object.page(ANY, 10, null))).toEqual([10, 9]);
  await object.passMs(1);
  expect(ids(await object.page(ANY, 10, null))).toEqual([10]);
  await object.passMs(1);
  expect(await object.find(trace(10).trace_id)).toBeNull();
});

it("a trace that is too large loses its texts first, then its spans", async () => {
  const object = env.TRACES.getByName("large");
  const texts = { question: "\u0001".repeat(TRACE_BYTES_MAX / 5), answer: "" };
  await object.record({ traces: [trace(1, { texts })], series: [] });
  expect(await object.find(trace(1).trace_id)).toEqual(trace(1));
  const span = {
    ...{ span_id: "1", parent_id: null, name: "s", start_ms: 0, duration_ms: 1, error: null },
    attributes: { note: "y".repeat(20_000) },
  };
  await object.record({ traces: [trace(2, { spans: [span, span, span, span] })], series: [] });
  expect(await object.find(trace(2).trace_id)).toEqual(trace(2, { spans_dropped: 4 }));
});

it("those of a namespace are forgotten alone, or all", async () => {
  const object = env.TRACES.getByName("forgotten");
  const traces = [trace(1), trace(2, { namespace: "other" }), trace(3, { namespace: null })];
  await object.record({ traces, series: [["a", 1]] });
  expect(await object.forget("docs")).toBe(1);
  expect(ids(await object.page(ANY, 10, null))).toEqual([3, 2]);
  expect(await object.forget(null)).toBe(2);
  expect(await object.series()).toEqual([["a", 1]]);
});

it("counters add up over calls and evictions, never fall, and have a bound", async () => {
  const object = env.TRACES.getByName("series");
  await object.record({
    traces: [],
    series: [
      ["a", 1],
      ["b", 0.5],
    ],
  });
  await object.record({
    traces: [],
    series: [
      ["a", 2],
      ["b", -1],
      ["b", Number.NaN],
    ],
  });
  await evictDurableObject(object);
  expect(await object.series()).toEqual([
    ["a", 3],
    ["b", 0.5],
  ]);
  const many = Array.from({ length: SERIES_MAX }, (_, i): [string, number] => [`s${i}`, 1]);
  await object.record({ traces: [], series: [...many, ["x".repeat(SERIES_KEY_CHARS_MAX + 1), 1]] });
  const series = Object.fromEntries(await object.series());
  expect(Object.keys(series).length).toBe(SERIES_MAX + 1);
  expect(series.series_dropped_total).toBe(3); // two beyond the bound, and a long key
});
