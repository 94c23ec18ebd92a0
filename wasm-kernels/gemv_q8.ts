import {
  accumulate, add_pairs, load_half_bits, load_scales, output_scale, PANEL_ROWS, scales_bytes,
  store_sums,
} from "./panel";

/** y = or += x W^T, W int8 in groups of 32, or of 16 (q6_k), for few rows of x.
 *    y       f32 [m, n], rows `stride` bytes apart
 *    q       i16 [m, k], d f32 [m, k/32], from quantize_groups_i16, not tiled
 *    packed  panels, from pack_groups; `half`: their scales are f16; `sixteen`: a group is 16
 *  Exact in the integers: a group sums to at most 32 * 128 * 8,191 < 2^25. */
export function gemv_q8(
  y: usize, stride: usize, q: usize, d: usize, packed: usize,
  m: i32, n: i32, k: i32, half: i32, sixteen: i32, add: i32,
): void {
  if (sixteen) gemv(y, stride, q, d, packed, m, n, k, add != 0, false, true);
  else if (half) gemv(y, stride, q, d, packed, m, n, k, add != 0, true, false);
  else gemv(y, stride, q, d, packed, m, n, k, add != 0, false, false);
}

// @ts-ignore: decorator
@inline
function gemv(
  y: usize, stride: usize, q: usize, d: usize, w: usize,
  m: i32, n: i32, k: i32, add: bool, half: bool, sixteen: bool,
): void {
  const row = <usize>k;
  const panel = (row >> (sixteen ? 4 : 5)) * (scales_bytes(half) + (sixteen ? 256 : 512));
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, w += panel)
    for (let r: usize = 0; r < <usize>m; r++)
      dot_panel(
        y + r * stride, q + r * (row << 1), d + r * (row >> 3), w, row, n, add, half, sixteen,
      );
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(w, x));
}

/** One row of x by a panel. A 64-bit splat brings four activations; 8 bytes four weights of two
 *  rows, whose two partial sums each are added at the group's end. */
// @ts-ignore: decorator
@inline
function dot_panel(
  y: usize, q: usize, d: usize, w: usize, k: usize,
  count: i32, add: bool, half: bool, sixteen: bool,
): void {
  const bits = load_half_bits();
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  const start = q;
  for (const end = q + (k << 1); q < end; ) {
    const scale = v128.load32_splat(d + (((q - start) >> 6) << 2));
    let s0 = i32x4.splat(0), s1 = i32x4.splat(0), s2 = i32x4.splat(0), s3 = i32x4.splat(0);
    let s4 = i32x4.splat(0), s5 = i32x4.splat(0), s6 = i32x4.splat(0), s7 = i32x4.splat(0);
    const scales = w;
    w += scales_bytes(half);
    for (const last = q + (sixteen ? 32 : 64); q < last; q += 8, w += 64) {
      const x = v128.load64_splat(q);
      s0 = dot(s0, x, v128.load8x8_s(w)), s1 = dot(s1, x, v128.load8x8_s(w, 8));
      s2 = dot(s2, x, v128.load8x8_s(w, 16)), s3 = dot(s3, x, v128.load8x8_s(w, 24));
      s4 = dot(s4, x, v128.load8x8_s(w, 32)), s5 = dot(s5, x, v128.load8x8_s(w, 40));
      s6 = dot(s6, x, v128.load8x8_s(w, 48)), s7 = dot(s7, x, v128.load8x8_s(w, 56));
    }
    const d0 = f32x4.mul(load_scales(scales, 0, half, bits), scale);
    const d1 = f32x4.mul(load_scales(scales, 1, half, bits), scale);
    const d2 = f32x4.mul(load_scales(scales, 2, half, bits), scale);
    const d3 = f32x4.mul(load_scales(scales, 3, half, bits), scale);
    y0 = accumulate(y0, add_pairs(s0, s1), d0);
    y1 = accumulate(y1, add_pairs(s2, s3), d1);
    y2 = accumulate(y2, add_pairs(s4, s5), d2);
    y3 = accumulate(y3, add_pairs(s6, s7), d3);
  }
  const scale = output_scale(half);
  store_sums(y, y0, scale, count, add);
  store_sums(y + 16, y1, scale, count - 4, add);
  store_sums(y + 32, y2, scale, count - 8, add);
  store_sums(y + 48, y3, scale, count - 12, add);
}
