/** q = round(x / d) row by row, symmetric: d = max |x| / qmax, so q lies in [-qmax, qmax].
 *    q  i16 [m, kp]   kp = k rounded up to 16, the rest zero       x  f32 [m, k]
 *    d  f32 [m]
 *  Rounds half to even. The error of one value is at most d / 2 plus rounding of the product
 *  (2^-23 |q|). A row whose largest magnitude is below 2^-100 becomes zeros with d = 0; a row with
 *  a NaN or infinity becomes zeros with d = NaN, which marks all that is computed from it.
 *
 *  Why i16: i32x4.dot_i16x8_s takes i16 on both sides, so that int8 weights, once widened, meet
 *  14-bit activations at the price of 8-bit ones. See gemm_i8 for the bound on qmax. */

const ROUND: f32 = 12582912.0; // 1.5 * 2^23: adding it leaves the rounded integer in the low bits

/** max |x[0..k)| as float bits, which order as the magnitudes do; NaN sorts above infinity. */
export function absmax_bits(x: usize, k: i32): i32 {
  const abs = i32x4.splat(0x7fffffff);
  let v = i32x4.splat(0);
  let j: i32 = 0;
  for (; j + 4 <= k; j += 4, x += 16) v = i32x4.max_s(v, v128.and(v128.load(x), abs));
  let best = max(
    max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1)),
    max(i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3)),
  );
  for (; j < k; j++, x += 4) best = max(best, load<i32>(x) & 0x7fffffff);
  return best;
}

/** Writes d and returns its inverse; 0 stands for a row of zeros. */
// @ts-ignore: decorator
@inline
export function row_scale(d: usize, bits: i32, qmax: f32): f32 {
  const absmax = reinterpret<f32>(bits);
  if (bits >= 0x7f800000) {
    store<f32>(d, NaN);
    return 0;
  }
  if (absmax < 7.888609e-31) {
    store<f32>(d, 0);
    return 0;
  }
  store<f32>(d, absmax / qmax);
  return qmax / absmax;
}

/** The four nearest integers of x * inverse, as i32. */
// @ts-ignore: decorator
@inline
export function round_i32x4(x: usize, inverse: v128): v128 {
  const shifted = f32x4.add(f32x4.mul(v128.load(x), inverse), f32x4.splat(ROUND));
  return i32x4.sub(shifted, i32x4.splat(0x4b400000));
}

// @ts-ignore: decorator
@inline
export function round_i32(x: usize, inverse: f32): i32 {
  return reinterpret<i32>(load<f32>(x) * inverse + ROUND) - 0x4b400000;
}

export function quantize_rows_i16(q: usize, d: usize, x: usize, m: i32, k: i32, qmax: f32): void {
  const kp = (k + 15) & ~15;
  for (let r: i32 = 0; r < m; r++) {
    const inverse = row_scale(d + ((<usize>r) << 2), absmax_bits(x, k), qmax);
    const end = q + ((<usize>kp) << 1);
    if (inverse == 0) {
      memory.fill(q, 0, end - q);
      q = end;
      x += (<usize>k) << 2;
      continue;
    }
    const inv4 = f32x4.splat(inverse);
    let j: i32 = 0;
    for (; j + 8 <= k; j += 8, x += 32, q += 16)
      v128.store(q, i16x8.narrow_i32x4_s(round_i32x4(x, inv4), round_i32x4(x + 16, inv4)));
    for (; j < k; j++, x += 4, q += 2) store<i16>(q, <i16>round_i32(x, inverse));
    for (; q < end; q += 2) store<i16>(q, 0);
  }
}
