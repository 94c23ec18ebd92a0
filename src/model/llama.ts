/** The forward pass of the Llama family (llama, qwen2, qwen3) over one sequence: some tokens at a
 *  time, keys and values kept. The definition, naive and in f64: test/oracle/llama.ts. */
import { attend, attendBytes, type CacheBits, cacheBytes } from "./attend.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderKernels, KvCache, RopeTable } from "./decoder-kernels.ts";
import type { DecoderLayerWeights, DecoderWeights, Stacked } from "./decoder-weights.ts";
import { type Activations, activationBytes, type Matrix } from "./matmul-kernels.ts";
import type { TensorType } from "./tensor-types.ts";

/** One sequence's model: what it computes with and what it remembers. */
export interface LlamaState {
  config: DecoderConfig;
  weights: DecoderWeights;
  cacheBits: CacheBits;
  /** One a layer. */
  caches: KvCache[];
  ropeTable: RopeTable;
}

/** Linear memory of `context` positions' keys, values and rotations, in bytes. */
export function contextBytes(config: DecoderConfig, bits: CacheBits, context: number): number {
  const { n_layers, n_kv_heads, head_dim, rope_dim } = config;
  const table = Math.ceil((context * rope_dim) / 4) * 16; // f32 [context, rope_dim]
  return n_layers * cacheBytes(bits, context, n_kv_heads, head_dim) + table;
}

/** What `forward` takes beyond weights and context, at most, for steps of m tokens that give logits
 *  of `rows` of them: 3.4 MB for SmolLM2-135M at 128 and 1. */
export function forwardBytes(
  config: DecoderConfig,
  { bits, m, rows }: { bits: CacheBits; m: number; rows: number },
): number {
  const { dim, ffn_dim, vocab_size } = config;
  const { q_dim, qkv_dim } = widths(config);
  const attention =
    4 * m * (q_dim + qkv_dim) +
    activationBytes(m, Math.max(dim, q_dim)) +
    attendBytes(bits, m, config);
  const feedForward = 4 * m * 3 * ffn_dim + activationBytes(m, Math.max(dim, ffn_dim));
  const logits = 4 * rows * (dim + vocab_size) + activationBytes(rows, dim);
  return 4 * m * 2 * dim + Math.max(attention, feedForward, logits) + ALIGNMENT_BYTES;
}

/** Each buffer begins at a multiple of 16; forward has at most 16 of them. */
const ALIGNMENT_BYTES = 256;

function widths({ n_heads, n_kv_heads, head_dim }: DecoderConfig) {
  const q_dim = n_heads * head_dim;
  const kv_dim = n_kv_heads * head_dim;
  return { q_dim, kv_dim, qkv_dim: q_dim + 2 * kv_dim };
}

/** Takes `ids` as the tokens at `position` and on, m <= DECODER_ROWS_STEP of them. Their keys and
 *  values are kept; the byte offset of f32 [rows, vocab_size], the logits after each of the last
 *  `rows`, is valid until the caller releases a mark of before the call. */
export function forward(
  kernels: DecoderKernels,
  state: LlamaState,
  ids: readonly number[],
  position: number,
  rows: number,
): number {
  const { config, weights, caches } = state;
  const { dim, vocab_size, eps } = config;
  const m = ids.length;
  const x = kernels.alloc(m * dim * 4); // f32 [m, dim]
  const h = kernels.alloc(m * dim * 4); // f32 [m, dim]
  kernels.dequantizeRows(x, weights.tokens, ids);
  for (const [i, layer] of weights.layers.entries()) {
    kernels.rmsnormF32(h, x, layer.attnNorm, { m, dim, eps }); // [m, dim]
    attention(kernels, state, layer, caches[i]!, { x, h, m, position }); // x += [m, dim]
    kernels.rmsnormF32(h, x, layer.ffnNorm, { m, dim, eps }); // [m, dim]
    feedForward(kernels, config, layer, { x, h, m }); // x += [m, dim]
  }
  if (rows === 0) return 0;
  const last = x + (m - rows) * dim * 4; // [rows, dim]
  const logits = kernels.alloc(rows * vocab_size * 4); // f32 [rows, vocab_size]
  kernels.rmsnormF32(h, last, weights.outputNorm, { m: rows, dim, eps }); // [rows, dim]
  const a = activations(kernels, h, rows, dim, [weights.output]);
  kernels.matmul(logits, vocab_size, a, weights.output);
  return logits;
}

