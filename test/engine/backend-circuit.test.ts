import { expect, it } from "vitest";
import { Circuit } from "../../src/engine/backend-circuit.ts";
import { failureOf } from "../../src/engine/backend-failure.ts";
import { fullJitterMs, readRetryAfterMs } from "../../src/engine/backend-retry.ts";
import { Slots } from "../../src/engine/backend-slots.ts";
import { BackendState, stateOf } from "../../src/engine/backend-state.ts";
import { BACKEND_HOLD_MS_MAX, BACKENDS_MAX, CIRCUIT_OUTCOMES_MIN } from "../../src/limits.ts";

const SIGNAL = new AbortController().signal;

/** A circuit with a clock to set. */
function circuit(random = 0.5) {
  const clock = { now: 1_000_000 };
  const made = new Circuit(
    () => clock.now,
    () => random,
  );
  const run = (outcomes: string) => {
    for (const outcome of outcomes)
      if (outcome === "x") made.failed(made.pass());
      else made.succeeded(made.pass());
  };
  return { clock, made, run };
}

it.each([
  ["too few outcomes", "xxxxxxx", "closed"],
  ["as few as count", "xxxxxxxx", "open"],
  ["just under half", ".....xxxx", "closed"],
  ["half", "....xxxx", "open"],
  ["old successes, pushed out by the last 20", `${".".repeat(30)}${"x".repeat(9)}`, "closed"],
  ["the same with one failure more", `${".".repeat(30)}${"x".repeat(10)}`, "open"],
])("with %s (%s) the circuit is %s", (_, outcomes, state) => {
  const { made, run } = circuit();
  run(outcomes);
  expect(made.state).toBe(state);
  expect(made.why() === null).toBe(state === "closed");
});

it("outcomes older than a minute count no more", () => {
  const { clock, made, run } = circuit();
  run("xxxxxxx");
  clock.now += 60_000;
  run("x");
  expect(made.state).toBe("closed");
});

it.each([
  [0, 7_500],
  [0.5, 10_000],
  [0.999, 12_495],
])("with chance %f it stays open for %i ms, then lets one through", (random, ms) => {
  const { clock, made, run } = circuit(random);
  run("xxxxxxxx");
  expect(made.waitMs()).toBeCloseTo(ms, 0);
  clock.now += ms - 1;
  expect(made.state).toBe("open");
  clock.now += 2;
  expect([made.state, made.why()]).toEqual(["half_open", null]);
  expect(made.pass().probe).toBe(true);
  expect(made.why()).toContain("one request is trying it");
});

it("the probe decides: well closes, failed opens anew, left or held lets the next one try", () => {
  const { clock, made, run } = circuit();
  run("xxxxxxxx");
  clock.now += 10_000;
  made.failed(made.pass());
  expect(made.state).toBe("open");
  clock.now += 10_000;
  made.abandoned(made.pass());
  expect([made.state, made.why()]).toEqual(["half_open", null]);
  made.held(made.pass(), 500);
  expect(made.why()).toContain("left alone");
  clock.now += 500;
  expect([made.state, made.why()]).toEqual(["half_open", null]);
  made.succeeded(made.pass());
  expect(made.state).toBe("closed");
});

it("attempts from before it opened decide nothing, and a probe that is lost does not block", () => {
  const { clock, made, run } = circuit();
  const old = made.pass();
  run("xxxxxxxx");
  made.succeeded(old);
  expect(made.state).toBe("open");
  clock.now += 10_000;
  made.pass(); // its request was dropped by the platform
  expect(made.why()).not.toBeNull();
  clock.now += 60_000;
  expect(made.why()).toBeNull();
});

it("attempts from before it opened that fail while it is open count no more once it closed", () => {
  const { clock, made, run } = circuit();
  const old = Array.from({ length: CIRCUIT_OUTCOMES_MIN }, () => made.pass());
  run("xxxxxxxx");
  for (const pass of old) made.failed(pass);
  clock.now += made.waitMs();
  made.succeeded(made.pass());
  expect(made.state).toBe("closed");
  made.failed(made.pass());
  expect(made.state).toBe("closed");
});

it("late failures do not keep it open for longer", () => {
  const { clock, made, run } = circuit();
  const old = Array.from({ length: CIRCUIT_OUTCOMES_MIN }, () => made.pass());
  run("xxxxxxxx");
  clock.now += 9_000;
  for (const pass of old) made.failed(pass);
  clock.now += 1_000;
  expect([made.state, made.why()]).toEqual(["half_open", null]);
});

