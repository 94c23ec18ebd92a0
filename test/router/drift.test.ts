import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  DRIFT_ALARM_PROBABILITY,
  DRIFT_START_EVERY,
  DRIFT_STARTS_MAX,
  DRIFT_WINDOW,
} from "../../src/limits.ts";
import { countDifficulty, countLabel, newRisk, newShift } from "../../src/router/drift.ts";
import {
  isAlarmed,
  newDrift,
  promisedRisk,
  watchDifficulty,
  watchLabel,
  withNewPromise,
} from "../../src/router/drift-watch.ts";

/** Of 200 runs at the stated probability, more alarms than this happen once in 20,000 tests: the
 *  tail of a Poisson variable of mean 2. */
const OFTEN = 9;

function setOf(draw: () => number, size: number) {
  const scores = Array.from({ length: size }, () => ({ difficulty: draw(), wrong: false }));
  return { scores, abstained: 0 };
}

it("difficulties like the calibration's raise an alarm no oftener than stated", () => {
  const random = mulberry32(1);
  let alarms = 0;
  for (let run = 0; run < 200; run++) {
    let state = newShift(setOf(() => random() ** 2, 400));
    for (let i = 0; i < 6 * DRIFT_WINDOW; i++) state = countDifficulty(state, random() ** 2);
    expect(state.tests).toBe(6);
    if (state.alarm) alarms += 1;
  }
  expect(alarms).toBeLessThanOrEqual(OFTEN);
});

it("all difficulties the same, a tie throughout, is no alarm", () => {
  let state = newShift(setOf(() => 0.31, 300));
  for (let i = 0; i < 5 * DRIFT_WINDOW; i++) state = countDifficulty(state, 0.31);
  expect(state).toMatchObject({ tests: 5, distance: 0, alarm: false });
});

it("harder questions raise an alarm within two windows, and it stays", () => {
  const random = mulberry32(2);
  for (let run = 0; run < 20; run++) {
    let state = newShift(setOf(() => random() ** 2, 1_000));
    for (let i = 0; i < 4 * DRIFT_WINDOW; i++) state = countDifficulty(state, random() ** 2);
    for (let i = 0; i < 2 * DRIFT_WINDOW; i++) state = countDifficulty(state, random() ** 0.7);
    expect(state.alarm).toBe(true);
    for (let i = 0; i < DRIFT_WINDOW; i++) state = countDifficulty(state, random() ** 2);
    expect(state.alarm).toBe(true);
  }
});

it("abstentions that become many raise an alarm", () => {
  const random = mulberry32(3);
  let state = newShift({ ...setOf(random, 900), abstained: 100 });
  for (let i = 0; i < DRIFT_WINDOW; i++) state = countDifficulty(state, i % 2 === 0 ? 1 : random());
  expect(state.alarm).toBe(true);
});

it("an empty calibration set raises none", () => {
  let state = newShift({ scores: [], abstained: 0 });
  for (let i = 0; i < DRIFT_WINDOW; i++) state = countDifficulty(state, 1);
  expect(state.alarm).toBe(false);
});

it("a kept promise raises an alarm no oftener than stated, however long one watches", () => {
  const random = mulberry32(4);
  for (const risk of [0.05, 0.15]) {
    let alarms = 0;
    for (let run = 0; run < 200; run++) {
      let state = newRisk(risk);
      for (let i = 0; i < 1_000; i++) state = countLabel(state, random() < risk);
      if (state.alarm) alarms += 1;
    }
    expect(alarms).toBeLessThanOrEqual(OFTEN);
  }
});

it("the wealth's expectation at the promised risk is at most 1, over all ten labels", () => {
  const risk = 0.3;
  let expectation = 0;
  for (let bits = 0; bits < 1024; bits++) {
    let state = newRisk(risk);
    let probability = 1;
    for (let i = 0; i < 10; i++) {
      const wrong = ((bits >> i) & 1) === 1;
      probability *= wrong ? risk : 1 - risk;
      state = countLabel(state, wrong);
    }
    expectation += probability * Math.exp(state.log_wealth);
  }
  expect(expectation).toBeLessThanOrEqual(1 + 1e-9);
  expect(DRIFT_ALARM_PROBABILITY).toBeLessThan(0.05);
});

it("twice the promised risk is found, after a long time of less, too", () => {
  const random = mulberry32(5);
  let late = 0;
  for (let run = 0; run < 50; run++) {
    let state = newRisk(0.1);
    for (let i = 0; i < 1_000; i++) state = countLabel(state, random() < 0.04);
    expect(state.alarm).toBe(false);
    for (let i = 0; i < 500; i++) state = countLabel(state, random() < 0.25);
    if (!state.alarm) late += 1;
  }
  expect(late).toBe(0);
});

