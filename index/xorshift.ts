/** Seeded 32-bit numbers in [0, 2^32), by Marsaglia's xorshift (2003, shifts 13, 17, 5). The same
 *  seed gives the same numbers everywhere; 0 counts as 1. */
export function xorshift32(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
