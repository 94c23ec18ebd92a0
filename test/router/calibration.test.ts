import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  type CalibrationSet,
  chooseThreshold,
  type LabelledScore,
  readCalibration,
} from "../../src/router/calibration.ts";
import { riskUpperBound } from "../../src/router/risk.ts";
import { type Prices, shareWithin, usdPer1k } from "../../src/router/target.ts";

const prices: Prices = {
  input_per_mtok: 0.5,
  output_per_mtok: 2,
  prompt_tokens: 1_000,
  completion_tokens: 250,
};

/** Difficulties 0.1, 0.2 .. 0.8 once each, those above a half wrong, and two abstentions. */
const tenths: CalibrationSet = {
  version: "tenths",
  scores: Array.from({ length: 8 }, (_, i) => ({ difficulty: (i + 1) / 10, wrong: i >= 5 })),
  abstained: 2,
};

function setOf(scores: LabelledScore[], abstained = 0): CalibrationSet {
  return { version: "test", scores, abstained };
}

it("a share of the backend is the quantile that leaves it, abstentions first", () => {
  const choose = (backend_share: number) => chooseThreshold({ backend_share }, tenths, null);
  expect(choose(0.5)).toEqual({
    threshold: 0.5,
    expected: {
      coverage: 0.5,
      risk: 0,
      risk_upper: expect.closeTo(1 - 0.05 ** (1 / 5), 6),
      backend_share: 0.5,
      usd_per_1k: null,
    },
  });
  expect(choose(1).threshold).toBe(-1);
  expect(choose(0.2).threshold).toBe(0.8);
  expect(choose(0.1).threshold).toBe(0.8); // an abstention cannot be split from its like
  expect(choose(0)).toMatchObject({ threshold: 1, expected: { coverage: 1, backend_share: 0 } });
  expect([0.44, 0.46, 0.54, 0.56].map((share) => choose(share).threshold)).toEqual([
    ...[0.6, 0.5, 0.5, 0.4],
  ]);
  expect(choose(0.94).threshold).toBe(0.1);
  expect(choose(0.96).threshold).toBe(-1);
});

it("the order of a set changes nothing", () => {
  const mixed = setOf([3, 7, 0, 5, 2, 6, 1, 4].map((i) => tenths.scores[i]!));
  const targets = [{ backend_share: 0.5 }, { budget_usd_per_1k: 0.5 }, { max_risk: 0.5 }];
  for (const target of targets)
    expect(chooseThreshold(target, mixed, prices)).toEqual(
      chooseThreshold(target, setOf([...tenths.scores]), prices),
    );
});

it("without questions all stays, unless all is to go", () => {
  const choose = (backend_share: number, set = setOf([])) =>
    chooseThreshold({ backend_share }, set, null).threshold;
  expect([0, 0.5, 0.99, 1].map((share) => choose(share))).toEqual([1, 1, 1, -1]);
  // Of abstentions alone none stays that need not.
  expect([0, 0.5, 1].map((share) => choose(share, setOf([], 4)))).toEqual([1, -1, -1]);
});

it("equal difficulties stay or leave together, whichever is nearer to the share", () => {
  const of = (...difficulties: number[]) =>
    setOf(difficulties.map((difficulty) => ({ difficulty, wrong: false })));
  const tied = of(0.1, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.8, 0.9);
  const share = (backend_share: number) => chooseThreshold({ backend_share }, tied, null);
  expect(share(0.7)).toMatchObject({ threshold: 0.2, expected: { backend_share: 0.8 } });
  expect(share(0.4)).toMatchObject({ threshold: 0.5 }); // 0.2 is nearer than 0.8
  expect(share(0.5)).toMatchObject({ threshold: 0.5 }); // as near either way: fewer calls
  expect(share(0.55)).toMatchObject({ threshold: 0.2 });
  const all = of(0.3, 0.3, 0.3, 0.3);
  expect(chooseThreshold({ backend_share: 0.7 }, all, null).threshold).toBe(-1);
  expect(chooseThreshold({ backend_share: 0.3 }, all, null).threshold).toBe(0.3);
  // A budget is never overrun, however many stay for it.
  expect(chooseThreshold({ budget_usd_per_1k: 0.7 }, tied, prices).threshold).toBe(0.5);
});

it("a budget buys the share of questions that it pays for and no more", () => {
  expect(usdPer1k(prices)).toBe(1);
  const choose = (budget_usd_per_1k: number) =>
    chooseThreshold({ budget_usd_per_1k }, tenths, prices);
  expect(choose(0.5)).toMatchObject({ threshold: 0.5, expected: { usd_per_1k: 0.5 } });
  expect(choose(0.55).threshold).toBe(0.5);
  expect(choose(0.49).threshold).toBe(0.6);
  expect(choose(0.2).threshold).toBe(0.8); // it pays for both abstentions
  expect(choose(0.1)).toMatchObject({ threshold: 1, expected: { usd_per_1k: 0 } });
  expect(choose(7).threshold).toBe(-1);
  // A tenth is three times in 1 - .7, and a little more.
  expect(choose(0.7).threshold).toBe(0.3);
  const free: Prices = { ...prices, input_per_mtok: 0, output_per_mtok: 0 };
  expect([shareWithin(0, free), shareWithin(0, prices), shareWithin(7, prices)]).toEqual([1, 0, 1]);
  expect(chooseThreshold({ budget_usd_per_1k: 0 }, tenths, free).threshold).toBe(-1);
});

it("a budget without prices says what to set", () => {
  expect(() => chooseThreshold({ budget_usd_per_1k: 1 }, tenths, null)).toThrow(
    expect.objectContaining({
      code: "invalid_request",
      message: expect.stringContaining("BACKEND_PRICE_INPUT_PER_MTOK"),
    }),
  );
});

