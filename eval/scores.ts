/** How well a difficulty tells wrong answers from right ones. */

/** Bins of the calibration error, of equally many answers each. */
export const BINS = 5;
/** An answer is wrong when its token F1 against the gold answers is below this. */
export const WRONG_BELOW_F1 = 0.5;

/** An answer that was given; abstentions are none. */
export interface Scored {
  /** P(wrong), 0..1. */
  difficulty: number;
  wrong: boolean;
}

/** P(a wrong answer scores above a right one), ties counting half, 0..1; 0.5 where there is no such
 *  pair, as in some resamplings of few wrong answers. O(n log n). */
export function auroc(scored: readonly Scored[]): number {
  const sorted = [...scored].sort((a, b) => a.difficulty - b.difficulty);
  let rankSum = 0;
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (j < sorted.length && sorted[j]!.difficulty === sorted[i]!.difficulty) j += 1;
    const rank = (i + 1 + j) / 2; // the mean of the ranks i + 1 .. j
    for (let m = i; m < j; m++) if (sorted[m]!.wrong) rankSum += rank;
    i = j;
  }
  const wrong = scored.filter((item) => item.wrong).length;
  const right = scored.length - wrong;
  const pairs = wrong * right;
  return pairs === 0 ? 0.5 : (rankSum - (wrong * (wrong + 1)) / 2) / pairs;
}

/** Mean over equal-mass bins, weighted by their size, of |mean difficulty - share wrong|. Where a
 *  bin ends among equal difficulties, each of these counts as wrong by their common share, so that
 *  no order of a file matters. */
export function expectedCalibrationError(scored: readonly Scored[]): number {
  const sorted = withTiesShared(scored);
  let error = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const from = Math.round((bin * sorted.length) / BINS);
    const items = sorted.slice(from, Math.round(((bin + 1) * sorted.length) / BINS));
    const said = items.reduce((sum, { difficulty }) => sum + difficulty, 0);
    const wrong = items.reduce((sum, item) => sum + item.wrong, 0);
    error += Math.abs(said - wrong) / sorted.length;
  }
  return error;
}

/** By ascending difficulty, each with the share of wrong ones among all of its difficulty. */
function withTiesShared(scored: readonly Scored[]): { difficulty: number; wrong: number }[] {
  const sorted = [...scored].sort((a, b) => a.difficulty - b.difficulty);
  const shared: { difficulty: number; wrong: number }[] = [];
  for (let i = 0; i < sorted.length; ) {
    const { difficulty } = sorted[i]!;
    let [end, count] = [i, 0];
    for (; end < sorted.length && sorted[end]!.difficulty === difficulty; end++)
      if (sorted[end]!.wrong) count += 1;
    const wrong = count / (end - i);
    for (; i < end; i++) shared.push({ difficulty, wrong });
  }
  return shared;
}
