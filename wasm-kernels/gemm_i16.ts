import {
  accumulate, add_pairs, load_half_bits, load_low_nibbles, load_scales, output_scale, PANEL_ROWS,
  scales_bytes, store_tile,
} from "./panel";

/** y = or += x W^T for many rows, with i16 on both sides: equal to gemv_q8 to the last bit, and the
 *  plain variant of gemm_q4.
 *    y        f32 [m, n], rows `stride` bytes apart
 *    q, d     from quantize_groups_i16, tiled
 *    packed   panels, from pack_groups; `half`: their scales are f16; `quads` of k a group: 8, or 4
 *             (q6_k); `nibbles`: quants of 4 bits, less 8 where scales are f16
 *    scratch  9 k bytes
 *  A quarter of a panel at a time is expanded to
 *    [groups] of { scales f32 [4 rows]; quants i16 [quads, 4 rows, 4] }
 *  and stays in the L1 cache while all tiles of 4 rows of x pass by it. */
export function gemm_i16(
  y: usize, stride: usize, q: usize, d: usize, packed: usize, scratch: usize,
  m: i32, n: i32, k: i32, half: i32, nibbles: i32, quads: i32, add: i32,
): void {
  const row = <usize>k;
  const groups = row / (<usize>quads << 2);
  const panel = groups * (scales_bytes(half != 0) + (<usize>quads << (nibbles ? 5 : 6)));
  const scale = output_scale(half != 0);
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, packed += panel)
    for (let part: i32 = 0; part < 4; part++) {
      const count = n - (part << 2);
      if (count <= 0) return;
      if (nibbles) expand_nibbles(scratch, packed, part, groups, half != 0);
      else expand_bytes(scratch, packed, part, groups, half != 0, quads);
      for (let r: i32 = 0; r < m; r += 4) {
        const at = <usize>r * row;
        const to = y + <usize>r * stride + (<usize>part << 4);
        const x = q + (at << 1), xd = d + (at >> 3);
        tile(to, stride, x, xd, scratch, row, quads, m - r, count, add != 0, scale);
      }
    }
}

/** Rows 4 part .. 4 part + 3 of a panel of bytes, as gemm_i16 says. */
function expand_bytes(
  to: usize, w: usize, part: usize, groups: usize, half: bool, quads: i32,
): void {
  const bits = load_half_bits();
  for (; groups > 0; groups--) {
    v128.store(to, load_scales(w, part, half, bits));
    to += 16;
    w += scales_bytes(half);
    for (const end = w + (<usize>quads << 6); w < end; w += 64, to += 32) {
      const v = v128.load(w + (part << 4));
      v128.store(to, i16x8.extend_low_i8x16_s(v));
      v128.store(to, i16x8.extend_high_i8x16_s(v), 16);
    }
  }
}

/** The same of a panel of nibbles. */
function expand_nibbles(to: usize, w: usize, part: usize, groups: usize, half: bool): void {
  const low = load_low_nibbles(), bits = load_half_bits();
  const offset = i16x8.splat(half ? 8 : 0);
  for (; groups > 0; groups--) {
    v128.store(to, load_scales(w, part, half, bits));
    to += 16;
    w += scales_bytes(half);
    for (const end = w + 256; w < end; w += 32, to += 32) {
      const pair = v128.load(w + ((part >> 1) << 4));
      const v = v128.and(i16x8.shr_u(pair, <i32>(part & 1) << 2), low);
      v128.store(to, i16x8.sub(i16x8.extend_low_i8x16_u(v), offset));
      v128.store(to, i16x8.sub(i16x8.extend_high_i8x16_u(v), offset), 16);
    }
  }
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(w, x));
}

/** 4 rows of x by 4 of W, of which `rows` and `count` are stored: two partial sums of each pair. */
// @ts-ignore: decorator
@inline
function tile(
  y: usize, stride: usize, q: usize, d: usize, w: usize, k: usize, quads: i32,
  rows: i32, count: i32, add: bool, scale: f32,
): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  const start = q;
  const step = <usize>quads << 5;
  for (const end = q + (k << 3); q < end; ) {
    const xd = d + (((q - start) >> 8) << 4);
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    const scales = w;
    w += 16;
    for (const last = q + step; q < last; q += 32, w += 32) {
      const u = v128.load(w), v = v128.load(w, 16);
      let x2 = v128.load(q);
      let x = i8x16.shuffle(x2, x2, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
      a0 = dot(a0, x, u), b0 = dot(b0, x, v);
      x = i8x16.shuffle(x2, x2, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
      a1 = dot(a1, x, u), b1 = dot(b1, x, v);
      x2 = v128.load(q, 16);
      x = i8x16.shuffle(x2, x2, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
      a2 = dot(a2, x, u), b2 = dot(b2, x, v);
      x = i8x16.shuffle(x2, x2, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
      a3 = dot(a3, x, u), b3 = dot(b3, x, v);
    }
    const wd = v128.load(scales);
    y0 = accumulate(y0, add_pairs(a0, b0), f32x4.mul(wd, v128.load32_splat(xd)));
    y1 = accumulate(y1, add_pairs(a1, b1), f32x4.mul(wd, v128.load32_splat(xd, 4)));
    y2 = accumulate(y2, add_pairs(a2, b2), f32x4.mul(wd, v128.load32_splat(xd, 8)));
    y3 = accumulate(y3, add_pairs(a3, b3), f32x4.mul(wd, v128.load32_splat(xd, 12)));
  }
  store_tile(y, stride, y0, y1, y2, y3, scale, rows, count, add);
}
