import { load_lanes, store_f32_lanes as put } from "./gemm_i8";
import { panel_bytes } from "./pack_i8";

/** y = (d u + lo) W^T wd + bias over expanded columns, then GELU when `gelu` is not 0.
 *    y       f32 [m, n]           q  u8 [m, kx] in 0..127, d f32 [2, m], from quantize_rows_a7
 *    packed  i8 panels of W [n, k] with `extra` columns, through widen_i8
 *    wd, bias  f32 [n]
 *  i16x8.relaxed_dot_i8x16_i7x16_s makes 16 products and adds them in pairs: at most 2 * 127^2 <
 *  2^15, so that every implementation agrees. Two of its results are added in 16 bits, where
 *  widen_i8 found that this cannot overflow, before i32x4.dot_i16x8_s with ones widens them: 5
 *  instructions for 32 products, against 8 in gemm_i8. A marked block widens each on its own. i32
 *  holds the sum up to kx = 65,528, where the marks end. The integers are exact, so the result
 *  depends on no choice that the machine has, but for the last bits of GELU.
 *
 *  One tile is 4 rows by two panels: 8 accumulators, 4 registers for weights, 2 for activations.
 *  Rows past m repeat row m - 1 and write the same result to it again. */

const ROWS: i32 = 4;
/** Rows of q that stay in the L1 cache beside two panels and the rows of y. */
const BLOCK_BYTES: i32 = 12288;
/** From memory: a splat constant would be made anew in every round of the loop. */
const ONES = memory.data<u16>([1, 1, 1, 1, 1, 1, 1, 1]);

// @ts-ignore: decorator
@inline
function pairs(w: v128, a: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(w, a);
}

// @ts-ignore: decorator
@inline
function chain(sum: v128, w: v128, v: v128, a: v128, b: v128, ones: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.add(pairs(w, a), pairs(v, b)), ones));
}

// @ts-ignore: decorator
@inline
function alone(sum: v128, w: v128, a: v128, ones: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(pairs(w, a), ones));
}

/** y[0..4) of one row: sums d wd + (lo wd) (sum of w) + bias. */
// @ts-ignore: decorator
@inline
function store4(
  y: usize, sums: v128, d: usize, offset: usize, wide: v128, wd: v128, bias: v128,
  gelu: i32, count: i32,
): void {
  const scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), v128.load32_splat(d));
  const shifted = f32x4.add(scaled, f32x4.mul(wide, v128.load32_splat(offset)));
  put(y, f32x4.add(f32x4.mul(shifted, wd), bias), gelu, count);
}

