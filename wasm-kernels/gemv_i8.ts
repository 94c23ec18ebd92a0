import { load_lanes, store_lanes } from "./gemm_i8";
import { panel_bytes } from "./pack_i8";

/** gemm_i8 for one row (m = 1), equal to it to the last bit: y = (q d) (W wd)^T + bias, then GELU.
 *    y  f32 [n]    q  i16 [kp], d f32 [1]    packed, wd, bias  as gemm_i8 has them
 *  A row meets every weight once, so that memory decides: weights are read 16 bytes at a time from
 *  two panels, each a sequential stream, and widened in registers. Two sums a panel keep
 *  dependent additions apart. */

// @ts-ignore: decorator
@inline
function dot_low(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, i16x8.extend_low_i8x16_s(w)));
}

// @ts-ignore: decorator
@inline
function dot_high(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, i16x8.extend_high_i8x16_s(w)));
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

export function gemv_i8(
  y: usize, q: usize, d: usize, packed: usize, wd: usize, bias: usize,
  n: i32, k: i32, extra: i32, gelu: i32,
): void {
  const row = (<usize>((k + 15) & ~15)) << 1;
  const panel = panel_bytes(k, extra);
  for (let c: i32 = 0; c < n; c += 8, packed += panel << 1, y += 32, wd += 32, bias += 32) {
    let w = packed + 32;
    let v = c + 4 < n ? w + panel : w; // an odd last panel meets itself
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
    let e0 = i32x4.splat(0), e1 = i32x4.splat(0), f0 = i32x4.splat(0), f1 = i32x4.splat(0);
    for (let j: usize = 0; j < row; j += 16, w += 32, v += 32) {
      const x = v128.load64_splat(q + j), z = v128.load64_splat(q + j, 8);
      let t = v128.load(w);
      a0 = dot_low(a0, x, t), a1 = dot_high(a1, x, t);
      t = v128.load(w, 16);
      e0 = dot_low(e0, z, t), e1 = dot_high(e1, z, t);
      t = v128.load(v);
      b0 = dot_low(b0, x, t), b1 = dot_high(b1, x, t);
      t = v128.load(v, 16);
      f0 = dot_low(f0, z, t), f1 = dot_high(f1, z, t);
    }
    let sums = add_pairs(i32x4.add(a0, e0), i32x4.add(a1, e1));
    store_lanes(y, sums, d, load_lanes(wd, n - c), load_lanes(bias, n - c), gelu, n - c);
    if (c + 4 >= n) return;
    const left = n - c - 4;
    sums = add_pairs(i32x4.add(b0, f0), i32x4.add(b1, f1));
    store_lanes(
      y + 16, sums, d, load_lanes(wd + 16, left), load_lanes(bias + 16, left), gelu, left,
    );
  }
}
