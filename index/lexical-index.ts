/** BM25 over sealed segments and a memtable, exact after every change.
 *
 *  Slots number the units in the order of their coming: first those of the segments, as loaded,
 *  then the memtable's. A removed unit's slot is never used again; merging segments, which the
 *  owner does by loading an index anew, is what drops it. Statistics come from the caller, so that
 *  many indexes can rank as one.
 *
 *  A unit is found where it holds a query term whose share shows, that is, where its score is above
 *  what every unit scores: terms of an idf of 0 find nothing. */
import { assert } from "../src/errors.ts";
import { Bitmap } from "./bitmap.ts";
import {
  type Bm25Options,
  type Bm25Statistics,
  type Bm25Term,
  explainScore,
  scoreOf,
  type TermShare,
  weigh,
} from "./bm25.ts";
import { Memtable } from "./memtable.ts";
import { encodeSegment } from "./segment.ts";
import { SegmentStore } from "./segment-store.ts";
import type { TermCounts } from "./term-counts.ts";
import { TopK } from "./top-k.ts";

export interface LexicalHit {
  slot: number;
  score: number;
}

export class LexicalIndex {
  /** May change at any time: nothing that the index holds depends on it. */
  options: Bm25Options;
  readonly #sealed: SegmentStore;
  #memtable = new Memtable();
  /** Bits of slots that hold a unit; with room to grow. */
  #alive = new Bitmap(0);
  /** Of removed units that segments still hold: by term, how many hold it. */
  readonly #removed = new Map<number, number>();
  #units = 0;
  #lengthSum = 0;
  #memtableUnits = 0;

  /** `kernels` is the compiled build/kernels.wasm, of which the index makes its own instance. */
  constructor(kernels: WebAssembly.Module, options: Bm25Options) {
    this.options = options;
    this.#sealed = new SegmentStore(kernels);
  }

  /** Slots given out, dead ones included. */
  get slots(): number {
    return this.#sealed.slots + this.#memtable.slots;
  }

  /** Slots that segments hold, dead ones included: the memtable's follow. */
  get sealedSlots(): number {
    return this.#sealed.slots;
  }

  get segments(): number {
    return this.#sealed.segments;
  }

  /** Units held. */
  get units(): number {
    return this.#units;
  }

  /** Sum of their lengths, in terms. */
  get lengthSum(): number {
    return this.#lengthSum;
  }

  /** Units held that no segment has. */
  get memtableUnits(): number {
    return this.#memtableUnits;
  }

  /** Bytes held, linear memory included; a map's entry counts 40. */
  get bytes(): number {
    const maps = this.#removed.size * 40;
    return this.#sealed.bytes + this.#memtable.bytes + this.#alive.words.byteLength + maps;
  }

  isAlive(slot: number): boolean {
    return this.#alive.has(slot);
  }

  /** How many units hold the term: exact after every change. O(segments). */
  df(term: number): number {
    return this.#sealed.df(term) + this.#memtable.df(term) - (this.#removed.get(term) ?? 0);
  }

  /** Adds a unit to the memtable; its slot. At most 65,535 before it is sealed. */
  append(counts: TermCounts): number {
    const slot = this.#sealed.slots + this.#memtable.append(counts);
    this.#live(slot);
    this.#units++;
    this.#memtableUnits++;
    this.#lengthSum += counts.length;
    return slot;
  }

  /** Removes a unit that is there. `counts` are those it was added with. */
  remove(slot: number, counts: TermCounts): void {
    assert(this.isAlive(slot), `slot ${slot} holds a unit`);
    this.#alive.delete(slot);
    this.#units--;
    this.#lengthSum -= counts.length;
    if (slot >= this.#sealed.slots) {
      this.#memtable.remove(slot - this.#sealed.slots);
      this.#memtableUnits--;
    } else {
      for (const id of counts.ids) this.#removed.set(id, (this.#removed.get(id) ?? 0) + 1);
    }
  }

  /** Adds a segment's units behind the slots there are, while the memtable is empty. Throws a plain
   *  error, and changes nothing, where the segment is damaged. O(postings). */
  load(segment: Uint8Array): void {
    assert(this.#memtable.slots === 0, "segments come before the memtable");
    const first = this.#sealed.slots;
    const { layout, isDead } = this.#sealed.load(segment);
    for (let slot = 0; slot < layout.slots; slot++) if (!isDead(slot)) this.#live(first + slot);
    this.#units += layout.units;
    this.#lengthSum += layout.lengthSum;
  }

  /** Drops everything; the linear memory stays for what is loaded next. */
  clear(): void {
    this.#sealed.clear();
    this.#memtable = new Memtable();
    this.#alive = new Bitmap(0);
    this.#removed.clear();
    this.#units = 0;
    this.#lengthSum = 0;
    this.#memtableUnits = 0;
  }

  /** Turns the memtable into a segment, in place: slots stay as they are, dead ones stay dead. The
   *  segment's bytes, for storage. O(postings of the memtable + term numbers). */
  seal(): Uint8Array {
    const segment = encodeSegment(this.#memtable.units());
    this.#sealed.load(segment, true);
    this.#memtable = new Memtable();
    this.#memtableUnits = 0;
    return segment;
  }

  /** The best k of the allowed units (null: all) under the given statistics, best first; a tie goes
   *  to the lower slot. Exact: the scores are `score`'s, to the bit. */
  search(
    query: readonly Bm25Term[],
    statistics: Bm25Statistics,
    k: number,
    allowed: Bitmap | null,
  ): LexicalHit[] {
    const weights = weigh(query, statistics, this.options);
    const living = this.#living(allowed);
    const best = new TopK(k);
    this.#sealed.search(query, weights, living, k, (slot, score) => best.push(slot, score));
    const first = this.#sealed.slots;
    this.#memtable.search(query, weights, (slot, score) => {
      if (living.has(first + slot)) best.push(first + slot, score);
    });
    return best.sorted().map(({ id, score }) => ({ slot: id, score }));
  }

  /** A unit's exact score, whether or not the index holds it. */
  score(query: readonly Bm25Term[], statistics: Bm25Statistics, counts: TermCounts): number {
    return scoreOf(query, weigh(query, statistics, this.options), counts);
  }

  /** Each query term's share of a unit's score, in query order; they add up to it. */
  explain(query: readonly Bm25Term[], statistics: Bm25Statistics, counts: TermCounts): TermShare[] {
    return explainScore(query, statistics, this.options, counts);
  }

  #live(slot: number): void {
    if (slot >= this.#alive.size)
      this.#alive = this.#alive.resized(Math.max(1_024, slot + 1, (this.#alive.size * 5) >> 2));
    this.#alive.add(slot);
  }

  #living(allowed: Bitmap | null): Bitmap {
    if (allowed === null) return this.#alive;
    return this.#alive.resized(this.#alive.size).and(allowed);
  }
}
