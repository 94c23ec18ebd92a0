import { expect, it, vi } from "vitest";
import {
  FLUSH_MS_MAX,
  LEDGER_MS_MAX,
  OUTCOME_FLUSH_MS,
  OUTCOMES_BATCH,
  OUTCOMES_PENDING_MAX,
  OUTCOMES_WAITING_MAX,
} from "../../src/limits.ts";
import { OutcomeLog } from "../../src/pipeline/outcome-log.ts";
import type { Recording } from "../../src/router/router-types.ts";

const recording = (trace_id: string) => ({ outcome: { trace_id } }) as unknown as Recording;

/** Routers that keep what they are told, by tenant, a call an entry; they refuse while `away`. */
function setUp() {
  const calls: [string, string[]][] = [];
  const routers = { away: false, calls };
  const router = (tenant: string) => ({
    async record(...recordings: Recording[]) {
      if (routers.away) throw new Error("away");
      calls.push([tenant, recordings.map(({ outcome }) => outcome.trace_id)]);
    },
  });
  const work: Promise<unknown>[] = [];
  const sink = { router, keepAlive: (one: Promise<unknown>) => void work.push(one) };
  return { routers, router, sink, work, log: new OutcomeLog() };
}

it("a second's answers reach each tenant's router in one call, in their order", async () => {
  vi.useFakeTimers();
  const { routers, sink, work, log } = setUp();
  log.note("a", recording("1"), sink);
  log.note("b", recording("2"), sink);
  log.note("a", recording("3"), sink);
  expect(work.length).toBe(1);
  await vi.advanceTimersByTimeAsync(OUTCOME_FLUSH_MS - 1);
  expect(routers.calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  await Promise.all(work);
  expect(routers.calls).toEqual([
    ["a", ["1", "3"]],
    ["b", ["2"]],
  ]);
  vi.useRealTimers();
});

it("a full batch is sent at once, and a flush that is asked for as well", async () => {
  const { routers, router, sink, work, log } = setUp();
  const ids = Array.from({ length: OUTCOMES_BATCH }, (_, i) => `${i}`);
  for (const id of ids) log.note("a", recording(id), sink);
  await work.at(-1);
  expect(routers.calls).toEqual([["a", ids]]);
  log.note("a", recording("late"), sink);
  await log.flush("a", router);
  expect(routers.calls[1]).toEqual(["a", ["late"]]);
});

it("what a router did not take is kept for the next time, while there is room", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { routers, router, sink, work, log } = setUp();
  routers.away = true;
  for (const id of ["1", "2"]) log.note("a", recording(id), sink);
  await log.flush("a", router);
  expect(logged).toHaveBeenCalledOnce();
  routers.away = false;
  await log.flush("a", router);
  await log.flush("a", router);
  expect(routers.calls).toEqual([["a", ["1", "2"]]]);
  routers.away = true;
  for (let i = 0; i < OUTCOMES_PENDING_MAX + 7; i++) {
    log.note("a", recording(`${i}`), sink);
    if (i % OUTCOMES_BATCH === OUTCOMES_BATCH - 1) await Promise.all(work);
  }
  log.note("b", recording("b"), sink);
  for (const tenant of ["a", "b"]) await log.flush(tenant, router);
  routers.away = false;
  for (const tenant of ["a", "b"]) await log.flush(tenant, router);
  expect(logged.mock.calls.flat().join()).toContain("7 for which there was no room");
  expect(routers.calls.slice(1).map(([tenant, ids]) => [tenant, ids.length])).toEqual([
    ["a", OUTCOMES_PENDING_MAX],
    ["b", 1],
  ]);
  logged.mockRestore();
});

it.each<[string, () => Promise<void>]>([
  ["does not answer", () => new Promise(() => {})],
  ["fails after a while", () => new Promise((_, fail) => setTimeout(fail, 100, new Error("away")))],
])("a router that %s is no other tenant's matter", async (_, bad) => {
  vi.useFakeTimers();
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { routers, router, log, work } = setUp();
  const sink = {
    router: (tenant: string) => (tenant === "bad" ? { record: bad } : router(tenant)),
    keepAlive: (one: Promise<unknown>) => void work.push(one),
  };
  const [seconds, rate] = [60, 20];
  for (let i = 0; i < seconds * rate; i++) {
    log.note("good", recording(`${i}`), sink);
    if (i % 4 === 0) log.note("bad", recording(`${i}`), sink);
    await vi.advanceTimersByTimeAsync(1_000 / rate);
  }
  await vi.advanceTimersByTimeAsync(OUTCOME_FLUSH_MS);
  const delivered = routers.calls.flatMap(([, ids]) => ids);
  expect(delivered).toEqual(Array.from({ length: seconds * rate }, (_, i) => `${i}`));
  logged.mockRestore();
  vi.useRealTimers();
});

it("one tenant's flush waits for no other's router, and not long for its own", async () => {
  vi.useFakeTimers();
  const { routers, router, sink, log } = setUp();
  const some = (tenant: string) =>
    tenant === "bad" ? { record: () => new Promise<void>(() => {}) } : router(tenant);
  for (const tenant of ["bad", "good"]) log.note(tenant, recording("1"), { ...sink, router: some });
  await log.flush("good", some);
  expect(routers.calls).toEqual([["good", ["1"]]]);
  const asked = vi.fn();
  const own = log.flush("bad", some).then(asked);
  await vi.advanceTimersByTimeAsync(LEDGER_MS_MAX - 1);
  expect(asked).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await own;
  vi.useRealTimers();
});

it("while many routers hang, so many outcomes wait in all", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { routers, router, log } = setUp();
  const hanging = {
    router: () => ({ record: () => new Promise<void>(() => {}) }),
    keepAlive: () => {},
  };
  const tenants = (2 * OUTCOMES_WAITING_MAX) / OUTCOMES_PENDING_MAX;
  for (let t = 0; t < tenants; t++) log.note(`t${t}`, recording("first"), hanging);
  // Each has a call under way from now on.
  for (let t = 0; t < tenants; t++) log.flush(`t${t}`, hanging.router);
  for (let i = 0; i < OUTCOMES_PENDING_MAX; i++)
    for (let t = 0; t < tenants; t++) log.note(`t${t}`, recording(`${i}`), hanging);
  vi.useFakeTimers({ now: Date.now() + FLUSH_MS_MAX });
  for (let t = 0; t < tenants; t++) await log.flush(`t${t}`, router);
  const count = routers.calls.reduce((sum, [, ids]) => sum + ids.length, 0);
  expect(count).toBe(OUTCOMES_WAITING_MAX);
  expect(logged.mock.calls.flat().join()).toContain("no room");
  logged.mockRestore();
  vi.useRealTimers();
});
