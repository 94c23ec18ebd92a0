/** The engines between the reader and the backends that are asked first: each may answer up to a
 *  difficulty of its own. */
import { confidenceOf, type LabelledScore } from "./calibration.ts";
import { type Start, THRESHOLD_STEPS, thresholdForRisk } from "./risk.ts";
import type { Target } from "./target.ts";

/** What is known of an engine: its answers to questions of the sample, each with the question's
 *  difficulty by the reader and whether the answer was wrong. */
export interface EngineSet {
  /** As `brink.engine`. */
  engine: string;
  scores: readonly LabelledScore[];
}

export interface Rung {
  engine: string;
  /** The largest difficulty, 0..1, that it may answer. */
  threshold: number;
}

/** The rungs of `engines`, cheapest first. A rung answers what is harder than the one below it
 *  keeps, so its threshold is chosen on those questions alone, by the bound that the reader's is
 *  (risk.ts): at most `max_risk` of the answers that it gives are wrong, with the target's
 *  confidence, for each rung by itself. An engine whose labels support no such threshold is left
 *  out. Targets that speak of cost and not of risk make no rungs. */
export function ladderOf(
  target: Target,
  readerThreshold: number,
  engines: readonly string[],
  sets: readonly EngineSet[],
): Rung[] {
  if (!("max_risk" in target)) return [];
  const { max_risk } = target;
  const confidence = confidenceOf(target);
  const rungs: Rung[] = [];
  let below = readerThreshold;
  for (const engine of engines) {
    const scores = scoresAbove(below, sets.find((set) => set.engine === engine)?.scores ?? []);
    const threshold = thresholdForRisk(scores, max_risk, confidence, startsAbove(below));
    if (threshold <= below) continue;
    rungs.push({ engine, threshold });
    below = threshold;
  }
  return rungs;
}

/** The difficulty is the reader's and promises nothing of another engine, which may be right where
 *  the reader abstains: so the walk starts all over what is left, its end included. At `below`
 *  itself no question is left, and a start there would lose its share. */
function startsAbove(below: number): Start[] {
  const left = Math.max(0, below);
  const first = left + 1.5 / THRESHOLD_STEPS; // the step above, whatever the last bits are
  return [1, 2, 3, 4].map((quarter) => {
    return { at: Math.max(first, left + ((1 - left) * quarter) / 4), share: 0.25 };
  });
}

/** Of the questions that are harder than what is kept below. */
export function scoresAbove(below: number, scores: readonly LabelledScore[]): LabelledScore[] {
  return scores.filter(({ difficulty }) => difficulty > below);
}
