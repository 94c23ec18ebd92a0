import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { Turns } from "../../src/generation/turns.ts";
import { GENERATION_WAIT_MS_MAX, GENERATIONS_WAITING_MAX } from "../../src/limits.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const codeFrom = (turn: Promise<unknown>) => turn.then(() => null, codeOf);

it("turns go to whoever came first, each when the one before it ends", async () => {
  const turns = new Turns();
  const order: number[] = [];
  const run = async (i: number) => {
    const end = await turns.take();
    order.push(i);
    await Promise.resolve();
    order.push(i);
    end();
  };
  await Promise.all([0, 1, 2].map(run));
  expect(order).toEqual([0, 0, 1, 1, 2, 2]);
});

it("behind a turn that never ends nobody waits for ever, and the list is free again", async () => {
  const turns = new Turns();
  await turns.take();
  const fill = () => Array.from({ length: GENERATIONS_WAITING_MAX }, () => codeFrom(turns.take()));
  for (let round = 0; round < 2; round++) {
    const waiting = fill();
    expect(await codeFrom(turns.take())).toBe("generator_busy"); // the list is full
    await vi.advanceTimersByTimeAsync(GENERATION_WAIT_MS_MAX);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["generator_busy"]));
  }
});

it("who leaves or gives up while waiting takes nobody else's turn", async () => {
  const turns = new Turns();
  const end = await turns.take();
  const gone = new AbortController();
  const left = turns.take(gone.signal);
  const next = turns.take();
  gone.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  end();
  (await next)();
  await vi.advanceTimersByTimeAsync(GENERATION_WAIT_MS_MAX);
  (await turns.take())();
});

it("a timer that the turn before it could not clear takes nobody else's turn", async () => {
  // In workerd a request clears no timer of another.
  const clear = vi.spyOn(globalThis, "clearTimeout").mockImplementation(() => {});
  try {
    const turns = new Turns();
    const first = await turns.take();
    const second = turns.take();
    first();
    const end = await second;
    await vi.advanceTimersByTimeAsync(GENERATION_WAIT_MS_MAX - 1_000);
    const third = codeFrom(turns.take());
    await vi.advanceTimersByTimeAsync(2_000);
    end();
    expect(await third).toBeNull();
  } finally {
    clear.mockRestore();
  }
});