it("a hold of hours is cut", () => {
  const { made } = circuit();
  made.held(made.pass(), 86_400_000);
  expect(made.waitMs()).toBe(BACKEND_HOLD_MS_MAX);
});

it("of several holds the longest counts, in whatever order they come", () => {
  const { made } = circuit();
  const passes = [made.pass(), made.pass(), made.pass()];
  for (const [i, ms] of [2_000, 30_000, 0].entries()) made.held(passes[i]!, ms);
  expect(made.waitMs()).toBe(30_000);
});

it.each([
  ["without a time", null, "open"],
  ["of now", 0, "open"],
  ["of a time", 1_000, "closed"],
])("a row of 429s %s leaves the circuit as it is due", (_, retryAfterMs, circuitState) => {
  const state = new BackendState(() => 1_000);
  const failure = failureOf(429, "", retryAfterMs);
  for (let i = 0; i < CIRCUIT_OUTCOMES_MIN; i++) state.failed(state.circuit.pass(), failure);
  expect(state.circuit.state).toBe(circuitState);
  expect(state.circuit.why()).not.toBeNull();
});

it.each([
  ["429", "half_open"],
  ["429 without a time", "open"],
  ["503", "open"],
  ["400", "closed"],
])("a probe that ends by a %s leaves the circuit %s", (what, circuitState) => {
  let now = 1_000;
  const state = new BackendState(
    () => now,
    () => 0.5,
  );
  for (let i = 0; i < CIRCUIT_OUTCOMES_MIN; i++)
    state.failed(state.circuit.pass(), failureOf(500, ""));
  now += state.circuit.waitMs();
  const pass = state.circuit.pass();
  expect(pass.probe).toBe(true);
  state.failed(pass, failureOf(Number.parseInt(what, 10), "", what === "429" ? 1_000 : null));
  expect(state.circuit.state).toBe(circuitState);
});

it("pauses have full jitter: anything from 0 to a ceiling that doubles up to the cap", () => {
  expect([1, 2, 3, 4, 5].map((retry) => fullJitterMs(retry, 0.999_999))).toEqual(
    [250, 500, 1_000, 2_000, 2_000].map((ms) => expect.closeTo(ms, 1)),
  );
  expect(fullJitterMs(3, 0)).toBe(0);
  expect(fullJitterMs(3, 0.5)).toBe(500);
});

it.each([
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 37_000],
  ["Sun, 06 Nov 1994 08:48:00 GMT", 0],
  ["-1", null],
  ["1.5", null],
  ["1e3", null],
  ["soon", null],
  ["2099", 2_099_000],
  ["1994-11-06", null],
  ["", null],
  [null, null],
])("a Retry-After of %j is %j ms", (header, ms) => {
  expect(readRetryAfterMs(header, Date.UTC(1994, 10, 6, 8, 49, 0))).toBe(ms);
});

it("places are handed on in turn, given back once, and free again when they are lost", async () => {
  let now = 0;
  const slots = new Slots(() => now);
  const [first, second] = [slots.take(2)!, slots.take(2)!];
  expect(slots.take(2)).toBeNull();
  const waits = [slots.wait(1_000, SIGNAL), slots.wait(1_000, SIGNAL)];
  first.release();
  first.release();
  expect(await waits[0]).not.toBeNull();
  expect([slots.taken, slots.waiting]).toEqual([2, 1]);
  second.release();
  expect(await waits[1]).not.toBeNull();
  now = 3_600_000;
  expect(slots.take(2)).not.toBeNull();
  expect(slots.taken).toBe(1); // the two that never came back are gone
});

it("who gives up waiting takes no place with it", async () => {
  const slots = new Slots(() => 0);
  const only = slots.take(1)!;
  expect(await slots.wait(1, SIGNAL)).toBeNull();
  await expect(slots.wait(1_000, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  expect(slots.waiting).toBe(0);
  only.release();
  expect(slots.take(1)).not.toBeNull();
});

it("an isolate's state outlives a request, and no more are kept than may be configured", () => {
  const first = stateOf("kept-0");
  expect(stateOf("kept-0")).toBe(first);
  for (let i = 1; i <= BACKENDS_MAX; i++) stateOf(`kept-${i}`);
  expect(stateOf("kept-0")).not.toBe(first);
  expect(CIRCUIT_OUTCOMES_MIN).toBeGreaterThan(6); // one request's attempts do not open a circuit
});
