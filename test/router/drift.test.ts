import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  DRIFT_ALARM_PROBABILITY,
  DRIFT_START_EVERY,
  DRIFT_STARTS_MAX,
  DRIFT_WINDOW,
} from "../../src/limits.ts";
import { countDifficulty, countLabel, newRisk, newShift } from "../../src/router/drift.ts";

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
