import { dot_quad, total_of } from "./gemv_q4";
import {
  accumulate, load_half_bits, load_low_nibbles, load_ones, load_scales, output_scale, PANEL_ROWS,
  scales_bytes, store_tile,
} from "./panel";

/** gemv_q4 for many rows: equal to it, and among its variants, to the last bit.
 *    q, d, zeros  from quantize_groups_i8, tiled; the other arguments as gemv_q4's
 *    scratch      9 k bytes
 *  For more than 8 rows, half a panel at a time is expanded, nibbles to bytes and scales to f32, to
 *    [k / 32] of { scales f32 [8 rows]; quants u8 [8 quads, 8 rows, 4] }
 *  and stays in the caches while all tiles of 4 rows of x pass by it. */
export function gemm_q4_relaxed_i16(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, packed: usize, scratch: usize,
  m: i32, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemm(y, stride, q, d, zeros, packed, scratch, m, n, k, add != 0, true, true);
  else gemm(y, stride, q, d, zeros, packed, scratch, m, n, k, add != 0, false, true);
}

export function gemm_q4_relaxed_i32(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, packed: usize, scratch: usize,
  m: i32, n: i32, k: i32, half: i32, add: i32,
): void {
  if (half) gemm(y, stride, q, d, zeros, packed, scratch, m, n, k, add != 0, true, false);
  else gemm(y, stride, q, d, zeros, packed, scratch, m, n, k, add != 0, false, false);
}

/** Rows of x up to which unpacking weights for each tile is faster than expanding them first. */
const DIRECT_ROWS_MAX: i32 = 8;

// @ts-ignore: decorator
@inline
function gemm(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, w: usize, scratch: usize,
  m: i32, n: i32, k: i32, add: bool, half: bool, in_i16: bool,
): void {
  const row = <usize>k;
  const panel = (row >> 5) * (scales_bytes(half) + 256);
  const direct = m <= DIRECT_ROWS_MAX;
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, w += panel)
    for (let part: usize = 0; part < 2; part++) {
      const count = n - (<i32>part << 3);
      if (count <= 0) return;
      if (!direct) expand(scratch, w, part, row >> 5, half);
      for (let r: i32 = 0; r < m; r += 4) {
        const at = <usize>r * row;
        const to = y + <usize>r * stride + (part << 5);
        const x = q + at, xd = d + (at >> 3), offsets = zeros + (at >> 3);
        if (direct)
          tile(to, stride, x, xd, offsets, w, part, row, m - r, count, add, half, in_i16, true);
        else
          tile(to, stride, x, xd, offsets, scratch, 0, row, m - r, count, add, half, in_i16, false);
      }
    }
}

/** Rows 8 part .. 8 part + 7 of a panel, as gemm_q4 says. */
function expand(to: usize, w: usize, part: usize, groups: usize, half: bool): void {
  const low = load_low_nibbles(), bits = load_half_bits();
  for (; groups > 0; groups--) {
    v128.store(to, load_scales(w, part << 1, half, bits));
    v128.store(to, load_scales(w, (part << 1) + 1, half, bits), 16);
    to += 32;
    w += scales_bytes(half);
    for (const end = w + 256; w < end; w += 32, to += 32) {
      const v = v128.load(w + (part << 4));
      v128.store(to, v128.and(v, low));
      v128.store(to, v128.and(i16x8.shr_u(v, 4), low), 16);
    }
  }
}

/** 4 rows of x by 8 of W, of which `rows` and `count` are stored: half a panel if `direct`, else
 *  what expand left. 16 bytes bring a quad of all four rows; the loop over quads keeps 8 sums in
 *  registers. */
// @ts-ignore: decorator
@inline
function tile(
  y: usize, stride: usize, q: usize, d: usize, zeros: usize, w: usize, part: usize, k: usize,
  rows: i32, count: i32, add: bool, half: bool, in_i16: bool, direct: bool,
): void {
  const ones = load_ones(), low = load_low_nibbles(), bits = load_half_bits();
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  let z0 = f32x4.splat(0), z1 = f32x4.splat(0), z2 = f32x4.splat(0), z3 = f32x4.splat(0);
  for (const end = q + (k << 2); q < end; d += 16, zeros += 16) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    const scales = w;
    w += direct ? scales_bytes(half) : 32;
    for (const last = q + 128; q < last; q += 16, w += 32) {
      let u = v128.load(w + (part << 4)), v: v128;
      if (direct) {
        v = v128.and(i16x8.shr_u(u, 4), low);
        u = v128.and(u, low);
      } else v = v128.load(w, 16);
      const x4 = v128.load(q);
      let x = i8x16.shuffle(x4, x4, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
      a0 = dot_quad(a0, x, u, in_i16), b0 = dot_quad(b0, x, v, in_i16);
      x = i8x16.shuffle(x4, x4, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
      a1 = dot_quad(a1, x, u, in_i16), b1 = dot_quad(b1, x, v, in_i16);
      x = i8x16.shuffle(x4, x4, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
      a2 = dot_quad(a2, x, u, in_i16), b2 = dot_quad(b2, x, v, in_i16);
      x = i8x16.shuffle(x4, x4, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
      a3 = dot_quad(a3, x, u, in_i16), b3 = dot_quad(b3, x, v, in_i16);
    }
    const u = load_scales(scales, part << 1, direct && half, bits);
    const v = load_scales(scales, (part << 1) + 1, direct && half, bits);
    let x = v128.load32_splat(d), zero = v128.load32_splat(zeros);
    y0 = accumulate(y0, total_of(a0, zero, ones, in_i16), f32x4.mul(u, x));
    z0 = accumulate(z0, total_of(b0, zero, ones, in_i16), f32x4.mul(v, x));
    x = v128.load32_splat(d, 4), zero = v128.load32_splat(zeros, 4);
    y1 = accumulate(y1, total_of(a1, zero, ones, in_i16), f32x4.mul(u, x));
    z1 = accumulate(z1, total_of(b1, zero, ones, in_i16), f32x4.mul(v, x));
    x = v128.load32_splat(d, 8), zero = v128.load32_splat(zeros, 8);
    y2 = accumulate(y2, total_of(a2, zero, ones, in_i16), f32x4.mul(u, x));
    z2 = accumulate(z2, total_of(b2, zero, ones, in_i16), f32x4.mul(v, x));
    x = v128.load32_splat(d, 12), zero = v128.load32_splat(zeros, 12);
    y3 = accumulate(y3, total_of(a3, zero, ones, in_i16), f32x4.mul(u, x));
    z3 = accumulate(z3, total_of(b3, zero, ones, in_i16), f32x4.mul(v, x));
  }
  const scale = output_scale(half);
  store_tile(y, stride, y0, y1, y2, y3, scale, rows, count, add);
  store_tile(y + 16, stride, z0, z1, z2, z3, scale, rows, count - 4, add);
}
