import { panel_bytes } from "./pack_i8";

/** Completes panels that pack_i8 filled, for gemm_i8_a7: fills the extra columns with copies of
 *  their sources, sums the rows anew, and marks the blocks whose products must not be chained.
 *    packed   as pack_i8 lays it out, with `extra` extra columns
 *    sources  i32 [extra], columns of [0, k), or -1 for a column that stays zero
 *  gemm_i8_a7 adds, in 16 bits, the products of four activations in 0..127 with four weights of a
 *  row: columns (0, 1, 4, 5) or (2, 3, 6, 7) of a block of 8. They stay within
 *  [-32768, 32767] if neither the positive nor the negative ones of the four weights sum to more
 *  than CHAIN_MAX = floor(32767 / 127). Blocks where a row's do are marked, by
 *  their first columns in ascending order and 0xffff at the end; they are few, since most weights
 *  are far below their row's largest. */
const CHAIN_MAX: i32 = 258;

function breaks_chain(block: usize): bool {
  for (let lane: usize = 0; lane < 16; lane += 2) {
    let positive: i32 = 0;
    let negative: i32 = 0;
    for (let at = lane; at < 32; at += 16) {
      const a = <i32>load<i8>(block + at);
      const b = <i32>load<i8>(block + at, 1);
      positive += max(a, 0) + max(b, 0);
      negative -= min(a, 0) + min(b, 0);
    }
    if (positive > CHAIN_MAX || negative > CHAIN_MAX) return true;
  }
  return false;
}

export function widen_i8(packed: usize, sources: usize, n: i32, k: i32, extra: i32): void {
  const kx = (k + extra + 15) & ~15;
  const quants = (<usize>kx) << 2;
  const panel = panel_bytes(k, extra);
  for (let c: i32 = 0; c < n; c += 4, packed += panel) {
    const qs = packed + 32;
    for (let e: i32 = 0; e < extra; e++) {
      const from = load<i32>(sources + ((<usize>e) << 2));
      const to = k + e;
      for (let r: usize = 0; r < 16; r += 4) {
        const w = from < 0 ? 0 : load<i8>(qs + ((<usize>(from >> 2)) << 4) + r + <usize>(from & 3));
        store<i8>(qs + ((<usize>(to >> 2)) << 4) + r + <usize>(to & 3), w);
      }
    }
    for (let r: usize = 0; r < 16; r += 4) {
      let sum: i32 = 0;
      for (let at = r; at < quants; at += 16) {
        const w = qs + at;
        sum += <i32>load<i8>(w) + load<i8>(w, 1) + load<i8>(w, 2) + load<i8>(w, 3);
      }
      store<i32>(packed + 16 + r, sum);
    }
    let marks = qs + quants;
    for (let at: usize = 0; at < quants; at += 32) {
      if (!breaks_chain(qs + at)) continue;
      store<u16>(marks, <u16>(at >> 2));
      marks += 2;
    }
    store<u16>(marks, 0xffff);
  }
}
