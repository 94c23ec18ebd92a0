import { panel_bytes } from "./pack_i8";
import { gelu_f32x4 } from "./vector_math";

/** y = (q d) (W wd)^T + bias, then GELU when `gelu` is not 0.
 *    y       f32 [m, n]                q   i16 [m, kp], d f32 [m], from quantize_rows_i16
 *    packed  i8 panels of W [n, k], from pack_i8 with `extra` columns, which stay unread
 *    wd, bias  f32 [n]
 *  Exact in the integers: with |q| <= qmax and |w| <= 127 a sum of k products stays within i32 when
 *  qmax <= (2^31 - 1) / (127 k). The caller chooses qmax = min(8191, that), which is 8191 up to
 *  k = 2064: 14-bit activations, whose rounding (1 / 16382 of the row's largest) is small beside
 *  that of the weights (1 / 254). No cap lower than i16's would be needed here; 8191 is what
 *  gemm_i8_relaxed can take, and one cap for both makes the two agree to the last bit.
 *
 *  One tile is 5 rows of q by one panel of 4 rows of W. A 64-bit splat brings 4 consecutive q, an
 *  8-byte load 4 consecutive w of two rows of W; one dot then leaves two partial sums of each,
 *  which are added once at the end. That is 10 accumulators, 2 registers for weights, 1 for
 *  activations and 1 for the product, of the 15 that V8 has; a sixth row would spill. Rows past m
 *  repeat row m - 1 and write the same result to it again. */

/** Rows of q that stay in the L1 cache while the panels stream by: 24 KiB of them. */
const BLOCK_BYTES: i32 = 24576;
const ROWS: i32 = 5;

/** Lanes [0, count) from memory, zeros after: never reads past the end of a vector. */
// @ts-ignore: decorator
@inline
export function load_lanes(p: usize, count: i32): v128 {
  if (count >= 4) return v128.load(p);
  let v = f32x4.splat(0);
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(p, 8));
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(p, 4));
  return f32x4.replace_lane(v, 0, load<f32>(p));
}

/** Scales four sums, adds the bias, applies GELU and stores the first `count`. */
// @ts-ignore: decorator
@inline
export function store_lanes(
  y: usize, sums: v128, d: usize, wd: v128, bias: v128, gelu: i32, count: i32,
): void {
  const scale = f32x4.mul(v128.load32_splat(d), wd);
  const v = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(sums), scale), bias);
  store_f32_lanes(y, v, gelu, count);
}

/** Applies GELU and stores the first `count` lanes. */
// @ts-ignore: decorator
@inline
export function store_f32_lanes(y: usize, v: v128, gelu: i32, count: i32): void {
  if (gelu) v = gelu_f32x4(v);
  if (count >= 4) {
    v128.store(y, v);
    return;
  }
  store<f32>(y, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(y, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(y, f32x4.extract_lane(v, 2), 8);
}

/** (a0 + a1, a2 + a3, b0 + b1, b2 + b3) in i32. */
// @ts-ignore: decorator
@inline
function add_pairs(a: v128, b: v128): v128 {
  return i32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, a: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, w));
}

/** Tile of 5 rows by one panel; row i > last repeats row last. */
function tile(
  y: usize, stride: usize, q: usize, row: usize, d: usize, panel: usize,
  wd: v128, bias: v128, last: i32, count: i32, gelu: i32,
): void {
  const r1 = <usize>min(1, last);
  const r2 = <usize>min(2, last);
  const r3 = <usize>min(3, last);
  const r4 = <usize>min(4, last);
  const q1 = q + r1 * row;
  const q2 = q + r2 * row;
  const q3 = q + r3 * row;
  const q4 = q + r4 * row;
  let a0 = i32x4.splat(0), b0 = i32x4.splat(0);
  let a1 = i32x4.splat(0), b1 = i32x4.splat(0);
  let a2 = i32x4.splat(0), b2 = i32x4.splat(0);
  let a3 = i32x4.splat(0), b3 = i32x4.splat(0);
  let a4 = i32x4.splat(0), b4 = i32x4.splat(0);
  let w = panel + 32;
  for (let j: usize = 0; j < row; j += 8, w += 16) {
    const wa = v128.load8x8_s(w);
    const wb = v128.load8x8_s(w, 8);
    let x = v128.load64_splat(q + j);
    a0 = dot(a0, x, wa), b0 = dot(b0, x, wb);
    x = v128.load64_splat(q1 + j);
    a1 = dot(a1, x, wa), b1 = dot(b1, x, wb);
    x = v128.load64_splat(q2 + j);
    a2 = dot(a2, x, wa), b2 = dot(b2, x, wb);
    x = v128.load64_splat(q3 + j);
    a3 = dot(a3, x, wa), b3 = dot(b3, x, wb);
    x = v128.load64_splat(q4 + j);
    a4 = dot(a4, x, wa), b4 = dot(b4, x, wb);
  }
  store_lanes(y, add_pairs(a0, b0), d, wd, bias, gelu, count);
  store_lanes(y + r1 * stride, add_pairs(a1, b1), d + (r1 << 2), wd, bias, gelu, count);
  store_lanes(y + r2 * stride, add_pairs(a2, b2), d + (r2 << 2), wd, bias, gelu, count);
  store_lanes(y + r3 * stride, add_pairs(a3, b3), d + (r3 << 2), wd, bias, gelu, count);
  store_lanes(y + r4 * stride, add_pairs(a4, b4), d + (r4 << 2), wd, bias, gelu, count);
}

export function gemm_i8(
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
    let p = packed;
    for (let c: i32 = 0; c < n; c += 4, p += panel) {
      const count = min(4, n - c);
      const col = (<usize>c) << 2;
      const wd4 = load_lanes(wd + col, count);
      const bias4 = load_lanes(bias + col, count);
      for (let r: i32 = m0; r < m1; r += ROWS) {
        const at = <usize>r;
        const to = y + col + at * stride;
        tile(
          to, stride, q + at * row, row, d + (at << 2), p, wd4, bias4, m - 1 - r, count, gelu,
        );
      }
    }
  }
}
