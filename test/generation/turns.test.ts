import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { type Turn, Turns } from "../../src/generation/turns.ts";
import {
  GENERATION_LEASE_MS_MAX,
  GENERATION_WAIT_MS_MAX,
  GENERATIONS_WAITING_MAX,
} from "../../src/limits.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const codeFrom = (turn: Promise<unknown>) => turn.then(() => null, codeOf);
/** Renews it for so long. */
async function hold(turn: Turn, ms: number) {
  for (let past = 0; past < ms; past += 1_000) {
    turn.renew();
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

it("turns go to whoever came first, each when the one before it ends", async () => {
  const turns = new Turns();
  const order: number[] = [];
  const run = async (i: number) => {
    const turn = await turns.take();
    order.push(i);
    await Promise.resolve();
    order.push(i);
    turn.end();
  };
  await Promise.all([0, 1, 2].map(run));
  expect(order).toEqual([0, 0, 1, 1, 2, 2]);
});

it("behind a turn that never ends nobody waits for ever, and the list is free again", async () => {
  const turns = new Turns();
  const turn = await turns.take();
  const fill = () => Array.from({ length: GENERATIONS_WAITING_MAX }, () => codeFrom(turns.take()));
  for (let round = 0; round < 2; round++) {
    const waiting = fill();
    expect(await codeFrom(turns.take())).toBe("generator_busy"); // the list is full
    await hold(turn, GENERATION_WAIT_MS_MAX);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["generator_busy"]));
  }
});

it("who leaves or gives up while waiting takes nobody else's turn", async () => {
  const turns = new Turns();
  const turn = await turns.take();
  const gone = new AbortController();
  const left = turns.take(gone.signal);
  const next = turns.take();
  gone.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  turn.end();
  (await next).end();
  await vi.advanceTimersByTimeAsync(GENERATION_WAIT_MS_MAX);
  (await turns.take()).end();
});

it("a timer that the turn before it could not clear takes nobody else's turn", async () => {
  // In workerd a request clears no timer of another.
  const clear = vi.spyOn(globalThis, "clearTimeout").mockImplementation(() => {});
  try {
    const turns = new Turns();
    const first = await turns.take();
    const second = turns.take();
    first.end();
    const turn = await second;
    await hold(turn, GENERATION_WAIT_MS_MAX - 1_000);
    const third = codeFrom(turns.take());
    await vi.advanceTimersByTimeAsync(2_000);
    turn.end();
    expect(await third).toBeNull();
  } finally {
    clear.mockRestore();
  }
});

it("a turn that nobody renews goes to whoever waits, and its holder frees no other's", async () => {
  const turns = new Turns();
  const lost = await turns.take();
  const second = turns.take();
  const third = codeFrom(turns.take());
  await vi.advanceTimersByTimeAsync(GENERATION_LEASE_MS_MAX);
  const turn = await second;
  expect([lost.isHeld(), turn.isHeld()]).toEqual([false, true]);
  expect(() => lost.renew()).toThrow(expect.objectContaining({ code: "generator_busy" }));
  lost.end();
  expect(turn.isHeld()).toBe(true);
  await hold(turn, 2 * GENERATION_LEASE_MS_MAX);
  turn.end();
  expect(await third).toBeNull();
  expect(turn.isHeld()).toBe(false);
});

it("a turn that is renewed is its holder's, and so is one that nobody else asks for", async () => {
  const turns = new Turns();
  const turn = await turns.take();
  await vi.advanceTimersByTimeAsync(10 * GENERATION_LEASE_MS_MAX);
  const next = turns.take();
  await hold(turn, 3 * GENERATION_LEASE_MS_MAX);
  expect(turn.isHeld()).toBe(true);
  turn.end();
  expect((await next).isHeld()).toBe(true);
});

it("requests that were dropped while they waited leave the list too", async () => {
  const turns = new Turns();
  await turns.take();
  // Of a request that the platform dropped no timer fires.
  const timers = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "setInterval")];
  for (const timer of timers) timer.mockImplementation(() => 0 as never);
  const gone = Array.from({ length: GENERATIONS_WAITING_MAX }, () => codeFrom(turns.take()));
  for (const timer of timers) timer.mockRestore();
  expect(await codeFrom(turns.take())).toBe("generator_busy");
  await vi.advanceTimersByTimeAsync(GENERATION_WAIT_MS_MAX);
  expect((await turns.take()).isHeld()).toBe(true);
  expect(new Set(await Promise.all(gone))).toEqual(new Set(["generator_busy"]));
});
