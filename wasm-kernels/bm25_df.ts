import { cursor, find_term, skip, varint } from "./segment_lists";

/** How many slots of a segment have the term. `segment` is as bm25_top_f64 takes it. */
export function bm25_df(segment: usize, term: u32): u32 {
  const end = find_term(segment, term);
  if (end == 0) return 0;
  let df: u32 = 0;
  while (cursor < end) {
    const head = varint();
    const count = head >> 1;
    if ((head & 1) != 0) varint();
    df += count;
    skip(<usize>count << 1);
  }
  return df;
}
