import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { TraceBatch } from "../../src/ledger/trace-types.ts";
import {
  FLUSH_MS_MAX,
  TRACE_FLUSH_MS,
  TRACE_TENANTS_MAX,
  TRACES_BATCH,
  TRACES_HELD_MAX,
  TRACES_PENDING_MAX,
} from "../../src/limits.ts";
import { Trace } from "../../src/pipeline/trace.ts";
import { type Told, TraceLog, type TraceSink } from "../../src/pipeline/trace-log.ts";
import { recordOf } from "../../src/pipeline/trace-record.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const countOne: Told["tellGrowth"] = (grow) => grow("requests", 1);

function told(tenant: string, rest: Partial<Told> = {}): Told {
  const trace = new Trace();
  trace.begin("auth").end();
  trace.finish(200);
  const record = recordOf(trace, { texts: false });
  return { tenant, record, kept: true, exported: true, tellGrowth: countOne, ...rest };
}

function openSink(record: (batch: TraceBatch) => Promise<void> = async () => {}) {
  const batches: [string, TraceBatch][] = [];
  const exports: string[][] = [];
  const work: Promise<unknown>[] = [];
  const sink: TraceSink = {
    ring: (tenant) => ({
      async record(batch) {
        batches.push([tenant, batch]);
        await record(batch);
      },
    }),
    exporter: async (traces) => {
      exports.push(traces.map(({ tenant }) => tenant));
      return { exported: 2 * traces.length, failed: 0 };
    },
    keepAlive: (promise) => void work.push(promise),
  };
  return { sink, batches, exports, work };
}

it("a second's requests go together, one call a tenant and one export", async () => {
  const log = new TraceLog();
  const { sink, batches, exports, work } = openSink();
  for (const tenant of ["a", "b", "a"]) log.note(told(tenant), sink);
  expect([work.length, batches.length]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
  await Promise.all(work);
  expect(batches.map(([tenant, { traces }]) => [tenant, traces.length])).toEqual([
    ["a", 2],
    ["b", 1],
  ]);
  expect(batches[0]![1].series).toEqual([["requests", 2]]);
  expect(exports).toEqual([["a", "b", "a"]]);
  expect(log.totals.traces).toMatchObject({ kept: 3, dropped: 0, failed: 0 });
  expect(log.totals.spans.exported).toBe(6);
  const before = work.length;
  log.note(told("a"), sink);
  expect(work.length).toBe(before + 1);
});

it("what is not sampled is counted all the same", async () => {
  const log = new TraceLog();
  const { sink, batches, exports, work } = openSink();
  log.note(told("a", { kept: false, exported: false }), sink);
  log.note(told("a", { kept: false, exported: true }), sink);
  await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
  await Promise.all(work);
  expect(batches[0]![1]).toEqual({ traces: [], series: [["requests", 2]] });
  expect(exports).toEqual([["a"]]);
  expect(log.totals.traces.sampled_out).toBe(1);
});

it("a full batch goes at once; while its call hangs, more is dropped and counted", async () => {
  const log = new TraceLog();
  const hanging = openSink(() => new Promise(() => {}));
  hanging.sink.exporter = () => new Promise(() => {});
  for (let i = 0; i < TRACES_BATCH; i++) log.note(told("a"), hanging.sink);
  expect(hanging.batches.length).toBe(1);
  const more = TRACES_PENDING_MAX + 5;
  for (let i = 0; i < more; i++) log.note(told("a"), hanging.sink);
  expect(hanging.batches.length).toBe(1);
  expect(log.totals.traces.dropped).toBe(5);
  expect(log.totals.spans.dropped).toBe(10);
  // A request that is gone takes its call with it: it must not block the others for ever.
  vi.setSystemTime(Date.now() + FLUSH_MS_MAX);
  const well = openSink();
  for (let i = 0; i < TRACES_BATCH; i++) log.note(told("a"), well.sink);
  await vi.advanceTimersByTimeAsync(0);
  expect(well.batches[0]![1].traces.length).toBe(TRACES_PENDING_MAX);
  expect(well.exports[0]!.length).toBe(TRACES_PENDING_MAX);
});

it.each(["a tenant's object", "the collector"])(
  "%s that hangs delays and drops nothing of others'",
  async (what) => {
    const log = new TraceLog();
    const { sink, batches, exports } = openSink();
    const hangs = () => new Promise<never>(() => {});
    const some: TraceSink = {
      ...sink,
      ring: (tenant) => (tenant === "bad" ? { record: hangs } : sink.ring(tenant)),
      ...(what === "the collector" ? { exporter: hangs } : {}),
    };
    const [seconds, rate] = [30, 20];
    for (let i = 0; i < seconds * rate; i++) {
      log.note(told("good"), some);
      if (i % 2 === 0) log.note(told("bad"), some);
      await vi.advanceTimersByTimeAsync(1_000 / rate);
      const sent = batches.reduce((sum, [, { traces }]) => sum + traces.length, 0);
      expect(sent).toBeGreaterThanOrEqual(i - rate);
    }
    await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
    const sends = batches.map(([tenant, { traces }]) => [tenant, traces.length] as const);
    expect(new Set(sends.map(([tenant]) => tenant))).toEqual(new Set(["good"]));
    expect(sends.reduce((sum, [, n]) => sum + n, 0)).toBe(seconds * rate);
    if (what !== "the collector") expect(exports.flat().length).toBe(1.5 * seconds * rate);
  },
);

it("while many objects hang, so many traces are held in all, those under way included", () => {
  const log = new TraceLog();
  const { sink } = openSink(() => new Promise(() => {}));
  const rest = { exported: false };
  const tenants = (2 * TRACES_HELD_MAX) / TRACES_PENDING_MAX;
  for (let t = 0; t < tenants; t++)
    for (let i = 0; i < TRACES_PENDING_MAX; i++) log.note(told(`t${t}`, rest), sink);
  expect(log.totals.traces.dropped).toBe(TRACES_HELD_MAX);
});

it("counts of more tenants than the bound are dropped", async () => {
  const log = new TraceLog();
  const { sink, batches, work } = openSink();
  const rest = { kept: false, exported: false };
  for (let i = 0; i <= TRACE_TENANTS_MAX; i++) log.note(told(`t${i}`, rest), sink);
  await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
  await Promise.all(work);
  expect(batches.length).toBe(TRACE_TENANTS_MAX);
  expect(log.totals.traces.dropped).toBe(1);
});

it("an object that fails loses the traces, not the counts, and no one is told", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const log = new TraceLog();
  const failing = openSink(async () => {
    throw new Error("Network connection lost.");
  });
  log.note(told("a"), failing.sink);
  await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
  await Promise.all(failing.work);
  expect(log.totals.traces).toMatchObject({ kept: 0, failed: 1 });
  expect(error.mock.calls[0]![0]).toContain("traces not kept");
  const well = openSink();
  log.note(told("a"), well.sink);
  await vi.advanceTimersByTimeAsync(TRACE_FLUSH_MS);
  await Promise.all(well.work);
  expect(well.batches[0]![1].series).toEqual([["requests", 2]]);
  expect(well.batches[0]![1].traces.length).toBe(1);
});
