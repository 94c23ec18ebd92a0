import { describe, expect, it } from "vitest";
import { quantile, summarize } from "../../bench/report.ts";
import { ndcgAt } from "../../eval/beir.ts";
import { mulberry32 } from "../../eval/random.ts";
import { bootstrap } from "../../eval/report.ts";
import { trySplits } from "../../eval/router-splits.ts";
import { auroc, expectedCalibrationError } from "../../eval/scores.ts";
import { exactMatch, f1Score } from "../../eval/squad.ts";

it("F1 and exact match ignore case, articles, punctuation and white space", () => {
  expect(f1Score("The  Denver Broncos.", ["denver broncos"])).toBe(1);
  expect(exactMatch("The  Denver Broncos.", ["denver broncos"])).toBe(1);
  expect(exactMatch("Denver", ["denver broncos"])).toBe(0);
});

it("F1 counts repeated words as often as both have them, against the best gold answer", () => {
  // 2 of 3 said words are in the gold of 2: precision 2/3, recall 1.
  expect(f1Score("to to go", ["go to"])).toBeCloseTo(0.8, 12);
  expect(f1Score("in 1998", ["x", "1998"])).toBeCloseTo(2 / 3, 12);
});

it("an unanswerable question wants no answer", () => {
  expect(f1Score(null, [])).toBe(1);
  expect(f1Score("something", [])).toBe(0);
  expect(f1Score(null, ["something"])).toBe(0);
});

it("AUROC equals the share of ordered pairs, ties counting half", () => {
  const items = [0.1, 0.4, 0.4, 0.8, 0.2].map((difficulty, i) => ({ difficulty, wrong: i > 1 }));
  let wins = 0;
  for (const a of items.filter(({ wrong }) => wrong))
    for (const b of items.filter(({ wrong }) => !wrong))
      wins += a.difficulty > b.difficulty ? 1 : a.difficulty === b.difficulty ? 0.5 : 0;
  expect(auroc(items)).toBeCloseTo(wins / 6, 12);
});

it("the interval of an AUROC with one wrong answer is one, though some draws have none", () => {
  const items = Array.from({ length: 20 }, (_, i) => ({ difficulty: i / 20, wrong: i === 17 }));
  const { value, low, high } = bootstrap(items, auroc);
  expect(value).toBeCloseTo(17 / 19, 12);
  expect([low, high].every(Number.isFinite)).toBe(true);
  expect(low).toBeLessThan(value);
  expect(high).toBeGreaterThanOrEqual(value);
  expect(auroc([])).toBe(0.5);
});

it("the calibration error is zero when each bin is as often wrong as it says", () => {
  const bins = [0, 0.25, 0.5, 0.75, 1];
  const items = bins.flatMap((difficulty) =>
    Array.from({ length: 4 }, (_, i) => ({ difficulty, wrong: i < difficulty * 4 })),
  );
  expect(expectedCalibrationError(items)).toBeCloseTo(0, 12);
  const flipped = items.map(({ difficulty, wrong }) => ({ difficulty: 1 - difficulty, wrong }));
  expect(expectedCalibrationError(flipped)).toBeCloseTo((1 + 0.5 + 0 + 0.5 + 1) / 5, 12);
});

it("the calibration error of equal difficulties is that of their share, in whatever order", () => {
  const items = Array.from({ length: 100 }, (_, i) => ({ difficulty: 0.5, wrong: i < 50 }));
  expect(expectedCalibrationError(items)).toBeCloseTo(0, 12);
  // Two bins end among the ties: 30 answers of .2 of which 12 are wrong, and 70 of .6, 28 wrong.
  const tied = Array.from({ length: 100 }, (_, i) =>
    i < 30 ? { difficulty: 0.2, wrong: i < 12 } : { difficulty: 0.6, wrong: i < 58 },
  );
  const error = expectedCalibrationError(tied);
  expect(error).toBeCloseTo((20 * 0.2 + Math.abs(10 * 0.2 - 10 * 0.2) + 60 * 0.2) / 100, 12);
  expect(expectedCalibrationError(tied.toReversed())).toBeCloseTo(error, 12);
});

describe("thresholds from halves of a pool", () => {
  const TARGET = { max_risk: 0.1, confidence: 0.95 };
  const pool = (wrong: (difficulty: number, random: () => number) => boolean) => {
    const random = mulberry32(7);
    return Array.from({ length: 2_000 }, (_, i) => {
      const difficulty = random();
      const f1 = wrong(difficulty, random) ? 0 : 1;
      return { answer: i % 10 === 0 ? null : "x", difficulty, f1 };
    });
  };

  it("seldom break their promise where difficulties say what they mean", () => {
    const report = trySplits(
      pool((difficulty, random) => random() < difficulty),
      TARGET,
      200,
    );
    expect(report.broken).toBeLessThanOrEqual(0.05);
    // Of answers up to d, d / 2 are wrong; a tenth of the questions are abstentions.
    expect(report.coverage.mean).toBeGreaterThan(0.05);
    expect(report.coverage.mean).toBeLessThan(0.18);
    expect(report.risk).toBeLessThan(0.1);
  });

  it("keep nothing of answers that are all wrong, whatever their difficulty", () => {
    const report = trySplits(
      pool(() => true),
      TARGET,
      20,
    );
    expect(report).toMatchObject({ broken: 0, risk: 0, coverage: { mean: 0 } });
  });
});

it("quantiles lie between the two nearest values", () => {
  const at = (p: number) => quantile([1, 2, 4, 8], p);
  expect([0, 0.25, 0.5, 0.75, 1].map(at)).toEqual([1, 1.75, 3, 5, 8]);
  expect(at(0.99)).toBeCloseTo(7.88, 12);
  expect([0, 0.5, 1].map((p) => quantile([5], p))).toEqual([5, 5, 5]);
  expect(summarize("x", [8, 1, 4, 2])).toMatchObject({ msMedian: 3, msQ1: 1.75, msQ3: 5 });
});

it("nDCG is 1 for the ideal order and discounts by the logarithm of the rank", () => {
  const grades = new Map([
    ["a", 2],
    ["b", 1],
  ]);
  expect(ndcgAt(10, ["a", "b", "x"], grades)).toBe(1);
  const ideal = 2 + 1 / Math.log2(3);
  expect(ndcgAt(10, ["x", "b", "a"], grades)).toBeCloseTo((1 / Math.log2(3) + 1) / ideal, 12);
  expect(ndcgAt(1, ["x", "a"], grades)).toBe(0);
});
