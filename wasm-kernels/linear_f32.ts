import { sum_f32x4 } from "./vector_math";

/** y = x W^T + bias for a head of few outputs.
 *    y  f32 [m, n]    x  f32 [m, k]    w  f32 [n, k]    bias  f32 [n] */
export function linear_f32(
  y: usize, x: usize, w: usize, bias: usize, m: i32, n: i32, k: i32,
): void {
  const bytes = (<usize>k) << 2;
  for (let r: i32 = 0; r < m; r++, x += bytes) {
    let row = w;
    for (let c: i32 = 0; c < n; c++, row += bytes, y += 4) {
      let a = f32x4.splat(0);
      let b = f32x4.splat(0);
      let at: usize = 0;
      for (; at + 32 <= bytes; at += 32) {
        a = f32x4.add(a, f32x4.mul(v128.load(x + at), v128.load(row + at)));
        b = f32x4.add(b, f32x4.mul(v128.load(x + at, 16), v128.load(row + at, 16)));
      }
      let sum = sum_f32x4(f32x4.add(a, b));
      for (; at < bytes; at += 4) sum += load<f32>(x + at) * load<f32>(row + at);
      store<f32>(y, sum + load<f32>(bias + ((<usize>c) << 2)));
    }
  }
}
