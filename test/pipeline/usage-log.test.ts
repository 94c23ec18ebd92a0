import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { UsageEntry } from "../../src/ledger/usage-object.ts";
import { LEDGER_MS_MAX, USAGE_FLUSH_MS, USAGE_PENDING_MAX } from "../../src/limits.ts";
import { UsageLog, type UsageSink } from "../../src/pipeline/usage-log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A recorder that notes each call, and fails the first `failures` of them. */
function sinkOf(failures = 0) {
  const calls: [string, UsageEntry[]][] = [];
  const kept: Promise<unknown>[] = [];
  const sink: UsageSink = {
    recorder: (tenant) => ({
      async record(entries) {
        if (failures-- > 0) throw new Error("network connection lost");
        calls.push([tenant, entries]);
      },
    }),
    keepAlive: (work) => kept.push(work),
  };
  return { calls, kept, sink };
}

it("a second's requests are one call a tenant, and one request keeps itself for it", async () => {
  const { calls, kept, sink } = sinkOf();
  const log = new UsageLog();
  for (let i = 0; i < 400; i++)
    log.note(i % 2 ? "red" : "blue", "k", { requests: 1, nanos: 5 }, sink);
  expect(kept).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(USAGE_FLUSH_MS);
  expect(calls.map(([tenant, entries]) => [tenant, entries])).toMatchObject([
    ["blue", [{ key: "k", requests: 200, nanos: 1_000 }]],
    ["red", [{ key: "k", requests: 200, nanos: 1_000 }]],
  ]);
  expect(log.totals).toMatchObject({ requests: 400, nanos: 2_000 });
  const before = kept.length;
  log.note("red", "k", { requests: 1 }, sink);
  expect(kept).toHaveLength(before + 1);
});

it("a flush whose request was dropped does not end all flushing", async () => {
  const { calls, kept, sink } = sinkOf();
  const log = new UsageLog();
  log.note("t", "k", { requests: 1 }, { ...sink, keepAlive: () => vi.clearAllTimers() });
  await vi.advanceTimersByTimeAsync(10 * USAGE_FLUSH_MS);
  expect(calls).toEqual([]);
  log.note("t", "k", { requests: 1 }, sink);
  expect(kept).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(USAGE_FLUSH_MS);
  expect(calls).toMatchObject([["t", [{ requests: 2 }]]]);
});

it("what a recorder did not take comes with the next", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { calls, sink } = sinkOf(1);
  const log = new UsageLog();
  log.note("t", "k", { requests: 1, prompt_tokens: 7 }, sink);
  await log.flush("t", sink.recorder);
  log.note("t", "k", { requests: 1 }, sink);
  await log.flush("t", sink.recorder);
  expect(calls).toMatchObject([["t", [{ requests: 2, prompt_tokens: 7 }]]]);
});

it("as many keys as it may hold go on at once", () => {
  const { kept, sink } = sinkOf();
  const log = new UsageLog();
  for (let i = 0; i < USAGE_PENDING_MAX; i++) log.note("t", `k${i}`, { requests: 1 }, sink);
  expect(kept).toHaveLength(2);
});

it("while recorders hang, counts of more keys are dropped; the others add up", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const hanging = { ...sinkOf().sink, recorder: () => ({ record: () => new Promise(() => {}) }) };
  const log = new UsageLog();
  const note = (key: string) => log.note("t", key, { requests: 1 }, hanging);
  for (let i = 0; i < USAGE_PENDING_MAX; i++) note(`k${i}`);
  for (let i = 0; i < USAGE_PENDING_MAX; i++) note(`later ${i}`);
  note("one more");
  note("later 0");
  const { calls, sink } = sinkOf();
  await log.flush("t", sink.recorder);
  expect(error.mock.calls).toHaveLength(1);
  expect(error.mock.calls[0]![0]).toContain("usage dropped");
  const [, entries] = calls[0]!;
  expect(entries).toHaveLength(USAGE_PENDING_MAX);
  expect(entries[0]).toMatchObject({ key: "later 0", requests: 2 });
  expect(log.totals.requests).toBe(2 * USAGE_PENDING_MAX + 2);
});

it("one tenant's flush waits for no other's recorder, and not long for its own", async () => {
  const { calls, sink } = sinkOf();
  const recorder: UsageSink["recorder"] = (tenant) =>
    tenant === "bad" ? { record: () => new Promise(() => {}) } : sink.recorder(tenant);
  const log = new UsageLog();
  for (const tenant of ["bad", "good", "other"])
    log.note(tenant, "k", { requests: 1 }, { ...sink, recorder });
  await log.flush("good", recorder);
  expect(calls).toMatchObject([["good", [{ requests: 1 }]]]);
  const asked = vi.fn();
  const own = log.flush("bad", recorder).then(asked);
  await vi.advanceTimersByTimeAsync(LEDGER_MS_MAX - 1);
  expect(asked).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await own;
  expect(calls.map(([tenant]) => tenant)).toEqual(["good", "other"]); // that one in its time
});

it("a recorder that hangs has one call under way, and is no other tenant's matter", async () => {
  const { calls, sink } = sinkOf();
  const hanging = vi.fn(() => new Promise(() => {}));
  const recorder: UsageSink["recorder"] = (tenant) =>
    tenant === "bad" ? { record: hanging } : sink.recorder(tenant);
  const log = new UsageLog();
  for (let i = 0; i < 6; i++) {
    for (const tenant of ["bad", "good"])
      log.note(tenant, "k", { requests: 1 }, { ...sink, recorder });
    await vi.advanceTimersByTimeAsync(USAGE_FLUSH_MS);
  }
  expect(calls.map(([tenant, [entry]]) => [tenant, entry!.requests])).toEqual(
    Array.from({ length: 6 }, () => ["good", 1]),
  );
  expect(hanging).toHaveBeenCalledOnce();
});
