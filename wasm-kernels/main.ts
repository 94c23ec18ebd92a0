/** Every kernel, one file each. Arguments are byte offsets into linear memory and shapes; nothing
 *  is allocated and nothing is checked here: src/model/kernels.ts does both. */
export { quantize_rows_i16 } from "./quantize_rows_i16";
export { quantize_rows_u7 } from "./quantize_rows_u7";
export { quantize_rows_a7 } from "./quantize_rows_a7";
export { pack_i8 } from "./pack_i8";
export { widen_i8 } from "./widen_i8";
export { gemm_i8 } from "./gemm_i8";
export { gemv_i8 } from "./gemv_i8";
export { gemm_i8_relaxed } from "./gemm_i8_relaxed";
export { gemm_i8_a7 } from "./gemm_i8_a7";
export { layernorm_f32 } from "./layernorm_f32";
export { gelu_f32 } from "./gelu_f32";
export { attention_f32 } from "./attention_f32";
export { gather_i8 } from "./gather_i8";
export { mean_pool_f32 } from "./mean_pool_f32";
export { dot_scan_i8 } from "./dot_scan_i8";
export { hamming_scan_b1 } from "./hamming_scan_b1";
export { linear_f32 } from "./linear_f32";
export { relaxed_probe } from "./relaxed_probe";
