import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FLUSH_MS_MAX, FLUSHES_MAX } from "../../src/limits.ts";
import { Flushes } from "../../src/pipeline/flushes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const AFTER_MS = 1_000;

/** Sends that end when told to. */
function setUp() {
  const ends: (() => void)[] = [];
  const kept: Promise<unknown>[] = [];
  const send = () => new Promise<void>((done) => ends.push(done));
  const keepAlive = (work: Promise<unknown>) => void kept.push(work);
  return { flushes: new Flushes(AFTER_MS), send, keepAlive, ends, kept };
}

it("one request keeps itself for all that comes until it is due", async () => {
  const { flushes, send, keepAlive, ends, kept } = setUp();
  for (let i = 0; i < 5; i++) flushes.gathered(false, send, keepAlive);
  await vi.advanceTimersByTimeAsync(AFTER_MS - 1);
  expect([kept.length, ends.length]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(1);
  expect(ends.length).toBe(1);
  ends[0]!();
  await kept[0];
  flushes.gathered(false, send, keepAlive);
  expect(kept.length).toBe(2);
});

it("one whose request was dropped is made up for by a later one", async () => {
  const { flushes, send, keepAlive, ends, kept } = setUp();
  flushes.gathered(false, send, () => vi.clearAllTimers());
  await vi.advanceTimersByTimeAsync(2 * AFTER_MS);
  expect(ends.length).toBe(0);
  vi.setSystemTime(Date.now() + 1);
  flushes.gathered(false, send, keepAlive);
  await vi.advanceTimersByTimeAsync(AFTER_MS);
  expect([kept.length, ends.length]).toEqual([1, 1]);
});

it("no more are begun than may be under way, until one ends or is given up", async () => {
  const { flushes, send, keepAlive, ends } = setUp();
  for (let i = 0; i < FLUSHES_MAX + 3; i++) flushes.gathered(true, send, keepAlive);
  await vi.advanceTimersByTimeAsync(AFTER_MS); // what was due meanwhile is not sent either
  expect(ends.length).toBe(FLUSHES_MAX);
  ends[0]!();
  await vi.advanceTimersByTimeAsync(0);
  flushes.gathered(true, send, keepAlive);
  expect(ends.length).toBe(FLUSHES_MAX + 1);
  flushes.gathered(true, send, keepAlive);
  expect(ends.length).toBe(FLUSHES_MAX + 1);
  vi.setSystemTime(Date.now() + FLUSH_MS_MAX);
  flushes.gathered(true, send, keepAlive);
  expect(ends.length).toBe(FLUSHES_MAX + 2);
});
