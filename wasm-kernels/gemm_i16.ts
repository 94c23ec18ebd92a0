import {
  accumulate, load_half_bits, load_low_nibbles, load_scales, output_scale, PANEL_ROWS,
  scales_bytes, store_tile,
} from "./panel";

/** y = or += x W^T for many rows, with i16 on both sides: equal to gemv_q8 to the last bit, and the
 *  plain variant of gemm_q4.
 *    y        f32 [m, n], rows `stride` bytes apart
 *    q, d     from quantize_groups_i16, tiled
 *    offsets  from group_offsets_i32, tiled, added to the groups' sums, or 0 for none
 *    packed   panels, from pack_groups; `half`: their scales are f16; `quads` of k a group: 8, or 4
 *             (q6_k); `nibbles`: quants of 4 bits, less 8 where scales are f16
 *    scratch  18 k bytes
 *  Half a panel at a time is expanded to
 *    [groups] of { scales f32 [8 rows]; quants i16 [pairs of k, 8 rows, 2] }
 *  and stays in the caches while all tiles of 4 rows of x pass by it. */
export function gemm_i16(
  y: usize, stride: usize, q: usize, d: usize, offsets: usize, packed: usize, scratch: usize,
  m: i32, n: i32, k: i32, half: i32, nibbles: i32, quads: i32, add: i32,
): void {
  const row = <usize>k;
  const groups = row / (<usize>quads << 2);
  const panel = groups * (scales_bytes(half != 0) + (<usize>quads << (nibbles ? 5 : 6)));
  const scale = output_scale(half != 0);
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, packed += panel)
    for (let part: usize = 0; part < 2; part++) {
      const count = n - (<i32>part << 3);
      if (count <= 0) return;
      if (nibbles) expand_nibbles(scratch, packed, part, groups, half != 0);
      else expand_bytes(scratch, packed, part, groups, half != 0, quads);
      for (let r: i32 = 0; r < m; r += 4) {
        const at = <usize>r * row;
        const to = y + <usize>r * stride + (part << 5);
        const x = q + (at << 1), xd = d + (at >> 3), xo = offsets + (at >> 3);
        if (offsets)
          tile(to, stride, x, xd, xo, scratch, row, quads, m - r, count, add != 0, scale, true);
        else tile(to, stride, x, xd, 0, scratch, row, quads, m - r, count, add != 0, scale, false);
      }
    }
}

/** Rows 8 part .. 8 part + 7 of a panel of bytes, as gemm_i16 says. */
function expand_bytes(
  to: usize, w: usize, part: usize, groups: usize, half: bool, quads: i32,
): void {
  const bits = load_half_bits();
  for (; groups > 0; groups--) {
    v128.store(to, load_scales(w, part << 1, half, bits));
    v128.store(to, load_scales(w, (part << 1) + 1, half, bits), 16);
    to += 32;
    w += scales_bytes(half);
    for (const end = w + (<usize>quads << 6); w < end; w += 64, to += 64) {
      const u = v128.load(w + (part << 5)), v = v128.load(w + (part << 5), 16);
      put_pairs(to, i16x8.extend_low_i8x16_s(u), i16x8.extend_high_i8x16_s(u));
      put_pairs(to + 16, i16x8.extend_low_i8x16_s(v), i16x8.extend_high_i8x16_s(v));
    }
  }
}

/** The same of a panel of nibbles. */
function expand_nibbles(to: usize, w: usize, part: usize, groups: usize, half: bool): void {
  const low = load_low_nibbles(), bits = load_half_bits();
  const offset = i8x16.splat(half ? 8 : 0);
  for (; groups > 0; groups--) {
    v128.store(to, load_scales(w, part << 1, half, bits));
    v128.store(to, load_scales(w, (part << 1) + 1, half, bits), 16);
    to += 32;
    w += scales_bytes(half);
    for (const end = w + 256; w < end; w += 32, to += 64) {
      const both = v128.load(w + (part << 4));
      const u = i8x16.sub(v128.and(both, low), offset);
      const v = i8x16.sub(v128.and(i16x8.shr_u(both, 4), low), offset);
      put_pairs(to, i16x8.extend_low_i8x16_s(u), i16x8.extend_high_i8x16_s(u));
      put_pairs(to + 16, i16x8.extend_low_i8x16_s(v), i16x8.extend_high_i8x16_s(v));
    }
  }
}

/** Four rows' quads, two a vector, as the pair 0, 1 of each row at `to` and the pair 2, 3 at the
 *  next pair's place. */
// @ts-ignore: decorator
@inline
function put_pairs(to: usize, a: v128, b: v128): void {
  v128.store(
    to, i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
  );
  v128.store(
    to, i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31), 32,
  );
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(w, x));
}

/** 4 rows of x by 8 of W, of which `rows` and `count` are stored. 16 bytes bring a pair of k of all
 *  four rows; the loop over pairs keeps 8 sums in registers. */
// @ts-ignore: decorator
@inline
function tile(
  y: usize, stride: usize, q: usize, d: usize, offsets: usize, w: usize, k: usize, quads: i32,
  rows: i32, count: i32, add: bool, scale: f32, offset: bool,
): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  let z0 = f32x4.splat(0), z1 = f32x4.splat(0), z2 = f32x4.splat(0), z3 = f32x4.splat(0);
  const start = q;
  const step = <usize>quads << 5;
  for (const end = q + (k << 3); q < end; ) {
    const group = ((q - start) >> 8) << 4;
    const xd = d + group;
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    if (offset) {
      a0 = b0 = v128.load32_splat(offsets + group);
      a1 = b1 = v128.load32_splat(offsets + group, 4);
      a2 = b2 = v128.load32_splat(offsets + group, 8);
      a3 = b3 = v128.load32_splat(offsets + group, 12);
    }
    const scales = w;
    w += 32;
    for (const last = q + step; q < last; q += 16, w += 32) {
      const u = v128.load(w), v = v128.load(w, 16);
      const x4 = v128.load(q);
      let x = i8x16.shuffle(x4, x4, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
      a0 = dot(a0, x, u), b0 = dot(b0, x, v);
      x = i8x16.shuffle(x4, x4, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
      a1 = dot(a1, x, u), b1 = dot(b1, x, v);
      x = i8x16.shuffle(x4, x4, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
      a2 = dot(a2, x, u), b2 = dot(b2, x, v);
      x = i8x16.shuffle(x4, x4, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
      a3 = dot(a3, x, u), b3 = dot(b3, x, v);
    }
    const u = v128.load(scales), v = v128.load(scales, 16);
    let x = v128.load32_splat(xd);
    y0 = accumulate(y0, a0, f32x4.mul(u, x)), z0 = accumulate(z0, b0, f32x4.mul(v, x));
    x = v128.load32_splat(xd, 4);
    y1 = accumulate(y1, a1, f32x4.mul(u, x)), z1 = accumulate(z1, b1, f32x4.mul(v, x));
    x = v128.load32_splat(xd, 8);
    y2 = accumulate(y2, a2, f32x4.mul(u, x)), z2 = accumulate(z2, b2, f32x4.mul(v, x));
    x = v128.load32_splat(xd, 12);
    y3 = accumulate(y3, a3, f32x4.mul(u, x)), z3 = accumulate(z3, b3, f32x4.mul(v, x));
  }
  store_tile(y, stride, y0, y1, y2, y3, scale, rows, count, add);
  store_tile(y + 16, stride, z0, z1, z2, z3, scale, rows, count - 4, add);
}
