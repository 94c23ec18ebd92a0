/** The forward pass of a BERT encoder over a ragged batch, on int8 weights. */
import { assert } from "../errors.ts";
import { FORWARD_TOKENS_MAX } from "../limits.ts";
import {
  attentionScratchBytes,
  type Kernels,
  quantizedBytes,
  type SplitColumns,
} from "./kernels.ts";

export interface BertConfig {
  dim: number;
  n_layers: number;
  n_heads: number;
  ffn_dim: number;
  vocab_size: number;
  context_length: number;
  eps: number;
}

/** y = x W^T + bias. Byte offsets into linear memory; `packed` as pack_i8 lays it out, `d` and
 *  `bias` f32 [n]. */
export interface LinearWeights {
  packed: number;
  d: number;
  bias: number;
  n: number;
  k: number;
  /** Extra columns that `packed` has room for. */
  extra: number;
  /** How 7-bit activations are split, once calibrated; without it the matrix is always exact. */
  split: SplitColumns | null;
}

/** How matmuls take activations: rounded to 14 bits, whose loss does not show (exact), to 7 where
 *  a matrix has been calibrated for it (fast), or to 7 but for queries, keys and values (mixed);
 *  docs/kernels.md says what that costs and gains. */
export type Precision = "exact" | "mixed" | "fast";

export interface ForwardOptions {
  precision?: Precision;
  /** Sees each matmul's input x f32 [m, k], as a byte offset, before it runs. */
  observe?: (weights: LinearWeights, x: number, m: number) => void;
}

/** Byte offsets of f32 [dim]. */
export interface NormWeights {
  gamma: number;
  beta: number;
}

export interface BertLayerWeights {
  qkv: LinearWeights;
  attnOut: LinearWeights;
  attnNorm: NormWeights;
  up: LinearWeights;
  down: LinearWeights;
  outNorm: NormWeights;
}

/** Byte offsets: tokens.qs i8 [vocab_size, dim], tokens.d f32 [vocab_size], positions f32
 *  [context_length, dim], types f32 [2, dim]. qkv has 3 * dim rows: q, then k, then v. */
export interface BertWeights {
  config: BertConfig;
  tokens: { qs: number; d: number };
  positions: number;
  types: number;
  embedNorm: NormWeights;
  layers: BertLayerWeights[];
}

/** Ragged batch: sequences back to back, no padding, so that no work is spent on it; attention
 *  never crosses a boundary. */
export interface RaggedBatch {
  ids: Int32Array;
  types: Int32Array;
  lengths: Int32Array;
}

/** Rows of one matmul step: bounds the feed-forward's activations and keeps them in the cache. */
const ROWS_STEP = 128;

/** Scratch of one forward pass: offsets into linear memory. */
interface Scratch {
  qkv: number; // f32 [T, 3 * dim]
  mixed: number; // f32 [T, dim]
  wide: number; // f32 [ROWS_STEP, ffn_dim], or attentionScratchBytes(longest, head_dim)
  q: number; // quantizedBytes(ROWS_STEP, max(dim, ffn_dim))
  qd: number; // f32 [2, ROWS_STEP]
  options: ForwardOptions;
}

/** The last hidden states, as a byte offset of f32 [T, dim]; valid until the caller releases a mark
 *  of before the call. T <= FORWARD_TOKENS_MAX; activations peak at 20 T dim bytes, plus
 *  ROWS_STEP * (4 ffn_dim + 2 max(dim, ffn_dim)): for MiniLM-L6 at T = 1024, 7.9 + 1.2 MB.
 *  Attention takes the feed-forward's place, of which it needs 8 (head_dim + 4) bytes a token of
 *  the longest sequence: 0.07 MB for 256. Ids, types and lengths out of range throw. A sequence's
 *  result does not depend on what is batched with it, to the last bit. */
export function forward(
  kernels: Kernels,
  weights: BertWeights,
  batch: RaggedBatch,
  options: ForwardOptions = {},
): number {
  const { config } = weights;
  const { dim, n_heads } = config;
  const t = checkBatch(config, batch);
  const head_dim = dim / n_heads;
  const x = kernels.alloc(t * dim * 4); // f32 [T, dim]
  const mark = kernels.mark();
  embed(kernels, weights, batch, x);
  const s = allocScratch(kernels, config, batch, t, options);
  for (const layer of weights.layers) {
    linear(kernels, layer.qkv, s.qkv, x, s, t, { exact: options.precision !== "fast" });
    let at = 0; // the first row of a sequence
    for (const n of batch.lengths) {
      const q = s.qkv + at * 3 * dim * 4; // [n, dim], rows 3 * dim apart
      const k = q + dim * 4;
      const v = k + dim * 4;
      const out = s.mixed + at * dim * 4; // [n, dim]
      const { wide: scratch } = s;
      kernels.attentionF32({ out, q, k, v, stride: 3 * dim, scratch, n, n_heads, head_dim });
      at += n;
    }
    linear(kernels, layer.attnOut, s.qkv, s.mixed, s, t); // [T, dim] in qkv's place
    norm(kernels, layer.attnNorm, x, s.qkv, t, config); // x = norm(x + attention)
    for (let row = 0; row < t; row += ROWS_STEP) {
      const m = Math.min(ROWS_STEP, t - row);
      const xs = x + row * dim * 4; // [m, dim]
      linear(kernels, layer.up, s.wide, xs, s, m, { gelu: true }); // [m, ffn_dim]
      linear(kernels, layer.down, s.mixed + row * dim * 4, s.wide, s, m); // [m, dim]
    }
    norm(kernels, layer.outNorm, x, s.mixed, t, config); // x = norm(x + feed-forward)
  }
  kernels.release(mark);
  return x;
}

