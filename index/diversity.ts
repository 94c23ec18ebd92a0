/** Results that do not all say the same. */

/** One choice of `diversify`: the item, and what decided it. */
export interface DiverseChoice {
  item: number;
  /** lambda * relevance - (1 - lambda) * similarity. */
  marginal: number;
  /** The greatest cosine with those chosen before, and whose it is; 0 and null for the first. */
  similarity: number;
  nearest: number | null;
}

/** Maximal marginal relevance: chooses k items one by one, each time the one with the greatest
 *    lambda * relevance(item) - (1 - lambda) * max over those chosen of cosine(item, chosen)
 *  `relevance` is best on the cosine's scale, 0 to 1; `vectors` are unit-length f32 [dim], null of
 *  an item without one, which is like nothing. Ties go to the lower item, so give them best first.
 *  O(k * n * dim). Source: Carbonell and Goldstein, SIGIR 1998. */
export function diversify(
  relevance: readonly number[],
  vectors: readonly (Float32Array | null)[],
  k: number,
  lambda: number,
): DiverseChoice[] {
  const similarity = new Float64Array(relevance.length);
  const nearest: (number | null)[] = relevance.map(() => null);
  const left = new Set(relevance.keys());
  const chosen: DiverseChoice[] = [];
  while (chosen.length < k && left.size > 0) {
    let best: DiverseChoice | null = null;
    for (const item of left) {
      const marginal = lambda * relevance[item]! - (1 - lambda) * similarity[item]!;
      if (best === null || marginal > best.marginal)
        best = { item, marginal, similarity: similarity[item]!, nearest: nearest[item]! };
    }
    chosen.push(best!);
    left.delete(best!.item);
    for (const item of left) {
      const cosine = dot(vectors[item]!, vectors[best!.item]!);
      if (nearest[item] !== null && cosine <= similarity[item]!) continue;
      similarity[item] = cosine;
      nearest[item] = best!.item;
    }
  }
  return chosen;
}

function dot(a: Float32Array | null, b: Float32Array | null): number {
  if (a === null || b === null) return 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
