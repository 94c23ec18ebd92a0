/** Two rankings into one. */

/** What hybrid search weighs the cosine with; BM25 gets the rest. Chosen on SciFact's training
 *  queries: docs/memory.md. */
export const COSINE_WEIGHT = 0.75;

/** Cormack et al., SIGIR 2009, found it. */
export const RRF_K = 60;

/** What is to be ranked: parallel arrays, one place a candidate. */
export interface ScoredCandidates {
  /** What ties break by: the document's row, then the passage's place in it. */
  row: Float64Array;
  seq: Uint32Array;
  /** Exact scores. */
  bm25: Float64Array;
  cosine: Float32Array;
  /** 1: of the list by BM25. */
  lexical: Uint8Array;
  /** NaN: not of the list by cosine. */
  estimate: Float32Array;
}

export type Fusing =
  | { kind: "bm25" }
  | { kind: "cosine" }
  /** `bm25Least` is what a unit without a term of the query scores: above 0 in some variants. */
  | { kind: "convex"; cosineWeight: number; bm25Least: number }
  | { kind: "rrf"; k: number };

/** Candidates in order, and what put them there. */
export interface Fused {
  /** Candidates, best first, u32 [n]. */
  order: Uint32Array;
  /** By candidate, f64 [n]. */
  scores: Float64Array;
  /** By candidate: its rank in each list from 1, before fusion; 0: not in that list. */
  bm25Rank: Uint32Array;
  cosineRank: Uint32Array;
  /** The greatest of each over all candidates; not below the least possible. */
  bm25Best: number;
  cosineBest: number;
}

/** Ranks candidates: by one score, or by both.
 *    convex  w * (cosine + 1) / (best cosine + 1) + (1 - w) * (bm25 - least) / (best bm25 - least)
 *    rrf     sum over the lists that have the candidate of 1 / (k + rank)
 *  The convex combination scales each score from its least possible value to the best candidate's,
 *  so it is between 0 and 1; a share whose best is the least is 0. Ties go to the lower (row, seq).
 *  A pure function of its input, to the bit. O(n log n). Sources: Bruch et al., "An Analysis of
 *  Fusion Functions", 2210.11934, section 4 (TM2C2); Cormack et al., SIGIR 2009. */
export function fuse(candidates: ScoredCandidates, how: Fusing): Fused {
  const { bm25, cosine, lexical, estimate } = candidates;
  const n = bm25.length;
  const least = how.kind === "convex" ? how.bm25Least : 0;
  const bm25Best = greatest(bm25, least);
  const cosineBest = greatest(cosine, -1);
  const bm25Rank = ranksOf(candidates, bm25, (i) => lexical[i] === 1);
  const cosineRank = ranksOf(candidates, cosine, (i) => !Number.isNaN(estimate[i]!));
  const scores = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (how.kind === "bm25") scores[i] = bm25[i]!;
    else if (how.kind === "cosine") scores[i] = cosine[i]!;
    else if (how.kind === "rrf")
      scores[i] = reciprocal(how.k, bm25Rank[i]!) + reciprocal(how.k, cosineRank[i]!);
    else {
      const semantic = shareOf(cosine[i]!, -1, cosineBest);
      const rest = 1 - how.cosineWeight;
      scores[i] = how.cosineWeight * semantic + rest * shareOf(bm25[i]!, least, bm25Best);
    }
  }
  const order = orderBy(candidates, scores);
  return { order, scores, bm25Rank, cosineRank, bm25Best, cosineBest };
}

/** The greatest score, or `least`. One that is not a number, as of what has no vector, is none. */
function greatest(scores: Float32Array | Float64Array, least: number): number {
  let best = least;
  for (const score of scores) if (score > best) best = score;
  return best;
}

/** Where a score stands between the least possible and the best, 0 to 1. A unit without a term of
 *  the query may be given as 0 whatever the variant, hence never below 0. */
function shareOf(score: number, least: number, best: number): number {
  return best > least ? Math.max(0, score - least) / (best - least) : 0;
}

function reciprocal(k: number, rank: number): number {
  return rank === 0 ? 0 : 1 / (k + rank);
}

/** All candidates, best score first; ties go to the lower (row, seq). u32 [n]. */
export function orderBy(
  { row, seq }: Pick<ScoredCandidates, "row" | "seq">,
  scores: ArrayLike<number>,
): Uint32Array {
  const places = Uint32Array.from({ length: scores.length }, (_, i) => i);
  return places.sort((a, b) => scores[b]! - scores[a]! || row[a]! - row[b]! || seq[a]! - seq[b]!);
}

function ranksOf(
  candidates: ScoredCandidates,
  scores: ArrayLike<number>,
  listed: (candidate: number) => boolean,
): Uint32Array {
  const ranks = new Uint32Array(scores.length);
  let rank = 0;
  const known = Float64Array.from(scores, (score) => (Number.isNaN(score) ? -Infinity : score));
  for (const candidate of orderBy(candidates, known))
    if (listed(candidate)) ranks[candidate] = ++rank;
  return ranks;
}
