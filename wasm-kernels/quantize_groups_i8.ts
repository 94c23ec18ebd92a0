import { round_i32x4 } from "./quantize_rows_i16";

/** x in groups of 32, each with a scale of its own (as ggml's q8_0): q = round(x / d), to even.
 *    q      i8 [m, k] in [-127, 127]        x  f32 [m, k], k % 32 == 0
 *    d      f32 [m, k/32]                   max |x| / 127, times 2^96 (see GROUP_SCALE)
 *    zeros  i32 [m, k/32]                   -8 times the group's sum of q: the zero point of q4_0
 *  With `tiled`, four rows are interleaved by quads of k, as the GEMMs read them, and rows past m
 *  are zeros:
 *    q      i8 [ceil(m / 4), k/4, 4 rows, 4]          d, zeros  [ceil(m / 4), k/32, 4 rows]
 *  The error of one value is at most d / 2 plus rounding of the product (2^-23 |q|). A group whose
 *  largest magnitude is below 2^-100 becomes zeros with d = 0; one with a NaN, an infinity or a
 *  magnitude of 2^37 or more gets d = NaN, which makes NaN of all the row's results. */
export function quantize_groups_i8(
  q: usize, d: usize, zeros: usize, x: usize, m: i32, k: i32, tiled: i32,
): void {
  const row = <usize>k;
  if (!tiled) {
    for (const end = q + <usize>m * row; q < end; q += 32, d += 4, zeros += 4, x += 128)
      quantize_group(q, d, zeros, x, false);
    return;
  }
  const to_zeros = zeros - d;
  for (let r: i32 = 0; r < m; r++) {
    const tile = <usize>(r & ~3) * row;
    const lane = <usize>(r & 3) << 2;
    if (lane == 0 && r + 4 > m) {
      memory.fill(q + tile, 0, row << 2);
      memory.fill(d + (tile >> 3), 0, row >> 1);
      memory.fill(zeros + (tile >> 3), 0, row >> 1);
    }
    let to = q + tile + lane;
    let scale = d + (tile >> 3) + lane;
    for (const end = to + (row << 2); to < end; to += 128, scale += 16, x += 128)
      quantize_group(to, scale, scale + to_zeros, x, true);
  }
}

/** One group; its quads lie 16 bytes apart if `tiled`. */
// @ts-ignore: decorator
@inline
function quantize_group(q: usize, d: usize, zeros: usize, x: usize, tiled: bool): void {
  const inverse = group_scale(d, group_max(x), 127);
  const a = i16x8.narrow_i32x4_s(round_i32x4(x, inverse), round_i32x4(x + 16, inverse));
  const b = i16x8.narrow_i32x4_s(round_i32x4(x + 32, inverse), round_i32x4(x + 48, inverse));
  const c = i16x8.narrow_i32x4_s(round_i32x4(x + 64, inverse), round_i32x4(x + 80, inverse));
  const e = i16x8.narrow_i32x4_s(round_i32x4(x + 96, inverse), round_i32x4(x + 112, inverse));
  const low = i8x16.narrow_i16x8_s(a, b);
  const high = i8x16.narrow_i16x8_s(c, e);
  if (tiled) {
    v128.store32_lane(q, low, 0);
    v128.store32_lane(q, low, 1, 16);
    v128.store32_lane(q, low, 2, 32);
    v128.store32_lane(q, low, 3, 48);
    v128.store32_lane(q, high, 0, 64);
    v128.store32_lane(q, high, 1, 80);
    v128.store32_lane(q, high, 2, 96);
    v128.store32_lane(q, high, 3, 112);
  } else {
    v128.store(q, low);
    v128.store(q, high, 16);
  }
  const sums = i16x8.add(i16x8.add(a, b), i16x8.add(c, e)); // at most 4 * 127
  store<i32>(zeros, -8 * horizontal_sum(i32x4.dot_i16x8_s(sums, i16x8.splat(1))));
}

/** Scales of activations bear this factor, 2^96, and the kernels take it back. Half floats become
 *  f32 by a shift of their bits, which leaves them times 2^-112 (see load_scales); the two then
 *  have a product about 2^-16, and nothing is lost to subnormals. */
const GROUP_SCALE: f32 = 7.922816251426434e28;

/** max |x| of 32 numbers as float bits, which order as the magnitudes do; NaN sorts last. */
// @ts-ignore: decorator
@inline
export function group_max(x: usize): i32 {
  const abs = i32x4.splat(0x7fffffff);
  const a = i32x4.max_s(v128.and(v128.load(x), abs), v128.and(v128.load(x, 16), abs));
  const b = i32x4.max_s(v128.and(v128.load(x, 32), abs), v128.and(v128.load(x, 48), abs));
  const c = i32x4.max_s(v128.and(v128.load(x, 64), abs), v128.and(v128.load(x, 80), abs));
  const e = i32x4.max_s(v128.and(v128.load(x, 96), abs), v128.and(v128.load(x, 112), abs));
  let v = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, e));
  v = i32x4.max_s(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1));
}

/** Writes the scale and returns its inverse in every lane; 0 stands for a group of zeros. */
// @ts-ignore: decorator
@inline
export function group_scale(d: usize, bits: i32, qmax: f32): v128 {
  const largest = reinterpret<f32>(bits);
  if (bits >= 0x52000000) { // 2^37
    store<f32>(d, NaN);
    return f32x4.splat(0);
  }
  if (largest < 7.888609e-31) { // 2^-100
    store<f32>(d, 0);
    return f32x4.splat(0);
  }
  store<f32>(d, (largest / qmax) * GROUP_SCALE);
  return f32x4.splat(qmax / largest);
}

// @ts-ignore: decorator
@inline
function horizontal_sum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) +
    i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}
