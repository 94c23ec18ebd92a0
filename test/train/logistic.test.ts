import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { fitLogistic } from "../../train/logistic.ts";

it("the fit recovers the weights that drew the labels", () => {
  const random = mulberry32(3);
  const truth = [1.5, -0.8];
  const rows = Array.from({ length: 20_000 }, () => [random() * 4 - 2, random() * 4 - 2]);
  const labels = rows.map(([a, b]) => {
    const logit = truth[0]! * a! + truth[1]! * b! + 0.4;
    return random() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
  });
  const { weights, bias } = fitLogistic(rows, labels, 0);
  for (const [j, value] of truth.entries()) expect(weights[j]).toBeCloseTo(value, 1);
  expect(bias).toBeCloseTo(0.4, 1);
});

it("at the optimum the penalized gradient is zero", () => {
  const rows = [[1], [2], [3], [4]];
  const labels = [0, 1, 0, 1];
  const { weights, bias } = fitLogistic(rows, labels, 2);
  const residuals = rows.map(([x], n) => {
    return 1 / (1 + Math.exp(-(weights[0]! * x! + bias))) - labels[n]!;
  });
  const slope = residuals.reduce((sum, r, n) => sum + r * rows[n]![0]!, 2 * weights[0]!);
  expect(slope).toBeCloseTo(0, 8);
  expect(residuals.reduce((sum, r) => sum + r, 0)).toBeCloseTo(0, 8);
});
