import { expect, it, vi } from "vitest";
import {
  FLUSHES_MAX,
  OUTCOME_FLUSH_MS,
  OUTCOMES_BATCH,
  OUTCOMES_PENDING_MAX,
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
  await log.flush(router);
  expect(routers.calls[1]).toEqual(["a", ["late"]]);
});

it("what a router did not take is kept for the next time, while there is room", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { routers, router, sink, work, log } = setUp();
  routers.away = true;
  for (const id of ["1", "2"]) log.note("a", recording(id), sink);
  await log.flush(router);
  expect(logged).toHaveBeenCalledOnce();
  routers.away = false;
  await log.flush(router);
  await log.flush(router);
  expect(routers.calls).toEqual([["a", ["1", "2"]]]);
  routers.away = true;
  const most = OUTCOMES_PENDING_MAX - 1;
  for (let i = 0; i < most; i++) {
    log.note("a", recording(`${i}`), sink);
    if (i % OUTCOMES_BATCH === OUTCOMES_BATCH - 1) await work.at(-1);
  }
  log.note("b", recording("b"), sink);
  const flush = log.flush(router);
  log.note("b", recording("c"), sink);
  await flush; // beside "c", which came since, there is room for those of "a" alone
  routers.away = false;
  await log.flush(router);
  const told = routers.calls.slice(1).map(([tenant, ids]) => [tenant, ids.length]);
  expect(told.sort()).toEqual([
    ["a", most],
    ["b", 1],
  ]);
  logged.mockRestore();
});

it("while routers hang, what has no room is dropped and told of", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { routers, router, log } = setUp();
  let begun = 0;
  const hanging = {
    router: () => ({
      record: () => {
        begun += 1;
        return new Promise<void>(() => {});
      },
    }),
    keepAlive: () => {},
  };
  const most = FLUSHES_MAX * OUTCOMES_BATCH + OUTCOMES_PENDING_MAX;
  for (let i = 0; i < most + 7; i++) log.note("a", recording(`${i}`), hanging);
  expect(begun).toBe(FLUSHES_MAX);
  await log.flush(router);
  expect(logged.mock.calls.map(([line]) => line)).toMatchObject([expect.stringContaining("7 for")]);
  expect(routers.calls.map(([, ids]) => ids.length)).toEqual([OUTCOMES_PENDING_MAX]);
  logged.mockRestore();
});
