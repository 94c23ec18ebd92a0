import { expect, it } from "vitest";
import {
  type DifficultyFile,
  parseDifficultyModel,
  scoreDifficulty,
} from "../../src/router/difficulty.ts";
import { FEATURES, type Features } from "../../src/router/features.ts";
import { binomialTail } from "../../src/router/risk.ts";

function unfitted(): DifficultyFile {
  const weights = {} as DifficultyFile["weights"];
  for (const name of FEATURES) weights[name] = { mean: 0, std: 1, weight: 0 };
  const calibration = { version: "test", scores: [], abstained: 0 };
  return { version: "test", weights, bias: 0, calibration };
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
  const model = unfitted();
  model.weights.span_share = { mean: 2, std: 4, weight: -3 };
  model.bias = 0.5;
  const values = Object.fromEntries(FEATURES.map((name) => [name, 0])) as Features;
  values.span_share = 6;
  expect(scoreDifficulty(parseDifficultyModel(model), values)).toBeCloseTo(
    1 / (1 + Math.exp(2.5)),
    12,
  );
});

it("a weights file that lacks a feature, or has one too many, is refused", () => {
  const missing = unfitted();
  delete (missing.weights as Partial<typeof missing.weights>).coverage;
  expect(() => parseDifficultyModel(missing)).toThrow("coverage");
  const extra = unfitted();
  Object.assign(extra.weights, { mood: { mean: 0, std: 1, weight: 1 } });
  expect(() => parseDifficultyModel(extra)).toThrow("unknown");
});
