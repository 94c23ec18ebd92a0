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

/** Where each document's passages begin among the segment's, by row. */
export function firstSlots(bytes: Uint8Array): Map<number, number> {
  const { rows, passages } = partsOf(bytes);
  const first = new Map<number, number>();
  let slot = 0;
  for (const [i, row] of rows.entries()) {
    first.set(row, slot);
    slot += passages[i]! & ~DEAD;
  }
  return first;
}

/** Appends a map's documents to the slots. `bytes` begin at a multiple of 8. */
export function restoreMap(slots: Slots, bytes: Uint8Array): void {
  const { rows, firsts, passages } = partsOf(bytes);
  const count = passages.reduce((sum, each) => sum + (each & ~DEAD), 0);
  slots.reserve(rows.length, count);
  for (const [i, row] of rows.entries())
    slots.append(row, firsts[i]!, passages[i]! & ~DEAD, (passages[i]! & DEAD) === 0);
}

function partsOf({ buffer, byteOffset, length }: Uint8Array) {
  const [n] = new Uint32Array(buffer, byteOffset, 1) as unknown as [number];
  assert(length === HEADER_BYTES + n * DOCUMENT_BYTES, "a segment's map is whole");
  const at = byteOffset + HEADER_BYTES;
  return {
    rows: new Float64Array(buffer, at, n),
    firsts: new Float64Array(buffer, at + 8 * n, n),
    passages: new Uint32Array(buffer, at + 16 * n, n),
  };
}
