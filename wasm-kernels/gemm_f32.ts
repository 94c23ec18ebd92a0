import { store_panel } from "./panel";

/** y = or += x W^T over panels of 8 rows.
 *    y       f32 [m, n], rows `stride` bytes apart        x  f32 [m, k]
 *    packed  f32 panel [ceil(n / 8)] of [k, 8 rows], from pack_f32
 *  Adds in order of k, fused where the machine does: error <= k * 2^-24 * sum |x w|. */
export function gemm_f32(
  y: usize, stride: usize, x: usize, packed: usize, m: i32, n: i32, k: i32, add: i32,
): void {
  for (let r: i32 = 0; r < m; r++, y += stride, x += (<usize>k) << 2) {
    let w = packed;
    for (let c: i32 = 0; c < n; c += 8) {
      let a = f32x4.splat(0), b = f32x4.splat(0);
      for (let at = x, end = x + ((<usize>k) << 2); at < end; at += 4, w += 32) {
        const v = v128.load32_splat(at);
        a = f32x4.relaxed_madd(v, v128.load(w), a);
        b = f32x4.relaxed_madd(v, v128.load(w, 16), b);
      }
      store_panel(y + ((<usize>c) << 2), a, b, 1, n - c, add != 0);
    }
  }
}
