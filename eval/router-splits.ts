/** Does a threshold keep its promise? Many random halves of labelled answers each set one, and the
 *  risk is what it keeps of all of them. */
import { thresholdFor } from "../src/router/calibration.ts";
import type { OpenAnswer } from "./open.ts";
import { mulberry32 } from "./random.ts";
import { WRONG_BELOW_F1 } from "./scores.ts";

export interface SplitsReport {
  splits: number;
  /** Questions of all halves together, abstentions included. */
  questions: number;
  /** The share of splits whose threshold keeps a greater share of wrong answers than max_risk. */
  broken: number;
  /** The share of all questions that stays at the edge: its mean, and its 5 % quantile. */
  coverage: { mean: number; low: number };
  /** The mean over the splits of the share of wrong answers among those kept. */
  risk: number;
}

/** Draws `splits` halves without replacement; deterministic. */
export function trySplits(
  answers: readonly Pick<OpenAnswer, "answer" | "difficulty" | "f1">[],
  target: { max_risk: number; confidence: number },
  splits: number,
): SplitsReport {
  const random = mulberry32(20_261_129);
  const pool = answers.map(({ answer, difficulty, f1 }) => {
    return { answered: answer !== null, difficulty, wrong: f1 < WRONG_BELOW_F1 };
  });
  const given = pool.filter(({ answered }) => answered);
  const tried = Array.from({ length: splits }, () => {
    const half = shuffled(pool, random).slice(0, pool.length >> 1);
    const scores = half.filter(({ answered }) => answered);
    const set = { version: "half", scores, abstained: half.length - scores.length };
    const threshold = thresholdFor(target, set, null);
    const kept = given.filter(({ difficulty }) => difficulty <= threshold);
    const wrong = kept.filter((one) => one.wrong).length;
    return {
      coverage: kept.length / pool.length,
      risk: kept.length === 0 ? 0 : wrong / kept.length,
    };
  });
  const coverages = tried.map(({ coverage }) => coverage).sort((a, b) => a - b);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / splits;
  return {
    splits,
    questions: pool.length,
    broken: tried.filter(({ risk }) => risk > target.max_risk).length / splits,
    coverage: { mean: mean(coverages), low: coverages[Math.floor(0.05 * splits)]! },
    risk: mean(tried.map(({ risk }) => risk)),
  };
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
