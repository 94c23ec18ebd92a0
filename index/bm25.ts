/** BM25 over an inverted index in memory, exact after every change.
 *
 *  score(unit) = sum over query terms of qtf * idf * tf / (tf + k1 * (1 - b + b * dl / avgdl))
 *  idf = ln(1 + (N - df + 0.5) / (df + 0.5))
 *
 *  This is Lucene's BM25Similarity since 8.0 and the `lucene` method of bm25s: no factor (k1 + 1).
 *  Source: Kamphuis et al., ECIR 2020, table 1. N, df and dl are integers kept or counted exactly,
 *  so removing what was added leaves no trace.
 *
 *  A unit is what the caller counts: a passage, or a whole document. Postings are one u32 each (24
 *  bits of slot, 8 of tf) in a sealed block sorted by term; new ones wait in chains until they are
 *  a quarter of the sealed ones. Removal marks a tombstone; sealing drops them. */
import { assert } from "../src/errors.ts";
import { Postings } from "./postings.ts";
import type { TermCounts } from "./term-counts.ts";
import { bestOf, type Scored, type ScoreList } from "./top-k.ts";

export interface Bm25Options {
  /** Term-frequency saturation, 0 or more. */
  k1: number;
  /** Length normalization, 0 to 1. */
  b: number;
}

/** A query term: its number, and how often the query has it. */
export interface QueryTerm {
  id: number | null;
  qtf: number;
}

/** Counts that scores are made with, of this index or of several together. */
export interface Statistics {
  units: number;
  lengthSum: number;
  /** By query term. */
  df: readonly number[];
}

/** One term's share of a unit's score. */
export interface TermScore {
  id: number;
  df: number;
  idf: number;
  tf: number;
  contribution: number;
}

export type Allow = (unit: number) => boolean;

/** Tombstones that are worth a rebuild: a quarter of all units, but not for a handful. */
const TOMBSTONES_MIN = 1_024;

/** ln(1 + (N - df + 0.5) / (df + 0.5)), above 0 for every df <= N. */
export function inverseDocumentFrequency(n: number, df: number): number {
  return Math.log(1 + (n - df + 0.5) / (df + 0.5));
}

export class Bm25Index {
  readonly #options: Bm25Options;
  readonly #slotOf = new Map<number, number>();
  #postings = new Postings();
  /** By slot: the unit, or -1 for a tombstone; its dl; its score while a query runs. */
  #unitOf: number[] = [];
  #lengths: number[] = [];
  #scores = new Float64Array(0);
  #touched: number[] = [];
  #lengthSum = 0;

  constructor(options: Bm25Options) {
    this.#options = options;
  }

  /** Units held. */
  get units(): number {
    return this.#slotOf.size;
  }

  /** Mean dl; 0 of an empty index. */
  get avgdl(): number {
    return this.units === 0 ? 0 : this.#lengthSum / this.units;
  }

  /** Estimate of the heap held, in bytes: a map entry costs about 40. */
  get bytes(): number {
    return this.#postings.bytes + this.#unitOf.length * (40 + 16 + 8);
  }

  has(unit: number): boolean {
    return this.#slotOf.has(unit);
  }

