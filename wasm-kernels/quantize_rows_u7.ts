import { absmax_bits, round_i32, round_i32x4, row_scale } from "./quantize_rows_i16";

/** As quantize_rows_i16, but q + 8192 is split into two unsigned 7-bit digits, high * 128 + low,
 *  for gemm_i8_relaxed.
 *    q  u8 [m, 2, kp]   a row's high digits, then its low ones; the padding holds q = 0
 *    x  f32 [m, k]      d  f32 [m]
 *  Requires qmax <= 8191, so that both digits lie in 0..127, where the relaxed dot is exact. */
export function quantize_rows_u7(q: usize, d: usize, x: usize, m: i32, k: i32, qmax: f32): void {
  const kp = (k + 15) & ~15;
  for (let r: i32 = 0; r < m; r++) {
    const inverse = row_scale(d + ((<usize>r) << 2), absmax_bits(x, k), qmax);
    const low = q + <usize>kp;
    memory.fill(q + <usize>(kp - 16), 64, 16);
    memory.fill(low + <usize>(kp - 16), 0, 16);
    if (inverse == 0) {
      memory.fill(q, 64, kp);
      memory.fill(low, 0, kp);
      x += (<usize>k) << 2;
      q += (<usize>kp) << 1;
      continue;
    }
    const inv4 = f32x4.splat(inverse);
    const offset = i16x8.splat(8192);
    const mask = i16x8.splat(127);
    let j: i32 = 0;
    for (; j + 16 <= k; j += 16, x += 64) {
      let a = i16x8.narrow_i32x4_s(round_i32x4(x, inv4), round_i32x4(x + 16, inv4));
      let b = i16x8.narrow_i32x4_s(round_i32x4(x + 32, inv4), round_i32x4(x + 48, inv4));
      a = i16x8.add(a, offset);
      b = i16x8.add(b, offset);
      v128.store(q + <usize>j, i8x16.narrow_i16x8_u(i16x8.shr_u(a, 7), i16x8.shr_u(b, 7)));
      v128.store(low + <usize>j, i8x16.narrow_i16x8_u(v128.and(a, mask), v128.and(b, mask)));
    }
    for (; j < k; j++, x += 4) {
      const v = round_i32(x, inverse) + 8192;
      store<u8>(q + <usize>j, <u8>(v >> 7));
      store<u8>(low + <usize>j, <u8>(v & 127));
    }
    q += (<usize>kp) << 1;
  }
}
