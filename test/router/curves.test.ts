import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { type CalibrationSet, chooseThreshold } from "../../src/router/calibration.ts";
import { curveOf, histogramOf, reliabilityOf, wilson } from "../../src/router/curves.ts";

/** Difficulties that mean what they say, and two abstentions in ten. */
function calibrated(answers: number): CalibrationSet {
  const random = mulberry32(7);
  const scores = Array.from({ length: answers }, () => {
    const difficulty = random();
    return { difficulty, wrong: random() < difficulty };
  });
  return { version: "test", scores, abstained: answers / 4 };
}

it("the curve runs from nothing kept to all, and each point is what its threshold gives", () => {
  const set = calibrated(400);
  const prices = {
    ...{ input_per_mtok: 1, output_per_mtok: 0 },
    ...{ prompt_tokens: 1_000, completion_tokens: 0 },
  };
  const points = curveOf(set, prices, 0.95);
  expect(points.length).toBeGreaterThan(40);
  expect(points[0]).toMatchObject({ threshold: -1, coverage: 0, accuracy: 1, usd_per_1k: 1 });
  const wrong = set.scores.filter((score) => score.wrong).length;
  expect(points.at(-1)).toMatchObject({
    ...{ threshold: 1, coverage: 1, usd_per_1k: 0 },
    accuracy: expect.closeTo((400 - wrong) / 500, 12),
  });
  for (const [i, point] of points.entries()) {
    if (i > 0) expect(point.threshold).toBeGreaterThan(points[i - 1]!.threshold);
    if (i > 0) expect(point.coverage).toBeGreaterThanOrEqual(points[i - 1]!.coverage);
    const kept = set.scores.filter(({ difficulty }) => difficulty <= point.threshold);
    const keptWrong = kept.filter((score) => score.wrong).length;
    if (point.threshold < 1) expect(point.accuracy).toBeCloseTo(1 - keptWrong / 500, 12);
  }
  const chosen = chooseThreshold({ backend_share: 0.6 }, set, prices);
  const near = points.find(({ threshold }) => threshold === chosen.threshold)!;
  expect(near).toMatchObject(chosen.expected);
});

it("the curve begins where ten answers are kept, or all of fewer, and has fifty steps", () => {
  const points = curveOf(calibrated(400), null, 0.95);
  expect(points[1]!.coverage).toBe(16 / 500); // eight are too few
  expect(points[2]!.coverage).toBe(24 / 500);
  expect(points).toHaveLength(51);
  const { scores } = calibrated(400);
  const hardest = Math.max(...scores.map(({ difficulty }) => difficulty));
  expect(points.at(-2)).toMatchObject({ threshold: hardest, coverage: 400 / 500 });
  const few = [0.3, 0.1, 0.2].map((difficulty) => ({ difficulty, wrong: difficulty > 0.25 }));
  expect(
    curveOf({ version: "few", scores: few, abstained: 1 }, null, 0.95).map((point) => [
      point.threshold,
      point.coverage,
      point.risk,
      point.accuracy,
    ]),
  ).toEqual([
    [-1, 0, 0, 1],
    [0.3, 0.75, 1 / 3, 0.75],
    [1, 1, 1 / 3, 0.5],
  ]);
  // Of 548 the first of fifty steps keeps 11, which is enough.
  expect(curveOf(calibrated(548), null, 0.95)[1]!.coverage).toBe(11 / 685);
});

it("bins of reliability are ten from 500 answers on", () => {
  expect(reliabilityOf(calibrated(496).scores)).toHaveLength(5);
  expect(reliabilityOf(calibrated(500).scores)).toHaveLength(10);
});

it("a difficulty that means what it says lies on the diagonal, within its intervals", () => {
  const bins = reliabilityOf(calibrated(20_000).scores);
  expect(bins.map(({ answers }) => answers)).toEqual(Array(10).fill(2_000));
  const inside = bins.filter(({ said, wrong }) => wrong.low <= said && said <= wrong.high);
  expect(inside.length).toBeGreaterThanOrEqual(8); // each interval misses one time in twenty
  for (const { wrong } of bins) expect(wrong.low).toBeLessThan(wrong.value);
});

it("equal difficulties are in one bin of reliability, in whatever order", () => {
  const scores = [0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.8, 0.9].map((difficulty, i) => {
    return { difficulty, wrong: i % 3 === 0 };
  });
  const told = (given: typeof scores) =>
    reliabilityOf(given).map(({ answers, said, wrong: { value } }) => {
      return [answers, said.toFixed(9), (value * answers).toFixed(9)];
    });
  expect(told(scores)).toEqual([
    [7, (3.1 / 7).toFixed(9), "3.000000000"],
    [1, "0.700000000", "0.000000000"],
    [2, "0.850000000", "1.000000000"],
  ]);
  expect(told(scores.toReversed())).toEqual(told(scores));
});

it("the histogram counts every answer once, difficulty 1 among the hardest", () => {
  const bins = histogramOf([
    { difficulty: 0, wrong: false },
    { difficulty: 0.05, wrong: true },
    { difficulty: 1, wrong: true },
  ]);
  expect(bins[0]).toEqual({ from: 0, to: 0.05, right: 1, wrong: 0 });
  expect(bins[1]).toMatchObject({ right: 0, wrong: 1 });
  expect(bins.at(-1)).toEqual({ from: 0.95, to: 1, right: 0, wrong: 1 });
});

it("a set without answers draws nothing", () => {
  expect(curveOf({ version: "e", scores: [], abstained: 3 }, null, 0.95)).toEqual([]);
  expect(reliabilityOf([])).toEqual([]);
});

it("the interval of a share is the score interval", () => {
  expect(wilson(1, 10).low).toBeCloseTo(0.0179, 4);
  expect(wilson(1, 10).high).toBeCloseTo(0.4042, 4);
  expect(wilson(0, 10)).toEqual({ value: 0, low: 0, high: expect.closeTo(0.2775, 4) });
});
