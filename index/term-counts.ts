/** How often each term occurs in a text, with terms as numbers, and its compact stored form. */
import { assert } from "../src/errors.ts";

/** A text's terms: `ids` ascending without repeats, u32 [n]; `tfs` u32 [n], each 1 or more;
 *  `length` their sum, the text's dl. */
export interface TermCounts {
  ids: Uint32Array;
  tfs: Uint32Array;
  length: number;
}

/** Counts term numbers given in text order. O(n log n). */
export function countTerms(numbers: readonly number[]): TermCounts {
  const sorted = Uint32Array.from(numbers).sort();
  let n = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) n++;
  const ids = new Uint32Array(n);
  const tfs = new Uint32Array(n);
  let at = -1;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) ids[++at] = sorted[i]!;
    tfs[at]!++;
  }
  return { ids, tfs, length: sorted.length };
}

/** Stored form: per term the varint (LEB128) of its distance from the previous term's number and
 *  the varint of its tf; about 3 bytes a term. */
export function encodeCounts(counts: TermCounts): Uint8Array {
  const bytes = new Uint8Array(counts.ids.length * 10);
  let at = 0;
  let previous = 0;
  const put = (value: number) => {
    for (; value > 0x7f; value >>>= 7) bytes[at++] = (value & 0x7f) | 0x80;
    bytes[at++] = value;
  };
  for (let i = 0; i < counts.ids.length; i++) {
    put(counts.ids[i]! - previous);
    put(counts.tfs[i]!);
    previous = counts.ids[i]!;
  }
  return bytes.slice(0, at);
}

/** The inverse of `encodeCounts`. */
export function decodeCounts(bytes: Uint8Array): TermCounts {
  let n = 0;
  for (const byte of bytes) if (byte < 0x80) n++;
  assert(n % 2 === 0, "stored term counts come in pairs");
  const ids = new Uint32Array(n / 2);
  const tfs = new Uint32Array(n / 2);
  let at = 0;
  const take = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  let id = 0;
  let length = 0;
  for (let i = 0; i < ids.length; i++) {
    id += take();
    ids[i] = id;
    tfs[i] = take();
    length += tfs[i]!;
  }
  return { ids, tfs, length };
}
