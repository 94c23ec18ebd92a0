import { group_max } from "./quantize_groups_i8";
import { round_i32x4 } from "./quantize_rows_i16";

/** What centres the quants of q4_1 and q4_k, 0 to 15, on 8 for the rounding of activations:
 *    offsets  i32 [m, k/32] = 8 times the sum of x / d - round(x / d) over a group of 32, rounded,
 *             |offset| <= 128, or with `tiled` [ceil(m / 4), k/32, 4 rows], rows past m zeros
 *    x        f32 [m, k], k % 32 == 0; d and the rounding are quantize_groups_i8's
 *  Added to the sum of quant times round(x / d), it makes an activation's rounding count quant - 8
 *  times, not quant times. Its own rounding is half a step of one product. Groups that quantize
 *  to zeros or NaN get what is not used: any number in range. */
export function group_offsets_i32(offsets: usize, x: usize, m: i32, k: i32, tiled: i32): void {
  const groups = <usize>(k >> 5);
  for (let r: i32 = 0; r < m; r++) {
    let to = offsets + <usize>r * (groups << 2);
    if (tiled) {
      to = offsets + <usize>(r & ~3) * (groups << 2) + (<usize>(r & 3) << 2);
      if ((r & 3) == 0 && r + 4 > m) memory.fill(to, 0, groups << 4);
    }
    for (let g: usize = 0; g < groups; g++, x += 128, to += tiled ? 16 : 4)
      store<i32>(to, group_offset(x));
  }
}

function group_offset(x: usize): i32 {
  const largest = reinterpret<f32>(group_max(x));
  const inverse = f32x4.splat(<f32>127 / max<f32>(largest, 7.888609e-31)); // 2^-100
  let sum = f32x4.splat(0);
  for (const end = x + 128; x < end; x += 16) {
    const rounded = f32x4.convert_i32x4_s(round_i32x4(x, inverse));
    sum = f32x4.add(sum, f32x4.sub(f32x4.mul(v128.load(x), inverse), rounded));
  }
  const total = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) +
    (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
  const rounded = f32x4.nearest(f32x4.splat(total * 8));
  return i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(rounded), 0); // NaN becomes 0
}
