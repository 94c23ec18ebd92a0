/** The kernels of decoders that are no matrix products: norms, rotary positions, SwiGLU, the int8
 *  KV cache and attention over it. The only place where their shapes are checked. Offsets are
 *  bytes into linear memory. A breach is a bug and throws. Design: docs/kernels-attention.md. */
import { assert } from "../errors.ts";
import { LINEAR_MEMORY_BYTES_MAX } from "../limits.ts";
import { MatmulKernels, type MatmulVariant } from "./matmul-kernels.ts";

/** One layer's keys and values: int8, with one f32 scale a position and KV head. */
export interface KvCache {
  readonly at: number; // kvBytes(capacity, n_kv_heads, head_dim)
  readonly capacity: number; // positions
  readonly n_kv_heads: number;
  readonly head_dim: number;
}

/** Rows of heads: row (i, h) lies i * stride + h * head_dim floats in. */
export interface RopeF32 {
  m: number;
  stride: number;
  n_heads: number;
  head_dim: number;
  rope_dim: number; // the first floats of a head that turn; even
  position: number; // of the first row
  table: RopeTable;
  layout: "interleaved" | "halves"; // pairs (2j, 2j + 1), or (j, j + rope_dim / 2)
}

export interface RopeTable {
  readonly at: number; // f32 [positions, rope_dim / 2, 2], cos and sin
  readonly positions: number;
  readonly rope_dim: number;
}

export interface AttentionKv {
  out: number; // f32 [m, n_heads * head_dim]
  q: number; // f32, m rows `stride` floats apart
  stride: number;
  cache: KvCache;
  m: number;
  position: number; // of the first row; positions 0..position + m - 1 are in the cache
  n_heads: number; // a multiple of the cache's n_kv_heads
  scratch: number; // attentionKvScratchBytes(head_dim)
}

/** Larger heads could pass i32 sums of i8 by i16; see wasm-kernels/attention_kv_i8.ts. */
export const KV_HEAD_DIM_MAX = 512;

const KV_BLOCK = 128; // BLOCK of wasm-kernels/attention_kv_i8.ts

/** Positions lie in whole blocks. */
const slots = (capacity: number) => Math.ceil(capacity / KV_BLOCK) * KV_BLOCK;

/** Bytes of one layer's cache: 2 head_dim + 8 for each KV head and position, of which there are a
 *  multiple of 128. */
export const kvBytes = (capacity: number, n_kv_heads: number, head_dim: number) =>
  slots(capacity) * n_kv_heads * (2 * head_dim + 8);

/** Bytes that attention needs beside its operands, for any number of rows and positions. */
export const attentionKvScratchBytes = (head_dim: number) => 8 * head_dim + 24 * KV_BLOCK + 128;

export class DecoderKernels extends MatmulKernels {
  /** Instantiates build/kernels.wasm with a memory of its own, which grows up to `bytesMax`. The
   *  variant is the faster one on this machine unless named. */
  static override create(
    module: WebAssembly.Module,
    options?: { bytesMax?: number; variant?: MatmulVariant },
  ): DecoderKernels {
    const bytesMax = options?.bytesMax ?? LINEAR_MEMORY_BYTES_MAX;
    return new DecoderKernels(module, bytesMax, options?.variant);
  }

  /** y = x / sqrt(mean(x^2) + eps) * weight f32 [dim], each row of dim; y may be x. Row (i, h) of
   *  m x n_heads (default 1) lies i * stride + h * dim floats in, in x and in y alike; stride
   *  defaults to n_heads * dim. */
  rmsnormF32(
    y: number,
    x: number,
    weight: number,
    shape: { m: number; dim: number; eps: number; n_heads?: number; stride?: number },
  ): void {
    const { m, dim, eps, n_heads = 1 } = shape;
    const stride = shape.stride ?? n_heads * dim;
    this.counts("rmsnormF32", m, dim, n_heads, stride);
    assert(eps > 0, `rmsnormF32 eps ${eps}`);
    const bytes = this.#rows("rmsnormF32", m, stride, n_heads * dim);
    this.range("rmsnormF32 y", y, bytes);
    this.range("rmsnormF32 x", x, bytes);
    this.range("rmsnormF32 weight", weight, dim * 4);
    this.call("rmsnorm_f32", y, x, weight, m, n_heads, dim, stride, eps);
  }

