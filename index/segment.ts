/** A segment: the postings of up to 65,535 units, sealed, in one blob. It holds what BM25 counts,
 *  tf and dl, and nothing derived from them: neither the options nor the corpus's statistics ever
 *  make it stale, and scores computed from it are exact.
 *
 *  Little-endian, in this order:
 *    header       u32 magic, u32 version, u32 slots, u32 units, f64 lengthSum,
 *                 u32 postings, u32 terms, u32 lengths, u32 streamBytes
 *    lengths      u32 [lengths]: the distinct dl, ascending
 *    firstTerm    u32 [blocks]: number of the first term of each block of 8 terms
 *    blockOffset  u32 [blocks]: where that block begins in the stream
 *    lengthOf     u16 [slots]: index into `lengths`; 65,535 of a dead slot
 *    stream       per term: varint distance from the block's previous term (0 for its first),
 *                 varint bytes of its runs, its runs
 *    run          the term's slots of one tf: varint 2 * count, and where tf is not the previous
 *                 run's + 1 (1 for the first) 2 * count + 1 and varint tf; u16 [count] slots,
 *                 ascending
 *  A term's runs ascend by tf, terms by number. Most postings take their two bytes and no more. */
import { assert } from "../src/errors.ts";
import {
  SEGMENT_DEAD,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_SLOTS_MAX,
  SEGMENT_TERM_BLOCK,
  SEGMENT_VERSION,
  TERM_NUMBERS_MAX,
} from "./segment-format.ts";
import type { TermCounts } from "./term-counts.ts";

/** Postings in the order of arrival, flat. */
class Gathered {
  terms = new Uint32Array(1_024);
  tfs = new Uint32Array(1_024);
  n = 0;
  /** By slot: where its postings end, and its dl; -1 of a dead slot. */
  readonly ends: number[] = [];
  readonly lengths: number[] = [];
  termLimit = 0;

  add(counts: TermCounts | null): void {
    assert(this.ends.length < SEGMENT_SLOTS_MAX, `a segment has ${SEGMENT_SLOTS_MAX} slots`);
    if (counts !== null) this.#append(counts);
    this.ends.push(this.n);
    this.lengths.push(counts === null ? -1 : counts.length);
  }

  #append({ ids, tfs }: TermCounts): void {
    const n = this.n + ids.length;
    if (n > this.terms.length) {
      const room = Math.max(n, Math.ceil(this.terms.length * 1.5));
      const [terms, counts] = [new Uint32Array(room), new Uint32Array(room)];
      terms.set(this.terms);
      counts.set(this.tfs);
      [this.terms, this.tfs] = [terms, counts];
    }
    this.terms.set(ids, this.n);
    this.tfs.set(tfs, this.n);
    this.n = n;
    this.termLimit = Math.max(this.termLimit, (ids.at(-1) ?? -1) + 1);
    assert(this.termLimit <= TERM_NUMBERS_MAX, `a term's number is below ${TERM_NUMBERS_MAX}`);
  }
}

/** Postings grouped by term, slots ascending: of term t those in [offsets[t], offsets[t + 1]). */
interface Grouped {
  offsets: Uint32Array;
  slots: Uint16Array;
  tfs: Uint32Array;
}

/** A counting sort. O(postings + term numbers). */
function groupByTerm({ terms, tfs, n, ends, termLimit }: Gathered): Grouped {
  const offsets = new Uint32Array(termLimit + 2);
  for (let i = 0; i < n; i++) offsets[terms[i]! + 2]!++;
  for (let term = 2; term < offsets.length; term++) offsets[term]! += offsets[term - 1]!;
  const grouped = { offsets, slots: new Uint16Array(n), tfs: new Uint32Array(n) };
  let i = 0;
  for (const [slot, end] of ends.entries())
    for (; i < end; i++) {
      const at = offsets[terms[i]! + 1]!++; // from here on offsets[t + 1] is where t's end moves
      grouped.slots[at] = slot;
      grouped.tfs[at] = tfs[i]!;
    }
  return grouped;
}

/** Bytes that grow, little-endian. */
class Writer {
  bytes = new Uint8Array(65_536);
  length = 0;

  #reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.length + more, Math.ceil(this.bytes.length * 1.5)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.bytes[this.length++] = (rest & 0x7f) | 0x80;
    this.bytes[this.length++] = rest;
  }

  u16s(values: Uint16Array, n: number): void {
    this.#reserve(2 * n);
    for (let i = 0; i < n; i++) {
      this.bytes[this.length++] = values[i]! & 0xff;
      this.bytes[this.length++] = values[i]! >>> 8;
    }
  }

  append({ bytes, length }: Writer): void {
    this.#reserve(length);
    this.bytes.set(bytes.subarray(0, length), this.length);
    this.length += length;
  }
}

