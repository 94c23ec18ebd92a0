/** Pieces of f32x4 arithmetic that several kernels inline. */

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sum_f32x4(v: v128): f32 {
  const s = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1);
}

/** The largest of the four lanes; NaN is not looked for. */
// @ts-ignore: decorator
@inline
export function max_f32x4(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** The least of the four lanes; NaN is not looked for. */
// @ts-ignore: decorator
@inline
export function min_f32x4(v: v128): f32 {
  return min(
    min(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    min(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** Constants lie in memory: V8 loads and splats one in one instruction and builds it of code in
 *  four. Lowest x, 1 / ln 2, 1.5 * 2^23, ln 2 in two parts, then the polynomial. */
const EXP = memory.data<f32>([
  -87.3, 1.44269504, 12582912.0, 0.693359375, 2.12194440e-4, 1.9875691500e-4, 1.3981999507e-3,
  8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1.0,
]);

/** exp(x) for x <= 0, relative error below 2.5e-7; x < -87.3 gives about 1.2e-38 instead of less.
 *  x = n ln 2 + r with |r| <= ln(2) / 2, exp(r) by the polynomial of Cephes' expf, times 2^n by
 *  adding n to the exponent bits. ln 2 is split in two so that n ln 2 loses nothing. */
// @ts-ignore: decorator
@inline
export function exp_f32x4(value: v128): v128 {
  const x = f32x4.pmax(value, v128.load32_splat(EXP));
  // Adding 1.5 * 2^23 rounds to an integer, which the low mantissa bits then hold.
  const shifted = f32x4.add(f32x4.mul(x, v128.load32_splat(EXP, 4)), v128.load32_splat(EXP, 8));
  const n = f32x4.sub(shifted, v128.load32_splat(EXP, 8));
  let r = f32x4.sub(x, f32x4.mul(n, v128.load32_splat(EXP, 12)));
  r = f32x4.add(r, f32x4.mul(n, v128.load32_splat(EXP, 16)));
  let p = f32x4.add(f32x4.mul(v128.load32_splat(EXP, 20), r), v128.load32_splat(EXP, 24));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 28));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 32));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 36));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(EXP, 40));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), v128.load32_splat(EXP, 44));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** Lowest x, 1.5 * 2^23, the polynomial from r^5 down to 1. */
const EXP2 = memory.data<f32>([
  -126.0, 12582912.0, 1.3264722656e-3, 9.6715129912e-3, 5.5507335812e-2, 2.4022242427e-1,
  6.931470037e-1, 1.0,
]);

/** 2^x for x <= 0, relative error below 2.5e-7; x < -126 gives 2^-126 instead of less. x = n + r
 *  with |r| <= 1/2, 2^r by a minimax polynomial with p(0) = 1 (relative error 9.2e-8, by Lawson's
 *  algorithm), times 2^n by adding n to the exponent bits. */
// @ts-ignore: decorator
@inline
export function exp2_f32x4(value: v128): v128 {
  const x = f32x4.pmax(value, v128.load32_splat(EXP2));
  const shifted = f32x4.add(x, v128.load32_splat(EXP2, 4)); // rounded, as in exp_f32x4
  const r = f32x4.sub(x, f32x4.sub(shifted, v128.load32_splat(EXP2, 4)));
  let p = f32x4.relaxed_madd(v128.load32_splat(EXP2, 8), r, v128.load32_splat(EXP2, 12));
  p = f32x4.relaxed_madd(p, r, v128.load32_splat(EXP2, 16));
  p = f32x4.relaxed_madd(p, r, v128.load32_splat(EXP2, 20));
  p = f32x4.relaxed_madd(p, r, v128.load32_splat(EXP2, 24));
  p = f32x4.relaxed_madd(p, r, v128.load32_splat(EXP2, 28));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** Constants of gelu_f32x4, in memory for the same reason: the largest x^2, P from x^10 down, Q
 *  from x^8 down to 1, 1/2, -1/2. */
const GELU = memory.data<f32>([
  27.04, -1.720554010e-8, 5.773092198e-6, 4.415521107e-4, 6.257688161e-3, 6.299145520e-2,
  3.989410400e-1, 1.489880378e-4, 3.417506581e-3, 4.480100423e-2, 3.245477974e-1, 1.0, 0.5, -0.5,
]);

/** x Phi(x), error below 5e-7 max(1, |x|). Phi(x) = 1/2 + x P(x^2) / Q(x^2) on [-5.2, 5.2], which
 *  is rational minimax by Lawson's algorithm (error 8e-8 / min(|x|, 1)); beyond, P / Q stays, which
 *  leads past 0 and 1, where Phi is cut off. Sums are by relaxed madd: the last bits are the
 *  machine's choice. */
// @ts-ignore: decorator
@inline
export function gelu_f32x4(x: v128): v128 {
  const u = f32x4.pmin(f32x4.mul(x, x), v128.load32_splat(GELU));
  let p = f32x4.relaxed_madd(v128.load32_splat(GELU, 4), u, v128.load32_splat(GELU, 8));
  p = f32x4.relaxed_madd(p, u, v128.load32_splat(GELU, 12));
  p = f32x4.relaxed_madd(p, u, v128.load32_splat(GELU, 16));
  p = f32x4.relaxed_madd(p, u, v128.load32_splat(GELU, 20));
  p = f32x4.relaxed_madd(p, u, v128.load32_splat(GELU, 24));
  let q = f32x4.relaxed_madd(v128.load32_splat(GELU, 28), u, v128.load32_splat(GELU, 32));
  q = f32x4.relaxed_madd(q, u, v128.load32_splat(GELU, 36));
  q = f32x4.relaxed_madd(q, u, v128.load32_splat(GELU, 40));
  q = f32x4.relaxed_madd(q, u, v128.load32_splat(GELU, 44));
  let half = f32x4.div(f32x4.mul(p, x), q);
  half = f32x4.pmax(f32x4.pmin(half, v128.load32_splat(GELU, 48)), v128.load32_splat(GELU, 52));
  return f32x4.mul(x, f32x4.add(half, v128.load32_splat(GELU, 48)));
}
