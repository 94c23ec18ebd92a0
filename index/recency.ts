/** Newer before older, for memories of what was said and done. */

export const DAY_MS = 24 * 60 * 60 * 1000;

/** Half lives that count: a factor of 2^-900 leaves scores down to 2^-122 normal doubles, whose
 *  order is kept; the least factor above 0 would round most of them to the same. */
const HALF_LIVES_MAX = 900;

/** What an age leaves of a score: 1 now and of the future, half after each half life, above 0. What
 *  is older than 900 half lives counts as that old: among such, scores alone decide. */
export function decayFactor(ageMs: number, halfLifeDays: number): number {
  const halfLives = Math.max(0, ageMs) / (halfLifeDays * DAY_MS);
  return 2 ** -Math.min(halfLives, HALF_LIVES_MAX);
}

/** The score times the factor. A score of 0 or less (a cosine) stays: decay never lifts one above
 *  another, and what is not alike does not become more so with age. */
export function decayScore(score: number, factor: number): number {
  return score > 0 ? score * factor : score;
}
