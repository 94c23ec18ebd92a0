/** What a decoder runs beside its matrix products, at SmolLM2-135M's shapes: dim 576, 9 heads over
 *  3 KV heads of 64, ffn_dim 1536. Attention runs over all 30 layers, so that each is met cold. */
import { attentionKvScratchBytes, DecoderKernels } from "../src/model/decoder-kernels.ts";
import * as oracle from "../test/oracle/decoder-kernels.ts";
import { check, floats } from "./inputs.ts";
import { compileKernels } from "./kernels-module.ts";
import type { Candidate } from "./report.ts";

const [DIM, FFN, HEADS, KV_HEADS, HEAD_DIM, LAYERS] = [576, 1536, 9, 3, 64, 30];
const CONTEXT = 2048;
const T = 256;
const STRIDE = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
const WIDTH = HEADS * HEAD_DIM;

function rmsnorm(kernels: DecoderKernels): Candidate {
  const [x, weight, y] = [floats(kernels, T * DIM), floats(kernels, DIM), floats(kernels, T * DIM)];
  const run = () => kernels.rmsnormF32(y, x, weight, { m: T, dim: DIM, eps: 1e-5 });
  run();
  const expected = oracle.rmsnorm(kernels.f32(x, T * DIM), kernels.f32(weight, DIM), DIM, 1e-5);
  check("rmsnorm_f32", kernels.f32(y, T * DIM), expected, 1e-5);
  return { name: `rmsnorm_f32 ${T}x${DIM}`, unit: "GB/s", work: 2 * T * DIM * 4, run };
}

function rope(kernels: DecoderKernels, layout: "interleaved" | "halves"): Candidate {
  const x = floats(kernels, T * WIDTH);
  const table = kernels.ropeTable(T, HEAD_DIM, 10_000);
  const shape = { stride: WIDTH, n_heads: HEADS, head_dim: HEAD_DIM, rope_dim: HEAD_DIM, table };
  const before = kernels.f32(x + (T - 1) * WIDTH * 4, HEAD_DIM).slice();
  const run = () => kernels.ropeF32(x, { ...shape, m: T, position: 0, layout });
  run();
  const halves = layout === "halves";
  const expected = oracle.rope(before, T - 1, { rope_dim: HEAD_DIM, base: 10_000, halves });
  check("rope_f32", kernels.f32(x + (T - 1) * WIDTH * 4, HEAD_DIM), expected, 1e-5);
  return { name: `rope_f32 ${layout} ${T}x${WIDTH}`, unit: "GB/s", work: 2 * T * WIDTH * 4, run };
}

function siluMul(kernels: DecoderKernels): Candidate {
  const [gateUp, y] = [floats(kernels, T * 2 * FFN, 4), floats(kernels, T * FFN)];
  const run = () => kernels.siluMulF32(y, gateUp, T, FFN);
  run();
  const row = kernels.f32(gateUp, 2 * FFN);
  const expected = Array.from({ length: FFN }, (_, i) => oracle.silu(row[i]!) * row[FFN + i]!);
  check("silu_mul_f32", kernels.f32(y, FFN), expected, 1e-6);
  return { name: `silu_mul_f32 ${T}x${FFN}`, unit: "GB/s", work: 3 * T * FFN * 4, run };
}

/** Thirty full caches and rows of fused q, k and v to attend with. */
function fill(kernels: DecoderKernels) {
  const x = floats(kernels, CONTEXT * STRIDE, 2);
  const [k, v] = [x + WIDTH * 4, x + (WIDTH + KV_HEADS * HEAD_DIM) * 4];
  const caches = Array.from({ length: LAYERS }, () => kernels.allocKv(CONTEXT, KV_HEADS, HEAD_DIM));
  for (const cache of caches) kernels.kvAppend(cache, k, v, STRIDE, 0, CONTEXT);
  const out = kernels.alloc(T * WIDTH * 4);
  const scratch = kernels.alloc(attentionKvScratchBytes(HEAD_DIM));
  return { x, k, v, caches, out, scratch };
}

type Filled = ReturnType<typeof fill>;

function kvAppend(kernels: DecoderKernels, { k, v, caches }: Filled): Candidate {
  const run = () => {
    for (const cache of caches) kernels.kvAppend(cache, k, v, STRIDE, 0, T);
  };
  const work = LAYERS * T * KV_HEADS * HEAD_DIM * 8;
  return { name: `kv_append_i8 ${LAYERS} layers, ${T} positions`, unit: "GB/s", work, run };
}

/** m rows from `position` on, in every layer; the last row's last head is checked. */
function attention(
  kernels: DecoderKernels,
  { x, caches, out, scratch }: Filled,
  m: number,
  position: number,
): Candidate {
  const shape = { out, q: x, stride: STRIDE, m, position, n_heads: HEADS, scratch };
  const run = () => {
    for (const cache of caches) kernels.attentionKv({ ...shape, cache });
  };
  run();
  const rows = kernels.f32(x, CONTEXT * STRIDE);
  const [q, k] = [(m - 1) * STRIDE + WIDTH - HEAD_DIM, WIDTH + (KV_HEADS - 1) * HEAD_DIM];
  const weights = oracle.attentionWeights(
    rows.subarray(q, q + HEAD_DIM),
    (p, c) => rows[p * STRIDE + k + c]!,
    position + m,
  );
  const v = k + KV_HEADS * HEAD_DIM;
  const expected = oracle.attentionMix(weights, (p, c) => rows[p * STRIDE + v + c]!, HEAD_DIM);
  const actual = kernels.f32(out + (m * WIDTH - HEAD_DIM) * 4, HEAD_DIM);
  check("attention_kv_i8", actual, expected, 0.05); // int8 keys and values against f32 ones
  const scores = m * position + (m * (m + 1)) / 2;
  const name = `attention_kv_i8 ${LAYERS} layers, ${m} at ${position}`;
  return { name, unit: "GOP/s", work: 4 * LAYERS * scores * WIDTH, run };
}

export async function attentionKernels(): Promise<Candidate[]> {
  const kernels = DecoderKernels.create(compileKernels());
  const filled = fill(kernels);
  return [
    rmsnorm(kernels),
    rope(kernels, "interleaved"),
    rope(kernels, "halves"),
    siluMul(kernels),
    kvAppend(kernels, filled),
    attention(kernels, filled, 1, 511),
    attention(kernels, filled, 1, CONTEXT - 1),
    attention(kernels, filled, 8, CONTEXT - 8),
    attention(kernels, filled, T, 0),
  ];
}
