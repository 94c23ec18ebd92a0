/** What the matmul kernels over panels of 8 rows share. */

/** Four scales of a group as f32: half floats whose bits are shifted into place, which are then
 *  their value times 2^-112 (subnormal ones too), or f32. Infinities and NaN are not expected. */
// @ts-ignore: decorator
@inline
export function load_scales(at: usize, half: bool): v128 {
  if (!half) return v128.load(at);
  const signed = i32x4.shl(v128.load16x4_s(at), 13);
  return v128.and(signed, i32x4.splat(0x8fffffff));
}

/** Bytes of a group's scales. */
// @ts-ignore: decorator
@inline
export function scales_bytes(half: bool): usize {
  return half ? 16 : 32;
}

/** What takes GROUP_SCALE back: accumulators of f16 scales hold y 2^-16. */
// @ts-ignore: decorator
@inline
export function output_scale(half: bool): f32 {
  return half ? 65536 : 1;
}

/** y[0 .. count) = or += the 8 sums times `scale`; count may exceed 8. */
// @ts-ignore: decorator
@inline
export function store_panel(
  y: usize, a: v128, b: v128, scale: f32, count: i32, add: bool,
): void {
  const factor = f32x4.splat(scale);
  a = f32x4.mul(a, factor);
  b = f32x4.mul(b, factor);
  if (count >= 8) {
    if (add) {
      a = f32x4.add(a, v128.load(y));
      b = f32x4.add(b, v128.load(y, 16));
    }
    v128.store(y, a);
    v128.store(y, b, 16);
    return;
  }
  for (let i: i32 = 0; i < count; i++, y += 4) {
    const v = f32x4.extract_lane(a, 0);
    store<f32>(y, add ? load<f32>(y) + v : v);
    a = i == 3 ? b : i8x16.shuffle(a, a, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
  }
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
