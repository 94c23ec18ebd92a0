/** Terms to numbers, resident in typed arrays: about 20 bytes a term. */
import { assert } from "../src/errors.ts";
import { TERM_NUMBERS_MAX } from "./segment-format.ts";

/** Slots of the hash table over terms: full to 4/5 at most, a multiple of 1.4 when it grows. */
const TABLE_MIN = 64;
const TABLE_FULL = 0.8;
const TABLE_GROWTH = 1.4;
/** The pool of characters grows by an eighth: what it does not use yet is memory all the same. */
const POOL_MIN = 1_024;
const NONE = 0xffff_ffff;

/** A term's UTF-16 units, each as UTF-8 writes a character of its number: 1 to 3 bytes. Any two
 *  strings differ in it, halves of surrogate pairs included. */
function encodeTerm(term: string, bytes: Uint8Array, at: number): number {
  let end = at;
  for (let i = 0; i < term.length; i++) {
    const unit = term.charCodeAt(i);
    if (unit < 0x80) {
      bytes[end++] = unit;
    } else if (unit < 0x800) {
      bytes[end++] = 0xc0 | (unit >> 6);
      bytes[end++] = 0x80 | (unit & 0x3f);
    } else {
      bytes[end++] = 0xe0 | (unit >> 12);
      bytes[end++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[end++] = 0x80 | (unit & 0x3f);
    }
  }
  return end;
}

/** FNV-1a, mixed once more so that the high bits, which choose the slot, hang on every byte. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let value = 0x811c9dc5;
  for (let i = from; i < to; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

export class Lexicon {
  /** By number: where the pool has the term, its byte length before it as a varint. */
  #starts: Uint32Array = new Uint32Array(64).fill(NONE);
  #pool: Uint8Array = new Uint8Array(POOL_MIN);
  #poolEnd = 0;
  /** Open addressing: 1 + the number of the term that hashes here or before; 0 is free. */
  #table: Uint32Array = new Uint32Array(TABLE_MIN);
  #next = 0;
  /** No number below is free. */
  #free = 0;
  #terms = 0;
  /** The term that is looked for, encoded. */
  #key: Uint8Array = new Uint8Array(256);

  /** One past the highest number in use. */
  get limit(): number {
    return this.#next;
  }

  /** Terms held. */
  get terms(): number {
    return this.#terms;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#starts.byteLength + this.#pool.byteLength + this.#table.byteLength;
  }

  /** The numbers in use, ascending. */
  *ids(): Generator<number> {
    for (let id = 0; id < this.#next; id++) if (this.has(id)) yield id;
  }

  /** Whether a term has that number. */
  has(id: number): boolean {
    return id < this.#next && this.#starts[id] !== NONE;
  }

  /** The term's number. O(characters). */
  find(term: string): number | undefined {
    const at = this.#probe(this.#encode(term));
    return this.#table[at] === 0 ? undefined : this.#table[at]! - 1;
  }

  /** The term's number; a new term gets the lowest that is free and is appended to `added`. */
  idOf(term: string, added: { id: number; term: string }[]): number {
    const known = this.find(term);
    if (known !== undefined) return known;
    while (this.has(this.#free)) this.#free++;
    const id = this.#free;
    this.restore(id, term);
    added.push({ id, term });
    return id;
  }

  /** Puts a stored pair back. Numbers may have holes; neither number nor term comes twice. */
  restore(id: number, term: string): void {
    assert(id < TERM_NUMBERS_MAX, `a term's number is below ${TERM_NUMBERS_MAX}`);
    if (this.#terms + 1 > this.#table.length * TABLE_FULL) this.#rehash();
    const length = this.#encode(term);
    const at = this.#probe(length);
    assert(this.#table[at] === 0, "a term has one number");
    this.#growStarts(id);
    assert(this.#starts[id] === NONE, `number ${id} has one term`);
    this.#starts[id] = this.#store(length);
    this.#table[at] = id + 1;
    this.#terms++;
    this.#next = Math.max(this.#next, id + 1);
  }

  /** The terms of all numbers as bytes, for `load`: u32 one past the highest number, then by number
   *  the term's byte length as a varint, 0 of a hole, and the term. Little-endian. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(4 + this.#poolEnd + this.#next - this.#terms);
    new DataView(bytes.buffer).setUint32(0, this.#next, true);
    let at = 4;
    for (let id = 0; id < this.#next; id++) {
      const start = this.#starts[id]!;
      if (start === NONE) bytes[at++] = 0;
      else {
        const { to } = this.#spanOf(id);
        bytes.set(this.#pool.subarray(start, to), at);
        at += to - start;
      }
    }
    return bytes.slice(0, at); // a loaded pool has the holes too
  }

  /** Puts back what `encode` gave, into a lexicon without terms. Throws a plain error, and must not
   *  be used on, where the bytes are damaged. 10 million terms a second. */
  load(bytes: Uint8Array): void {
    assert(this.#terms === 0, "a lexicon is loaded before it has terms");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const limit = bytes.length < 4 ? NONE : view.getUint32(0, true);
    assert(limit <= TERM_NUMBERS_MAX && limit <= bytes.length, "a vocabulary's size is damaged");
    this.#pool = bytes.slice(4);
    this.#poolEnd = this.#pool.length;
    this.#starts = new Uint32Array(Math.max(64, limit)).fill(NONE);
    let at = 0;
    for (let id = 0; id < limit; id++) {
      assert(at < this.#poolEnd, "a vocabulary ends before its last term");
      if (this.#pool[at] === 0) {
        at += 1;
        continue;
      }
      this.#starts[id] = at;
      this.#terms++;
      at = this.#spanOf(id).to;
    }
    assert(at === this.#poolEnd, "a vocabulary ends with its last term");
    this.#next = limit;
    this.#fill(Math.max(TABLE_MIN, Math.ceil(this.#terms / TABLE_FULL) + 1));
  }

  /** A table of that size with every term. */
  #fill(size: number): void {
    const table = new Uint32Array(size);
    for (let id = 0; id < this.#next; id++) {
      if (this.#starts[id] === NONE) continue;
      const { from, to } = this.#spanOf(id);
      let at = Math.floor((hash(this.#pool, from, to) * size) / 2 ** 32);
      while (table[at] !== 0) at = at + 1 === size ? 0 : at + 1;
      table[at] = id + 1;
    }
    this.#table = table;
  }

  /** Encodes into `#key`; how many bytes. */
  #encode(term: string): number {
    if (this.#key.length < term.length * 3) this.#key = new Uint8Array(term.length * 3);
    return encodeTerm(term, this.#key, 0);
  }

  /** Where the table has the key, or where it would be put. */
  #probe(length: number): number {
    const size = this.#table.length;
    let at = Math.floor((hash(this.#key, 0, length) * size) / 2 ** 32);
    for (; this.#table[at] !== 0; at = at + 1 === size ? 0 : at + 1)
      if (this.#equals(this.#table[at]! - 1, length)) return at;
    return at; // the table is never full
  }

  #equals(id: number, length: number): boolean {
    const { from, to } = this.#spanOf(id);
    if (to - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.#pool[from + i] !== this.#key[i]) return false;
    return true;
  }

  #spanOf(id: number): { from: number; to: number } {
    let at = this.#starts[id]!;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#pool[at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) return { from: at, to: at + length };
    }
  }

  /** Appends the key to the pool; where. */
  #store(length: number): number {
    const start = this.#poolEnd;
    const room = start + 5 + length;
    if (room > this.#pool.length) {
      const larger = new Uint8Array(Math.max(room, this.#pool.length + (this.#pool.length >> 3)));
      larger.set(this.#pool);
      this.#pool = larger;
    }
    let at = start;
    let rest = length;
    for (; rest > 0x7f; rest >>>= 7) this.#pool[at++] = (rest & 0x7f) | 0x80;
    this.#pool[at++] = rest;
    this.#pool.set(this.#key.subarray(0, length), at);
    this.#poolEnd = at + length;
    return start;
  }

  #growStarts(id: number): void {
    if (id < this.#starts.length) return;
    const room = Math.max(id + 1, this.#starts.length + (this.#starts.length >> 3));
    const larger = new Uint32Array(room).fill(NONE, this.#starts.length);
    larger.set(this.#starts);
    this.#starts = larger;
  }

  #rehash(): void {
    this.#fill(Math.ceil(this.#table.length * TABLE_GROWTH));
  }
}
