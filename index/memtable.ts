/** Units that no segment holds yet: postings in chains, exact after every change, ready at once. */
import { assert } from "../src/errors.ts";
import { type Bm25Term, lengthTermOf, type QueryWeights, saturation } from "./bm25.ts";
import { SEGMENT_SLOTS_MAX } from "./segment-format.ts";
import type { TermCounts } from "./term-counts.ts";

function grown(array: Uint32Array, length: number): Uint32Array {
  if (array.length >= length) return array;
  const larger = new Uint32Array(Math.max(length, Math.ceil(array.length * 1.5), 1_024));
  larger.set(array);
  return larger;
}

export class Memtable {
  /** By posting: its term, its tf, its slot, and 1 + the term's posting before it (0: none). */
  #terms: Uint32Array = new Uint32Array(0);
  #tfs: Uint32Array = new Uint32Array(0);
  #slots: Uint32Array = new Uint32Array(0);
  #next: Uint32Array = new Uint32Array(0);
  #postings = 0;
  /** 1 + the newest posting of a term. */
  readonly #heads = new Map<number, number>();
  readonly #dfs = new Map<number, number>();
  /** By slot: where its postings end; its dl, -1 once removed. */
  readonly #ends: number[] = [];
  readonly #lengths: number[] = [];
  #scores = new Float64Array(0);

  /** Slots given out, removed ones included. */
  get slots(): number {
    return this.#ends.length;
  }

  /** Bytes held; a map's entry counts 40. */
  get bytes(): number {
    const maps = (this.#heads.size + this.#dfs.size) * 40;
    return this.#terms.byteLength * 4 + this.#scores.byteLength + this.slots * 16 + maps;
  }

  /** Units that hold the term. */
  df(term: number): number {
    return this.#dfs.get(term) ?? 0;
  }

  /** Adds a unit; its slot, from 0. */
  append({ ids, tfs, length }: TermCounts): number {
    const slot = this.slots;
    assert(slot < SEGMENT_SLOTS_MAX, `a memtable is sealed before ${SEGMENT_SLOTS_MAX} units`);
    const n = this.#postings + ids.length;
    this.#terms = grown(this.#terms, n);
    this.#tfs = grown(this.#tfs, n);
    this.#slots = grown(this.#slots, n);
    this.#next = grown(this.#next, n);
    for (const [i, term] of ids.entries()) {
      const at = this.#postings++;
      this.#terms[at] = term;
      this.#tfs[at] = tfs[i]!;
      this.#slots[at] = slot;
      this.#next[at] = this.#heads.get(term) ?? 0;
      this.#heads.set(term, at + 1);
      this.#dfs.set(term, this.df(term) + 1);
    }
    this.#ends.push(this.#postings);
    this.#lengths.push(length);
    return slot;
  }

  /** Removes a unit that is there. Its postings stay until the memtable is sealed. */
  remove(slot: number): void {
    for (const term of this.countsOf(slot)!.ids) this.#dfs.set(term, this.df(term) - 1);
    this.#lengths[slot] = -1;
  }

  /** A unit's counts, views of the memtable's own arrays; null once it is removed. */
  countsOf(slot: number): TermCounts | null {
    const length = this.#lengths[slot]!;
    if (length < 0) return null;
    const [from, to] = [this.#ends[slot - 1] ?? 0, this.#ends[slot]!];
    return { ids: this.#terms.subarray(from, to), tfs: this.#tfs.subarray(from, to), length };
  }

  /** Every unit's counts in slot order, null for removed ones. */
  *units(): Generator<TermCounts | null> {
    for (let slot = 0; slot < this.slots; slot++) yield this.countsOf(slot);
  }

  /** Visits the slots that hold a query term whose share shows, with their scores. Removed ones
   *  are left to the caller. O(postings of the query's terms + slots). */
  search(
    query: readonly Bm25Term[],
    weighed: QueryWeights,
    visit: (slot: number, score: number) => void,
  ): void {
    const { base, weights } = weighed;
    if (this.#scores.length < this.slots)
      this.#scores = new Float64Array(Math.ceil(this.slots * 1.25));
    const scores = this.#scores.fill(base, 0, this.slots);
    const lengths = this.#lengths;
    for (const [i, { id }] of query.entries()) {
      const weight = weights[i]!;
      if (id === null || weight === 0) continue;
      for (let link = this.#heads.get(id) ?? 0; link !== 0; link = this.#next[link - 1]!) {
        const slot = this.#slots[link - 1]!;
        const length = lengthTermOf(weighed, lengths[slot]!);
        scores[slot]! += weight * saturation(this.#tfs[link - 1]!, length);
      }
    }
    for (let slot = 0; slot < this.slots; slot++)
      if (scores[slot]! > base) visit(slot, scores[slot]!);
  }
}