  /** Adds a unit that is not there yet. */
  add(unit: number, counts: TermCounts): void {
    assert(!this.#slotOf.has(unit), `unit ${unit} is indexed once`);
    const slot = this.#unitOf.length;
    this.#slotOf.set(unit, slot);
    this.#unitOf.push(unit);
    this.#lengths.push(counts.length);
    this.#lengthSum += counts.length;
    this.#postings.append(slot, counts);
    if (this.#postings.unsealedIsLarge) this.seal();
  }

  /** Removes a unit; one that is not there is no error. */
  remove(unit: number): void {
    const slot = this.#slotOf.get(unit);
    if (slot === undefined) return;
    this.#slotOf.delete(unit);
    this.#unitOf[slot] = -1;
    this.#lengthSum -= this.#lengths[slot]!;
    const tombstones = this.#unitOf.length - this.units;
    if (tombstones > TOMBSTONES_MIN && tombstones * 4 > this.#unitOf.length) this.seal();
  }

  /** Rebuilds the sealed block without tombstones. O(postings). */
  seal(): void {
    const units = this.#unitOf;
    const moved = new Int32Array(units.length).fill(-1);
    let live = 0;
    for (const [slot, unit] of units.entries()) if (unit >= 0) moved[slot] = live++;
    this.#postings = this.#postings.sealed(moved);
    this.#lengths = this.#lengths.filter((_, slot) => moved[slot]! >= 0);
    this.#unitOf = units.filter((unit) => unit >= 0);
    for (const [slot, unit] of this.#unitOf.entries()) this.#slotOf.set(unit, slot);
  }

  /** How many units hold the term. O(postings of the term) after a removal. */
  df(term: number): number {
    const tombstones = this.#unitOf.length > this.units;
    if (!tombstones) return this.#postings.count(term);
    let df = 0;
    this.#postings.each(term, (slot) => {
      if (this.#unitOf[slot]! >= 0) df++;
    });
    return df;
  }

  /** Terms that at least one unit holds. O(postings) after a removal. */
  termCount(): number {
    let n = 0;
    for (let term = 0; term < this.#postings.termLimit; term++) if (this.df(term) > 0) n++;
    return n;
  }

  /** The best k of the allowed units, best first; a tie goes to the lower unit. Units without a
   *  query term are not found. O(postings of the query's terms). */
  search(query: readonly QueryTerm[], k: number, allow?: Allow): Scored[] {
    return bestOf(this.scores(query, this.#statistics(query), allow), k);
  }

  #statistics(query: readonly QueryTerm[]): Statistics {
    const df = query.map(({ id }) => (id === null ? 0 : this.df(id)));
    return { units: this.units, lengthSum: this.#lengthSum, df };
  }

  /** Every allowed unit that holds a query term, with its score (above 0). */
  scores(query: readonly QueryTerm[], statistics: Statistics, allow?: Allow): ScoreList {
    this.#clearScores();
    const scores = this.#scores;
    const touched = this.#touched;
    const { base, slope } = this.#norm(statistics);
    for (const [i, { id, qtf }] of query.entries()) {
      if (id === null) continue;
      const weight = qtf * inverseDocumentFrequency(statistics.units, statistics.df[i]!);
      this.#postings.each(id, (slot, tf) => {
        if (this.#unitOf[slot]! < 0) return;
        if (scores[slot] === 0) touched.push(slot);
        scores[slot]! += (weight * tf) / (tf + base + slope * this.#lengths[slot]!);
      });
    }
    const get = (unit: number) => {
      const score = scores[this.#slotOf.get(unit) ?? -1];
      return score && (allow === undefined || allow(unit)) ? score : undefined;
    };
    const forEach = (visit: (score: number, unit: number) => void) => {
      for (const slot of touched) {
        const unit = this.#unitOf[slot]!;
        if (allow === undefined || allow(unit)) visit(scores[slot]!, unit);
      }
    };
    return { get, forEach };
  }

  /** The score of a unit with these counts. */
  score(query: readonly QueryTerm[], statistics: Statistics, counts: TermCounts): number {
    const { base, slope } = this.#norm(statistics);
    const tfs = new Map(Array.from(counts.ids, (id, i) => [id, counts.tfs[i]!]));
    let score = 0;
    for (const [i, { id, qtf }] of query.entries()) {
      const tf = id === null ? undefined : tfs.get(id);
      if (tf === undefined) continue;
      const weight = qtf * inverseDocumentFrequency(statistics.units, statistics.df[i]!);
      score += (weight * tf) / (tf + base + slope * counts.length);
    }
    return score;
  }

  /** Zeroes what the last query left and makes room for every slot. */
  #clearScores(): void {
    for (const slot of this.#touched) this.#scores[slot] = 0;
    this.#touched = [];
    if (this.#scores.length < this.#unitOf.length)
      this.#scores = new Float64Array(Math.ceil(this.#unitOf.length * 1.25));
  }

  /** Each query term's share of a unit's score, in query order, terms it lacks left out; they add
   *  up to the score. */
  explain(unit: number, query: readonly QueryTerm[]): TermScore[] {
    const slot = this.#slotOf.get(unit);
    const shares: TermScore[] = [];
    if (slot === undefined) return shares;
    const { base, slope } = this.#norm(this.#statistics(query));
    for (const { id, qtf } of query) {
      if (id === null) continue;
      const tf = this.#postings.tf(id, slot);
      if (tf === 0) continue;
      const df = this.df(id);
      const idf = inverseDocumentFrequency(this.units, df);
      const contribution = (qtf * idf * tf) / (tf + base + slope * this.#lengths[slot]!);
      shares.push({ id, df, idf, tf, contribution });
    }
    return shares;
  }

  /** k1 * (1 - b + b * dl / avgdl) as base + slope * dl. */
  #norm({ units, lengthSum }: Statistics): { base: number; slope: number } {
    const { k1, b } = this.#options;
    return { base: k1 * (1 - b), slope: (k1 * b * units) / lengthSum };
  }
}
