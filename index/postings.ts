/** Posting lists: which slots hold a term, and how often. 4 bytes a posting once sealed. */
import { assert } from "../src/errors.ts";
import type { TermCounts } from "./term-counts.ts";

/** A posting is `slot << 8 | tf`; a tf of 255 or more stands in a side table. */
const SLOTS_MAX = 2 ** 24;
const TF_LARGE = 255;

/** Unsealed postings cost a chain step each: seal at a quarter of the sealed ones. */
const UNSEALED_MIN = 65_536;

function grown(array: Uint32Array, length: number): Uint32Array {
  if (array.length >= length) return array;
  const larger = new Uint32Array(Math.max(length, Math.ceil(array.length * 1.5), 1_024));
  larger.set(array);
  return larger;
}

export class Postings {
  /** Of term t: sealed[offsets[t] .. offsets[t + 1]), u32 each. */
  #offsets: Uint32Array = new Uint32Array(1);
  #sealed: Uint32Array = new Uint32Array(0);
  /** Of term t: heads[t] - 1 is its newest unsealed posting, `next` leads on; 0 ends a chain. */
  #heads: Uint32Array = new Uint32Array(0);
  #counts: Uint32Array = new Uint32Array(0);
  #unsealed: Uint32Array = new Uint32Array(0);
  #next: Uint32Array = new Uint32Array(0);
  #unsealedCount = 0;
  #terms = 0;
  readonly #largeTfs = new Map<number, number>();

  /** One past the highest term that was ever appended. */
  get termLimit(): number {
    return this.#terms;
  }

  get unsealedIsLarge(): boolean {
    return this.#unsealedCount > Math.max(UNSEALED_MIN, this.#sealed.length / 4);
  }

  /** Bytes held. */
  get bytes(): number {
    const arrays = [this.#offsets, this.#sealed, this.#heads, this.#counts];
    const chains = [this.#unsealed, this.#next];
    return [...arrays, ...chains].reduce((sum, array) => sum + array.byteLength, 0);
  }

  /** Appends a slot's postings. Slots ascend from call to call. */
  append(slot: number, { ids, tfs }: TermCounts): void {
    assert(slot < SLOTS_MAX, "a slot has 24 bits");
    const n = this.#unsealedCount + ids.length;
    this.#unsealed = grown(this.#unsealed, n);
    this.#next = grown(this.#next, n);
    this.#terms = Math.max(this.#terms, (ids.at(-1) ?? -1) + 1);
    this.#heads = grown(this.#heads, this.#terms);
    this.#counts = grown(this.#counts, this.#terms);
    for (let i = 0; i < ids.length; i++) {
      const term = ids[i]!;
      const at = this.#unsealedCount++;
      this.#unsealed[at] = this.#packed(term, slot, tfs[i]!);
      this.#next[at] = this.#heads[term]!;
      this.#heads[term] = at + 1;
      this.#counts[term]!++;
    }
  }

  /** Postings of a term, those of tombstones included. */
  count(term: number): number {
    if (term >= this.#terms) return 0;
    return this.#sealedCount(term) + this.#counts[term]!;
  }

  /** Visits a term's postings in no promised order. */
  each(term: number, visit: (slot: number, tf: number) => void): void {
    if (term >= this.#terms) return;
    if (term + 1 < this.#offsets.length)
      for (let at = this.#offsets[term]!; at < this.#offsets[term + 1]!; at++)
        this.#visit(term, this.#sealed[at]!, visit);
    for (let link = this.#heads[term] ?? 0; link !== 0; link = this.#next[link - 1]!)
      this.#visit(term, this.#unsealed[link - 1]!, visit);
  }

  /** The tf of a term in a slot; 0 where it does not occur. O(postings of the term). */
  tf(term: number, slot: number): number {
    let found = 0;
    this.each(term, (at, tf) => {
      if (at === slot) found = tf;
    });
    return found;
  }

  /** The same postings, all sealed, with slot s renamed to moved[s] and those with -1 left out.
   *  `moved` ascends and unsealed slots are newer than sealed ones: lists are sorted by slot. */
  sealed(moved: Int32Array): Postings {
    const out = new Postings();
    out.#terms = this.#terms;
    out.#offsets = new Uint32Array(this.#terms + 1);
    out.#heads = new Uint32Array(this.#terms);
    out.#counts = new Uint32Array(this.#terms);
    let n = 0;
    for (let term = 0; term < this.#terms; term++) n += this.count(term);
    const merged = new Uint32Array(n);
    let at = 0;
    const put = (term: number, posting: number) => {
      const slot = moved[posting >>> 8]!;
      if (slot < 0) return;
      const tf = posting & 0xff;
      merged[at++] =
        tf < TF_LARGE
          ? ((slot << 8) | tf) >>> 0
          : out.#packed(term, slot, this.#tfOf(term, posting));
    };
    for (let term = 0; term < this.#terms; term++) {
      const end = this.#offsets[term + 1] ?? 0; // a term beyond the sealed ones has none
      for (let i = this.#offsets[term] ?? 0; i < end; i++) put(term, this.#sealed[i]!);
      const fresh = at;
      for (let link = this.#heads[term]!; link !== 0; link = this.#next[link - 1]!)
        put(term, this.#unsealed[link - 1]!);
      if (at > fresh + 1) merged.subarray(fresh, at).reverse(); // a chain starts with its newest
      out.#offsets[term + 1] = at;
    }
    out.#sealed = merged.slice(0, at);
    return out;
  }

  #sealedCount(term: number): number {
    if (term + 1 >= this.#offsets.length) return 0;
    return this.#offsets[term + 1]! - this.#offsets[term]!;
  }

  #packed(term: number, slot: number, tf: number): number {
    if (tf >= TF_LARGE) this.#largeTfs.set(term * SLOTS_MAX + slot, tf);
    return ((slot << 8) | Math.min(tf, TF_LARGE)) >>> 0;
  }

  #visit(term: number, posting: number, visit: (slot: number, tf: number) => void): void {
    visit(posting >>> 8, this.#tfOf(term, posting));
  }

  #tfOf(term: number, posting: number): number {
    const tf = posting & 0xff;
    return tf < TF_LARGE ? tf : this.#largeTfs.get(term * SLOTS_MAX + (posting >>> 8))!;
  }
}
