import { expect, it } from "vitest";
import { xorshift32 } from "../../index/xorshift.ts";
import shipped from "../../models/difficulty.json" with { type: "json" };
import {
  type BeforeModel,
  type Floor,
  fitFloors,
  parseBeforeModel,
  SKIP_CONFIDENCE,
  SKIP_SHARE_MAX,
  scoreBefore,
} from "../../src/router/before.ts";
import {
  type DifficultyFile,
  parseDifficultyModel,
  scoreDifficulty,
} from "../../src/router/difficulty.ts";
import type { Features } from "../../src/router/features.ts";
import { QUESTION_FEATURES } from "../../src/router/features-question.ts";
import { scoreLogistic } from "../../src/router/logistic.ts";
import { riskUpperBound, THRESHOLD_STEPS, thresholdForRisk } from "../../src/router/risk.ts";

/** Its score is that of question_terms alone: logit 1 where it is 1. */
function modelWith(floors: Floor[]): BeforeModel {
  const weights: BeforeModel["weights"] = {};
  for (const name of QUESTION_FEATURES) weights[name] = { mean: 0, std: 1, weight: 0 };
  weights.question_terms!.weight = 1;
  return { weights, bias: 0, floors };
}

const asked = (question_terms: number) => {
  const zeros = Object.fromEntries(QUESTION_FEATURES.map((name) => [name, 0]));
  return { ...zeros, question_terms };
};

const floorFor = (floors: readonly Floor[], score: number) =>
  floors.findLast(({ above }) => score > above)?.floor ?? 0;

it("a score above a floor's mark promises it, and one at the mark does not", () => {
  const model = modelWith([
    { above: 0.5, floor: 0.25 },
    { above: 0.75, floor: 1 },
  ]);
  expect(scoreBefore(model, asked(0))).toMatchObject({ score: 0.5, floor: 0 });
  expect(scoreBefore(model, asked(1e-6)).floor).toBe(0.25);
  expect(scoreBefore(model, asked(2)).floor).toBe(1);
  expect(scoreBefore(model, asked(-9)).floor).toBe(0);
});

it("floors that do not ascend, or weights of other features, are refused", () => {
  const good = { above: 0.5, floor: 0.25 };
  expect(parseBeforeModel(modelWith([good])).floors).toEqual([good]);
  for (const floor of [
    { above: 0, floor: 1 },
    { above: 1, floor: 1e-9 },
  ])
    expect(parseBeforeModel(modelWith([floor])).floors).toEqual([floor]);
  for (const floors of [
    [good, good],
    [good, { above: 0.5, floor: 0.5 }],
    [good, { above: 0.6, floor: 0.25 }],
    [{ above: 1.1, floor: 0.5 }],
    [{ above: -0.1, floor: 0.5 }],
    [good, { above: 0.4, floor: 0.5 }],
    [good, { above: 0.6, floor: 0.2 }],
    [{ above: 0.5, floor: 0 }],
    [{ above: 0.5, floor: 1.1 }],
    [{ above: Number.NaN, floor: 0.5 }],
  ])
    expect(() => parseBeforeModel(modelWith(floors))).toThrow("floor");
  const other = modelWith([]);
  other.weights.moon = { mean: 0, std: 1, weight: 1 };
  expect(() => parseBeforeModel(other)).toThrow("moon");
});

it("the shipped difficulty is the reading's, and no less than what was promised before", () => {
  const model = parseDifficultyModel(shipped as unknown as DifficultyFile);
  expect(model.before!.floors.length).toBeGreaterThan(0);
  const means = Object.entries(model.weights).map(([name, { mean }]) => [name, mean]);
  const usual = Object.fromEntries(means) as Features;
  expect(scoreDifficulty(model, usual)).toBe(scoreLogistic(model, usual));
  const strange = { ...usual, coverage: 0, bm25_top: 0, score_margin: 0 };
  const { floor } = scoreBefore(model.before!, strange);
  expect(floor).toBeGreaterThan(scoreLogistic(model, strange));
  expect(scoreDifficulty(model, strange)).toBe(floor);
  expect(scoreDifficulty({ ...model, before: null }, strange)).toBe(scoreLogistic(model, strange));
});

