import { add_pairs, load_scales, output_scale, scales_bytes, store_panel } from "./panel";

/** y = or += W x, W in 4-bit groups of 32, as pack_groups lays it; one row of activations.
 *    y       f32 [n]          q      i8 [k], d f32 [k/32], from quantize_groups_i8
 *    packed  panels           zeros  i32 [k/32]: theirs where quants have an offset of 8, or zeros
 *  `half` says that scales are f16. Three variants, equal to the last bit: integers are exact in
 *  each, f32 steps are the same.
 *
 *  The nibble is the i7 operand of the relaxed dot, the activation the i8 one, so nothing
 *  saturates: a pair of products is at most 2 * 15 * 127 = 3,810, and the eight pairs of a group
 *  30,480 < 2^15. So gemv_q4_relaxed_i16 adds a whole group in i16 before one i32x4.dot_i16x8_s.
 *  gemv_q4_relaxed_i32 uses the dot that adds in i32, one instruction with AVX-VNNI or sdot. */

const PLAIN: i32 = 0;
const RELAXED_I16: i32 = 1;
const RELAXED_I32: i32 = 2;

export function gemv_q4(
  y: usize, q: usize, d: usize, zeros: usize, packed: usize, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemv(y, q, d, zeros, packed, n, k, add, true, PLAIN);
  else gemv(y, q, d, zeros, packed, n, k, add, false, PLAIN);
}

export function gemv_q4_relaxed_i16(
  y: usize, q: usize, d: usize, zeros: usize, packed: usize, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemv(y, q, d, zeros, packed, n, k, add, true, RELAXED_I16);
  else gemv(y, q, d, zeros, packed, n, k, add, false, RELAXED_I16);
}

export function gemv_q4_relaxed_i32(
  y: usize, q: usize, d: usize, zeros: usize, packed: usize, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemv(y, q, d, zeros, packed, n, k, add, true, RELAXED_I32);
  else gemv(y, q, d, zeros, packed, n, k, add, false, RELAXED_I32);
}

/** Adds the products of one quad of k, 4 activations in every lane, with 4 quants of 4 rows. */
// @ts-ignore: decorator
@inline
function dot(sum: v128, x: v128, quants: v128, variant: i32): v128 {
  if (variant == RELAXED_I16)
    return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(x, quants));
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, quants, sum);
}

// @ts-ignore: decorator
@inline
function total(sum: v128, variant: i32): v128 {
  return variant == RELAXED_I16 ? i32x4.dot_i16x8_s(sum, i16x8.splat(1)) : sum;
}

/** The sums of a group for 4 rows, from the low or (shift = 4) high nibbles at w. */
// @ts-ignore: decorator
@inline
function dot_group(x: usize, w: usize, shift: i32, variant: i32): v128 {
  if (variant == PLAIN) return dot_group_plain(x, w, shift);
  const mask = i8x16.splat(15);
  let a = i32x4.splat(0);
  a = dot(a, v128.load32_splat(x), nibbles(v128.load(w), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 4), nibbles(v128.load(w, 16), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 8), nibbles(v128.load(w, 32), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 12), nibbles(v128.load(w, 48), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 16), nibbles(v128.load(w, 64), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 20), nibbles(v128.load(w, 80), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 24), nibbles(v128.load(w, 96), shift, mask), variant);
  a = dot(a, v128.load32_splat(x, 28), nibbles(v128.load(w, 112), shift, mask), variant);
  return total(a, variant);
}

// @ts-ignore: decorator
@inline
function nibbles(v: v128, shift: i32, mask: v128): v128 {
  return v128.and(shift ? i16x8.shr_u(v, shift) : v, mask);
}

// @ts-ignore: decorator
@inline
function dot_group_plain(x: usize, w: usize, shift: i32): v128 {
  const mask = i8x16.splat(15);
  let a = i32x4.splat(0), b = i32x4.splat(0);
  for (const end = x + 32; x < end; x += 4, w += 16) {
    const v = nibbles(v128.load(w), shift, mask);
    const x4 = i16x8.extend_low_i8x16_s(v128.load32_splat(x));
    a = i32x4.add(a, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(v), x4));
    b = i32x4.add(b, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(v), x4));
  }
  return add_pairs(a, b);
}

// @ts-ignore: decorator
@inline
function gemv(
  y: usize, q: usize, d: usize, zeros: usize, w: usize, n: i32, k: i32, add: i32,
  half: bool, variant: i32,
): void {
  const to_zeros = zeros - d;
  const q_end = q + <usize>k;
  for (; n > 0; n -= 8, y += 32) {
    let sum_a = f32x4.splat(0), sum_b = f32x4.splat(0);
    for (let x = q, xd = d; x < q_end; x += 32, xd += 4) {
      const scale = v128.load32_splat(xd);
      const scale_a = f32x4.mul(load_scales(w, half), scale);
      const scale_b = f32x4.mul(load_scales(w + (scales_bytes(half) >> 1), half), scale);
      w += scales_bytes(half);
      const zero = v128.load32_splat(xd + to_zeros);
      const a = i32x4.add(dot_group(x, w, 0, variant), zero);
      const b = i32x4.add(dot_group(x, w, 4, variant), zero);
      sum_a = f32x4.relaxed_madd(f32x4.convert_i32x4_s(a), scale_a, sum_a);
      sum_b = f32x4.relaxed_madd(f32x4.convert_i32x4_s(b), scale_b, sum_b);
      w += 128;
    }
    store_panel(y, sum_a, sum_b, output_scale(half), n, add != 0);
  }
}
