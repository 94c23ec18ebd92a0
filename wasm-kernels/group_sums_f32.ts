/** sums f32 [m, k/32] = the sums of x f32 [m, k] over groups of 32; k % 32 == 0. What the min part
 *  of the affine types is multiplied with. Adds in an order of its own: error <= 31 * 2^-24 times
 *  the sum of |x|. */
export function group_sums_f32(sums: usize, x: usize, m: i32, k: i32): void {
  const count = m * (k >> 5);
  for (let g: i32 = 0; g < count; g++, x += 128, sums += 4) {
    const a = f32x4.add(v128.load(x), v128.load(x, 16));
    const b = f32x4.add(v128.load(x, 32), v128.load(x, 48));
    const c = f32x4.add(v128.load(x, 64), v128.load(x, 80));
    const d = f32x4.add(v128.load(x, 96), v128.load(x, 112));
    const v = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
    store<f32>(
      sums,
      f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) +
        (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3)),
    );
  }
}
