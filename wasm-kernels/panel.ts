/** What the kernels over panels of 16 rows share. See pack_groups.ts for the layout. */

/** Rows of a panel. Its GEMV then has 4 sums a group and one activation for all of them. */
export const PANEL_ROWS: i32 = 16;

/* Constants that inner loops use come from memory: V8 makes a constant anew wherever it is used,
 * which halves the speed of a GEMV. */
// @ts-ignore: decorator
@inline
export function load_ones(): v128 {
  return v128.load(ONES);
}

// @ts-ignore: decorator
@inline
export function load_low_nibbles(): v128 {
  return v128.load(LOW_NIBBLES);
}

// @ts-ignore: decorator
@inline
export function load_half_bits(): v128 {
  return v128.load(HALF_BITS);
}

const ONES: usize = memory.data<u16>([1, 1, 1, 1, 1, 1, 1, 1], 16);
const LOW_NIBBLES: usize = memory.data<u32>([0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f], 16);
const HALF_BITS: usize = memory.data<u32>([0x8fffffff, 0x8fffffff, 0x8fffffff, 0x8fffffff], 16);

/** The scales of rows 4 i .. 4 i + 3 of a panel's group as f32: half floats, whose bits are shifted
 *  into place, which makes them their value times 2^-112 (subnormal ones too), or f32 as stored.
 *  Infinities and NaN are not expected. half_bits is load_half_bits(). */
// @ts-ignore: decorator
@inline
export function load_scales(at: usize, i: usize, half: bool, half_bits: v128): v128 {
  if (!half) return v128.load(at + (i << 4));
  return v128.and(i32x4.shl(v128.load16x4_s(at + (i << 3)), 13), half_bits);
}

/** Bytes of a group's scales. */
// @ts-ignore: decorator
@inline
export function scales_bytes(half: bool): usize {
  return half ? PANEL_ROWS << 1 : PANEL_ROWS << 2;
}

/** What takes GROUP_SCALE back: accumulators of f16 scales hold y 2^-16. */
// @ts-ignore: decorator
@inline
export function output_scale(half: bool): f32 {
  return half ? 65536 : 1;
}

/** y[0 .. min(4, count)) = or += v scale; nothing where count <= 0. */
// @ts-ignore: decorator
@inline
export function store_sums(y: usize, v: v128, scale: f32, count: i32, add: bool): void {
  v = f32x4.mul(v, f32x4.splat(scale));
  if (count >= 4) {
    v128.store(y, add ? f32x4.add(v, v128.load(y)) : v);
    return;
  }
  if (count > 0) store_one(y, f32x4.extract_lane(v, 0), add);
  if (count > 1) store_one(y + 4, f32x4.extract_lane(v, 1), add);
  if (count > 2) store_one(y + 8, f32x4.extract_lane(v, 2), add);
}

/** store_sums of up to four rows of y. */
// @ts-ignore: decorator
@inline
export function store_tile(
  y: usize, stride: usize, y0: v128, y1: v128, y2: v128, y3: v128,
  scale: f32, rows: i32, count: i32, add: bool,
): void {
  store_sums(y, y0, scale, count, add);
  if (rows > 1) store_sums(y + stride, y1, scale, count, add);
  if (rows > 2) store_sums(y + (stride << 1), y2, scale, count, add);
  if (rows > 3) store_sums(y + stride * 3, y3, scale, count, add);
}

// @ts-ignore: decorator
@inline
function store_one(y: usize, v: f32, add: bool): void {
  store<f32>(y, add ? load<f32>(y) + v : v);
}

/** (a0 + a1, a2 + a3, b0 + b1, b2 + b3) in i32. */
// @ts-ignore: decorator
@inline
export function add_pairs(a: v128, b: v128): v128 {
  return i32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

/** f32 sum + float(total) scale. */
// @ts-ignore: decorator
@inline
export function accumulate(sum: v128, total: v128, scale: v128): v128 {
  return f32x4.relaxed_madd(f32x4.convert_i32x4_s(total), scale, sum);
}
