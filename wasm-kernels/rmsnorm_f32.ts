import { sum_f32x4 } from "./vector_math";

/** y = x / sqrt(mean(x^2) + eps) * weight, row by row.
 *    y, x  f32: row (i, h) of m x n_heads rows lies i * stride + h * dim floats in
 *    weight  f32 [dim]
 *  y may be x itself; it overlaps x in no other way. Squares sum in f32: |x| below 1e18 keeps them
 *  finite. A NaN or infinity makes its own row NaN or zero. Source: Zhang and Sennrich, 2019. */
export function rmsnorm_f32(
  y: usize, x: usize, weight: usize, m: i32, n_heads: i32, dim: i32, stride_floats: i32, eps: f32,
): void {
  const bytes = (<usize>dim) << 2;
  const wide = bytes & ~15;
  const skip = ((<usize>stride_floats) << 2) - <usize>n_heads * bytes;
  for (let i: i32 = 0; i < m; i++, y += skip, x += skip)
    for (let h: i32 = 0; h < n_heads; h++, y += bytes, x += bytes) {
      let squares4 = f32x4.splat(0);
      let at: usize = 0;
      for (; at < wide; at += 16) {
        const v = v128.load(x + at);
        squares4 = f32x4.add(squares4, f32x4.mul(v, v));
      }
      let squares = sum_f32x4(squares4);
      for (; at < bytes; at += 4) squares += load<f32>(x + at) * load<f32>(x + at);
      const scale = <f32>1 / sqrt<f32>(squares / <f32>dim + eps);
      const scale4 = f32x4.splat(scale);
      for (at = 0; at < wide; at += 16) {
        const v = f32x4.mul(v128.load(x + at), scale4);
        v128.store(y + at, f32x4.mul(v, v128.load(weight + at)));
      }
      for (; at < bytes; at += 4)
        store<f32>(y + at, load<f32>(x + at) * scale * load<f32>(weight + at));
    }
}
