/** What a memory object keeps in memory: the index that derives from its tables. Nothing here is
 *  the truth; dropping it costs a reload. */
import type { Bm25Options } from "../../index/bm25.ts";
import { CodeIndex } from "../../index/code-index.ts";
import { codeBytes, encodeCode } from "../../index/codes.ts";
import { LexicalIndex } from "../../index/lexical-index.ts";
import { Lexicon } from "../../index/lexicon.ts";
import { countTerms, type TermCounts } from "../../index/term-counts.ts";
import { terms } from "../../index/terms.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { assert, ServiceError } from "../errors.ts";
import { encodeMap, restoreMap } from "./segment-map.ts";
import type { SegmentBlobs } from "./segment-table.ts";
import { Slots } from "./slots.ts";
import type { NamespaceOptions } from "./types.ts";

/** Of a unit that holds nothing, so that its slot is dead from the beginning. */
const NO_COUNTS = countTerms([]);

/** Memory that an index let go of, for the next one. */
export interface Spare {
  lexical: LexicalIndex;
  codes: CodeIndex | null;
}

export class Resident {
  readonly options: NamespaceOptions;
  lexicon = new Lexicon();
  readonly slots = new Slots();
  readonly lexical: LexicalIndex;
  readonly #kernels: WebAssembly.Module;
  #codes: CodeIndex | null = null;
  #spareCodes: CodeIndex | null;
  #dim: number | null = null;
  /** The codes of the passages that no segment holds, one after the other. */
  #fresh = new Uint8Array(0);
  #sealedDocuments = 0;
  #sealedPassages = 0;

  /** An empty index; it takes over the memory of `spare`, which must not be used any more. */
  constructor(kernels: WebAssembly.Module, options: NamespaceOptions, spare: Spare | null) {
    this.options = options;
    this.#kernels = kernels;
    spare?.lexical.clear();
    this.lexical = spare?.lexical ?? new LexicalIndex(kernels, bm25Options(options));
    this.lexical.options = bm25Options(options);
    this.#spareCodes = spare?.codes ?? null;
  }

  get spare(): Spare {
    return { lexical: this.lexical, codes: this.#codes };
  }

  /** Whether BM25 counts whole documents: then their slots are its units, else those of
   *  passages. */
  get byDocument(): boolean {
    return this.options.bm25_unit === "document";
  }

  /** Null before the first vector. */
  get codes(): CodeIndex | null {
    return this.#codes;
  }

  /** Passages since the last seal, removed ones included. */
  get memtablePassages(): number {
    return this.slots.passages - this.#sealedPassages;
  }

  /** Bytes held, linear memory included. */
  get bytes(): number {
    const { slots, lexicon, lexical } = this;
    const codes = (this.#codes ?? this.#spareCodes)?.bytes ?? 0;
    return slots.bytes + lexicon.bytes + lexical.bytes + codes + this.#fresh.byteLength;
  }

  /** Throws `invalid_request` for a dimension other than that of the vectors held. */
  checkDimension(dim: number): void {
    if (this.#dim === null || this.#dim === dim) return;
    throw new ServiceError(
      "invalid_request",
      `a vector has ${dim} dimensions, those of this memory have ${this.#dim}`,
    );
  }

  /** Sets the dimension of all vectors to come. */
  setDimension(dim: number): void {
    this.checkDimension(dim);
    if (this.#codes !== null) return;
    this.#dim = dim;
    const spare = this.#spareCodes?.dim === dim ? this.#spareCodes : null;
    spare?.clear();
    this.#codes = spare ?? new CodeIndex(this.#kernels, dim);
    this.#spareCodes = null;
  }

  /** Adds a document with one passage or more; `units` are the counts of BM25's units: of the
   *  document, or of each passage; null: of one that is linked, which is found as another one. */
  append(
    row: number,
    first: number,
    vectors: readonly QuantizedVector[],
    units: readonly (TermCounts | null)[],
  ): void {
    const slot = this.slots.append(row, first, vectors.length);
    const [from] = this.slots.span(slot);
    for (const [seq, vector] of vectors.entries()) this.#addCode(from + seq, encodeCode(vector));
    for (const [i, counts] of units.entries()) {
      const unit = this.lexical.append(counts ?? NO_COUNTS);
      if (counts === null) this.lexical.remove(unit, NO_COUNTS);
      assert(unit === (this.byDocument ? slot : from + i), "units have the slots that they count");
    }
  }

  #addCode(slot: number, code: Uint8Array): void {
    assert(this.#codes!.append(code) === slot, "codes have the slots of their passages");
    const at = (slot - this.#sealedPassages) * code.length;
    if (at + code.length > this.#fresh.length) {
      const larger = new Uint8Array(Math.max(at + code.length, this.#fresh.length * 2));
      larger.set(this.#fresh);
      this.#fresh = larger;
    }
    this.#fresh.set(code, at);
  }

  /** Removes a document by its row; `units` are the counts of its units, in order. One without
   *  passages is not there, which is no error. */
  remove(row: number, units: readonly (TermCounts | null)[]): void {
    const slot = this.slots.find(row);
    if (slot < 0) return;
    const from = this.byDocument ? slot : this.slots.span(slot)[0];
    for (const [i, counts] of units.entries())
      if (counts !== null) this.lexical.remove(from + i, counts);
    this.slots.remove(slot);
  }

  /** Adds a stored segment, while the memtable is empty. Throws a plain error where it is damaged,
   *  and must then be dropped. */
  load({ postings, codes, map }: SegmentBlobs): void {
    const before = this.slots.passages;
    restoreMap(this.slots, map);
    this.#codes!.load(codes, this.slots.passages - before);
    this.lexical.load(postings);
    const { documents, passages } = this.slots;
    const units = this.byDocument ? documents : passages;
    assert(this.lexical.slots === units, "a segment's postings have the slots of its map");
    this.#sealedDocuments = documents;
    this.#sealedPassages = passages;
  }

  /** Turns the memtable into a segment, in place: slots stay as they are. What is to be stored, and
   *  its last document's row. */
  seal(): { hi: number; passages: number; blobs: SegmentBlobs } {
    const { documents, passages } = this.slots;
    const map = encodeMap(this.slots, this.#sealedDocuments, documents);
    const count = passages - this.#sealedPassages;
    const codes = this.#fresh.slice(0, count * codeBytes(this.#dim!));
    const blobs = { postings: this.lexical.seal(), codes, map };
    this.#fresh = new Uint8Array(0);
    this.#sealedDocuments = documents;
    this.#sealedPassages = passages;
    return { hi: this.slots.rowOf(documents - 1), passages: count, blobs };
  }

  /** A document text's term counts; terms seen for the first time are appended to `added`. */
  count(text: string, added: { id: number; term: string }[]): TermCounts {
    return countTerms(terms(text, "document").map((term) => this.lexicon.idOf(term, added)));
  }
}

function bm25Options({ bm25_variant, k1, b, delta }: NamespaceOptions): Bm25Options {
  return { variant: bm25_variant, k1, b, delta };
}