/** The runs of one term, by ascending tf. */
class RunWriter {
  readonly #out = new Writer();
  readonly #later: number[] = [];
  #tf = 0;
  readonly #slots = new Uint16Array(SEGMENT_SLOTS_MAX);

  /** Valid until the next call. */
  encode({ slots, tfs }: Grouped, from: number, to: number): Writer {
    this.#out.length = 0;
    this.#tf = 0;
    const later = this.#later;
    later.length = 0;
    let n = 0;
    for (let i = from; i < to; i++)
      if (tfs[i] === 1) this.#slots[n++] = slots[i]!;
      else later.push(tfs[i]! * 65_536 + slots[i]!);
    if (n > 0) this.#run(1, n);
    later.sort((a, b) => a - b);
    for (let i = 0; i < later.length; ) {
      const tf = Math.floor(later[i]! / 65_536);
      for (n = 0; i < later.length && later[i]! < (tf + 1) * 65_536; i++)
        this.#slots[n++] = later[i]! - tf * 65_536;
      this.#run(tf, n);
    }
    return this.#out;
  }

  #run(tf: number, n: number): void {
    if (tf === this.#tf + 1) this.#out.varint(2 * n);
    else {
      this.#out.varint(2 * n + 1);
      this.#out.varint(tf);
    }
    this.#tf = tf;
    this.#out.u16s(this.#slots, n);
  }
}

/** The distinct lengths of live slots, ascending, and by slot the index of its own. */
function indexLengths(lengths: readonly number[]): { distinct: Uint32Array; of: Uint16Array } {
  const distinct = Uint32Array.from(new Set(lengths.filter((length) => length >= 0))).sort();
  const indexOf = new Map(Array.from(distinct, (length, i) => [length, i]));
  const of = Uint16Array.from(lengths, (length) => indexOf.get(length) ?? SEGMENT_DEAD);
  return { distinct, of };
}

/** A segment of the units in slot order; null for a dead slot. At most 65,535 of them. A pure
 *  function of its input. O(postings + term numbers) time, about 16 bytes of heap a posting. */
export function encodeSegment(units: Iterable<TermCounts | null>): Uint8Array {
  const gathered = new Gathered();
  for (const counts of units) gathered.add(counts);
  const { distinct, of } = indexLengths(gathered.lengths);
  const grouped = groupByTerm(gathered);
  const runs = new RunWriter();
  const stream = new Writer();
  const [firstTerms, blockOffsets]: [number[], number[]] = [[], []];
  let terms = 0;
  let previous = 0;
  for (let term = 0; term < gathered.termLimit; term++) {
    const [from, to] = [grouped.offsets[term]!, grouped.offsets[term + 1]!];
    if (from === to) continue;
    if (terms++ % SEGMENT_TERM_BLOCK === 0) {
      firstTerms.push(term);
      blockOffsets.push(stream.length);
      previous = term;
    }
    const encoded = runs.encode(grouped, from, to);
    stream.varint(term - previous);
    stream.varint(encoded.length);
    stream.append(encoded);
    previous = term;
  }
  const directory = { firstTerms, blockOffsets, terms, postings: gathered.n };
  return assemble(gathered.lengths, distinct, of, directory, stream);
}

/** The parts one after the other, behind their header. */
function assemble(
  lengths: readonly number[],
  distinct: Uint32Array,
  lengthOf: Uint16Array,
  directory: { firstTerms: number[]; blockOffsets: number[]; terms: number; postings: number },
  stream: Writer,
): Uint8Array {
  const { firstTerms, blockOffsets, terms, postings } = directory;
  const words = distinct.length + firstTerms.length + blockOffsets.length;
  const streamAt = SEGMENT_HEADER_BYTES + 4 * words + 2 * lengths.length;
  const bytes = new Uint8Array(streamAt + stream.length);
  const view = new DataView(bytes.buffer);
  const live = lengths.filter((length) => length >= 0);
  const head = [SEGMENT_MAGIC, SEGMENT_VERSION, lengths.length, live.length];
  for (const [i, value] of head.entries()) view.setUint32(4 * i, value, true);
  view.setFloat64(
    16,
    live.reduce((sum, length) => sum + length, 0),
    true,
  );
  const sizes = [postings, terms, distinct.length, stream.length];
  for (const [i, value] of sizes.entries()) view.setUint32(24 + 4 * i, value, true);
  let at = SEGMENT_HEADER_BYTES;
  for (const values of [distinct, firstTerms, blockOffsets])
    for (const value of values) {
      view.setUint32(at, value, true);
      at += 4;
    }
  for (const [slot, index] of lengthOf.entries()) view.setUint16(at + 2 * slot, index, true);
  bytes.set(stream.bytes.subarray(0, stream.length), streamAt);
  return bytes;
}
