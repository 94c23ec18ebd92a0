import { PANEL_ROWS, scales_bytes } from "./panel";
import {
  GROUP, group_d, group_f16, group_min, Q4_0, Q4_1, Q4_K, Q5_1, Q5_K, Q6_K, Q5_0, Q8_0,
  unpack_group,
} from "./unpack_groups";

/** Lays `rows` GGUF rows at `src` as rows n0.. of a matrix [n, k] into panels of 16 rows, which a
 *  GEMV reads as one sequential stream. n0 % 16 == 0; so is rows, unless they end the matrix; rows
 *  past n are then zeros.
 *    packed  panel [ceil(n / 16)] of group [k / 32 (q6_k: k / 16)] of
 *              { scales [16 rows]; quants [quads of k, 16 rows, 4] }
 *            scales: f16 as in the file for q4_0, q5_0 and q8_0; else f32 times 2^-96
 *            quants: of q4_0, q4_1 and q4_k nibbles, rows 0-3 and 8-11 in the low and rows 4-7 and
 *            12-15 in the high nibbles of two times 16 bytes; of the others 64 bytes a quad
 *    mins    f32 panel [ceil(n / 16)] of [k / 32, 16 rows] (as pack_f32), of the affine types only
 *  Scales and mins are products of the file's numbers, exact in f32. */
export function pack_groups(
  packed: usize, mins: usize, src: usize, row_bytes: usize, type: i32, n0: i32, rows: i32, k: i32,
): void {
  const groups = type == Q6_K ? k >> 4 : k >> 5;
  const half = type == Q4_0 || type == Q5_0 || type == Q8_0;
  const nibbles = type == Q4_0 || type == Q4_1 || type == Q4_K;
  const affine = type == Q4_1 || type == Q4_K || type == Q5_1 || type == Q5_K;
  const quads: usize = type == Q6_K ? 4 : 8;
  const scales = scales_bytes(half);
  const step = scales + (quads << (nibbles ? 5 : 6));
  let at = packed + <usize>(n0 / PANEL_ROWS) * <usize>groups * step;
  let min_at = mins + <usize>n0 * (<usize>groups << 2);
  for (; rows > 0; rows -= PANEL_ROWS, src += row_bytes * PANEL_ROWS) {
    const lanes = min(PANEL_ROWS, rows);
    for (let g: i32 = 0; g < groups; g++, at += step, min_at += PANEL_ROWS << 2) {
      if (lanes < PANEL_ROWS) {
        memory.fill(at, 0, step);
        if (affine) memory.fill(min_at, 0, PANEL_ROWS << 2);
      }
      for (let lane: i32 = 0; lane < lanes; lane++) {
        unpack_group(type, src + <usize>lane * row_bytes, g);
        if (half) store<u16>(at + (<usize>lane << 1), group_f16);
        else store<f32>(at + (<usize>lane << 2), group_d * PACKED_SCALE);
        if (affine) store<f32>(min_at + (<usize>lane << 2), group_min);
        if (nibbles) put_nibbles(at + scales, lane);
        else put_bytes(at + scales, lane, quads);
      }
    }
  }
}

const PACKED_SCALE: f32 = 1.2621774483536189e-29; // 2^-96, against GROUP_SCALE

/** Rows of low nibbles write whole words; those of high nibbles come later and add to them. */
// @ts-ignore: decorator
@inline
function put_nibbles(at: usize, lane: i32): void {
  at += (<usize>(lane >> 3) << 4) + (<usize>(lane & 3) << 2);
  for (let j: usize = 0; j < 32; j += 4, at += 32) {
    const quad = load<u32>(GROUP + j);
    store<u32>(at, lane & 4 ? load<u32>(at) | (quad << 4) : quad);
  }
}

// @ts-ignore: decorator
@inline
function put_bytes(at: usize, lane: i32, quads: usize): void {
  at += <usize>lane << 2;
  for (let j: usize = 0; j < quads << 2; j += 4, at += 64) store<u32>(at, load<u32>(GROUP + j));
}
