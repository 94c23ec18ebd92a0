import { gelu_f32x4 } from "./vector_math";

/** y = x Phi(x), the exact (erf) GELU, error below 5e-7 max(1, |x|). y, x f32 [n]; y may be x.
 *  The forward pass has it fused into gemm_i8; this one serves tests and other models. */
export function gelu_f32(y: usize, x: usize, n: i32): void {
  const end = x + ((<usize>n) << 2);
  for (; x + 16 <= end; x += 16, y += 16) v128.store(y, gelu_f32x4(v128.load(x)));
  for (; x < end; x += 4, y += 4)
    store<f32>(y, f32x4.extract_lane(gelu_f32x4(v128.load32_splat(x)), 0));
}
