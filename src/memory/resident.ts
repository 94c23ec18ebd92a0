/** What a memory object keeps in memory: the index that derives from its tables. Nothing here is
 *  the truth; dropping it costs a reload (50,000 passages: about a second). */
import { Bm25Index, inverseDocumentFrequency, type QueryTerm } from "../../index/bm25.ts";
import {
  countTerms,
  decodeCounts,
  encodeCounts,
  type TermCounts,
  Vocabulary,
} from "../../index/term-counts.ts";
import { terms } from "../../index/terms.ts";
import { type QuantizedVector, VectorIndex, type VectorScan } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import { type MemoryStore, vectorFrom } from "./store.ts";
import type { NamespaceOptions } from "./types.ts";

/** A query's term with its text, for explanations. */
export interface NamedTerm extends QueryTerm {
  term: string;
}

/** A text's counts, and what of the vocabulary they brought. */
export interface Counted {
  counts: TermCounts;
  bytes: Uint8Array;
}

export class Resident {
  readonly options: NamespaceOptions;
  readonly vocabulary = new Vocabulary();
  readonly bm25: Bm25Index;
  #vectors: VectorIndex | null = null;
  #dim: number | null = null;
  readonly #makeScan: (dim: number) => VectorScan;
  readonly #documentOf = new Map<number, number>();
  readonly #passagesOf = new Map<number, number[]>();

  constructor(options: NamespaceOptions, makeScan: (dim: number) => VectorScan) {
    this.options = options;
    this.bm25 = new Bm25Index(options);
    this.#makeScan = makeScan;
  }

  /** The index of what is stored. O(stored passages). */
  static load(
    store: MemoryStore,
    options: NamespaceOptions,
    makeScan: (dim: number) => VectorScan,
  ): Resident {
    const resident = new Resident(options, makeScan);
    for (const { id, term } of store.terms()) resident.vocabulary.restore(id, term);
    const dim = store.dim();
    if (dim !== null) resident.reserve(dim, store.counts().passages);
    for (const { row, document, vector, counts } of store.passages()) {
      resident.addPassage(document, row, vectorFrom(vector));
      if (options.bm25_unit === "passage")
        resident.bm25.add(row, decodeCounts(new Uint8Array(counts)));
    }
    for (const { row, counts } of store.documentCounts())
      resident.bm25.add(row, decodeCounts(counts));
    resident.bm25.seal();
    return resident;
  }

  /** Null before the first vector. */
  get vectors(): VectorIndex | null {
    return this.#vectors;
  }

  get passages(): number {
    return this.#documentOf.size;
  }

  /** Estimate of the memory held, in bytes. */
  get bytes(): number {
    const maps = this.#documentOf.size * 40 + this.#passagesOf.size * 100;
    return maps + this.vocabulary.bytes + this.bm25.bytes + (this.#vectors?.bytes ?? 0);
  }

  documentOf(passage: number): number {
    return this.#documentOf.get(passage)!;
  }

  /** Makes room for `passages` vectors in all. Throws `invalid_request` for a dimension other than
   *  that of the vectors held, `memory_full` where there is no room. */
  reserve(dim: number, passages: number): void {
    if (this.#dim !== null && this.#dim !== dim)
      throw new ServiceError(
        "invalid_request",
        `a vector has ${dim} dimensions, those of this memory have ${this.#dim}`,
      );
    this.#dim = dim;
    this.#vectors ??= new VectorIndex(this.#makeScan(dim));
    this.#vectors.reserve(passages);
  }

  addPassage(document: number, passage: number, vector: QuantizedVector): void {
    this.#documentOf.set(passage, document);
    const siblings = this.#passagesOf.get(document);
    if (siblings === undefined) this.#passagesOf.set(document, [passage]);
    else siblings.push(passage);
    this.#vectors!.add(passage, vector);
  }

  removeDocument(document: number): void {
    for (const passage of this.#passagesOf.get(document) ?? []) {
      this.#documentOf.delete(passage);
      this.#vectors!.remove(passage);
      if (this.options.bm25_unit === "passage") this.bm25.remove(passage);
    }
    this.#passagesOf.delete(document);
    if (this.options.bm25_unit === "document") this.bm25.remove(document);
  }

  /** A document text's term counts; terms seen for the first time are appended to `added`. */
  count(text: string, added: { id: number; term: string }[]): Counted {
    const numbers = terms(text, "document").map((term) => this.vocabulary.idOf(term, added));
    const counts = countTerms(numbers);
    return { counts, bytes: encodeCounts(counts) };
  }

  /** The terms of a query that occur in the vocabulary, each once, in order. */
  queryTerms(query: string): NamedTerm[] {
    const found = new Map<number, NamedTerm>();
    for (const term of terms(query, "query")) {
      const id = this.vocabulary.find(term);
      if (id === undefined) continue;
      const seen = found.get(id);
      if (seen === undefined) found.set(id, { id, term, qtf: 1 });
      else seen.qtf += 1;
    }
    return [...found.values()];
  }

  /** Of a document's passages the one that matches the query's terms best, by BM25 with the
   *  documents' idf and lengths relative to the document's mean passage; a tie goes to the first.
   *  Needed only where BM25 counts whole documents. */
  bestPassage(store: MemoryStore, document: number, query: readonly QueryTerm[]): number {
    const passages = store
      .countsOf(document)
      .map(({ row, counts }) => ({ row, counts: decodeCounts(counts) }));
    const lengthSum = passages.reduce((sum, { counts }) => sum + counts.length, 0);
    const { k1, b } = this.options;
    const weights = new Map(
      query.map(({ id, qtf }) => {
        const idf = inverseDocumentFrequency(this.bm25.units, this.bm25.df(id));
        return [id, qtf * idf];
      }),
    );
    let best = { row: passages[0]!.row, score: 0 };
    for (const { row, counts } of passages) {
      const norm = k1 * (1 - b + (b * counts.length * passages.length) / (lengthSum || 1));
      let score = 0;
      for (const [i, id] of counts.ids.entries()) {
        const weight = weights.get(id);
        if (weight !== undefined) score += (weight * counts.tfs[i]!) / (counts.tfs[i]! + norm);
      }
      if (score > best.score) best = { row, score };
    }
    return best.row;
  }
}
