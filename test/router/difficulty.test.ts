import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  type DifficultyModel,
  parseDifficultyModel,
  scoreDifficulty,
} from "../../src/router/difficulty.ts";
import { FEATURES, type Features } from "../../src/router/features.ts";
import { binomialTail, thresholdForRisk } from "../../src/router/risk.ts";

function modelWith(calibration: DifficultyModel["calibration"]): DifficultyModel {
  const weights = {} as DifficultyModel["weights"];
  for (const name of FEATURES) weights[name] = { mean: 0, std: 1, weight: 0 };
  return { version: "test", weights, bias: 0, calibration, confidence: 0.9 };
}

it("the binomial tail equals a sum over exact coefficients", () => {
  for (const [n, p, k] of [
    [5, 0.3, 2],
    [12, 0.05, 0],
    [30, 0.5, 15],
    [40, 0.9, 33],
  ] as const) {
    let exact = 0;
    for (let i = 0, choose = 1; i <= k; choose = (choose * (n - i)) / (i + 1), i++)
      exact += choose * p ** i * (1 - p) ** (n - i);
    expect(binomialTail(n, p, k)).toBeCloseTo(exact, 12);
  }
});

it("the binomial tail is certain or impossible at the ends", () => {
  expect(binomialTail(10, 0.2, 10)).toBe(1);
  expect(binomialTail(10, 0, 0)).toBe(1);
  expect(binomialTail(10, 1, 9)).toBe(0);
});

it("the score is the logistic of the standardized features", () => {
  const model = modelWith([]);
  model.weights.span_score = { mean: 2, std: 4, weight: -3 };
  model.bias = 0.5;
  const values = Object.fromEntries(FEATURES.map((name) => [name, 0])) as Features;
  values.span_score = 6;
  expect(scoreDifficulty(model, values)).toBeCloseTo(1 / (1 + Math.exp(2.5)), 12);
});

it("a weights file that lacks a feature, or has one too many, is refused", () => {
  const missing = modelWith([]);
  delete (missing.weights as Partial<typeof missing.weights>).coverage;
  expect(() => parseDifficultyModel(missing)).toThrow("coverage");
  const extra = modelWith([]);
  Object.assign(extra.weights, { mood: { mean: 0, std: 1, weight: 1 } });
  expect(() => parseDifficultyModel(extra)).toThrow("unknown");
});

it("the walk over thresholds ends at the first that the data does not support", () => {
  const model = modelWith([
    { threshold: 0.1, answered: 100, wrong: 1 },
    { threshold: 0.2, answered: 200, wrong: 8 },
    { threshold: 0.3, answered: 300, wrong: 60 },
    { threshold: 0.4, answered: 4000, wrong: 61 },
  ]);
  expect(thresholdForRisk(model, 0.1)).toBe(0.2);
  expect(thresholdForRisk(model, 0.001)).toBe(-1);
  expect(thresholdForRisk(model, 1)).toBe(0.4);
});

it("the promised risk is exceeded on at most a tenth of 1,000 drawn calibration sets", () => {
  // Scores are uniform and an answer is wrong with probability 0.6 * score, so that the risk of
  // keeping all up to t is 0.3 t: a target of 0.12 is exceeded beyond t = 0.4.
  const random = mulberry32(7);
  const draw = () => {
    const scores = Array.from({ length: 400 }, () => random()).sort((a, b) => a - b);
    const wrong = scores.map((score) => random() < 0.6 * score);
    return Array.from({ length: 36 }, (_, i) => {
      const answered = 50 + i * 10;
      return {
        threshold: scores[answered - 1]!,
        answered,
        wrong: wrong.slice(0, answered).filter(Boolean).length,
      };
    });
  };
  let exceeded = 0;
  let kept = 0;
  for (let i = 0; i < 1_000; i++) {
    const threshold = thresholdForRisk(modelWith(draw()), 0.12);
    if (threshold > 0.4) exceeded += 1;
    kept += Math.max(0, threshold) / 1_000;
  }
  // 100 are allowed; three standard deviations of a count of 1,000 draws at 0.1 are 28.
  expect(exceeded).toBeLessThanOrEqual(128);
  expect(kept).toBeGreaterThan(0.15); // and the bound is not met by keeping nothing
});
