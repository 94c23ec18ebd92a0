/** The threshold that keeps a promised risk. */
import type { DifficultyModel } from "./difficulty.ts";

/** The largest difficulty that the edge may keep so that, with the model's confidence, at most
 *  `maxRisk` (0..1) of the answers it gives are wrong; -1 when no threshold is known to do so.
 *
 *  Learn-then-test with fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052):
 *  thresholds are tried in ascending order, fixed beforehand; each null hypothesis "the risk
 *  exceeds maxRisk" is rejected when the binomial tail P(Bin(answered, maxRisk) <= wrong) is at
 *  most 1 - confidence; the walk ends at the first that is not rejected. */
export function thresholdForRisk(model: DifficultyModel, maxRisk: number): number {
  let threshold = -1;
  for (const { threshold: candidate, answered, wrong } of model.calibration) {
    if (binomialTail(answered, maxRisk, wrong) > 1 - model.confidence) break;
    threshold = candidate;
  }
  return threshold;
}

/** P(Bin(n, p) <= k), summed in logarithms so that large n do not underflow. O(k). */
export function binomialTail(n: number, p: number, k: number): number {
  if (p <= 0 || k >= n) return 1;
  if (p >= 1) return 0;
  let logTerm = n * Math.log1p(-p);
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p);
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
