/** What the tests of the KV cache share: a filled cache, and what it reads back. */
import { DecoderKernels, type KvCache } from "../../src/model/decoder-kernels.ts";
import { kernelsModule, putF32 } from "./arena.ts";

export interface KvShape {
  capacity: number;
  n_kv_heads: number;
  head_dim: number;
}

/** A cache in fresh memory that held NaNs, with rows f32 [n, n_kv_heads * head_dim] appended. */
export function filledCache(k: Float32Array, v: Float32Array, shape: KvShape) {
  const kernels = DecoderKernels.create(kernelsModule);
  const { capacity, n_kv_heads, head_dim } = shape;
  const cache = kernels.allocKv(capacity, n_kv_heads, head_dim);
  const before = kernels.mark();
  kernels.u8(cache.at, before - cache.at).fill(0xff);
  const [keys, values] = [putF32(kernels, k), putF32(kernels, v)];
  const width = n_kv_heads * head_dim;
  kernels.kvAppend(cache, keys, values, width, 0, k.length / width);
  kernels.release(before);
  return { kernels, cache };
}

/** The n first positions' keys and values as the layout in wasm-kernels/attention_kv_i8.ts tells,
 *  f64 [n, n_kv_heads * head_dim], and the values' scales [n, n_kv_heads]. */
export function readCache(kernels: DecoderKernels, cache: KvCache, n: number) {
  const { n_kv_heads, head_dim } = cache;
  const size = Math.ceil(cache.capacity / 128) * 128;
  const rows = size * n_kv_heads;
  const quants = kernels.i8(cache.at, 2 * rows * head_dim);
  const scales = kernels.f32(cache.at + 2 * rows * head_dim, 2 * rows);
  const width = n_kv_heads * head_dim;
  const [k, v] = [new Float64Array(n * width), new Float64Array(n * width)];
  const vd = new Float64Array(n * n_kv_heads);
  for (let p = 0; p < n; p++)
    for (let h = 0; h < n_kv_heads; h++) {
      const slot = h * size + p;
      vd[p * n_kv_heads + h] = scales[rows + slot]!;
      for (let c = 0; c < head_dim; c++) {
        const pair =
          (rows + slot - (p % 128)) * head_dim +
          (c - (c % 8)) * 128 +
          ((p % 128) - (p % 2)) * 8 +
          (c % 8) * 2 +
          (p % 2);
        const quad = (slot - (p % 4)) * head_dim + (c - (c % 4)) * 4 + (p % 4) * 4 + (c % 4);
        const at = p * width + h * head_dim + c;
        k[at] = quants[quad]! * scales[slot]!;
        v[at] = quants[pair]! * scales[rows + slot]!;
      }
    }
  return { k, v, vd };
}