it("a state's size does not grow with time", () => {
  let state = newRisk(0.1);
  for (let i = 0; i < 2 * DRIFT_STARTS_MAX * DRIFT_START_EVERY; i++)
    state = countLabel(state, i % 20 === 0);
  expect(state.starts.length).toBeLessThanOrEqual(DRIFT_STARTS_MAX);
  expect(Number.isFinite(state.log_wealth)).toBe(true);
});

/** A full window, of so many at each difficulty, over a set of 300 at .105 and 100 abstentions. */
function windowOf(counts: [difficulty: number, times: number, above?: number][]) {
  let state = newShift({ ...setOf(() => 0.105, 300), abstained: 100 });
  for (const [difficulty, times, above] of counts)
    for (let i = 0; i < times; i++) state = countDifficulty(state, difficulty, above);
  return state;
}

it("a window's distance and its bound are those of Kolmogorov, Smirnov and Massart", () => {
  const first = windowOf([
    [0.105, DRIFT_WINDOW / 2],
    [0.955, DRIFT_WINDOW / 2],
  ]);
  // sqrt(ln(2 / .005) / 800) + sqrt(ln(2 / (.01 x 3 / pi^2)) / 1000), and the second with j = 2.
  expect(first).toMatchObject({ tests: 1, distance: 0.25, alarm: true });
  expect(first.bound).toBeCloseTo(0.086541 + 0.080553, 5);
  expect(first.window.every((count) => count === 0)).toBe(true);
  let second = first;
  for (let i = 0; i < DRIFT_WINDOW; i++) second = countDifficulty(second, i % 4 === 0 ? 1 : 0.105);
  expect(second).toMatchObject({ tests: 2, distance: 0, alarm: true });
  expect(second.bound).toBeCloseTo(0.086541 + 0.088743, 5);
});

it("a distance within the bound is no alarm, and one a little above it is", () => {
  const share = (easy: number) =>
    windowOf([
      [0.105, easy],
      [1, DRIFT_WINDOW - easy],
    ]);
  // Three quarters are expected; the bound is .1671, 83.5 of 500.
  expect(share(375 - 83)).toMatchObject({ alarm: false });
  expect(share(375 - 84)).toMatchObject({ alarm: true });
});

it("where questions left unread, what is known ends at the least threshold", () => {
  const easy = (times: number): [number, number] => [0.105, times];
  // Unread above .3: beyond that nothing is known, and up to there all is as expected.
  expect(windowOf([easy(375), [1, 124, 0.3], [1, 1, 0.9]])).toMatchObject({
    ...{ distance: 0, comparable: 1 },
  });
  // Read at .5 they would be a difference there, which one unread at .2 hides.
  expect(windowOf([easy(250), [0.5, 250]]).distance).toBe(0.25);
  expect(windowOf([easy(250), [0.5, 249], [1, 1, 0.2]]).distance).toBe(0.25);
  expect(
    windowOf([
      [0.255, 499],
      [1, 1, 0.2],
    ]).distance,
  ).toBe(0.75);
  expect(
    windowOf([
      [0.055, 375],
      [1, 125, 0.1],
    ]).distance,
  ).toBe(0.75);
  expect(
    windowOf([
      [0.055, 375],
      [1, 125, 0.05],
    ]).distance,
  ).toBe(0);
  expect(
    windowOf([
      [0.055, 375],
      [1, 125, -1],
    ]).distance,
  ).toBe(0);
});

it("the wealth of the first labels is by hand", () => {
  const shares = [0.03, 0.08, 0.2, 0.4, 0.8];
  const mean = (of: (q: number) => number) =>
    shares.reduce((sum, share) => sum + of(0.2 + share * 0.8), 0) / 5;
  let state = countLabel(newRisk(0.2), true);
  expect(Math.exp(state.log_wealth)).toBeCloseTo(mean((q) => q / 0.2) / 2, 12);
  state = countLabel(state, false);
  expect(Math.exp(state.log_wealth)).toBeCloseTo(mean((q) => (q / 0.2) * ((1 - q) / 0.8)) / 2, 12);
  expect(state).toMatchObject({ labels: 2, wrong: 1, alarm: false });
  // The second start comes with the 51st label, and has 1 / (2 x 3) of the wealth.
  for (let i = 2; i < DRIFT_START_EVERY; i++) state = countLabel(state, false);
  expect(state.starts.map(({ from }) => from)).toEqual([0]);
  const before = countLabel({ ...state, starts: [] }, true);
  expect(Math.exp(before.log_wealth)).toBeCloseTo(mean((q) => q / 0.2) / 6, 12);
  expect(before.starts).toEqual([{ from: DRIFT_START_EVERY, labels: 1, wrong: 1 }]);
});

it("an alarm is raised where the wealth reaches a hundred, and stays", () => {
  let state = newRisk(0.1);
  const reached: number[] = [];
  for (let i = 0; i < 6; i++) {
    state = countLabel(state, true);
    if (state.alarm) reached.push(state.log_wealth);
    else expect(state.log_wealth).toBeLessThan(Math.log(100));
  }
  expect(reached.length).toBeGreaterThan(0);
  expect(reached[0]).toBeGreaterThanOrEqual(Math.log(100));
  for (let i = 0; i < 100; i++) state = countLabel(state, false);
  expect(state.log_wealth).toBeLessThan(0);
  expect(state.alarm).toBe(true);
});

