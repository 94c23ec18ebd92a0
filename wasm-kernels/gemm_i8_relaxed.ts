import { load_lanes, store_lanes as put } from "./gemm_i8";
import { panel_bytes } from "./pack_i8";

/** As gemm_i8, equal to it to the last bit, with the activations as two 7-bit digits.
 *    y       f32 [m, n]                q   u8 [m, 2, kp], d f32 [m], from quantize_rows_u7
 *    packed  i8 panels of W [n, k], from pack_i8            wd, bias  f32 [n]
 *  Where the processor has AVX-VNNI, V8 makes relaxed_dot_i8x16_i7x16_add one vpdpbusd: 16 products
 *  and their sum, against 8 products in two instructions for dot_i16x8 and add. Two digits need two
 *  of them, which leaves half the instructions of gemm_i8. Elsewhere it is three instructions and
 *  loses; the binding asks relaxed_probe which it is.
 *
 *  q + 8192 = 128 high + low, so  sum w q = 128 sum w high + sum w low - 8192 sum w. The panel
 *  brings the last sum. A first pass over k takes the high digits; its sums are shifted left by 7;
 *  a second pass adds the low digits to them. i32 may wrap on the way, and since the true result
 *  fits in i32 (see gemm_i8), it ends up exact: wrapping addition is associative.
 *  The i7 operand lies in 0..127 and |w| <= 127, so pairs sum to at most 2 * 127^2 < 2^15: no
 *  implementation the relaxed instruction may choose saturates, and all of them agree.
 *
 *  One tile is 6 rows by two panels: 12 accumulators hide the instruction's latency of 5 cycles,
 *  which the 8 of a 4 x 8 tile do not, and leave 2 registers for weights and 1 for activations.
 *  Rows past m repeat row m - 1 and write the same result to it again. */

const ROWS: i32 = 6;
/** Rows of q that stay in the L1 cache while the panels stream by. */
const BLOCK_BYTES: i32 = 24576;

// @ts-ignore: decorator
@inline
function dot(sum: v128, a: v128, w: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, a, sum);
}

/** Tile of 6 rows by panels pa and pb; row i > last repeats row last. */
function tile(
  y: usize, stride: usize, q: usize, row: usize, d: usize, pa: usize, pb: usize,
  wd: usize, bias: usize, last: i32, count: i32, gelu: i32,
): void {
  const r1 = <usize>min(1, last);
  const r2 = <usize>min(2, last);
  const r3 = <usize>min(3, last);
  const r4 = <usize>min(4, last);
  const r5 = <usize>min(5, last);
  const q1 = q + r1 * row;
  const q2 = q + r2 * row;
  const q3 = q + r3 * row;
  const q4 = q + r4 * row;
  const q5 = q + r5 * row;
  let a0 = i32x4.splat(0), b0 = i32x4.splat(0);
  let a1 = i32x4.splat(0), b1 = i32x4.splat(0);
  let a2 = i32x4.splat(0), b2 = i32x4.splat(0);
  let a3 = i32x4.splat(0), b3 = i32x4.splat(0);
  let a4 = i32x4.splat(0), b4 = i32x4.splat(0);
  let a5 = i32x4.splat(0), b5 = i32x4.splat(0);
  let j: usize = 0;
  for (let end = row >> 1; end <= row; end += row >> 1) {
    a0 = i32x4.shl(a0, 7), b0 = i32x4.shl(b0, 7);
    a1 = i32x4.shl(a1, 7), b1 = i32x4.shl(b1, 7);
    a2 = i32x4.shl(a2, 7), b2 = i32x4.shl(b2, 7);
    a3 = i32x4.shl(a3, 7), b3 = i32x4.shl(b3, 7);
    a4 = i32x4.shl(a4, 7), b4 = i32x4.shl(b4, 7);
    a5 = i32x4.shl(a5, 7), b5 = i32x4.shl(b5, 7);
    for (let va = pa + 32, vb = pb + 32; j < end; j += 4, va += 16, vb += 16) {
      const wa = v128.load(va);
      const wb = v128.load(vb);
      let x = v128.load32_splat(q + j);
      a0 = dot(a0, x, wa), b0 = dot(b0, x, wb);
      x = v128.load32_splat(q1 + j);
      a1 = dot(a1, x, wa), b1 = dot(b1, x, wb);
      x = v128.load32_splat(q2 + j);
      a2 = dot(a2, x, wa), b2 = dot(b2, x, wb);
      x = v128.load32_splat(q3 + j);
      a3 = dot(a3, x, wa), b3 = dot(b3, x, wb);
      x = v128.load32_splat(q4 + j);
      a4 = dot(a4, x, wa), b4 = dot(b4, x, wb);
      x = v128.load32_splat(q5 + j);
      a5 = dot(a5, x, wa), b5 = dot(b5, x, wb);
    }
  }
  for (let p = pa; count > 0; count -= 4, p = pb, y += 16, wd += 16, bias += 16) {
    const shift = i32x4.shl(v128.load(p), 13);
    const wd4 = load_lanes(wd, count);
    const bias4 = load_lanes(bias, count);
    put(y, i32x4.sub(a0, shift), d, wd4, bias4, gelu, count);
    put(y + r1 * stride, i32x4.sub(a1, shift), d + (r1 << 2), wd4, bias4, gelu, count);
    put(y + r2 * stride, i32x4.sub(a2, shift), d + (r2 << 2), wd4, bias4, gelu, count);
    put(y + r3 * stride, i32x4.sub(a3, shift), d + (r3 << 2), wd4, bias4, gelu, count);
    put(y + r4 * stride, i32x4.sub(a4, shift), d + (r4 << 2), wd4, bias4, gelu, count);
    put(y + r5 * stride, i32x4.sub(a5, shift), d + (r5 << 2), wd4, bias4, gelu, count);
    if (count <= 4 || p == pb) return;
    a0 = b0;
    a1 = b1;
    a2 = b2;
    a3 = b3;
    a4 = b4;
    a5 = b5;
  }
}

export function gemm_i8_relaxed(
  y: usize, q: usize, d: usize, packed: usize, wd: usize, bias: usize,
  m: i32, n: i32, k: i32, extra: i32, gelu: i32,
): void {
  const kp = (k + 15) & ~15;
  const row = (<usize>kp) << 1;
  const panel = panel_bytes(k, extra);
  const stride = (<usize>n) << 2;
  const block = max(ROWS, (BLOCK_BYTES / <i32>row / ROWS) * ROWS);
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
          to, stride, q + at * row, row, d + (at << 2), pa, pb,
          wd + col, bias + col, m - 1 - r, n - c, gelu,
        );
      }
    }
  }
}
