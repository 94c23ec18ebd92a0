import {
  accumulate, load_half_bits, load_low_nibbles, load_ones, load_scales, output_scale, PANEL_ROWS,
  scales_bytes, store_sums,
} from "./panel";

/** y = or += x W^T, W in 4-bit groups of 32, for few rows of x; each meets a panel while it is in
 *  the cache.
 *    y       f32 [m, n], rows `stride` bytes apart
 *    q       i8 [m, k], d f32 [m, k/32], zeros i32 [m, k/32], from quantize_groups_i8, not tiled;
 *            for q4_1 and q4_k, zeros are from group_offsets_i32
 *    packed  panels, from pack_groups; `half`: their scales are f16
 *  Exact in the integers, so that the variants are equal to the last bit: the nibble is the i7
 *  operand of the relaxed dot, and the activation the i8 one. A pair of products is at most
 *  2 * 15 * 127 = 3,810, and the eight pairs of a group 30,480 < 2^15. So _relaxed_i16 adds a whole
 *  group in i16 before one i32x4.dot_i16x8_s: 2 instructions for 16 products. _relaxed_i32 takes
 *  the dot that adds in i32: one, with AVX-VNNI or sdot, and three without. */
export function gemv_q4_relaxed_i16(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, packed: usize,
  m: i32, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemv(y, stride, q, d, zeros, packed, m, n, k, add != 0, true, true);
  else gemv(y, stride, q, d, zeros, packed, m, n, k, add != 0, false, true);
}

export function gemv_q4_relaxed_i32(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, packed: usize,
  m: i32, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemv(y, stride, q, d, zeros, packed, m, n, k, add != 0, true, false);
  else gemv(y, stride, q, d, zeros, packed, m, n, k, add != 0, false, false);
}

/** sum + the products of four activations, in every lane of x, with 4 quants of 4 rows. */
// @ts-ignore: decorator
@inline
export function dot_quad(sum: v128, x: v128, quants: v128, in_i16: bool): v128 {
  if (in_i16) return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(x, quants));
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, quants, sum);
}

/** The i32 sums of 4 rows, from what dot_quad has added. */
// @ts-ignore: decorator
@inline
export function total_of(sum: v128, zero: v128, ones: v128, in_i16: bool): v128 {
  return i32x4.add(in_i16 ? i32x4.dot_i16x8_s(sum, ones) : sum, zero);
}

// @ts-ignore: decorator
@inline
function gemv(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, w: usize,
  m: i32, n: i32, k: i32, add: bool, half: bool, in_i16: bool,
): void {
  const row = <usize>k;
  const panel = (row >> 5) * (scales_bytes(half) + 256);
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, w += panel)
    for (let r: usize = 0; r < <usize>m; r++) {
      const at = r * row;
      const to = r * (row >> 3);
      dot_panel(y + r * stride, q + at, d + to, zeros + to, w, row, n, add, half, in_i16);
    }
}

/** One row of x by a panel. The loop over quads keeps its sums in registers because it is a loop:
 *  unrolled, the optimizer orders its steps by sum, and all weights of a group are spilled. */
// @ts-ignore: decorator
@inline
function dot_panel(
  y: usize, q: usize, d: usize, zeros: usize, w: usize, k: usize,
  count: i32, add: bool, half: bool, in_i16: bool,
): void {
  const low = load_low_nibbles(), ones = load_ones(), bits = load_half_bits();
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  for (const end = q + k; q < end; d += 4, zeros += 4) {
    let s0 = i32x4.splat(0), s1 = i32x4.splat(0), s2 = i32x4.splat(0), s3 = i32x4.splat(0);
    const scales = w;
    w += scales_bytes(half);
    for (const last = q + 32; q < last; q += 4, w += 32) {
      const x = v128.load32_splat(q);
      const a = v128.load(w);
      s0 = dot_quad(s0, x, v128.and(a, low), in_i16);
      s1 = dot_quad(s1, x, v128.and(i16x8.shr_u(a, 4), low), in_i16);
      const b = v128.load(w, 16);
      s2 = dot_quad(s2, x, v128.and(b, low), in_i16);
      s3 = dot_quad(s3, x, v128.and(i16x8.shr_u(b, 4), low), in_i16);
    }
    const scale = v128.load32_splat(d), zero = v128.load32_splat(zeros);
    const d0 = f32x4.mul(load_scales(scales, 0, half, bits), scale);
    const d1 = f32x4.mul(load_scales(scales, 1, half, bits), scale);
    const d2 = f32x4.mul(load_scales(scales, 2, half, bits), scale);
    const d3 = f32x4.mul(load_scales(scales, 3, half, bits), scale);
    y0 = accumulate(y0, total_of(s0, zero, ones, in_i16), d0);
    y1 = accumulate(y1, total_of(s1, zero, ones, in_i16), d1);
    y2 = accumulate(y2, total_of(s2, zero, ones, in_i16), d2);
    y3 = accumulate(y3, total_of(s3, zero, ones, in_i16), d3);
  }
  const scale = output_scale(half);
  store_sums(y, y0, scale, count, add);
  store_sums(y + 16, y1, scale, count - 4, add);
  store_sums(y + 32, y2, scale, count - 8, add);
  store_sums(y + 48, y3, scale, count - 12, add);
}
