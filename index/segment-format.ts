/** The numbers of a segment's format, and its checks: index/segment.ts describes it. */

/** "BLX1" read as u32. */
export const SEGMENT_MAGIC = 0x31584c42;
export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 40;
/** Terms that share an entry of the directory: 8 bytes over 8 terms, 7 steps at most to one. */
export const SEGMENT_TERM_BLOCK = 8;
/** Slots are u16, and 65,535 as index of a length marks a dead slot. */
export const SEGMENT_SLOTS_MAX = 65_535;
export const SEGMENT_DEAD = 65_535;
/** Numbers of terms are dense from 0: this many are past any object's vocabulary. */
export const TERM_NUMBERS_MAX = 2 ** 24;

/** What a segment's header says, and where its parts begin, in bytes from its start. */
export interface SegmentLayout {
  slots: number;
  units: number;
  lengthSum: number;
  postings: number;
  terms: number;
  lengths: number;
  blocks: number;
  lengthsAt: number;
  firstTermAt: number;
  blockOffsetAt: number;
  lengthOfAt: number;
  streamAt: number;
  bytes: number;
}

const damaged = (what: string) => new Error(`damaged segment: ${what}`);

/** Reads the header. Throws a plain error where the sizes do not add up to the blob's. */
export function readLayout(segment: Uint8Array): SegmentLayout {
  if (segment.length < SEGMENT_HEADER_BYTES) throw damaged("no header");
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const u32 = (at: number) => view.getUint32(at, true);
  if (u32(0) !== SEGMENT_MAGIC) throw damaged("not a segment");
  if (u32(4) !== SEGMENT_VERSION) throw damaged(`version ${u32(4)}`);
  const [slots, units, lengthSum] = [u32(8), u32(12), view.getFloat64(16, true)];
  const [postings, terms, lengths, streamBytes] = [u32(24), u32(28), u32(32), u32(36)];
  const blocks = Math.ceil(terms / SEGMENT_TERM_BLOCK);
  const lengthsAt = SEGMENT_HEADER_BYTES;
  const firstTermAt = lengthsAt + 4 * lengths;
  const blockOffsetAt = firstTermAt + 4 * blocks;
  const lengthOfAt = blockOffsetAt + 4 * blocks;
  const streamAt = lengthOfAt + 2 * slots;
  const bytes = streamAt + streamBytes;
  if (slots > SEGMENT_SLOTS_MAX || units > slots || lengths > slots) throw damaged("slots");
  if (bytes !== segment.length) throw damaged(`${segment.length} bytes instead of ${bytes}`);
  const sizes = { slots, units, lengthSum, postings, terms, lengths, blocks, bytes };
  return { ...sizes, lengthsAt, firstTermAt, blockOffsetAt, lengthOfAt, streamAt };
}

/** Reads on through bytes, never past `end`. */
export class SegmentCursor {
  readonly #bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      if (this.at >= this.end) throw damaged("a number runs out of it");
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw damaged("a number is too long");
  }

  skip(bytes: number): void {
    if (bytes > this.end - this.at) throw damaged("a list runs out of it");
    this.at += bytes;
  }

  u16(at: number): number {
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }
}

/** Checks all that a search relies on: every term, list, slot and length is where it may be, and
 *  each slot's tfs add up to its dl. Throws a plain error otherwise. O(postings). */
export function checkSegment(segment: Uint8Array, layout: SegmentLayout): void {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const left = checkLengths(view, layout);
  const cursor = new SegmentCursor(segment, layout.streamAt, segment.length);
  let [postings, previous] = [0, -1];
  for (let i = 0; i < layout.terms; i++) {
    const at = cursor.at - layout.streamAt;
    const distance = cursor.varint();
    let term = previous + distance;
    if (i % SEGMENT_TERM_BLOCK === 0) {
      const block = i / SEGMENT_TERM_BLOCK;
      term = view.getUint32(layout.firstTermAt + 4 * block, true);
      const begins = view.getUint32(layout.blockOffsetAt + 4 * block, true);
      if (distance !== 0 || begins !== at) throw damaged("its directory");
    }
    if (term <= previous || term >= TERM_NUMBERS_MAX) throw damaged("terms do not ascend");
    previous = term;
    postings += checkRuns(cursor, cursor.varint(), left);
  }
  if (cursor.at !== segment.length || postings !== layout.postings) throw damaged("its postings");
  if (left.some((rest) => rest !== 0)) throw damaged("a length is not the sum of its tfs");
}

/** Each slot's length, 0 of a dead one. */
function checkLengths(view: DataView, layout: SegmentLayout): Float64Array {
  const lengths = Array.from({ length: layout.lengths }, (_, i) =>
    view.getUint32(layout.lengthsAt + 4 * i, true),
  );
  if (lengths.some((length, i) => i > 0 && length <= lengths[i - 1]!))
    throw damaged("lengths do not ascend");
  const left = new Float64Array(layout.slots);
  let [units, lengthSum] = [0, 0];
  for (let slot = 0; slot < layout.slots; slot++) {
    const index = view.getUint16(layout.lengthOfAt + 2 * slot, true);
    if (index === SEGMENT_DEAD) continue;
    if (index >= layout.lengths) throw damaged("a length is not there");
    left[slot] = lengths[index]!;
    lengthSum += lengths[index]!;
    units++;
  }
  if (units !== layout.units || lengthSum !== layout.lengthSum) throw damaged("its totals");
  return left;
}

/** The runs of one term; how many postings they have. Takes their tfs off the slots' lengths. */
function checkRuns(cursor: SegmentCursor, bytes: number, left: Float64Array): number {
  const end = cursor.at + bytes;
  if (bytes === 0 || end > cursor.end) throw damaged("a term's lists");
  let [postings, previousTf] = [0, 0];
  while (cursor.at < end) {
    const head = cursor.varint();
    const count = Math.floor(head / 2);
    const tf = head % 2 === 0 ? previousTf + 1 : cursor.varint();
    if (tf <= previousTf || count === 0) throw damaged("a list's head");
    const at = cursor.at;
    cursor.skip(2 * count);
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const slot = cursor.u16(at + 2 * i);
      if (slot <= previous || slot >= left.length) throw damaged("slots do not ascend");
      left[slot]! -= tf;
      previous = slot;
    }
    postings += count;
    previousTf = tf;
  }
  if (cursor.at !== end) throw damaged("a term's lists");
  return postings;
}