  /** Allocates cos and sin of the angles p base^(-2j / rope_dim) / factors[j] of positions
   *  p < positions and pairs j < rope_dim / 2, computed in f64. `factors`, by default 1, are what
   *  Llama 3 keeps in rope_freqs.weight. Source: Su et al., RoFormer, 2021. */
  ropeTable(
    positions: number,
    rope_dim: number,
    base: number,
    factors?: ArrayLike<number>,
  ): RopeTable {
    this.counts("ropeTable", positions, rope_dim / 2);
    assert(base > 0, `ropeTable base ${base}`);
    assert(factors === undefined || factors.length === rope_dim / 2, "ropeTable factors' length");
    const at = this.alloc(positions * rope_dim * 4);
    const table = this.f32(at, positions * rope_dim);
    for (let j = 0; j < rope_dim / 2; j++) {
      const frequency = base ** ((-2 * j) / rope_dim) / (factors?.[j] ?? 1);
      for (let p = 0; p < positions; p++) {
        table[p * rope_dim + 2 * j] = Math.cos(p * frequency);
        table[p * rope_dim + 2 * j + 1] = Math.sin(p * frequency);
      }
    }
    return { at, positions, rope_dim };
  }

  /** Rotates the heads of x in place by their positions' angles. */
  ropeF32(x: number, r: RopeF32): void {
    const { m, stride, n_heads, head_dim, rope_dim, position, table } = r;
    this.counts("ropeF32", m, stride, n_heads, head_dim, rope_dim / 2);
    assert(rope_dim <= head_dim, `ropeF32 rope_dim ${rope_dim} of heads of ${head_dim}`);
    assert(table.rope_dim === rope_dim, `ropeF32 table of ${table.rope_dim}, not ${rope_dim}`);
    this.#positions("ropeF32", position, m, table.positions);
    this.range("ropeF32 x", x, this.#rows("ropeF32", m, stride, n_heads * head_dim));
    const at = table.at + position * rope_dim * 4;
    this.range("ropeF32 table", at, m * rope_dim * 4);
    const halves = r.layout === "halves" ? 1 : 0;
    this.call("rope_f32", x, at, m, n_heads, head_dim, rope_dim, stride, halves);
  }

  /** y f32 [m, ffn] = silu(gate) * up; gateUp f32 [m, 2 ffn], a row's gates, then its ups. */
  siluMulF32(y: number, gateUp: number, m: number, ffn: number): void {
    this.counts("siluMulF32", m, ffn);
    this.range("siluMulF32 y", y, m * ffn * 4);
    this.range("siluMulF32 gateUp", gateUp, m * 2 * ffn * 4);
    this.call("silu_mul_f32", y, gateUp, m, ffn);
  }

  /** y += bias f32 [n] on m rows of n, `stride` floats apart (default n). */
  addBiasF32(y: number, bias: number, m: number, n: number, stride = n): void {
    this.counts("addBiasF32", m, n, stride);
    this.range("addBiasF32 y", y, this.#rows("addBiasF32", m, stride, n));
    this.range("addBiasF32 bias", bias, n * 4);
    this.call("add_f32", y, bias, m, n, stride);
  }

  /** Room for one layer's cache; nothing in it is read before it is appended. */
  allocKv(capacity: number, n_kv_heads: number, head_dim: number): KvCache {
    this.counts("allocKv", capacity, n_kv_heads, head_dim);
    const fits = head_dim % 8 === 0 && head_dim <= KV_HEAD_DIM_MAX;
    assert(fits, `KV heads of ${head_dim}: no multiple of 8 up to ${KV_HEAD_DIM_MAX}`);
    const at = this.alloc(kvBytes(capacity, n_kv_heads, head_dim));
    return { at, capacity, n_kv_heads, head_dim };
  }

  /** Quantizes m positions' k and v, f32 rows `stride` floats apart, into the cache at `position`:
   *  what is read back is off by max|x| / 254 of a position's head at most. Overwrites what was
   *  there; keys are already rotated. A NaN or infinity in them makes NaN of all that attends to
   *  them. */
  kvAppend(
    cache: KvCache,
    k: number,
    v: number,
    stride: number,
    position: number,
    m: number,
  ): void {
    const { capacity, n_kv_heads, head_dim } = cache;
    this.counts("kvAppend", m, stride);
    this.#positions("kvAppend", position, m, capacity);
    const bytes = this.#rows("kvAppend", m, stride, n_kv_heads * head_dim);
    this.range("kvAppend k", k, bytes);
    this.range("kvAppend v", v, bytes);
    const { ks, vs, kd, vd, size } = this.#parts(cache);
    this.call(
      "kv_append_i8",
      ks,
      vs,
      kd,
      vd,
      k,
      v,
      stride,
      position,
      m,
      n_kv_heads,
      head_dim,
      size,
    );
  }

  /** out = softmax(q k^T / sqrt(head_dim)) v: row i attends to positions 0..position + i, query
   *  head h to KV head h / (n_heads / n_kv_heads). A row's result has the same bits for every m
   *  and on every machine. 4 m n_heads head_dim steps a position. out and scratch overlap nothing.
   *
   *  Against f32 keys and values: with e the largest error of a score, sum|q| max|k| / (254
   *  sqrt(head_dim)), and D the largest |v|, the output is off by (e^2e - 1) D for the keys,
   *  D / 254 for the values and, for what the kernel quantizes, by KV_BLOCK / 65534 D at most. */
  attentionKv(a: AttentionKv): void {
    const { out, q, stride, cache, m, position, n_heads, scratch } = a;
    const { capacity, n_kv_heads, head_dim } = cache;
    this.counts("attentionKv", m, stride, n_heads);
    assert(n_heads % n_kv_heads === 0, `attentionKv ${n_heads} heads over ${n_kv_heads}`);
    this.#positions("attentionKv", position, m, capacity);
    const bytes = this.#rows("attentionKv", m, stride, n_heads * head_dim);
    this.range("attentionKv q", q, bytes);
    this.range("attentionKv out", out, m * n_heads * head_dim * 4);
    this.range("attentionKv scratch", scratch, attentionKvScratchBytes(head_dim));
    const { ks, vs, kd, vd, size } = this.#parts(cache);
    const shape = [m, position, n_heads, n_kv_heads, head_dim, size];
    this.call("attention_kv_i8", out, q, stride, ks, vs, kd, vd, scratch, ...shape);
  }

  /** Where a cache's keys, values and their scales lie, each [n_kv_heads, size, ...]. */
  #parts({ at, capacity, n_kv_heads, head_dim }: KvCache) {
    this.range("KV cache", at, kvBytes(capacity, n_kv_heads, head_dim));
    const size = slots(capacity);
    const rows = size * n_kv_heads;
    const [vs, kd] = [at + rows * head_dim, at + 2 * rows * head_dim];
    return { ks: at, vs, kd, vd: kd + rows * 4, size };
  }

  /** Bytes from the first to the last of m rows of `width` floats, `stride` floats apart. */
  #rows(what: string, m: number, stride: number, width: number): number {
    assert(stride >= width, `${what} stride ${stride} below ${width}`);
    return ((m - 1) * stride + width) * 4;
  }

  #positions(what: string, position: number, m: number, capacity: number): void {
    const fits = Number.isInteger(position) && position >= 0 && position + m <= capacity;
    assert(fits, `${what} positions ${position}+${m} of ${capacity}`);
  }
}
