/** The encoder's kernels at MiniLM-L6's shapes: 128 tokens, dim 384, 12 heads, ffn_dim 1536. */
import {
  attentionScratchBytes,
  type GemmVariant,
  Kernels,
  quantizedBytes,
} from "../src/model/kernels.ts";
import * as oracle from "../test/oracle/kernels.ts";
import { check, floats, ints } from "./inputs.ts";
import { compileKernels } from "./kernels-module.ts";
import type { Candidate } from "./report.ts";

const T = 128;
const DIM = 384;
const FFN = 1536;
const HEADS = 12;
const VECTORS = 100_000; // 38 MB: beyond the caches, as a segment of an index is

function quantizeRows(kernels: Kernels): Candidate {
  const x = floats(kernels, T * DIM);
  const [q, d] = [kernels.alloc(quantizedBytes(T, DIM)), kernels.alloc(T * 4)];
  const run = () => kernels.quantizeRows(q, d, x, T, DIM);
  const kernel = kernels.variant === "plain" ? "quantize_rows_i16" : "quantize_rows_u7";
  return { name: `${kernel} ${T}x${DIM}`, unit: "GB/s", work: T * DIM * 4, run };
}

function layernorm(kernels: Kernels): Candidate {
  const [x, residual] = [floats(kernels, T * DIM), floats(kernels, T * DIM)];
  const [gamma, beta, y] = [floats(kernels, DIM), floats(kernels, DIM), floats(kernels, T * DIM)];
  const shape = { m: T, dim: DIM, eps: 1e-12 };
  const run = () => kernels.layernormF32(y, x, residual, gamma, beta, shape);
  run();
  const [a, b] = [kernels.f32(x, T * DIM), kernels.f32(residual, T * DIM)];
  const sum = Float64Array.from(a, (v, i) => v + b[i]!);
  const [g, h] = [kernels.f32(gamma, DIM), kernels.f32(beta, DIM)];
  const expected = oracle.layernorm(sum, g, h, DIM, 1e-12);
  check("layernorm_f32", kernels.f32(y, T * DIM), expected, 1e-5);
  return { name: `layernorm_f32 ${T}x${DIM} + residual`, unit: "GB/s", work: 3 * T * DIM * 4, run };
}

function gelu(kernels: Kernels): Candidate {
  const n = T * FFN;
  const [x, y] = [floats(kernels, n, 4), floats(kernels, n)];
  const run = () => kernels.geluF32(y, x, n);
  run();
  check("gelu_f32", kernels.f32(y, n), Array.from(kernels.f32(x, n), oracle.gelu), 1e-6);
  return { name: `gelu_f32 ${T}x${FFN}`, unit: "GB/s", work: 2 * n * 4, run };
}

function attention(kernels: Kernels): Candidate {
  const [n, n_heads, head_dim, stride] = [T, HEADS, DIM / HEADS, 3 * DIM];
  const q = floats(kernels, n * stride);
  const scratch = kernels.alloc(attentionScratchBytes(n, head_dim));
  const [out, k, v] = [kernels.alloc(n * DIM * 4), q + DIM * 4, q + DIM * 8];
  const run = () => kernels.attentionF32({ out, q, k, v, stride, scratch, n, n_heads, head_dim });
  run();
  const expected = oracle.attention(kernels.f32(q, n * stride), n, n_heads, head_dim);
  check("attention_f32", kernels.f32(out, n * DIM), expected, 1e-5);
  return { name: `attention_f32 ${n}x${DIM}`, unit: "GOP/s", work: 4 * n * n * DIM, run };
}

function meanPool(kernels: Kernels): Candidate {
  const [x, y] = [floats(kernels, T * DIM), floats(kernels, DIM)];
  const run = () => kernels.meanPoolF32(y, x, T, DIM);
  run();
  const expected = oracle.meanPool(kernels.f32(x, T * DIM), T, DIM);
  check("mean_pool_f32", kernels.f32(y, DIM), expected, 1e-5);
  return { name: `mean_pool_f32 ${T}x${DIM}`, unit: "GB/s", work: T * DIM * 4, run };
}

function dotScan(kernels: Kernels): Candidate {
  const [n, dim] = [VECTORS, DIM];
  const [x, vectors, d] = [floats(kernels, dim), ints(kernels, n * dim), floats(kernels, n)];
  const [q, qd] = [kernels.alloc(quantizedBytes(1, dim)), kernels.alloc(4)];
  const scores = kernels.alloc(n * 4);
  kernels.quantizeQuery(q, qd, x, dim);
  const run = () => kernels.dotScanI8({ scores, q, qd, vectors, d, n, dim });
  run();
  const scales = kernels.f32(d, n);
  const query = kernels.f32(x, dim);
  const dots = oracle.gemmInteger(query, kernels.i8(vectors, n * dim), 1, n, dim);
  const expected = dots.map((dot, i) => dot * scales[i]!);
  check("dot_scan_i8", kernels.f32(scores, n), expected, 1e-3);
  return { name: `dot_scan_i8 ${n}x${dim}`, unit: "GB/s", work: n * dim, run };
}

const CODES = 500_000; // 24 MB: beyond the caches, as a segment of an index is

function hammingScan(kernels: Kernels): Candidate {
  const bits = DIM;
  const [vectors, query] = [ints(kernels, (CODES * bits) / 8), ints(kernels, bits / 8)];
  const distances = kernels.alloc(CODES * 2);
  const run = () => kernels.hammingScanB1({ distances, query, vectors, n: CODES, bits });
  run();
  const sample = 1000; // counting every code's bits by the oracle would take a minute
  const codes = kernels.u8(vectors, (sample * bits) / 8);
  const expected = oracle.hammingScan(kernels.u8(query, bits / 8), codes);
  const actual = new Uint16Array(kernels.memory.buffer, distances, sample);
  check("hamming_scan_b1", Float32Array.from(actual), expected, 0);
  return { name: `hamming_scan_b1 ${CODES}x${bits}`, unit: "M/s", work: CODES * 1e3, run };
}

function linear(kernels: Kernels): Candidate {
  const shape = { m: T, n: 2, k: DIM };
  const [x, w, bias] = [floats(kernels, T * DIM), floats(kernels, 2 * DIM), floats(kernels, 2)];
  const y = kernels.alloc(T * 2 * 4);
  const run = () => kernels.linearF32(y, x, w, bias, shape);
  run();
  const [a, b, c] = [kernels.f32(x, T * DIM), kernels.f32(w, 2 * DIM), kernels.f32(bias, 2)];
  check("linear_f32", kernels.f32(y, T * 2), oracle.linear(a, b, c, T, 2, DIM), 1e-5);
  return { name: `linear_f32 ${T}x${DIM}x2`, unit: "GOP/s", work: 4 * T * DIM, run };
}

export async function encoderKernels(): Promise<Candidate[]> {
  const variants: GemmVariant[] = ["plain", "relaxed"];
  const [plain, relaxed] = variants.map((variant) => Kernels.create(compileKernels(), { variant }));
  const both = [plain!, relaxed!];
  return [
    ...both.map(quantizeRows),
    layernorm(plain!),
    gelu(plain!),
    attention(plain!),
    meanPool(plain!),
    linear(plain!),
    dotScan(Kernels.create(compileKernels())),
    hammingScan(Kernels.create(compileKernels())),
  ];
}
