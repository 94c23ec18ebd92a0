/** Which document and passage each slot of the index is: typed arrays, a few bytes a passage. */
import { Bitmap } from "../../index/bitmap.ts";
import { assert } from "../errors.ts";

/** Room that is made at once: a share of what is held, so that growing costs little a slot. */
const grownTo = (size: number) => Math.max(64, Math.ceil(size * 1.25));

/** What a map takes for an entry, about. */
const LINK_BYTES = 48;

/** A linked passage and the one that it says the same as, by rows of documents and passages. */
export interface Link {
  document: number;
  passage: number;
  originalDocument: number;
  original: number;
}

/** Slots number passages in the order of their rows, and documents likewise; a document's passages
 *  have neighbouring slots. A removed one keeps its slot, dead, until the index is loaded anew. */
export class Slots {
  #rows = new Float64Array(0);
  #firstRows = new Float64Array(0);
  #firstSlots = new Uint32Array(0);
  #documentOf = new Uint32Array(0);
  /** Of passages; those that are linked are not among them. */
  #alive = new Bitmap(0);
  /** Of each linked passage the one that is found for it, by slot. */
  readonly #linked = new Map<number, number>();
  #liveDocuments = new Bitmap(0);
  #documents = 0;
  #passages = 0;
  #documentCount = 0;
  #passageCount = 0;

  /** Slots of documents, dead ones included. */
  get documents(): number {
    return this.#documents;
  }

  /** Slots of passages, dead ones included. */
  get passages(): number {
    return this.#passages;
  }

  get liveDocuments(): number {
    return this.#documentCount;
  }

