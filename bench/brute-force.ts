/** What search must find, computed here from the same documents by the formulas alone: no index,
 *  only counting. Documents stream through once; of a million only numbers stay. */
import { terms } from "../index/terms.ts";
import type { BenchDocument, BenchQuery } from "./corpus.ts";

/** The service's defaults, docs/memory.md. */
const K1 = 1.5;
const B = 0.75;
const COSINE_WEIGHT = 0.75;

/** What is kept of one query. */
interface Tally {
  terms: Map<string, { qtf: number; df: number }>;
  vector: Float32Array;
  /** A row for each passage that holds a term: the passage, its length, and the tf of each term in
   *  the order of `terms`. */
  found: Numbers;
  /** By passage. */
  cosines: Float32Array;
}

/** Numbers of 32 bits in a row, as many as come. */
class Numbers {
  #values = new Uint32Array(1_024);
  #length = 0;

  push(values: readonly number[]): void {
    if (this.#length + values.length > this.#values.length) {
      const larger = new Uint32Array(this.#values.length * 2 + values.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values.set(values, this.#length);
    this.#length += values.length;
  }

  get values(): Uint32Array {
    return this.#values.subarray(0, this.#length);
  }
}

export interface Expected {
  id: string;
  score: number;
}

export class BruteForce {
  readonly #tallies: Tally[];
  readonly #ids: string[] = [];
  #lengthSum = 0;

  /** For at most `capacity` documents, each of one passage. */
  constructor(queries: readonly BenchQuery[], capacity: number) {
    this.#tallies = queries.map(({ text, vector }) => {
      const wanted: Tally["terms"] = new Map();
      for (const term of terms(text, "query")) {
        const known = wanted.get(term);
        if (known === undefined) wanted.set(term, { qtf: 1, df: 0 });
        else known.qtf++;
      }
      return { terms: wanted, vector, found: new Numbers(), cosines: new Float32Array(capacity) };
    });
  }

  get size(): number {
    return this.#ids.length;
  }

  /** Documents come in the order in which the service stores them: ties break by it. */
  add({ id, text, vector }: Pick<BenchDocument, "id" | "text" | "vector">): void {
    const passage = this.#ids.push(id) - 1;
    const tfs = new Map<string, number>();
    const all = terms(text, "document");
    for (const term of all) tfs.set(term, (tfs.get(term) ?? 0) + 1);
    this.#lengthSum += all.length;
    for (const tally of this.#tallies) {
      tally.cosines[passage] = dot(tally.vector, vector);
      const held = Array.from(tally.terms.keys(), (term) => tfs.get(term) ?? 0);
      if (held.every((tf) => tf === 0)) continue;
      tally.found.push([passage, all.length, ...held]);
      for (const [i, entry] of [...tally.terms.values()].entries()) if (held[i]! > 0) entry.df++;
    }
  }

  /** The best k of query q by Lucene's BM25. */
  bm25(q: number, k: number): Expected[] {
    return this.#best(this.#bm25(q), k);
  }

  /** The best k of query q by cosine of the vectors as they were given, in f32. */
  vector(q: number, k: number): Expected[] {
    const cosines = this.#tallies[q]!.cosines.subarray(0, this.size);
    return this.#best(new Map(cosines.entries()), k);
  }

  /** The best k of query q by the convex combination over every passage. */
  hybrid(q: number, k: number): Expected[] {
    const bm25 = this.#bm25(q);
    const cosines = this.#tallies[q]!.cosines.subarray(0, this.size);
    let bm25Max = 0;
    for (const score of bm25.values()) bm25Max = Math.max(bm25Max, score);
    const cosineMax = cosines.reduce((max, cosine) => Math.max(max, cosine), -1);
    const fused = new Map<number, number>();
    for (const [passage, cosine] of cosines.entries()) {
      const semantic = (cosine + 1) / (cosineMax + 1);
      const lexical = (bm25.get(passage) ?? 0) / (bm25Max || 1);
      fused.set(passage, COSINE_WEIGHT * semantic + (1 - COSINE_WEIGHT) * lexical);
    }
    return this.#best(fused, k);
  }

  #bm25(q: number): Map<number, number> {
    const { terms: wanted, found } = this.#tallies[q]!;
    const n = this.size;
    const avgdl = this.#lengthSum / n;
    const weights = Array.from(wanted.values(), ({ qtf, df }) => {
      return qtf * Math.log(1 + (n - df + 0.5) / (df + 0.5));
    });
    const scores = new Map<number, number>();
    const width = 2 + weights.length;
    for (let row = 0; row < found.values.length; row += width) {
      const [passage, length, ...tfs] = found.values.subarray(row, row + width);
      const norm = K1 * (1 - B + (B * length!) / avgdl);
      let score = 0;
      for (const [i, tf] of tfs.entries()) if (tf > 0) score += (weights[i]! * tf) / (tf + norm);
      scores.set(passage!, score);
    }
    return scores;
  }

  #best(scores: ReadonlyMap<number, number>, k: number): Expected[] {
    const sorted = [...scores].sort(([a, x], [b, y]) => y - x || a - b);
    return sorted.slice(0, k).map(([passage, score]) => ({ id: this.#ids[passage]!, score }));
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Scores this near are the same number, rounded by another order of adding. */
const ROUNDING = 1e-9;

/** Whether hits are the expected ones in their order; neighbours whose scores differ by rounding
 *  alone may change places. `expected` reaches past the hits, so that a tie at the end is seen. */
export function sameRanking(hits: readonly Expected[], expected: readonly Expected[]): boolean {
  return hits.every(({ id, score }, i) => {
    const there = expected[i];
    if (there === undefined) return false;
    if (there.id === id) return Math.abs(there.score - score) <= ROUNDING * Math.abs(score);
    const own = expected.find((other) => other.id === id);
    return own !== undefined && Math.abs(own.score - there.score) <= ROUNDING * there.score;
  });
}

/** The share of the expected that is among the hits, 0..1. */
export function recallOf(hits: readonly { id: string }[], expected: readonly Expected[]): number {
  const found = new Set(hits.map(({ id }) => id));
  return expected.filter(({ id }) => found.has(id)).length / expected.length;
}
