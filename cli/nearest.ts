/** What somebody meant who mistyped a word. */

/** The word that is the fewest edits away from `typed`, the first of several; null where none is
 *  near, which is within a third of the longer one's letters. */
export function nearest(typed: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const edits = distance(typed, word);
    if (edits < fewest && edits <= Math.ceil(Math.max(typed.length, word.length) / 3))
      [best, fewest] = [word, edits];
  }
  return best;
}

/** Letters to insert, remove, replace, or swap with the next one (the restricted edit distance of
 *  Damerau). O(a.length * b.length). */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  rows[0] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(
        rows[i - 1]![j]! + 1,
        rows[i]![j - 1]! + 1,
        rows[i - 1]![j - 1]! + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = edits;
    }
  return rows[a.length]![b.length]!;
}
