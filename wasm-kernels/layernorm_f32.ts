import { sum_f32x4 } from "./vector_math";

/** y = (s - mean(s)) / sqrt(var(s) + eps) * gamma + beta row by row, with s = x + residual, or x
 *  where residual is 0. The variance is the biased one, about the mean, in a second pass.
 *    y, x, residual  f32 [m, dim]       gamma, beta  f32 [dim]
 *  y may be x or residual themselves; it overlaps them in no other way. Squares are summed by
 *  f32x4.relaxed_madd, whose last bit is the machine's choice. */
export function layernorm_f32(
  y: usize, x: usize, residual: usize, gamma: usize, beta: usize, m: i32, dim: i32, eps: f32,
): void {
  const bytes = (<usize>dim) << 2;
  const wide = bytes & ~15;
  for (let r: i32 = 0; r < m; r++, y += bytes, x += bytes) {
    let sum4 = f32x4.splat(0), sum_odd = f32x4.splat(0); // two chains, or one waits for itself
    let at: usize = 0;
    for (; at + 32 <= bytes; at += 32) {
      let v = v128.load(x + at), w = v128.load(x + at, 16);
      if (residual) {
        v = f32x4.add(v, v128.load(residual + at));
        w = f32x4.add(w, v128.load(residual + at, 16));
      }
      v128.store(y + at, v), v128.store(y + at, w, 16);
      sum4 = f32x4.add(sum4, v), sum_odd = f32x4.add(sum_odd, w);
    }
    for (; at < wide; at += 16) {
      let v = v128.load(x + at);
      if (residual) v = f32x4.add(v, v128.load(residual + at));
      v128.store(y + at, v);
      sum4 = f32x4.add(sum4, v);
    }
    let sum = sum_f32x4(f32x4.add(sum4, sum_odd));
    for (; at < bytes; at += 4) {
      const v = load<f32>(x + at) + (residual ? load<f32>(residual + at) : 0);
      store<f32>(y + at, v);
      sum += v;
    }
    if (residual) residual += bytes;
    const mean = sum / <f32>dim;
    const mean4 = f32x4.splat(mean);
    let squares4 = f32x4.splat(0), squares_odd = f32x4.splat(0);
    for (at = 0; at + 32 <= bytes; at += 32) {
      const v = f32x4.sub(v128.load(y + at), mean4), w = f32x4.sub(v128.load(y + at, 16), mean4);
      squares4 = f32x4.relaxed_madd(v, v, squares4);
      squares_odd = f32x4.relaxed_madd(w, w, squares_odd);
    }
    for (; at < wide; at += 16) {
      const v = f32x4.sub(v128.load(y + at), mean4);
      squares4 = f32x4.add(squares4, f32x4.mul(v, v));
    }
    let squares = sum_f32x4(f32x4.add(squares4, squares_odd));
    for (; at < bytes; at += 4) squares += (load<f32>(y + at) - mean) * (load<f32>(y + at) - mean);
    const scale = <f32>1 / sqrt<f32>(squares / <f32>dim + eps);
    const scale4 = f32x4.splat(scale);
    for (at = 0; at < wide; at += 16) {
      const v = f32x4.mul(f32x4.sub(v128.load(y + at), mean4), scale4);
      v128.store(y + at, f32x4.add(f32x4.mul(v, v128.load(gamma + at)), v128.load(beta + at)));
    }
    for (; at < bytes; at += 4) {
      const v = (load<f32>(y + at) - mean) * scale;
      store<f32>(y + at, v * load<f32>(gamma + at) + load<f32>(beta + at));
    }
  }
}
