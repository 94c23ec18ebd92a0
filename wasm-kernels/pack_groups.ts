import {
  GROUP, group_d, group_f16, group_min, Q4_0, Q4_1, Q4_K, Q5_1, Q5_K, Q6_K, Q5_0, Q8_0,
  unpack_group,
} from "./unpack_groups";

/** Lays `rows` GGUF rows at `src` as rows n0.. of a matrix [n, k] into panels of 8 rows, which the
 *  GEMVs read as one sequential stream. n0 % 8 == 0; so is rows, unless they end the matrix;
 *  rows past n are then zeros.
 *    packed  panel [ceil(n / 8)] of group [k / 32 (q6_k: k / 16)] of
 *              { scales [8 rows]; quants [quads, 8 rows, 4] }
 *            scales: f16 as in the file for q4_0, q5_0 and q8_0; else f32 times 2^-96
 *            quants: of q4_0, q4_1 and q4_k nibbles, rows 0-3 in the low and rows 4-7 in the high
 *            nibbles of 16 bytes; of the others bytes, 32 of them a quad (four consecutive k)
 *    mins    f32 panel [ceil(n / 8)] of [k / 32, 8 rows] (as pack_f32), for the affine types only
 *  Scales and mins are products of the file's numbers, exact in f32. */
export function pack_groups(
  packed: usize, mins: usize, src: usize, row_bytes: usize, type: i32, n0: i32, rows: i32, k: i32,
): void {
  const groups = type == Q6_K ? k >> 4 : k >> 5;
  const half = type == Q4_0 || type == Q5_0 || type == Q8_0;
  const nibbles = type == Q4_0 || type == Q4_1 || type == Q4_K;
  const affine = type == Q4_1 || type == Q4_K || type == Q5_1 || type == Q5_K;
  const quads: usize = type == Q6_K ? 4 : 8;
  const scales: usize = half ? 16 : 32;
  const step = scales + (quads << (nibbles ? 4 : 5));
  const panels = (rows + 7) >> 3;
  let at = packed + <usize>(n0 >> 3) * <usize>groups * step;
  let min_at = mins + <usize>(n0 >> 3) * ((<usize>groups) << 5);
  for (let p: i32 = 0; p < panels; p++, src += row_bytes << 3) {
    const lanes = min(8, rows - (p << 3));
    for (let g: i32 = 0; g < groups; g++, at += step, min_at += 32) {
      if (lanes < 8) {
        memory.fill(at, 0, step);
        if (affine) memory.fill(min_at, 0, 32);
      }
      for (let lane: i32 = 0; lane < lanes; lane++) {
        unpack_group(type, src + <usize>lane * row_bytes, g);
        if (half) store<u16>(at + ((<usize>lane) << 1), group_f16);
        else store<f32>(at + ((<usize>lane) << 2), group_d * PACKED_SCALE);
        if (affine) store<f32>(min_at + ((<usize>lane) << 2), group_min);
        if (nibbles) put_nibbles(at + scales, lane);
        else put_bytes(at + scales, lane, quads);
      }
    }
  }
}

const PACKED_SCALE: f32 = 1.2621774483536189e-29; // 2^-96, against GROUP_SCALE

/** Rows 0-3 write whole words and rows 4-7, which come later, add to them. */
// @ts-ignore: decorator
@inline
function put_nibbles(at: usize, lane: i32): void {
  at += (<usize>(lane & 3)) << 2;
  for (let j: usize = 0; j < 32; j += 4, at += 16) {
    const quad = load<u32>(GROUP + j);
    store<u32>(at, lane < 4 ? quad : load<u32>(at) | (quad << 4));
  }
}

// @ts-ignore: decorator
@inline
function put_bytes(at: usize, lane: i32, quads: usize): void {
  at += (<usize>lane) << 2;
  for (let j: usize = 0; j < quads << 2; j += 4, at += 32) store<u32>(at, load<u32>(GROUP + j));
}
