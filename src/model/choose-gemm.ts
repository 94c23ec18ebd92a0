/** Which of the two equal int8 matmuls is the faster on this machine. */
import { GEMM_TIMING_BYTES_MAX } from "../limits.ts";
import { type GemmVariant, Kernels, packedBytes, quantizedBytes } from "./kernels.ts";
import { type Choice, type Contender, fastestOf } from "./self-timing.ts";

/** 7 million products: about 0.1 ms, as self-timing wants. */
const SHAPE = { m: 24, n: 384, k: 384 };

/** A matmul of small known integers in an instance of its own. */
function contender(module: WebAssembly.Module, name: GemmVariant): Contender<GemmVariant> {
  const kernels = Kernels.create(module, { bytesMax: GEMM_TIMING_BYTES_MAX, variant: name });
  const { m, n, k } = SHAPE;
  const [x, w] = [kernels.alloc(m * k * 4), kernels.alloc(n * k)];
  const [d, bias, y] = [kernels.alloc(n * 4), kernels.alloc(n * 4), kernels.alloc(m * n * 4)];
  const packed = kernels.alloc(packedBytes(n, k));
  const [q, qd] = [kernels.alloc(quantizedBytes(m, k)), kernels.alloc(m * 4)];
  kernels.f32(x, m * k).fill(1); // the largest of its row: rounds to itself
  for (let i = 0; i < n * k; i++) kernels.i8(w, n * k)[i] = (i % 5) - 2;
  kernels.f32(d, n).fill(1);
  kernels.f32(bias, n).fill(0.5);
  kernels.packI8(packed, w, 0, n, { n, k });
  kernels.quantizeRows(q, qd, x, m, k);
  const sums = Array.from({ length: n }, (_, row) => {
    let sum = 0.5;
    for (let j = 0; j < k; j++) sum += ((row * k + j) % 5) - 2;
    return sum;
  });
  return {
    name,
    run: () => kernels.gemmI8({ y, q, qd, packed, d, bias, m, n, k }),
    correct: () => kernels.f32(y, m * n).every((v, i) => Math.abs(v - sums[i % n]!) < 1e-3),
  };
}

/** Times both on a small matmul for some 25 ms, where the clock moves meanwhile; where it stands
 *  still, as in a deployed Worker, goes by how the relaxed instruction saturates, which tells its
 *  implementations apart (`Kernels.create`). */
export function chooseGemm(module: WebAssembly.Module, now?: () => number): Choice<GemmVariant> {
  const probed = Kernels.create(module, { bytesMax: GEMM_TIMING_BYTES_MAX }).variant;
  return fastestOf([contender(module, "plain"), contender(module, "relaxed")], probed, now);
}