it("of too many bets the poorest is dropped", () => {
  let state = newRisk(0.1);
  for (let i = 0; i <= DRIFT_STARTS_MAX * DRIFT_START_EVERY; i++)
    state = countLabel(state, i < 3 || i >= 100);
  const from = state.starts.map((start) => start.from / DRIFT_START_EVERY);
  const all = Array.from({ length: DRIFT_STARTS_MAX + 1 }, (_, j) => j);
  expect(from).toEqual(all.slice(0, -1)); // the newest has had one label alone
  let calm = newRisk(0.1);
  for (let i = 0; i <= DRIFT_STARTS_MAX * DRIFT_START_EVERY; i++) calm = countLabel(calm, false);
  expect(calm.starts.map((start) => start.from / DRIFT_START_EVERY)).toEqual(all.slice(1));
});

it("a promise of nothing or of everything can still be tested", () => {
  expect([newRisk(0).risk, newRisk(1).risk, newRisk(0.3).risk]).toEqual([0.001, 0.999, 0.3]);
});

const CALIBRATION = { version: "c", ...setOf(() => 0.1, 400) };
const PROMISE = { target: { max_risk: 0.1 }, set: CALIBRATION };

it("what an older revision scored counts for no test, nor does what the edge did not keep", () => {
  const fresh = newDrift("b", CALIBRATION, 5);
  const at = (revision: number, difficulty = 0.2) => ({ difficulty, threshold: 0.2, revision });
  expect(watchDifficulty(fresh, at(4), 9)).toBe(fresh);
  expect(watchDifficulty(fresh, at(5), 9).shift.window.indexOf(1)).toBeGreaterThan(0);
  const label = (revision: number, difficulty?: number) =>
    watchLabel(fresh, "backend", { ...at(revision, difficulty), wrong: true }, PROMISE, 9);
  expect(label(4)).toBe(fresh);
  expect(label(5, 0.2001)).toBe(fresh);
  expect(label(5)).toMatchObject({ feedback: null, backend: { risk: 0.1, labels: 1, wrong: 1 } });
  const promised = withNewPromise(fresh, 7);
  expect(watchLabel(promised, "feedback", { ...at(6), wrong: true }, PROMISE, 9)).toBe(promised);
  expect(watchDifficulty(promised, at(6), 9)).not.toBe(promised);
});

it("a question that left unread is known to be above its threshold, and no more", () => {
  const after = (threshold: number) => {
    let state = newDrift("b", CALIBRATION, 5);
    const unread = { difficulty: null, threshold, revision: 5 };
    for (let i = 0; i < DRIFT_WINDOW; i++) state = watchDifficulty(state, unread, 9);
    return state.shift.distance;
  };
  expect([after(0.05), after(0.1), after(0.12), after(0.5)]).toEqual([0, 0, 1, 1]);
});

it("since is when the first alarm came, and a new promise ends those of risk alone", () => {
  const label = { difficulty: 0.1, threshold: 0.2, revision: 5, wrong: true };
  let state = newDrift("b", CALIBRATION, 5);
  for (let i = 0; i < 20; i++) state = watchLabel(state, "feedback", label, PROMISE, 100 + i);
  expect(isAlarmed(state)).toBe(true);
  const { since } = state;
  expect(since).toBeGreaterThan(100);
  expect(since).toBeLessThan(119);
  expect(withNewPromise(state, 6)).toMatchObject({ feedback: null, backend: null, since: null });
  const unread = { difficulty: null, threshold: 0.5, revision: 5 };
  for (let i = 0; i < DRIFT_WINDOW; i++) state = watchDifficulty(state, unread, 500);
  expect(state).toMatchObject({ since, shift: { alarm: true, distance: 1 } });
  const renewed = withNewPromise(state, 6);
  expect(renewed).toMatchObject({ feedback: null, since, shift: { alarm: true } });
  expect(isAlarmed(renewed)).toBe(true);
});

it("a target without a risk promises what its calibration set's bound is", () => {
  const scores = Array.from({ length: 59 }, () => ({ difficulty: 0.3, wrong: false }));
  const set = {
    version: "c",
    abstained: 0,
    scores: [...scores, { difficulty: 0.31, wrong: true }],
  };
  const promised = (threshold: number) =>
    promisedRisk({ target: { backend_share: 0.2 }, set }, threshold);
  expect(promised(0.3)).toBeCloseTo(1 - 0.05 ** (1 / 59), 8);
  expect(promised(0.31)).toBeGreaterThan(promised(0.3));
  expect(promised(0.2)).toBe(1);
  expect(promisedRisk({ target: { max_risk: 0.07 }, set }, 0.3)).toBe(0.07);
});
