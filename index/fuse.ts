/** Two rankings into one. */
import { type Scored, type ScoreList, TopK } from "./top-k.ts";

/** What hybrid search weighs the cosine with; BM25 gets the rest. Chosen on SciFact's training
 *  queries: docs/memory.md. */
export const COSINE_WEIGHT = 0.75;

/** The fused score of one passage. */
export interface Fused extends Scored {
  bm25: number | null;
  cosine: number | null;
}

/** Convex combination of normalized scores, 0 to 1:
 *    alpha * (cosine + 1) / (max cosine + 1) + (1 - alpha) * bm25 / max bm25
 *  Each list is scaled from its least possible score (cosine -1, BM25 0) to its best one; a
 *  passage that a list lacks has that least score there. Exact: every passage of either list takes
 *  part, so the result does not depend on how deep a list was cut. Ties break by id. O(n log k).
 *  Source: Bruch et al., "An Analysis of Fusion Functions", 2210.11934, section 4 (TM2C2). */
export function fuseConvex(
  bm25: ScoreList,
  cosine: ScoreList,
  k: number,
  alpha = COSINE_WEIGHT,
): Fused[] {
  const bm25Scale = (1 - alpha) / (maxOf(bm25, 0) || 1);
  const cosineScale = alpha / (maxOf(cosine, -1) + 1 || 1);
  const best = new TopK(k);
  cosine.forEach((score, id) => {
    best.push(id, cosineScale * (score + 1) + bm25Scale * (bm25.get(id) ?? 0));
  });
  bm25.forEach((score, id) => {
    if (cosine.get(id) === undefined) best.push(id, bm25Scale * score);
  });
  return best.sorted().map((hit) => ({
    ...hit,
    bm25: bm25.get(hit.id) ?? null,
    cosine: cosine.get(hit.id) ?? null,
  }));
}

/** The greatest score, at least `least`. */
export function maxOf(list: ScoreList, least: number): number {
  let max = least;
  list.forEach((score) => {
    if (score > max) max = score;
  });
  return max;
}

/** Reciprocal rank fusion: score = sum over lists of 1 / (k + rank), rank from 1, best first. Ties
 *  break by id. O(n log n). Source: Cormack et al., SIGIR 2009, which found k = 60. */
export function fuseRanks(lists: readonly (readonly number[])[], k = 60): Scored[] {
  const scores = new Map<number, number>();
  for (const list of lists)
    for (const [i, id] of list.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (k + i + 1));
  const hits = Array.from(scores, ([id, score]) => ({ id, score }));
  return hits.sort((a, b) => b.score - a.score || a.id - b.id);
}