/** Throws unless the batch fits the model and the limits; gives T, the number of its tokens. */
function checkBatch(config: BertConfig, batch: RaggedBatch): number {
  const { ids, types, lengths } = batch;
  const t = ids.length;
  assert(t > 0 && t <= FORWARD_TOKENS_MAX, `batch of ${t} tokens, limit ${FORWARD_TOKENS_MAX}`);
  assert(types.length === t, `batch of ${t} tokens with ${types.length} types`);
  let sum = 0;
  for (const n of lengths) {
    assert(n > 0 && n <= config.context_length, `sequence of ${n}, limit ${config.context_length}`);
    sum += n;
  }
  assert(sum === t, `batch of ${t} tokens with lengths that sum to ${sum}`);
  for (const id of ids) assert(id >= 0 && id < config.vocab_size, `token ${id} is no such one`);
  for (const type of types) assert(type === 0 || type === 1, `token type ${type} is no such one`);
  return t;
}

/** x f32 [T, dim] = norm(tokens + positions + types). */
function embed(kernels: Kernels, weights: BertWeights, batch: RaggedBatch, x: number): void {
  const { dim } = weights.config;
  const t = batch.ids.length;
  const mark = kernels.mark();
  const ids = kernels.alloc(t * 4); // i32 [T], and the next two
  const places = kernels.alloc(t * 4);
  const typeIds = kernels.alloc(t * 4);
  kernels.i32(ids, t).set(batch.ids);
  kernels.i32(typeIds, t).set(batch.types);
  const place = kernels.i32(places, t);
  let at = 0;
  for (const n of batch.lengths) for (let i = 0; i < n; i++) place[at++] = i;
  const { qs, d } = weights.tokens;
  const { positions, types } = weights;
  kernels.gatherI8({ y: x, ids, places, typeIds, qs, d, positions, types, t, dim });
  norm(kernels, weights.embedNorm, x, 0, t, weights.config);
  kernels.release(mark);
}

function allocScratch(
  kernels: Kernels,
  config: BertConfig,
  batch: RaggedBatch,
  t: number,
  options: ForwardOptions,
): Scratch {
  const { dim, ffn_dim, n_heads } = config;
  const rows = Math.min(t, ROWS_STEP);
  const head_dim = dim / n_heads;
  const longest = batch.lengths.reduce((a, b) => Math.max(a, b), 0);
  return {
    qkv: kernels.alloc(t * 3 * dim * 4),
    mixed: kernels.alloc(t * dim * 4),
    wide: kernels.alloc(Math.max(rows * ffn_dim * 4, attentionScratchBytes(longest, head_dim))),
    q: kernels.alloc(quantizedBytes(rows, Math.max(dim, ffn_dim))),
    qd: kernels.alloc(2 * rows * 4),
    options,
  };
}

/** y f32 [m, n] = x f32 [m, k] W^T + bias, then GELU if asked, ROWS_STEP rows at a time. */
function linear(
  kernels: Kernels,
  weights: LinearWeights,
  y: number,
  x: number,
  s: Scratch,
  m: number,
  { gelu = false, exact = false } = {},
): void {
  const { packed, d, bias, n, k, extra, split } = weights;
  const { q, qd, options } = s;
  const { precision = "exact" } = options;
  options.observe?.(weights, x, m);
  for (let row = 0; row < m; row += ROWS_STEP) {
    const rows = Math.min(ROWS_STEP, m - row);
    const from = x + row * k * 4;
    const step = { y: y + row * n * 4, q, qd, packed, d, bias, m: rows, n, k, extra, gelu };
    if (precision !== "exact" && !exact && split !== null) {
      kernels.quantizeRowsA7(q, qd, from, rows, split);
      kernels.gemmI8A7(step);
    } else {
      kernels.quantizeRows(q, qd, from, rows, k);
      kernels.gemmI8(step);
    }
  }
}

/** x = layernorm(x + residual), f32 [m, dim]; residual 0 means none. */
function norm(
  kernels: Kernels,
  { gamma, beta }: NormWeights,
  x: number,
  residual: number,
  m: number,
  { dim, eps }: BertConfig,
): void {
  kernels.layernormF32(x, x, residual, gamma, beta, { m, dim, eps });
}
