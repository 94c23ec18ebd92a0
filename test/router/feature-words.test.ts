import { expect, it } from "vitest";
import { describeContributions, FEATURE_WORDS } from "../../src/router/feature-words.ts";
import { FEATURES } from "../../src/router/features.ts";
import { contributions, scoreLogistic } from "../../src/router/logistic.ts";

it("there are words for each feature, and for nothing else", () => {
  expect(Object.keys(FEATURE_WORDS).sort()).toEqual([...FEATURES].sort());
});

it("contributions and bias sum to the logit, and a feature at its mean adds nothing", () => {
  const weights = {
    a: { mean: 2, std: 4, weight: -3 },
    b: { mean: 1, std: 2, weight: 0.5 },
    c: { mean: 7, std: 1, weight: 9 },
  };
  const model = { weights, bias: 0.25 };
  const values = { a: 6, b: -1, c: 7 };
  const parts = contributions(model, values);
  expect(parts).toEqual({ bias: 0.25, a: -3, b: -0.5, c: 0 });
  const logit = Object.values(parts).reduce((sum, part) => sum + part, 0);
  expect(scoreLogistic(model, values)).toBeCloseTo(1 / (1 + Math.exp(-logit)), 12);
});

it("the three that weigh most are named, by direction, the greatest first", () => {
  const parts = { bias: -9, position: 0.2, answer_share: -1.234, spread: 0.5, coverage: 0.1 };
  expect(describeContributions(parts)).toBe(
    "harder by how many answers share the reader's belief +0.50, " +
      "how late in the passage the answer stands +0.20; " +
      "easier by the reader's belief in this answer -1.23",
  );
});

it("a feature without words goes by its name, and what hardly weighs is left out", () => {
  expect(describeContributions({ bias: 1, moon_phase: 1, coverage: 0.049 })).toBe(
    "harder by moon_phase +1.00",
  );
  expect(describeContributions({ bias: 1, constructor: -1 })).toBe("easier by constructor -1.00");
  expect(describeContributions({ bias: 1, coverage: 0 })).toBe("");
});
