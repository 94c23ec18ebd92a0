import { max_f32x4, min_f32x4, sum_f32x4 } from "./vector_math";

/** Rows to unsigned 7-bit integers with a scale and an offset a row, for gemm_i8_a7.
 *    q       u8 [m, kx]   columns [0, k), then the extra ones, the rest zero; kx % 16 == 0
 *    d       f32 [2, m]   the rows' scales, then their offsets
 *    x       f32 [m, k]
 *    split   f32 inverses [k], f32 copies [k], i32 sources [extra], i32 parts [extra]
 *  Column j stands for copies[j] = c_j columns (inverses[j] = 1 / c_j), so that it may be c_j times
 *  as large as others and still be rounded in the same steps: outlier channel splitting (Zhao et
 *  al., ICML 2019), here of activations. Its value is u_j = round((x_j - c_j lo) / d), in
 *  0..127 c_j; of that, column j takes the first 127, extra column e, with sources[e] = j and
 *  parts[e] = p, the 127 that follow 127 p. A source of -1 comes with a part that no value reaches,
 *  which makes the column zero. Then x_j = d (sum of its u) + lo (number of them), off
 *  by d / 2 at most, where
 *    lo = min x_j / c_j,  hi = max x_j / c_j,  d = (hi - lo) / 127.
 *  A row with a NaN or infinity becomes zeros with d = lo = NaN. */

const ROUND: f32 = 12582912.0; // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
const BITS: i32 = 0x4b400000; // its bits
/** From memory: V8 makes a splat constant anew wherever it is used. */
const ROUND4 = memory.data<f32>([ROUND, ROUND, ROUND, ROUND], 16);
const BITS4 = memory.data<i32>([BITS, BITS, BITS, BITS], 16);

// @ts-ignore: decorator
@inline
function round4(x: usize, copies: usize, inverse: v128, shift: v128): v128 {
  const t = f32x4.add(
    f32x4.mul(v128.load(x), inverse),
    f32x4.mul(v128.load(copies), shift),
  );
  return i32x4.sub(f32x4.add(t, v128.load(ROUND4)), v128.load(BITS4));
}

// @ts-ignore: decorator
@inline
function round1(x: usize, copies: usize, inverse: f32, shift: f32): i32 {
  return reinterpret<i32>(load<f32>(x) * inverse + load<f32>(copies) * shift + ROUND) - BITS;
}

// @ts-ignore: decorator
@inline
function clamp7(u: i32): i32 {
  return min(max(u, 0), 127);
}

/** One row, given 1 / d and -lo / d. */
function quantize_row(
  q: usize, x: usize, split: usize, inverse: f32, shift: f32, k: i32, extra: i32,
): void {
  const bytes = (<usize>k) << 2;
  const copies = split + bytes;
  const sources = copies + bytes;
  const parts = sources + ((<usize>extra) << 2);
  const inverse4 = f32x4.splat(inverse);
  const shift4 = f32x4.splat(shift);
  const most = i8x16.splat(127);
  let j: usize = 0;
  for (; j + 16 <= <usize>k; j += 16) {
    const at = x + (j << 2);
    const c = copies + (j << 2);
    const a = i16x8.narrow_i32x4_s(
      round4(at, c, inverse4, shift4), round4(at + 16, c + 16, inverse4, shift4),
    );
    const b = i16x8.narrow_i32x4_s(
      round4(at + 32, c + 32, inverse4, shift4), round4(at + 48, c + 48, inverse4, shift4),
    );
    v128.store(q + j, i8x16.min_u(i8x16.narrow_i16x8_u(a, b), most));
  }
  for (; j < <usize>k; j++) {
    const at = j << 2;
    store<u8>(q + j, <u8>clamp7(round1(x + at, copies + at, inverse, shift)));
  }
  for (let e: usize = 0; e < (<usize>extra) << 2; e += 4, j++) {
    const at = (<usize>max(load<i32>(sources + e), 0)) << 2;
    const u = round1(x + at, copies + at, inverse, shift) - 127 * load<i32>(parts + e);
    store<u8>(q + j, <u8>clamp7(u));
  }
}

export function quantize_rows_a7(
  q: usize, d: usize, x: usize, split: usize, m: i32, k: i32, extra: i32,
): void {
  const kx = (k + extra + 15) & ~15;
  const bytes = (<usize>k) << 2;
  const offsets = d + ((<usize>m) << 2);
  for (let r: i32 = 0; r < m; r++, q += <usize>kx, x += bytes) {
    const first = f32x4.mul(v128.load32_splat(x), v128.load32_splat(split));
    // Two chains of each, since one would wait for itself.
    let lo4 = first, hi4 = first, lo_odd = first, hi_odd = first;
    let bad4 = f32x4.splat(0), bad_odd = f32x4.splat(0); // NaN by 0 * NaN and 0 * infinity
    let at: usize = 0;
    for (; at + 32 <= bytes; at += 32) {
      const v = f32x4.mul(v128.load(x + at), v128.load(split + at));
      const w = f32x4.mul(v128.load(x + at, 16), v128.load(split + at, 16));
      lo4 = f32x4.pmin(lo4, v), lo_odd = f32x4.pmin(lo_odd, w);
      hi4 = f32x4.pmax(hi4, v), hi_odd = f32x4.pmax(hi_odd, w);
      bad4 = f32x4.relaxed_madd(v, f32x4.splat(0), bad4);
      bad_odd = f32x4.relaxed_madd(w, f32x4.splat(0), bad_odd);
    }
    for (; at < bytes; at += 4) {
      const v = f32x4.mul(v128.load32_splat(x + at), v128.load32_splat(split + at));
      lo4 = f32x4.pmin(lo4, v);
      hi4 = f32x4.pmax(hi4, v);
      bad4 = f32x4.relaxed_madd(v, f32x4.splat(0), bad4);
    }
    const lo = min_f32x4(f32x4.pmin(lo4, lo_odd));
    const hi = max_f32x4(f32x4.pmax(hi4, hi_odd));
    const bad = sum_f32x4(f32x4.add(bad4, bad_odd));
    const step = hi / 127 - lo / 127; // each divided first, so that nothing overflows
    const row = <usize>r << 2;
    if (bad != bad || step < 1e-30) {
      memory.fill(q, 0, kx);
      store<f32>(d + row, bad);
      store<f32>(offsets + row, bad != bad ? bad : lo);
      continue;
    }
    store<f32>(d + row, step);
    store<f32>(offsets + row, lo);
    for (let tail = k + extra; tail < kx; tail++) store<u8>(q + <usize>tail, 0);
    quantize_row(q, x, split, <f32>1 / step, -lo / step, k, extra);
  }
}
