import { group_max, group_scale } from "./quantize_groups_i8";
import { round_i32x4 } from "./quantize_rows_i16";

/** As quantize_groups_i8, to 14 bits: q in [-8191, 8191], d = max |x| / 8191 times 2^96.
 *    q  i16 [m, k]     d  f32 [m, k/32]     x  f32 [m, k], k % 32 == 0
 *  For int8 weights, which i32x4.dot_i16x8_s meets with i16 at the price of i8. */
export function quantize_groups_i16(q: usize, d: usize, x: usize, m: i32, k: i32): void {
  const count = m * (k >> 5);
  for (let g: i32 = 0; g < count; g++, d += 4) {
    const inverse = group_scale(d, group_max(x), 8191);
    for (const end = x + 128; x < end; x += 32, q += 16)
      v128.store(q, i16x8.narrow_i32x4_s(round_i32x4(x, inverse), round_i32x4(x + 16, inverse)));
  }
}
