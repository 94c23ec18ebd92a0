/** Newer before older, for memories of what was said and done. */

export const DAY_MS = 24 * 60 * 60 * 1000;

/** What an age leaves of a score: 1 now and of the future, half after each half life, above 0. */
export function decayFactor(ageMs: number, halfLifeDays: number): number {
  return 2 ** (-Math.max(0, ageMs) / (halfLifeDays * DAY_MS));
}

/** The score times the factor. A score of 0 or less (a cosine) stays: decay never lifts one above
 *  another, and what is not alike does not become more so with age. */
export function decayScore(score: number, factor: number): number {
  return score > 0 ? score * factor : score;
}
