/** BM25 in the five variants of bm25s, as formulas.
 *
 *  A unit is what is scored: a passage, or a whole document. With tf the term's count in the unit,
 *  norm = 1 - b + b * dl / avgdl and c = tf / norm:
 *
 *    variant    idf                            term-frequency part
 *    robertson  ln max(1, (N-df+.5)/(df+.5))   tf / (k1 * norm + tf)
 *    lucene     ln(1 + (N-df+.5)/(df+.5))      tf / (k1 * norm + tf)
 *    atire      ln(N / df)                     (k1 + 1) * tf / (k1 * norm + tf)
 *    bm25l      ln((N+1)/(df+.5))              (k1 + 1) * (c + delta) / (k1 + c + delta)
 *    bm25plus   ln((N+1)/df)                   (k1 + 1) * tf / (k1 * norm + tf) + delta
 *
 *  bm25l and bm25plus give a term that does not occur the part of c = 0. What an occurrence adds to
 *  that is in all five a * tf / (kappa * norm + tf), so that one loop serves them all:
 *
 *    score = sum of qtf * idf * absent + sum over terms that occur of qtf * idf * a * saturation
 *
 *  Sources: Kamphuis et al., ECIR 2020, table 1; Lu, bm25s (2407.03618), section 2. */
import type { TermCounts } from "./term-counts.ts";

export const BM25_VARIANTS = ["robertson", "lucene", "atire", "bm25l", "bm25plus"] as const;
export type Bm25Variant = (typeof BM25_VARIANTS)[number];

export interface Bm25Options {
  variant: Bm25Variant;
  /** Term-frequency saturation, 0 or more. */
  k1: number;
  /** Length normalization, 0 to 1. */
  b: number;
  /** What an occurrence is worth at least, 0 or more; read by bm25l and bm25plus. */
  delta: number;
}

/** bm25s's defaults. */
export const BM25_DEFAULTS: Bm25Options = { variant: "lucene", k1: 1.5, b: 0.75, delta: 0.5 };

/** A term's inverse document frequency, 0 or more; 0 of a term that no unit holds. `df` above `n`
 *  counts as `n`. */
export function idf(variant: Bm25Variant, n: number, df: number): number {
  if (df <= 0) return 0;
  const held = Math.min(df, n);
  const odds = (n - held + 0.5) / (held + 0.5);
  if (variant === "robertson") return Math.log(Math.max(1, odds));
  if (variant === "lucene") return Math.log(1 + odds);
  if (variant === "atire") return Math.log(n / held);
  if (variant === "bm25l") return Math.log((n + 1) / (held + 0.5));
  return Math.log((n + 1) / held);
}

/** The common form of the variants' term-frequency parts: `absent` of a term that does not occur,
 *  absent + a * tf / (kappa * norm + tf) of one that does. */
export interface TermFrequencyForm {
  absent: number;
  a: number;
  kappa: number;
}

export function termFrequencyForm({ variant, k1, delta }: Bm25Options): TermFrequencyForm {
  if (variant === "robertson" || variant === "lucene") return { absent: 0, a: 1, kappa: k1 };
  if (variant === "bm25plus") return { absent: delta, a: k1 + 1, kappa: k1 };
  if (variant === "atire" || delta === 0) return { absent: 0, a: k1 + 1, kappa: k1 };
  const kappa = k1 + delta;
  return { absent: ((k1 + 1) * delta) / kappa, a: ((k1 + 1) * k1) / kappa, kappa };
}

/** kappa * norm of a unit of `dl` terms, 0 or more. `avgdl` is above 0. */
export function lengthTerm(kappa: number, b: number, dl: number, avgdl: number): number {
  return kappa * (1 - b + (b * dl) / avgdl);
}

/** tf / (lengthTerm + tf), for tf >= 1: above 0, at most 1. */
export function saturation(tf: number, length: number): number {
  return tf / (length + tf);
}

/** A query term: its number, null where no unit here was ever given the term, and how often the
 *  query has it. */
export interface Bm25Term {
  id: number | null;
  qtf: number;
}

/** Of a query under the corpus's statistics: what every unit scores, and by query term what an
 *  occurrence's saturation is multiplied with. */
export interface QueryWeights {
  base: number;
  weights: Float64Array;
  /** What `lengthTerm` needs besides a unit's dl. */
  kappa: number;
  b: number;
  avgdl: number;
}

/** `lengthTerm` of a unit of `dl` terms under a query's statistics. */
export function lengthTermOf({ kappa, b, avgdl }: QueryWeights, dl: number): number {
  return lengthTerm(kappa, b, dl, avgdl);
}

export interface Bm25Statistics {
  units: number;
  lengthSum: number;
  /** By query term. */
  df: readonly number[];
}

/** O(query terms). */
export function weigh(
  query: readonly Bm25Term[],
  { units, lengthSum, df }: Bm25Statistics,
  options: Bm25Options,
): QueryWeights {
  const { absent, a, kappa } = termFrequencyForm(options);
  const avgdl = units > 0 && lengthSum > 0 ? lengthSum / units : 1;
  const weights = new Float64Array(query.length);
  let base = 0;
  for (const [i, { qtf }] of query.entries()) {
    const weight = qtf * idf(options.variant, units, df[i] ?? 0);
    base += weight * absent;
    weights[i] = weight * a;
  }
  return { base, weights, kappa, b: options.b, avgdl };
}

/** How often a unit has the term; 0 where it does not. O(log terms). */
export function tfOf({ ids, tfs }: TermCounts, term: number): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < term) low = middle + 1;
    else high = middle;
  }
  return low < ids.length && ids[low] === term ? tfs[low]! : 0;
}

/** A unit's exact score: the base, then in query order what each term that occurs adds. Every way
 *  to a score here takes these steps in this order, so that equal means equal to the bit. */
export function scoreOf(
  query: readonly Bm25Term[],
  weighed: QueryWeights,
  counts: TermCounts,
): number {
  const { base, weights } = weighed;
  const length = lengthTermOf(weighed, counts.length);
  let score = base;
  for (const [i, { id }] of query.entries()) {
    const tf = id === null ? 0 : tfOf(counts, id);
    if (tf > 0) score += weights[i]! * saturation(tf, length);
  }
  return score;
}

/** One query term's share of a unit's score. */
export interface TermShare {
  df: number;
  idf: number;
  tf: number;
  contribution: number;
}

/** Each query term's share, in query order; they add up to the score. */
export function explainScore(
  query: readonly Bm25Term[],
  statistics: Bm25Statistics,
  options: Bm25Options,
  counts: TermCounts,
): TermShare[] {
  const { absent } = termFrequencyForm(options);
  const weighed = weigh(query, statistics, options);
  const length = lengthTermOf(weighed, counts.length);
  return query.map(({ id, qtf }, i) => {
    const df = statistics.df[i] ?? 0;
    const rarity = idf(options.variant, statistics.units, df);
    const tf = id === null ? 0 : tfOf(counts, id);
    const gain = tf > 0 ? weighed.weights[i]! * saturation(tf, length) : 0;
    return { df, idf: rarity, tf, contribution: qtf * rarity * absent + gain };
  });
}