it("with no labels a risk keeps nothing at the edge", () => {
  const { threshold, expected } = chooseThreshold({ max_risk: 0.2 }, setOf([]), prices);
  expect(threshold).toBe(-1);
  expect(expected).toEqual({
    coverage: 0,
    risk: 0,
    risk_upper: 1,
    backend_share: 1,
    usd_per_1k: 1,
  });
});

it("right answers without end keep all but abstentions; a single one is no evidence", () => {
  const right = (n: number) =>
    setOf(
      Array.from({ length: n }, (_, i) => ({ difficulty: (i + 0.5) / n, wrong: false })),
      10,
    );
  // A threshold kept of all n answers needs 0.9^n <= 0.05 x a share of it that the start brings.
  const all = chooseThreshold({ max_risk: 0.1 }, right(2_000), null);
  expect(all).toMatchObject({ threshold: 0.9975, expected: { coverage: 1_995 / 2_010 } });
  expect(chooseThreshold({ max_risk: 1 }, right(2_000), null).threshold).toBe(0.9975);
  expect(chooseThreshold({ max_risk: 0.1 }, right(1), null).threshold).toBe(-1);
});

it("more confidence never keeps more", () => {
  const random = mulberry32(3);
  const scores = Array.from({ length: 800 }, () => {
    const difficulty = random() ** 2;
    return { difficulty, wrong: random() < difficulty };
  });
  const thresholds = [0.5, 0.8, 0.9, 0.95, 0.99].map(
    (confidence) => chooseThreshold({ max_risk: 0.1, confidence }, setOf(scores), null).threshold,
  );
  expect(thresholds).toEqual([...thresholds].sort((a, b) => b - a));
  expect(thresholds[3]).toBeGreaterThan(0.1);
  expect(thresholds[0]).toBeGreaterThan(thresholds[4]!);
});

it("the upper bound is where the binomial tail meets the tolerated error", () => {
  expect(riskUpperBound(0, 0, 0.95)).toBe(1);
  expect(riskUpperBound(29, 0, 0.95)).toBeCloseTo(1 - 0.05 ** (1 / 29), 8);
  expect(riskUpperBound(10, 10, 0.95)).toBe(1);
  // Clopper and Pearson's two-sided 90 % interval for 5 of 50 ends at 0.1988.
  expect(riskUpperBound(50, 5, 0.95)).toBeCloseTo(0.1988, 4);
});

// By bisection of the tail, summed from 0 in numbers of 40 digits (mpmath).
it.each([
  [19_999, 200, 0.95, 0.011237272875],
  [20_000, 200, 0.95, 0.011236711362],
  [20_001, 200, 0.95, 0.011236149906],
  [25_000, 250, 0.95, 0.01109846977],
  [25_000, 0, 0.95, 0.000119822112],
  [1_000_000, 300, 0.95, 0.000330089282],
  [1_000_000, 5_000, 0.99, 0.005166551324],
])("the upper bound of %d answers of which %d are wrong is exact", (n, k, confidence, exact) => {
  expect(Math.abs(riskUpperBound(n, k, confidence) - exact)).toBeLessThan(2e-9);
});

it("a file's pairs become labelled scores, and one beyond 0..1 is a bug", () => {
  const file = { version: "a", scores: [[0.25, 1]] as [number, number][], abstained: 3 };
  expect(readCalibration(file)).toEqual({
    version: "a",
    scores: [{ difficulty: 0.25, wrong: true }],
    abstained: 3,
  });
  expect(() => readCalibration({ ...file, scores: [[1.5, 0]] })).toThrow("1.5");
});

/** Ways that difficulty and truth may hang together: P(wrong) at a difficulty, and the difficulty
 *  of a uniform number. */
const SHAPES: Record<string, { wrong: (d: number) => number; draw: (u: number) => number }> = {
  "calibrated, mostly easy": { wrong: (d) => d, draw: (u) => u ** 3 },
  "calibrated, uniform": { wrong: (d) => d, draw: (u) => u },
  "understated twofold": { wrong: (d) => Math.min(1, 2 * d), draw: (u) => u ** 2 },
  "says nothing, at the limit": { wrong: () => 0.105, draw: (u) => u },
  "worst where it is surest": { wrong: (d) => 0.3 * (1 - d), draw: (u) => u },
  "a cliff behind the start": { wrong: (d) => (d < 0.12 ? 0.05 : 0.9), draw: (u) => u ** 2 },
};

for (const [name, { wrong, draw }] of Object.entries(SHAPES))
  for (const n of [60, 300, 1_500])
    it(`the promised risk is kept in 95 % of 1,000 sets of ${n}: ${name}`, () => {
      const random = mulberry32(n);
      let broken = 0;
      for (let trial = 0; trial < 1_000; trial++) {
        const scores = Array.from({ length: n }, () => {
          const difficulty = draw(random());
          return { difficulty, wrong: random() < wrong(difficulty) };
        });
        const { threshold } = chooseThreshold({ max_risk: 0.1 }, setOf(scores), null);
        if (trueRisk(threshold, { wrong, draw }) > 0.1) broken += 1;
      }
      // 50 may; three standard deviations of a count of 1,000 draws at 0.05 are 21.
      expect(broken).toBeLessThanOrEqual(71);
    });

/** P(wrong | difficulty <= threshold), by the midpoint rule over u. */
function trueRisk(threshold: number, shape: (typeof SHAPES)[string]): number {
  let kept = 0;
  let sum = 0;
  for (let i = 0; i < 4_000; i++) {
    const difficulty = shape.draw((i + 0.5) / 4_000);
    if (difficulty > threshold) break;
    kept += 1;
    sum += shape.wrong(difficulty);
  }
  return kept === 0 ? 0 : sum / kept;
}
