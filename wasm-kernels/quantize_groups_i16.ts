import { group_max, group_scale } from "./quantize_groups_i8";
import { round_i32x4 } from "./quantize_rows_i16";

/** As quantize_groups_i8 with a qmax of the caller's, up to 8191 (14 bits): d = max |x| / qmax
 *  times 2^96, q in [-qmax, qmax], no zero points.
 *    q  i16 [m, k]     d  f32 [m, k/32]     x  f32 [m, k], k % 32 == 0
 *  or, with `tiled`, q i16 [ceil(m / 4), k/2, 4 rows, 2] and d [ceil(m / 4), k/32, 4 rows].
 *  For int8 weights: i32x4.dot_i16x8_s takes i16 at the price of i8. */
export function quantize_groups_i16(
  q: usize, d: usize, x: usize, m: i32, k: i32, qmax: f32, tiled: i32,
): void {
  const row = <usize>k << 1;
  for (let r: i32 = 0; r < m; r++) {
    if (!tiled) {
      for (const end = q + row; q < end; d += 4) {
        const inverse = group_scale(d, group_max(x), qmax);
        for (const last = x + 128; x < last; x += 32, q += 16) v128.store(q, round(x, inverse));
      }
      continue;
    }
    const tile = <usize>(r & ~3) * row;
    const lane = <usize>(r & 3) << 2;
    if (lane == 0 && r + 4 > m) {
      memory.fill(q + tile, 0, row << 2);
      memory.fill(d + (tile >> 4), 0, row >> 2);
    }
    let to = q + tile + lane;
    let scale = d + (tile >> 4) + lane;
    for (const end = to + (row << 2); to < end; scale += 16) {
      const inverse = group_scale(scale, group_max(x), qmax);
      for (const last = x + 128; x < last; x += 32, to += 64) {
        const v = round(x, inverse);
        v128.store32_lane(to, v, 0);
        v128.store32_lane(to, v, 1, 16);
        v128.store32_lane(to, v, 2, 32);
        v128.store32_lane(to, v, 3, 48);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function round(x: usize, inverse: v128): v128 {
  return i16x8.narrow_i32x4_s(round_i32x4(x, inverse), round_i32x4(x + 16, inverse));
}
