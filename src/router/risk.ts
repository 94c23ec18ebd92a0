/** Bounds on the share of wrong answers that hold whatever the scores look like. */
import { CALIBRATION_SCORES_MAX } from "../limits.ts";
import type { LabelledScore } from "./calibration.ts";

/** Thresholds are multiples of 1 / THRESHOLD_STEPS: fixed before any label was seen, which the
 *  theorem asks for. A finer grid costs nothing but time. */
export const THRESHOLD_STEPS = 400;

/** Where the walk starts, a difficulty, and the share of the tolerated error that the start brings;
 *  fixed before any label was seen. */
export interface Start {
  at: number;
  share: number;
}

/** A difficulty is a probability, so that answers of at most the tolerated risk are safe if it
 *  means what it says: nearly all is spent there, and the rest on the case that it understates. */
function startsAt(maxRisk: number): readonly Start[] {
  return [
    { at: 0.25 * maxRisk, share: 0.1 },
    { at: 0.5 * maxRisk, share: 0.1 },
    { at: maxRisk, share: 0.8 },
  ];
}

/** The largest difficulty that the edge may keep so that at most `maxRisk` (0..1) of the answers it
 *  gives are wrong, with probability `confidence` over the draw of `scores`; -1 where they support
 *  none. O(scores + THRESHOLD_STEPS x sqrt(scores)).
 *
 *  Learn-then-test: Angelopoulos, Bates, Candès, Jordan and Lei 2021, arXiv 2110.01052, theorem 1:
 *  with p-values valid one by one and a procedure that keeps the family-wise error rate at delta,
 *  every threshold whose null hypothesis "the risk is above maxRisk" was rejected is safe, all at
 *  once, with probability 1 - delta. The p-value of a threshold is the exact binomial tail
 *  P(Bin(answered, maxRisk) <= wrong): given how many scores lie at or below a threshold fixed
 *  beforehand, the wrong ones among them are binomial. The procedure is their fixed-sequence
 *  testing with several starts (section 2.3), as Wiens' fallback: the walk ascends, each start adds
 *  its share of delta, a rejection hands what there is to the next threshold, a failure loses it.
 *  Nothing is assumed of the scores or of how risk grows with them; only that the questions to
 *  come are like those of the set. */
export function thresholdForRisk(
  scores: readonly LabelledScore[],
  maxRisk: number,
  confidence: number,
  starts = startsAt(maxRisk),
): number {
  const { answered, wrong } = countByStep(scores);
  const delta = 1 - confidence;
  let budget = 0;
  let chosen = -1;
  for (let step = 0; step <= THRESHOLD_STEPS; step++) {
    for (const { at, share } of starts) if (startStep(at) === step) budget += share * delta;
    if (budget === 0) continue;
    if (binomialTail(answered[step]!, maxRisk, wrong[step]!) <= budget * (1 + ROUNDING))
      chosen = step;
    else budget = 0;
  }
  return chosen < 0 ? -1 : chosen / THRESHOLD_STEPS;
}

/** Sums of shares and powers differ from delta in their last bits. */
const ROUNDING = 1e-9;

function startStep(threshold: number): number {
  return Math.min(THRESHOLD_STEPS, Math.max(1, Math.floor(threshold * THRESHOLD_STEPS)));
}

/** How many scores lie at or below each step of the grid, and how many of those are wrong. */
function countByStep(scores: readonly LabelledScore[]) {
  const answered = new Float64Array(THRESHOLD_STEPS + 1);
  const wrong = new Float64Array(THRESHOLD_STEPS + 1);
  for (const score of scores) {
    const step = stepAbove(score.difficulty);
    answered[step]! += 1;
    if (score.wrong) wrong[step]! += 1;
  }
  for (let step = 1; step <= THRESHOLD_STEPS; step++) {
    answered[step]! += answered[step - 1]!;
    wrong[step]! += wrong[step - 1]!;
  }
  return { answered, wrong };
}

/** The first step whose threshold keeps `difficulty`, by the comparison that serving makes. */
function stepAbove(difficulty: number): number {
  let step = Math.max(0, Math.min(THRESHOLD_STEPS, Math.floor(difficulty * THRESHOLD_STEPS)));
  while (step < THRESHOLD_STEPS && difficulty > step / THRESHOLD_STEPS) step += 1;
  return step;
}

/** The least risk p that so few wrong answers speak against: P(Bin(n, p) <= k) = 1 - confidence,
 *  the one-sided bound of Clopper and Pearson 1934. 1 for n = 0. By bisection, to 1e-9. */
export function riskUpperBound(n: number, k: number, confidence: number): number {
  if (k >= n) return 1;
  let low = k / n;
  let high = 1;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (binomialTail(n, middle, k) > 1 - confidence) low = middle;
    else high = middle;
  }
  return high;
}

/** P(Bin(n, p) <= k) for whole n and k. Summed downwards from k until terms no longer count:
 *  O(sqrt(n)). */
export function binomialTail(n: number, p: number, k: number): number {
  if (p <= 0 || k >= n) return 1;
  if (p >= 1) return 0;
  const choices = logFactorial(n) - logFactorial(k) - logFactorial(n - k);
  const logTerm = choices + k * Math.log(p) + (n - k) * Math.log1p(-p);
  let term = Math.exp(logTerm);
  if (term === 0) return k > n * p ? 1 : 0; // beyond what a double holds, either way
  let sum = term;
  for (let i = k; i > 0 && term > sum * 1e-17; i--) {
    term *= (i * (1 - p)) / ((n - i + 1) * p);
    sum += term;
  }
  return Math.min(1, sum);
}

/** log(n!) for whole n: from a table, and beyond it by Stirling's series, whose first term left out
 *  is below 1e-15 there: what the table lacks would turn every bound on more answers into k / n. */
function logFactorial(n: number): number {
  if (n <= CALIBRATION_SCORES_MAX) return logFactorials()[n]!;
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n);
}

let factorials: Float64Array | null = null;

/** log(i!) for i = 0..CALIBRATION_SCORES_MAX. */
function logFactorials(): Float64Array {
  if (factorials !== null) return factorials;
  factorials = new Float64Array(CALIBRATION_SCORES_MAX + 1);
  for (let i = 2; i < factorials.length; i++) factorials[i] = factorials[i - 1]! + Math.log(i);
  return factorials;
}