/** x f32 [m, dim] += attention of h f32 [m, dim] to all positions up to its own. */
function attention(
  kernels: DecoderKernels,
  { config, cacheBits, ropeTable }: LlamaState,
  layer: DecoderLayerWeights,
  cache: KvCache,
  { x, h, m, position }: { x: number; h: number; m: number; position: number },
): void {
  const { dim, n_heads, n_kv_heads, head_dim, rope_dim, ropeLayout, eps } = config;
  const { q_dim, kv_dim, qkv_dim } = widths(config);
  const mark = kernels.mark();
  const q = kernels.alloc(m * qkv_dim * 4); // f32 [m, q_dim + 2 kv_dim]: q, k and v side by side
  const k = q + q_dim * 4; // [m, kv_dim], rows qkv_dim apart
  const v = k + kv_dim * 4; // [m, kv_dim], rows qkv_dim apart
  stacked(kernels, q, h, m, dim, layer.qkv); // [m, qkv_dim]
  if (config.attentionBias) kernels.addBiasF32(q, layer.qkvBias, m, qkv_dim); // [m, qkv_dim]
  if (config.headNorm) {
    const heads = { m, dim: head_dim, eps, stride: qkv_dim };
    kernels.rmsnormF32(q, q, layer.qNorm, { n_heads, ...heads }); // [m, n_heads, head_dim]
    kernels.rmsnormF32(k, k, layer.kNorm, { n_heads: n_kv_heads, ...heads });
  }
  const rotation = { m, stride: qkv_dim, head_dim, rope_dim, position };
  const layout = { table: ropeTable, layout: ropeLayout };
  kernels.ropeF32(q, { n_heads: n_heads + n_kv_heads, ...rotation, ...layout }); // q and k
  const out = kernels.alloc(m * q_dim * 4); // f32 [m, q_dim]
  const heads = { cache, stride: qkv_dim, m, position, n_heads, head_dim };
  attend(kernels, cacheBits, { out, q, k, v, ...heads }); // [m, q_dim]
  const a = activations(kernels, out, m, q_dim, [layer.attnOutput]);
  kernels.matmul(x, dim, a, layer.attnOutput, { add: true }); // [m, dim]
  kernels.release(mark);
}

/** x f32 [m, dim] += down(silu(gate(h)) * up(h)), h f32 [m, dim]. */
function feedForward(
  kernels: DecoderKernels,
  { dim, ffn_dim }: DecoderConfig,
  layer: DecoderLayerWeights,
  { x, h, m }: { x: number; h: number; m: number },
): void {
  const mark = kernels.mark();
  const gateUp = kernels.alloc(m * 2 * ffn_dim * 4); // f32 [m, 2 ffn_dim]: gate and up side by side
  const mixed = kernels.alloc(m * ffn_dim * 4); // f32 [m, ffn_dim]
  stacked(kernels, gateUp, h, m, dim, layer.gateUp); // [m, 2 ffn_dim]
  kernels.siluMulF32(mixed, gateUp, m, ffn_dim); // [m, ffn_dim]
  const a = activations(kernels, mixed, m, ffn_dim, [layer.down]);
  kernels.matmul(x, dim, a, layer.down, { add: true }); // [m, dim]
  kernels.release(mark);
}

/** y f32 [m, w.n] = x f32 [m, k] times the matrices of w, side by side. */
function stacked(
  kernels: DecoderKernels,
  y: number,
  x: number,
  m: number,
  k: number,
  w: Stacked,
): void {
  const mark = kernels.mark();
  const matrices = w.parts.map(({ matrix }) => matrix);
  const a = activations(kernels, x, m, k, matrices);
  for (const { column, matrix } of w.parts) kernels.matmul(y + column * 4, w.n, a, matrix);
  kernels.release(mark);
}

/** x f32 [m, k], quantized as the matrices need it. */
function activations(
  kernels: DecoderKernels,
  x: number,
  m: number,
  k: number,
  matrices: readonly Matrix[],
): Activations {
  const types: TensorType[] = matrices.map(({ type }) => type);
  return kernels.activations(kernels.alloc(activationBytes(m, k)), x, m, k, types);
}
