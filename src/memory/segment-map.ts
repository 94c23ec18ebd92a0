/** Which documents a segment's slots are, as a blob: u32 documents, u32 0, then f64 [documents]
 *  rows, f64 [documents] rows of their first passages, u32 [documents] how many passages each has,
 *  with the highest bit set where it was removed before the seal. Little-endian. */
import { assert } from "../errors.ts";
import type { Slots } from "./slots.ts";

const HEADER_BYTES = 8;
const DOCUMENT_BYTES = 20;
const DEAD = 0x8000_0000;

/** The documents of the slots [from, to), dead ones marked. */
export function encodeMap(slots: Slots, from: number, to: number): Uint8Array {
  const n = to - from;
  const bytes = new Uint8Array(HEADER_BYTES + n * DOCUMENT_BYTES);
  new Uint32Array(bytes.buffer, 0, 1)[0] = n;
  const rows = new Float64Array(bytes.buffer, HEADER_BYTES, n);
  const firsts = new Float64Array(bytes.buffer, HEADER_BYTES + 8 * n, n);
  const passages = new Uint32Array(bytes.buffer, HEADER_BYTES + 16 * n, n);
  for (let i = 0; i < n; i++) {
    rows[i] = slots.rowOf(from + i);
    firsts[i] = slots.firstRowOf(from + i);
    const [first, end] = slots.span(from + i);
    passages[i] = end - first + (slots.isAlive(from + i) ? 0 : DEAD);
  }
  return bytes;
}

/** Appends a map's documents to the slots. `bytes` begin at a multiple of 8. */
export function restoreMap(slots: Slots, bytes: Uint8Array): void {
  const { buffer, byteOffset } = bytes;
  const [n] = new Uint32Array(buffer, byteOffset, 1);
  assert(bytes.length === HEADER_BYTES + n! * DOCUMENT_BYTES, "a segment's map is whole");
  const rows = new Float64Array(buffer, byteOffset + HEADER_BYTES, n);
  const firsts = new Float64Array(buffer, byteOffset + HEADER_BYTES + 8 * n!, n);
  const passages = new Uint32Array(buffer, byteOffset + HEADER_BYTES + 16 * n!, n);
  slots.reserve(
    n!,
    passages.reduce((sum, count) => sum + (count & ~DEAD), 0),
  );
  for (let i = 0; i < n!; i++)
    slots.append(rows[i]!, firsts[i]!, passages[i]! & ~DEAD, (passages[i]! & DEAD) === 0);
}
