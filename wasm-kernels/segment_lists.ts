/** Reading a segment's lists; index/segment.ts describes them. */

const TERM_BLOCK: u32 = 8;

/** Where the lists are read on. */
export let cursor: usize = 0;

// @ts-ignore: decorator
@inline
export function varint(): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  let byte: u32;
  do {
    byte = load<u8>(cursor++);
    value |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte > 0x7f);
  return value;
}

/** Moves on by so many bytes. */
// @ts-ignore: decorator
@inline
export function skip(bytes: usize): void {
  cursor += bytes;
}

/** Sets `cursor` to the runs of a term; their end, or 0 where no slot has it. */
export function find_term(segment: usize, term: u32): usize {
  const first_term: usize = load<u32>(segment, 12);
  let low: u32 = 0;
  let high = load<u32>(segment, 8);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(first_term + (<usize>middle << 2)) <= term) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return 0;
  const block = low - 1;
  const offset = load<u32>(<usize>load<u32>(segment, 16) + (<usize>block << 2));
  cursor = <usize>load<u32>(segment, 24) + offset;
  let found = load<u32>(first_term + (<usize>block << 2));
  const terms = min(TERM_BLOCK, load<u32>(segment, 4) - block * TERM_BLOCK);
  for (let i: u32 = 0; i < terms; i++) {
    found += varint();
    const bytes: usize = varint();
    if (found >= term) return found == term ? cursor + bytes : 0;
    cursor += bytes;
  }
  return 0;
}
