import { max_f32x4, sum_f32x4 } from "./vector_math";

/** BLOCK of attention_kv_i8. */
const BLOCK: usize = 128;

/** Quantizes m positions' keys and values to int8, one scale a position and head, and writes them
 *  at `position` of a cache; see attention_kv_i8 for its layout.
 *    ks, vs  i8 of the cache      kd, vd  f32 [n_kv_heads, capacity]
 *    k, v    f32, m rows `stride` floats apart, each n_kv_heads heads of head_dim
 *  x is read back as d round(x / d), d = max|x| / 127 over the head: off by at most d / 2, and by
 *  |x| where max|x| < 1e-30. A NaN or infinity in a head's key or value makes kd NaN, so that all
 *  that attends to it is NaN. Requires head_dim % 8 == 0 and capacity % BLOCK == 0. */
export function kv_append_i8(
  ks: usize, vs: usize, kd: usize, vd: usize, k: usize, v: usize, stride_floats: i32,
  position: i32, m: i32, n_kv_heads: i32, head_dim: i32, capacity: i32,
): void {
  const depth = <usize>head_dim;
  const skip = ((<usize>stride_floats) << 2) - <usize>n_kv_heads * (depth << 2);
  for (let p = position; p < position + m; p++, k += skip, v += skip)
    for (let h: i32 = 0; h < n_kv_heads; h++, k += depth << 2, v += depth << 2) {
      const slot = <usize>(h * capacity + p);
      const top_k = largest(k, depth);
      const top_v = largest(v, depth);
      // Four numbers of four keys alternate, so that a dot's lanes are positions.
      const key = ks + (slot & ~3) * depth + ((slot & 3) << 2);
      const inverse_k = inverse(top_k);
      for (let j: usize = 0; j < depth; j++)
        store<i8>(key + ((j & ~3) << 2) + (j & 3), quant(k + (j << 2), inverse_k));
      // Values of two positions alternate, so that one dot sums over both.
      const place = slot & (BLOCK - 1);
      const value = vs + (slot - place) * depth + ((place & ~1) << 3) + (place & 1);
      const inverse_v = inverse(top_v);
      for (let j: usize = 0; j < depth; j++)
        store<i8>(value + (j & ~7) * BLOCK + ((j & 7) << 1), quant(v + (j << 2), inverse_v));
      const tiny = <f32>1e-30;
      store<f32>(kd + (slot << 2), top_k < tiny ? top_v * 0 : top_k / 127 + top_v * 0);
      store<f32>(vd + (slot << 2), top_v < tiny ? 0 : top_v / 127);
    }
}

/** max|x|, or NaN where x holds a NaN or infinity. */
function largest(x: usize, depth: usize): f32 {
  let top = f32x4.splat(0);
  let zero = f32x4.splat(0);
  for (const end = x + (depth << 2); x < end; x += 16) {
    const v = v128.load(x);
    top = f32x4.pmax(top, f32x4.abs(v));
    zero = f32x4.add(zero, f32x4.mul(v, f32x4.splat(0)));
  }
  return max_f32x4(top) + sum_f32x4(zero);
}

// @ts-ignore: decorator
@inline
function inverse(top: f32): f32 {
  return top < <f32>1e-30 ? 0 : <f32>127 / top;
}

/** Adding 1.5 * 2^23 rounds to an integer, whose low byte the mantissa then holds. */
// @ts-ignore: decorator
@inline
function quant(x: usize, inverse: f32): i8 {
  return <i8>reinterpret<i32>(load<f32>(x) * inverse + <f32>12582912.0);
}