/** Answers whose two scores agree by and large. */
function drawAnswers(n: number, seed: number) {
  const bits = xorshift32(seed);
  const next = () => bits() / 2 ** 32;
  return Array.from({ length: n }, () => {
    const hard = next();
    return { before: 0.5 * hard + 0.5 * next(), after: 0.7 * hard + 0.3 * next() };
  });
}

it("at each threshold floors lose no more of the answers than they may", () => {
  const answers = drawAnswers(2_000, 7);
  const floors = fitFloors(answers);
  expect(floors.length).toBeGreaterThan(5);
  parseBeforeModel(modelWith(floors));
  let spares = 0;
  for (let step = 0; step <= THRESHOLD_STEPS; step++) {
    const threshold = step / THRESHOLD_STEPS;
    const kept = answers.filter(({ after }) => after <= threshold);
    if (riskUpperBound(kept.length, 0, SKIP_CONFIDENCE) > SKIP_SHARE_MAX) continue;
    const lost = kept.filter(({ before }) => floorFor(floors, before) > threshold).length;
    const bound = riskUpperBound(kept.length, lost, SKIP_CONFIDENCE);
    expect(bound, `${step}`).toBeLessThanOrEqual(SKIP_SHARE_MAX);
    spares += answers.filter(({ before }) => floorFor(floors, before) > threshold).length;
  }
  expect(spares).toBeGreaterThan(0);
});

it("a threshold keeps the answers that equal it, and its floor is one step higher", () => {
  const at = (before: number, after: number, n = 299) =>
    Array.from({ length: n }, () => ({ before, after }));
  // From .5 on the first are kept, from .75 on the others too.
  expect(fitFloors([...at(0.1, 0.5), ...at(0.9, 0.75)])).toEqual([
    { above: 0.1, floor: 0.75 },
    { above: 0.9, floor: 1 },
  ]);
  // Of 473 one may be lost, of 472 none: P(Bin(n, .01) <= 1) is 5 % in between.
  expect(fitFloors([...at(0.1, 0.5, 472), ...at(0.9, 0.5, 1)])).toEqual([{ above: 0.1, floor: 1 }]);
  expect(fitFloors([...at(0.1, 0.5, 471), ...at(0.9, 0.5, 1)])).toEqual([{ above: 0.9, floor: 1 }]);
});

it("too few answers to tell promise nothing", () => {
  expect(fitFloors([])).toEqual([]);
  expect(fitFloors(drawAnswers(298, 7))).toEqual([]);
  expect(fitFloors(drawAnswers(299, 7))).not.toEqual([]);
});

/** Questions of which the first stage skips the best answers: a third have a high score before and
 *  a low one after, and are always right; others are wrong as often as their score after says. */
function drawLabelled(n: number, next: () => number) {
  return Array.from({ length: n }, () => {
    const [before, after] = next() < 1 / 3 ? [0.9, 0.05] : [0.1, next()];
    return { before, after, wrong: before < 0.5 && next() < after };
  });
}

it("the promised risk holds with skipping, which it would not if it were put on top", () => {
  const floors = [{ above: 0.5, floor: 0.5 }];
  const bits = xorshift32(11);
  const next = () => bits() / 2 ** 32;
  const maxRisk = 0.1;
  /** Of what stays after skipping, in the population: the mean of scores up to the threshold. */
  const riskAt = (threshold: number) => Math.max(0, threshold) / 2;
  let [broken, brokenOnTop] = [0, 0];
  for (let draw = 0; draw < 1_000; draw++) {
    const drawn = drawLabelled(300, next);
    const joint = drawn.map(({ before, after, wrong }) => {
      return { difficulty: Math.max(after, floorFor(floors, before)), wrong };
    });
    const alone = drawn.map(({ after, wrong }) => ({ difficulty: after, wrong }));
    if (riskAt(thresholdForRisk(joint, maxRisk, 0.95)) > maxRisk) broken += 1;
    if (riskAt(thresholdForRisk(alone, maxRisk, 0.95)) > maxRisk) brokenOnTop += 1;
  }
  expect(broken).toBeLessThanOrEqual(50);
  expect(brokenOnTop).toBeGreaterThan(500);
});