/** Tile of 4 rows by panels pa and pb; row i > last repeats row last. */
function tile(
  y: usize, stride: usize, q: usize, row: usize, d: usize, offsets: usize, pa: usize, pb: usize,
  wd: usize, bias: usize, last: i32, count: i32, gelu: i32,
): void {
  const r1 = <usize>min(1, last);
  const r2 = <usize>min(2, last);
  const r3 = <usize>min(3, last);
  const q1 = q + r1 * row;
  const q2 = q + r2 * row;
  const q3 = q + r3 * row;
  let a0 = i32x4.splat(0), b0 = i32x4.splat(0);
  let a1 = i32x4.splat(0), b1 = i32x4.splat(0);
  let a2 = i32x4.splat(0), b2 = i32x4.splat(0);
  let a3 = i32x4.splat(0), b3 = i32x4.splat(0);
  const ones = v128.load(ONES);
  let va = pa + 32, vb = pb + 32;
  let ma = va + (row << 2), mb = vb + (row << 2);
  for (let j: usize = 0; ; j += 8, va += 32, vb += 32) {
    const na = <usize>load<u16>(ma), nb = <usize>load<u16>(mb);
    const end = min(min(na, nb), row);
    for (; j < end; j += 8, va += 32, vb += 32) {
      const wa = v128.load(va), wb = v128.load(vb);
      const za = v128.load(va, 16), zb = v128.load(vb, 16);
      let x = v128.load32_splat(q + j), z = v128.load32_splat(q + j, 4);
      a0 = chain(a0, wa, za, x, z, ones), b0 = chain(b0, wb, zb, x, z, ones);
      x = v128.load32_splat(q1 + j), z = v128.load32_splat(q1 + j, 4);
      a1 = chain(a1, wa, za, x, z, ones), b1 = chain(b1, wb, zb, x, z, ones);
      x = v128.load32_splat(q2 + j), z = v128.load32_splat(q2 + j, 4);
      a2 = chain(a2, wa, za, x, z, ones), b2 = chain(b2, wb, zb, x, z, ones);
      x = v128.load32_splat(q3 + j), z = v128.load32_splat(q3 + j, 4);
      a3 = chain(a3, wa, za, x, z, ones), b3 = chain(b3, wb, zb, x, z, ones);
    }
    if (end == row) break;
    for (let half: usize = 0; half < 8; half += 4) {
      const wa = v128.load(va + (half << 2)), wb = v128.load(vb + (half << 2));
      let x = v128.load32_splat(q + j + half);
      a0 = alone(a0, wa, x, ones), b0 = alone(b0, wb, x, ones);
      x = v128.load32_splat(q1 + j + half);
      a1 = alone(a1, wa, x, ones), b1 = alone(b1, wb, x, ones);
      x = v128.load32_splat(q2 + j + half);
      a2 = alone(a2, wa, x, ones), b2 = alone(b2, wb, x, ones);
      x = v128.load32_splat(q3 + j + half);
      a3 = alone(a3, wa, x, ones), b3 = alone(b3, wb, x, ones);
    }
    if (na == end) ma += 2;
    if (nb == end) mb += 2;
  }
  for (let p = pa; count > 0; count -= 4, p = pb, y += 16, wd += 16, bias += 16) {
    const wide = f32x4.convert_i32x4_s(v128.load(p, 16));
    const wd4 = load_lanes(wd, count);
    const bias4 = load_lanes(bias, count);
    const o1 = r1 << 2, o2 = r2 << 2, o3 = r3 << 2;
    store4(y, a0, d, offsets, wide, wd4, bias4, gelu, count);
    store4(y + r1 * stride, a1, d + o1, offsets + o1, wide, wd4, bias4, gelu, count);
    store4(y + r2 * stride, a2, d + o2, offsets + o2, wide, wd4, bias4, gelu, count);
    store4(y + r3 * stride, a3, d + o3, offsets + o3, wide, wd4, bias4, gelu, count);
    if (count <= 4 || p == pb) return;
    a0 = b0;
    a1 = b1;
    a2 = b2;
    a3 = b3;
  }
}

export function gemm_i8_a7(
  y: usize, q: usize, d: usize, packed: usize, wd: usize, bias: usize,
  m: i32, n: i32, k: i32, extra: i32, gelu: i32,
): void {
  const kx = (k + extra + 15) & ~15;
  const row = <usize>kx;
  const panel = panel_bytes(k, extra);
  const stride = (<usize>n) << 2;
  const offsets = d + ((<usize>m) << 2);
  const block = max(ROWS, (BLOCK_BYTES / kx / ROWS) * ROWS);
  for (let m0: i32 = 0; m0 < m; m0 += block) {
    const m1 = min(m, m0 + block);
    let pa = packed;
    for (let c: i32 = 0; c < n; c += 8, pa += panel << 1) {
      // An odd last panel meets itself; what it computes twice is stored once.
      const pb = c + 4 < n ? pa + panel : pa;
      const col = (<usize>c) << 2;
      for (let r: i32 = m0; r < m1; r += ROWS) {
        const at = <usize>r;
        const to = y + col + at * stride;
        tile(
          to, stride, q + at * row, row, d + (at << 2), offsets + (at << 2), pa, pb,
          wd + col, bias + col, m - 1 - r, n - c, gelu,
        );
      }
    }
  }
}
