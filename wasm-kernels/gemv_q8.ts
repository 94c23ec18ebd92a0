import { add_pairs, load_scales, output_scale, scales_bytes, store_panel } from "./panel";

/** y = or += W x, W int8 in groups of 32, or of 16 (q6_k), as pack_groups lays it.
 *    y       f32 [n]          q  i16 [k], d f32 [k/32], from quantize_groups_i16
 *    packed  panels           `half` says that scales are f16, `sixteen` that a group is 16
 *  Exact in the integers: a group sums to at most 32 * 128 * 8,191 < 2^25. */
export function gemv_q8(
  y: usize, q: usize, d: usize, packed: usize, n: i32, k: i32, half: i32, sixteen: i32, add: i32,
): void {
  if (sixteen) gemv(y, q, d, packed, n, k, add, false, true);
  else if (half) gemv(y, q, d, packed, n, k, add, true, false);
  else gemv(y, q, d, packed, n, k, add, false, false);
}

// @ts-ignore: decorator
@inline
function gemv(
  y: usize, q: usize, d: usize, w: usize, n: i32, k: i32, add: i32, half: bool, sixteen: bool,
): void {
  const q_end = q + ((<usize>k) << 1);
  const step: usize = sixteen ? 32 : 64;
  for (; n > 0; n -= 8, y += 32) {
    let sum_a = f32x4.splat(0), sum_b = f32x4.splat(0);
    for (let x = q; x < q_end; ) {
      const scale = v128.load32_splat(d + (((x - q) >> 6) << 2));
      const scale_a = f32x4.mul(load_scales(w, half), scale);
      const scale_b = f32x4.mul(load_scales(w + (scales_bytes(half) >> 1), half), scale);
      w += scales_bytes(half);
      let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), e = i32x4.splat(0);
      for (const end = x + step; x < end; x += 8, w += 32) {
        const x4 = v128.load64_splat(x);
        a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load8x8_s(w), x4));
        b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), x4));
        c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load8x8_s(w, 16), x4));
        e = i32x4.add(e, i32x4.dot_i16x8_s(v128.load8x8_s(w, 24), x4));
      }
      sum_a = f32x4.relaxed_madd(f32x4.convert_i32x4_s(add_pairs(a, b)), scale_a, sum_a);
      sum_b = f32x4.relaxed_madd(f32x4.convert_i32x4_s(add_pairs(c, e)), scale_b, sum_b);
    }
    store_panel(y, sum_a, sum_b, output_scale(half), n, add != 0);
  }
}
