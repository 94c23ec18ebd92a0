/** The difficulty's first stage: what the question and the retrieval alone say, before anything is
 *  read.
 *
 *  It promises a difficulty of at least some floor, and the difficulty is the greater of that and
 *  what the reading says. A question whose floor is above the threshold leaves the edge whatever
 *  the reader would find, so it need not be read. The floors are fixed with the weights, so that
 *  the two stages are one score: thresholds are calibrated on it as on any other, and their bound
 *  holds for what is kept after skipping. Skipping on top of a threshold that was calibrated
 *  without it would not do: the answers that it takes away may be the good ones. */
import { assert } from "../errors.ts";
import { QUESTION_FEATURES } from "./features-question.ts";
import { contributions, type LogisticModel, logistic } from "./logistic.ts";
import { riskUpperBound, THRESHOLD_STEPS } from "./risk.ts";

/** A score above `above` promises a difficulty of at least `floor`; both 0..1. */
export interface Floor {
  above: number;
  floor: number;
}

export interface BeforeModel extends LogisticModel {
  /** Ascending in both. */
  floors: readonly Floor[];
}

/** What is known before reading. */
export interface BeforeScore {
  /** P(the edge has no good enough answer), 0..1. */
  score: number;
  /** The difficulty is at least this, 0..1; 0: nothing is promised. */
  floor: number;
  /** As `contributions()`. */
  contributions: Record<string, number>;
}

/** Checks a weights file's part against what this build computes; a mismatch is a bug of the
 *  release. */
export function parseBeforeModel(model: BeforeModel): BeforeModel {
  const names = Object.keys(model.weights).sort().join();
  assert(names === [...QUESTION_FEATURES].sort().join(), `weights before reading: ${names}`);
  for (const [i, { above, floor }] of model.floors.entries()) {
    const last = model.floors[i - 1];
    assert(floor > 0 && floor <= 1 && above >= 0 && above <= 1, `floor ${floor} above ${above}`);
    assert(last === undefined || (above > last.above && floor > last.floor), `floors at ${i}`);
  }
  return model;
}

/** `values` has the question's features, and may have others. O(features + floors). */
export function scoreBefore(
  model: BeforeModel,
  values: Readonly<Record<string, number>>,
): BeforeScore {
  const parts = contributions(model, values);
  const score = logistic(parts);
  return { score, floor: floorOf(model.floors, score), contributions: parts };
}

function floorOf(floors: readonly Floor[], score: number): number {
  return floors.findLast(({ above }) => score > above)?.floor ?? 0;
}

/** Of the answers that a threshold keeps, skipping may lose this share, 0..1, as far as so many
 *  tell with this confidence. */
export const SKIP_SHARE_MAX = 0.01;
export const SKIP_CONFIDENCE = 0.95;
/** Floors are multiples of 1 / FLOOR_STEPS, as thresholds are: coarser ones would lose more than
 *  SKIP_SHARE_MAX at the thresholds between them. */
const FLOOR_STEPS = THRESHOLD_STEPS;

/** Floors such that at every threshold of the grid of thresholdForRisk() at most SKIP_SHARE_MAX of
 *  the answers that it keeps have a greater one, by Clopper and Pearson's bound at SKIP_CONFIDENCE;
 *  one between two of the grid keeps a few more, which were not counted. `answers` are what the
 *  edge answered, with both stages' scores by weights that were not fitted on them; none of them
 *  may be among those that thresholds are calibrated on. A threshold that keeps too few to tell,
 *  fewer than 299, takes the first one's that keeps enough. O(FLOOR_STEPS n log n). */
export function fitFloors(answers: readonly { before: number; after: number }[]): Floor[] {
  const above: number[] = [];
  let spared = -1;
  for (let step = 0; step <= FLOOR_STEPS; step++) {
    const kept = answers.filter(({ after }) => after <= step / FLOOR_STEPS);
    const scores = kept.map(({ before }) => before).sort((a, b) => b - a);
    spared = sparedOf(scores.length, spared);
    // The greatest score that is still read; never lower than where fewer are kept.
    if (spared >= 0) above.push(Math.max(above.at(-1) ?? 0, scores[spared]!));
  }
  const first = FLOOR_STEPS + 1 - above.length;
  const floors: Floor[] = [];
  for (const [i, score] of above.entries()) {
    const next = above[i + 1];
    const floor = Math.min(1, (first + i + 1) / FLOOR_STEPS);
    if (next === undefined || next > score) floors.push({ above: score, floor });
  }
  // A score above the last two leaves at every threshold below 1 alike.
  return floors.filter(({ floor }, i) => i === 0 || floor > floors[i - 1]!.floor);
}

/** How many of `n` may be lost; -1 where not even none proves enough. `least` may be lost of
 *  fewer. */
function sparedOf(n: number, least: number): number {
  let spared = least;
  while (spared + 1 < n && riskUpperBound(n, spared + 1, SKIP_CONFIDENCE) <= SKIP_SHARE_MAX)
    spared += 1;
  return spared;
}
