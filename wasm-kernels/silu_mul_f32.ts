import { exp_f32x4 } from "./vector_math";

/** y = silu(gate) * up, silu(x) = x / (1 + exp(-x)), relative error below 1e-6 for x >= -87; below
 *  that silu(x) is taken as about 1.2e-38 x.
 *    y  f32 [m, n]      gate_up  f32 [m, 2 n]: a row's gates, then its ups
 *  y overlaps no input. Source: Shazeer, GLU variants, 2020 (SwiGLU). */
export function silu_mul_f32(y: usize, gate_up: usize, m: i32, n: i32): void {
  const bytes = (<usize>n) << 2;
  const wide = bytes & ~15;
  for (let i: i32 = 0; i < m; i++, y += bytes, gate_up += bytes << 1) {
    const up = gate_up + bytes;
    let at: usize = 0;
    for (; at < wide; at += 16)
      v128.store(y + at, silu_mul(v128.load(gate_up + at), v128.load(up + at)));
    for (; at < bytes; at += 4) {
      const v = silu_mul(v128.load32_splat(gate_up + at), v128.load32_splat(up + at));
      store<f32>(y + at, f32x4.extract_lane(v, 0));
    }
  }
}

/** sigmoid(x) is 1 / (1 + e) for x >= 0 and e / (1 + e) below, e = exp(-|x|). */
// @ts-ignore: decorator
@inline
function silu_mul(x: v128, up: v128): v128 {
  const one = f32x4.splat(1);
  const e = exp_f32x4(f32x4.neg(f32x4.abs(x)));
  const top = v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0)));
  return f32x4.mul(f32x4.div(f32x4.mul(x, top), f32x4.add(one, e)), up);
}
