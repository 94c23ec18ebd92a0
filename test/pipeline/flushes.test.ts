import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Flushes } from "../../src/pipeline/flushes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const AFTER_MS = 1_000;

function setUp() {
  const kept: Promise<unknown>[] = [];
  const keepAlive = (work: Promise<unknown>) => void kept.push(work);
  return { flushes: new Flushes(AFTER_MS), send: vi.fn<() => void>(), keepAlive, kept };
}

it("one request keeps itself for all that comes until it is due", async () => {
  const { flushes, send, keepAlive, kept } = setUp();
  for (let i = 0; i < 5; i++) flushes.gathered(false, send, keepAlive);
  await vi.advanceTimersByTimeAsync(AFTER_MS - 1);
  expect([kept.length, send.mock.calls.length]).toEqual([1, 0]);
  await vi.advanceTimersByTimeAsync(1);
  expect(send).toHaveBeenCalledOnce();
  await kept[0];
  flushes.gathered(false, send, keepAlive);
  expect(kept.length).toBe(2);
});

it("one whose request was dropped is made up for by a later one", async () => {
  const { flushes, send, keepAlive, kept } = setUp();
  flushes.gathered(false, send, () => vi.clearAllTimers());
  await vi.advanceTimersByTimeAsync(2 * AFTER_MS);
  expect(send).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() + 1);
  flushes.gathered(false, send, keepAlive);
  await vi.advanceTimersByTimeAsync(AFTER_MS);
  expect([kept.length, send.mock.calls.length]).toEqual([1, 1]);
});

it("enough goes at once, and what could not go then has the one that is due", async () => {
  const { flushes, send, keepAlive, kept } = setUp();
  for (let i = 0; i < 3; i++) flushes.gathered(true, send, keepAlive);
  expect([kept.length, send.mock.calls.length]).toEqual([1, 3]);
  await vi.advanceTimersByTimeAsync(AFTER_MS);
  expect(send).toHaveBeenCalledTimes(4);
});