  get livePassages(): number {
    return this.#passageCount;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    const arrays = [this.#rows, this.#firstRows, this.#firstSlots, this.#documentOf];
    const words = this.#alive.words.byteLength + this.#liveDocuments.words.byteLength;
    const links = this.#linked.size * LINK_BYTES;
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, words + links);
  }

  /** Makes room for this many more documents and passages. */
  reserve(documents: number, passages: number): void {
    if (this.#documents + documents > this.#rows.length) {
      const room = grownTo(this.#documents + documents);
      this.#rows = widened(this.#rows, new Float64Array(room));
      this.#firstRows = widened(this.#firstRows, new Float64Array(room));
      this.#firstSlots = widened(this.#firstSlots, new Uint32Array(room));
      this.#liveDocuments = this.#liveDocuments.resized(room);
    }
    if (this.#passages + passages > this.#documentOf.length) {
      const room = grownTo(this.#passages + passages);
      this.#documentOf = widened(this.#documentOf, new Uint32Array(room));
      this.#alive = this.#alive.resized(room);
    }
  }

  /** Adds a document, whose row is above all others, with its passages, at the rows from `first`;
   *  its slot. */
  append(row: number, first: number, passages: number, alive = true): number {
    const slot = this.#documents;
    assert(slot === 0 || this.#rows[slot - 1]! < row, "documents come in the order of their rows");
    this.reserve(1, passages);
    this.#rows[slot] = row;
    this.#firstRows[slot] = first;
    this.#firstSlots[slot] = this.#passages;
    this.#documentOf.fill(slot, this.#passages, this.#passages + passages);
    this.#documents += 1;
    this.#passages += passages;
    if (alive) this.#revive(slot);
    return slot;
  }

  #revive(slot: number): void {
    const [from, to] = this.span(slot);
    for (let passage = from; passage < to; passage++) this.#alive.add(passage);
    this.#liveDocuments.add(slot);
    this.#documentCount += 1;
    this.#passageCount += to - from;
  }

  /** Marks a document and its passages dead. */
  remove(slot: number): void {
    const [from, to] = this.span(slot);
    for (let passage = from; passage < to; passage++) {
      this.#alive.delete(passage);
      this.#linked.delete(passage);
    }
    this.#liveDocuments.delete(slot);
    this.#documentCount -= 1;
    this.#passageCount -= to - from;
  }

  /** The slot of the document with that row; -1 where there is none. O(log documents). */
  find(row: number): number {
    let low = 0;
    for (let high = this.#documents; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return low < this.#documents && this.#rows[low] === row ? low : -1;
  }

  /** The passage slots [from, to) of a document. */
  span(document: number): [number, number] {
    const next = document + 1;
    const to = next < this.#documents ? this.#firstSlots[next]! : this.#passages;
    return [this.#firstSlots[document]!, to];
  }

  documentOf(passage: number): number {
    return this.#documentOf[passage]!;
  }

  rowOf(document: number): number {
    return this.#rows[document]!;
  }

  /** The row of the first passage of a document. */
  firstRowOf(document: number): number {
    return this.#firstRows[document]!;
  }

  /** Which of its document's passages a passage is, from 0. */
  seqOf(passage: number): number {
    return passage - this.#firstSlots[this.#documentOf[passage]!]!;
  }

  passageRowOf(passage: number): number {
    return this.#firstRows[this.#documentOf[passage]!]! + this.seqOf(passage);
  }

  /** The slot of the living passage with that row, unless it is linked; -1: there is none.
   *  O(log documents). */
  findPassage(row: number): number {
    let after = 0;
    for (let high = this.#documents; after < high; ) {
      const middle = (after + high) >> 1;
      if (this.#firstRows[middle]! <= row) after = middle + 1;
      else high = middle;
    }
    if (after === 0) return -1;
    const [from, to] = this.span(after - 1);
    const slot = from + row - this.#firstRows[after - 1]!;
    return slot < to && this.#alive.has(slot) ? slot : -1;
  }

  isAlive(document: number): boolean {
    return this.#liveDocuments.has(document);
  }

  /** From now on a passage is found as another one, which was there before it. */
  link({ document, passage, originalDocument, original }: Link): void {
    const slot = this.#slotOf(document, passage);
    this.#alive.delete(slot);
    this.#linked.set(slot, this.#slotOf(originalDocument, original));
  }

  #slotOf(document: number, passage: number): number {
    const slot = this.find(document);
    assert(slot >= 0, `the index has the document of row ${document}`);
    return this.#firstSlots[slot]! + passage - this.#firstRows[slot]!;
  }

  /** Of each passage whose own document is not among `documents` but a document of one that is
   *  linked to it: the first such one, which is to be shown. O(links). */
  standIns(documents: Bitmap): Map<number, number> {
    const found = new Map<number, number>();
    for (const [linked, original] of this.#linked)
      if (
        documents.has(this.documentOf(linked)) &&
        !documents.has(this.documentOf(original)) &&
        linked < (found.get(original) ?? Number.POSITIVE_INFINITY)
      )
        found.set(original, linked);
    return found;
  }

  /** The living passages by slot, of all or of the documents in `documents`, one that is linked by
   *  the one that is found for it. A copy. */
  passagesOf(documents: Bitmap | null): Bitmap {
    const passages = new Bitmap(this.#passages);
    if (documents === null) return copied(passages, this.#alive);
    for (const document of documents) {
      if (!this.isAlive(document)) continue;
      const [from, to] = this.span(document);
      for (let passage = from; passage < to; passage++)
        passages.add(this.#linked.get(passage) ?? passage);
    }
    return passages;
  }

  /** The living documents by slot, of all or of those in `documents`. A copy. */
  documentsOf(documents: Bitmap | null): Bitmap {
    const alive = copied(new Bitmap(this.#documents), this.#liveDocuments);
    return documents === null ? alive : alive.and(documents);
  }
}

/** The first bits of a larger bitmap, whose bits beyond are 0. */
function copied(to: Bitmap, from: Bitmap): Bitmap {
  to.words.set(from.words.subarray(0, to.words.length));
  return to;
}

function widened<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
