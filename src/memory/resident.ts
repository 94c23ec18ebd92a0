/** What a memory object keeps in memory: the index that derives from its tables. Nothing here is
 *  the truth; dropping it costs a reload. */

import type { Bitmap } from "../../index/bitmap.ts";
import { Bm25Index } from "../../index/bm25.ts";
import { countTerms, type TermCounts, Vocabulary } from "../../index/term-counts.ts";
import { terms } from "../../index/terms.ts";
import { TopK } from "../../index/top-k.ts";
import { type QuantizedVector, VectorIndex, type VectorScan } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import type { PassageStore } from "./passage-store.ts";
import type { CorpusStatistics } from "./shard-types.ts";
import { Slots } from "./slots.ts";
import type { MemoryStore } from "./store.ts";
import type { NamespaceOptions } from "./types.ts";

export interface QueryTerm {
  id: number | null;
  qtf: number;
}

export class Resident {
  readonly options: NamespaceOptions;
  readonly vocabulary = new Vocabulary();
  readonly slots = new Slots();
  readonly #bm25: Bm25Index;
  readonly #makeScan: (dim: number) => VectorScan;
  #vectors: VectorIndex | null = null;
  #dim: number | null = null;
  #lengthSum = 0;

  constructor(options: NamespaceOptions, makeScan: (dim: number) => VectorScan) {
    this.options = options;
    this.#bm25 = new Bm25Index(options);
    this.#makeScan = makeScan;
  }

  /** The index of what is stored. O(stored passages). */
  static load(
    store: MemoryStore,
    passages: PassageStore,
    options: NamespaceOptions,
    makeScan: (dim: number) => VectorScan,
  ): Resident {
    const resident = new Resident(options, makeScan);
    for (const { id, term } of passages.terms()) resident.vocabulary.restore(id, term);
    const dim = store.number("dim", 0);
    if (dim > 0) resident.reserve(dim, store.counts().passages);
    const vectors: QuantizedVector[] = [];
    const counts: TermCounts[] = [];
    let open = { document: -1, first: 0 };
    const close = () => {
      if (counts.length > 0) resident.#restore(passages, open, vectors.splice(0), counts.splice(0));
    };
    for (const { row, document, vector, counts: own } of passages.all(0)) {
      if (document !== open.document) {
        close();
        open = { document, first: row };
      }
      vectors.push(vector);
      counts.push(own);
    }
    close();
    return resident;
  }

  #restore(
    passages: PassageStore,
    { document, first }: { document: number; first: number },
    vectors: QuantizedVector[],
    counts: TermCounts[],
  ): void {
    const whole =
      this.options.bm25_unit === "document" ? passages.documentCounts([document])[0]! : null;
    this.append(document, first, vectors, counts, whole);
  }

  /** Units of BM25 that live, and the sum of their lengths. */
  get units(): number {
    return this.#bm25.units;
  }

  get lengthSum(): number {
    return this.#lengthSum;
  }

  df(term: number): number {
    return this.#bm25.df(term);
  }

  get termCount(): number {
    return this.#bm25.termCount();
  }

  /** Estimate of the memory held, in bytes. */
  get bytes(): number {
    const vectors = this.#vectors?.bytes ?? 0;
    return this.slots.bytes + this.vocabulary.bytes + this.#bm25.bytes + vectors;
  }

  /** Throws `invalid_request` for a dimension other than that of the vectors held. */
  checkDimension(dim: number): void {
    if (this.#dim === null || this.#dim === dim) return;
    throw new ServiceError(
      "invalid_request",
      `a vector has ${dim} dimensions, those of this memory have ${this.#dim}`,
    );
  }

  /** Makes room for `passages` vectors in all. Throws `memory_full` where there is none. */
  reserve(dim: number, passages: number): void {
    this.checkDimension(dim);
    this.#dim = dim;
    this.#vectors ??= new VectorIndex(this.#makeScan(dim));
    this.#vectors.reserve(passages);
  }

  /** Adds a document with one passage or more; `whole` are its own counts where it is BM25's
   *  unit. */
  append(
    row: number,
    first: number,
    vectors: readonly QuantizedVector[],
    counts: readonly TermCounts[],
    whole: TermCounts | null,
  ): void {
    const slot = this.slots.append(row, first, vectors.length);
    const [from] = this.slots.span(slot);
    for (const [seq, vector] of vectors.entries()) {
      this.#vectors!.add(from + seq, vector);
      if (whole === null) this.#addUnit(from + seq, counts[seq]!);
    }
    if (whole !== null) this.#addUnit(slot, whole);
  }

  #addUnit(slot: number, counts: TermCounts): void {
    this.#bm25.add(slot, counts);
    this.#lengthSum += counts.length;
  }

  /** Removes a document by its row; `counts` are those of its units, in order. */
  remove(row: number, counts: readonly TermCounts[]): void {
    const slot = this.slots.find(row);
    if (slot < 0) return; // it has no passages
    const [from, to] = this.slots.span(slot);
    for (let passage = from; passage < to; passage++) {
      this.#vectors!.remove(passage);
      if (this.options.bm25_unit === "passage") this.#bm25.remove(passage);
    }
    if (this.options.bm25_unit === "document") this.#bm25.remove(slot);
    for (const { length } of counts) this.#lengthSum -= length;
    this.slots.remove(slot);
  }

  /** A document text's term counts; terms seen for the first time are appended to `added`. */
  count(text: string, added: { id: number; term: string }[]): TermCounts {
    return countTerms(terms(text, "document").map((term) => this.vocabulary.idOf(term, added)));
  }

  /** The best k allowed units by BM25, best first, ties to the lower slot. */
  search(
    query: readonly QueryTerm[],
    statistics: CorpusStatistics,
    k: number,
    allowed: Bitmap,
  ): { slot: number; score: number }[] {
    const best = new TopK(k);
    this.#bm25
      .scores(query, statistics, (slot) => allowed.has(slot))
      .forEach((score, slot) => {
        best.push(slot, score);
      });
    return best.sorted().map(({ id, score }) => ({ slot: id, score }));
  }

  score(query: readonly QueryTerm[], statistics: CorpusStatistics, counts: TermCounts): number {
    return this.#bm25.score(query, statistics, counts);
  }

  /** Estimates of the query's cosine with each passage, by slot; NaN where there is none. */
  estimates(query: Float32Array): Float32Array {
    const estimates = new Float32Array(this.slots.passages).fill(Number.NaN);
    this.#vectors!.scores(query).forEach((score, slot) => {
      estimates[slot] = score;
    });
    return estimates;
  }
}
