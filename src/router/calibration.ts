/** Labelled difficulties, and the threshold that keeps a target on them. */
import { assert } from "../errors.ts";
import { CALIBRATION_SCORES_MAX } from "../limits.ts";
import { riskUpperBound, THRESHOLD_STEPS, thresholdForRisk } from "./risk.ts";
import { CONFIDENCE_DEFAULT, type Prices, shareWithin, type Target, usdPer1k } from "./target.ts";

/** An answer that the edge gave. */
export interface LabelledScore {
  /** As serving computes it, 0..1, by weights that were not fitted on this question. */
  difficulty: number;
  wrong: boolean;
}

/** A uniform sample of questions, of at most CALIBRATION_SCORES_MAX answers. */
export interface CalibrationSet {
  version: string;
  /** One an answer, in no order. */
  scores: readonly LabelledScore[];
  /** Questions to which the reader gave none: difficulty 1, and no answers. */
  abstained: number;
}

/** What the set's questions would have met. */
export interface Expected {
  /** The share of all questions, abstentions included, that stay at the edge, 0..1. */
  coverage: number;
  /** The share of wrong answers among those, 0..1; 0 where none stays. */
  risk: number;
  /** What that share is below with the target's confidence (0.95 of a target without one) for this
   *  one threshold; 1 where none stays. */
  risk_upper: number;
  /** 1 - coverage. */
  backend_share: number;
  /** Null where the prices are not known. */
  usd_per_1k: number | null;
}

export interface ThresholdChoice {
  /** The largest difficulty that stays at the edge, 0..1; -1: none does. */
  threshold: number;
  expected: Expected;
}

/** The threshold that keeps `target` on questions like those of `set`. Throws `invalid_request` for
 *  a budget where `prices` is null. */
export function chooseThreshold(
  target: Target,
  set: CalibrationSet,
  prices: Prices | null,
): ThresholdChoice {
  const threshold = thresholdFor(target, set, prices);
  return { threshold, expected: expectAt(threshold, set, prices, confidenceOf(target)) };
}

/** The threshold alone, which is all that a request needs; errors as `chooseThreshold`. */
export function thresholdFor(target: Target, set: CalibrationSet, prices: Prices | null): number {
  if (!("max_risk" in target)) return thresholdForShare(target, set, prices);
  const { max_risk } = target;
  return Math.min(LAST_BELOW_1, thresholdForRisk(set.scores, max_risk, confidenceOf(target)));
}

/** However seldom answers are wrong, an abstention is none: at a threshold of 1 it would stay. */
const LAST_BELOW_1 = 1 - 1 / THRESHOLD_STEPS;

/** That of a target without one is the default. */
export function confidenceOf(target: Target): number {
  return ("max_risk" in target ? target.confidence : undefined) ?? CONFIDENCE_DEFAULT;
}

/** By the quantile of the difficulties, an abstention counting as 1. A share of the backend is met
 *  as nearly as the set allows, and abstentions are the last to stay; a budget is a ceiling. Equal
 *  difficulties, as floors make them, stay or leave together. */
function thresholdForShare(
  target: Exclude<Target, { max_risk: number }>,
  { scores, abstained }: CalibrationSet,
  prices: Prices | null,
): number {
  const ceiling = "budget_usd_per_1k" in target;
  const share = ceiling ? shareWithin(target.budget_usd_per_1k, prices) : target.backend_share;
  const questions = scores.length + abstained;
  if (questions === 0) return share === 1 ? -1 : 1;
  const exact = (1 - share) * questions;
  const kept = Math.ceil(exact - ROUNDING);
  if (kept > scores.length && (ceiling || share === 0)) return 1;
  const sorted = scores.map(({ difficulty }) => difficulty).sort((a, b) => a - b);
  const threshold = sorted[Math.min(kept, sorted.length) - 1] ?? -1;
  const [first, end] = [sorted.indexOf(threshold), sorted.lastIndexOf(threshold) + 1];
  const leave = !ceiling && exact - first < end - exact;
  return leave ? (sorted[first - 1] ?? -1) : threshold;
}

/** (1 - share) x questions may miss a whole number by its last bits. */
const ROUNDING = 1e-9;

/** What a threshold keeps, whoever chose it. O(scores). */
export function expectAt(
  threshold: number,
  { scores, abstained }: CalibrationSet,
  prices: Prices | null,
  confidence: number,
): Expected {
  const kept = scores.filter(({ difficulty }) => difficulty <= threshold);
  const wrong = kept.filter((score) => score.wrong).length;
  const questions = scores.length + abstained;
  const stay = kept.length + (threshold >= 1 ? abstained : 0);
  const coverage = questions === 0 ? 0 : stay / questions;
  return {
    coverage,
    risk: kept.length === 0 ? 0 : wrong / kept.length,
    risk_upper: riskUpperBound(kept.length, wrong, confidence),
    backend_share: 1 - coverage,
    usd_per_1k: prices === null ? null : (1 - coverage) * usdPer1k(prices),
  };
}

/** A set as files hold it: each score [difficulty, 1 where wrong or else 0]. */
export interface CalibrationFile {
  version: string;
  scores: readonly (readonly number[])[];
  abstained: number;
}

/** The set of a file that was checked where it came in; a broken one is a bug. */
export function readCalibration({ version, scores, abstained }: CalibrationFile): CalibrationSet {
  assert(scores.length <= CALIBRATION_SCORES_MAX, `${scores.length} calibration scores`);
  const labelled = scores.map(([difficulty, wrong]) => {
    assert(difficulty! >= 0 && difficulty! <= 1, `calibration score ${difficulty}`);
    return { difficulty: difficulty!, wrong: wrong === 1 };
  });
  assert(Number.isInteger(abstained) && abstained >= 0, `abstentions: ${abstained}`);
  return { version, scores: labelled, abstained };
}
