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

/** exp(x) for x <= 0, relative error below 2.5e-7; x < -87.3 gives about 1.2e-38 instead of less.
 *  x = n ln 2 + r with |r| <= ln(2) / 2, exp(r) by the polynomial of Cephes' expf, times 2^n by
 *  adding n to the exponent bits. ln 2 is split in two so that n ln 2 loses nothing. */
// @ts-ignore: decorator
@inline
export function exp_f32x4(value: v128): v128 {
  const x = f32x4.pmax(value, f32x4.splat(-87.3));
  // Adding 1.5 * 2^23 rounds to an integer, which the low mantissa bits then hold.
  const shifted = f32x4.add(f32x4.mul(x, f32x4.splat(1.44269504)), f32x4.splat(12582912.0));
  const n = f32x4.sub(shifted, f32x4.splat(12582912.0));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = f32x4.add(f32x4.mul(f32x4.splat(1.9875691500e-4), r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** x Phi(x) = x (1 + erf(x / sqrt 2)) / 2, absolute error below 1e-6. erf is the odd rational
 *  approximation of degree 13/8 on [-4, 4] that Eigen uses (MathFunctionsImpl.h); +-1 beyond. */
// @ts-ignore: decorator
@inline
export function gelu_f32x4(x: v128): v128 {
  let z = f32x4.mul(x, f32x4.splat(0.70710678));
  z = f32x4.pmax(f32x4.pmin(z, f32x4.splat(4.0)), f32x4.splat(-4.0));
  const z2 = f32x4.mul(z, z);
  let p = f32x4.add(
    f32x4.mul(z2, f32x4.splat(-2.72614225801306e-10)),
    f32x4.splat(2.77068142495902e-8),
  );
  p = f32x4.add(f32x4.mul(p, z2), f32x4.splat(-2.10102402082508e-6));
  p = f32x4.add(f32x4.mul(p, z2), f32x4.splat(-5.69250639462346e-5));
  p = f32x4.add(f32x4.mul(p, z2), f32x4.splat(-7.34990630326855e-4));
  p = f32x4.add(f32x4.mul(p, z2), f32x4.splat(-2.95459980854025e-3));
  p = f32x4.add(f32x4.mul(p, z2), f32x4.splat(-1.60960333262415e-2));
  let q = f32x4.add(
    f32x4.mul(z2, f32x4.splat(-1.45660718464996e-5)),
    f32x4.splat(-2.13374055278905e-4),
  );
  q = f32x4.add(f32x4.mul(q, z2), f32x4.splat(-1.68282697438203e-3));
  q = f32x4.add(f32x4.mul(q, z2), f32x4.splat(-7.37332916720468e-3));
  q = f32x4.add(f32x4.mul(q, z2), f32x4.splat(-1.42647390514189e-2));
  const erf = f32x4.div(f32x4.mul(p, z), q);
  const half = f32x4.mul(x, f32x4.splat(0.5));
  return f32x4.add(half, f32x4.mul(half, erf));
}
