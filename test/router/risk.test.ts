/** The walk over thresholds against one that counts and sums by itself. */
import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import type { LabelledScore } from "../../src/router/calibration.ts";
import { binomialTail, riskUpperBound, thresholdForRisk } from "../../src/router/risk.ts";

/** P(Bin(n, p) <= k), term by term from 0. */
function tailOf(n: number, p: number, k: number): number {
  if (p === 0 || p === 1) return p === 0 || k >= n ? 1 : 0;
  let sum = 0;
  for (let i = 0; i <= Math.min(n, k); i++) {
    let log = i * Math.log(p) + (n - i) * Math.log(1 - p);
    for (let j = 1; j <= i; j++) log += Math.log((n - i + j) / j);
    sum += Math.exp(log);
  }
  return sum;
}

/** As docs/routing.md has it: eight tenths of the error for thresholds from the target upwards, a
 *  tenth each from a quarter and from half of it; lost with the first that is not supported. */
function walk(scores: readonly LabelledScore[], maxRisk: number, confidence: number): number {
  const delta = 1 - confidence;
  const shares = new Map<number, number>();
  for (const [part, share] of [
    [0.25, 0.1],
    [0.5, 0.1],
    [1, 0.8],
  ] as const) {
    const step = Math.min(400, Math.max(1, Math.floor(part * maxRisk * 400)));
    shares.set(step, (shares.get(step) ?? 0) + share);
  }
  let [left, chosen] = [0, -1];
  for (let step = 1; step <= 400; step++) {
    left += (shares.get(step) ?? 0) * delta;
    const kept = scores.filter(({ difficulty }) => difficulty <= step / 400);
    const wrong = kept.filter((score) => score.wrong).length;
    if (tailOf(kept.length, maxRisk, wrong) > left + 1e-12) left = 0;
    else chosen = step / 400;
  }
  return chosen;
}

const random = mulberry32(5);
/** On the grid every other time, where a threshold keeps what equals it. */
const difficulty = () => {
  const drawn = random() ** 2;
  return random() < 0.5 ? Math.round(drawn * 400) / 400 : drawn;
};
const SETS = Array.from({ length: 24 }, (_, i) => {
  const at = [0.3, 1, 1.5][i % 3]!;
  return Array.from({ length: 20 + 8 * i }, (): LabelledScore => {
    const drawn = difficulty();
    return { difficulty: drawn, wrong: random() < at * drawn };
  });
});

it.each([
  [0.02, 0.95],
  [0.1, 0.95],
  [0.15, 0.5],
  [0.3, 0.9],
  [0.9, 0.99],
])("the threshold of max_risk %d at %d is that of counting anew at each", (maxRisk, confidence) => {
  const found = SETS.map((scores) => thresholdForRisk(scores, maxRisk, confidence));
  expect(found).toEqual(SETS.map((scores) => walk(scores, maxRisk, confidence)));
});

it("a threshold keeps what equals it, and nothing above", () => {
  // 29 right answers are the fewest that support a risk of a tenth: .9^29 < .05 < .9^28.
  const starts = [{ at: 0.4, share: 1 }];
  const at = (difficulty: number, n: number) =>
    Array.from({ length: n }, () => ({ difficulty, wrong: false }));
  const choose = (scores: LabelledScore[]) => thresholdForRisk(scores, 0.1, 0.95, starts);
  expect(choose([...at(0.4, 28), ...at(0.4 + 1e-12, 1)])).toBe(-1);
  expect(choose(at(0.4, 29))).toBe(1);
  const wrong = (difficulty: number) =>
    Array.from({ length: 9 }, () => ({ difficulty, wrong: true }));
  expect(choose([...at(0.4, 29), ...wrong(0.5)])).toBe(0.4975);
  expect(choose([...at(0, 29), ...wrong(0.4 + 1e-12)])).toBe(0.4);
  expect(choose([...at(0, 29), ...wrong(1)])).toBe(0.9975);
  expect(choose([...at(0.4, 29), ...wrong(0)])).toBe(-1);
});

it("a tail of just the tolerated error supports a threshold, however its last bits fall", () => {
  for (const maxRisk of [0.1, 0.3, 0.5, 0.9])
    for (let n = 1; (1 - maxRisk) ** n > 1e-5; n++) {
      const right = Array.from({ length: n }, () => ({ difficulty: 0.1, wrong: false }));
      const starts = [{ at: 0.4, share: 1 }];
      const tail = (1 - maxRisk) ** n;
      expect(thresholdForRisk(right, maxRisk, 1 - tail, starts)).toBe(1);
      expect(thresholdForRisk(right, maxRisk, 1 - tail * (1 - 1e-6), starts)).toBe(-1);
    }
});

it("a risk of 0 is promised of nothing, and one of 1 of anything that is right once", () => {
  const scores = [
    { difficulty: 0.1, wrong: true },
    { difficulty: 0.2, wrong: false },
  ];
  expect(thresholdForRisk(scores, 0, 0.95)).toBe(-1);
  expect(thresholdForRisk(scores, 1, 0.95)).toBe(1);
  expect(thresholdForRisk(scores.slice(0, 1), 1, 0.95)).toBe(-1);
});

it.each([
  [1, 0.3, 0],
  [7, 0.01, 3],
  [50, 0.5, 25],
  [200, 0.9, 150],
  [400, 0.02, 30],
])("the tail of %d draws at %d up to %d is that of its terms", (n, p, k) => {
  expect(binomialTail(n, p, k) / tailOf(n, p, k)).toBeCloseTo(1, 10);
});

it("the tail's ends are certain, and what no double holds is rounded the right way", () => {
  expect([binomialTail(0, 0.5, 0), binomialTail(5, 0, 0), binomialTail(5, 0.5, 5)]).toEqual([
    1, 1, 1,
  ]);
  expect(binomialTail(5, 1, 4)).toBe(0);
  expect(binomialTail(20_000, 0.9, 100)).toBe(0);
  expect(binomialTail(20_000, 0.001, 19_000)).toBe(1);
});

it("the upper bound of nothing wrong is the root of the tolerated error", () => {
  for (const n of [1, 2, 59, 2_995])
    expect(riskUpperBound(n, 0, 0.95)).toBeCloseTo(1 - 0.05 ** (1 / n), 8);
});
