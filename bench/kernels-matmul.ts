/** The decoders' matrix products beside onnxruntime-web's on the same weights: prefill (128 rows),
 *  decode (one row), and decode over more weights than the caches hold beside a plain sum. */
import { dequantize, halfToFloat } from "../src/model/dequantize.ts";
import {
  activationBytes,
  MatmulKernels,
  type MatmulVariant,
  type Matrix,
  matrixBytes,
  PANEL_ROWS,
  rowBytes,
} from "../src/model/matmul-kernels.ts";
import { gemmInteger } from "../test/oracle/kernels.ts";
import { check, floats, uniform } from "./inputs.ts";
import { compileKernels } from "./kernels-module.ts";
import { memorySum } from "./memory-bandwidth.ts";
import { matMul, matMulInteger, matMulNBits } from "./onnx-matmul.ts";
import { ORT, openSession, Tensor } from "./onnxruntime.ts";
import type { Candidate } from "./report.ts";

const BYTES_MAX = 400e6;
const VARIANTS: readonly MatmulVariant[] = ["relaxed_i16", "relaxed_i32", "plain"];

interface Problem {
  type: "Q4_0" | "Q8_0" | "F32";
  m: number;
  k: number;
  n: number;
  rows: Uint8Array; // as in a GGUF file
  x: Float32Array;
}

const random = uniform(2);
const Q8_0_SCALE = 2 ** -8;

/** Random rows. Q4_0's scales are about 2^-8, as weights have; Q8_0's all are Q8_0_SCALE, so that
 *  the peer can represent them. */
function problem(type: Problem["type"], m: number, k: number, n: number): Problem {
  const rows = new Uint8Array(n * rowBytes(type, k));
  if (type === "F32") {
    const numbers = new Float32Array(rows.buffer);
    for (let i = 0; i < numbers.length; i++) numbers[i] = random();
  } else {
    const words = new Int32Array(rows.buffer, 0, rows.length >> 2);
    for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 31;
    const block = rowBytes(type, 32);
    for (let at = 0; at < rows.length; at += block) {
      if (type === "Q8_0") rows[at] = 0;
      rows[at + 1] = 0x1c | (type === "Q8_0" ? 0 : rows[at + 1]! & 0x80);
    }
  }
  return { type, m, k, n, rows, x: Float32Array.from({ length: m * k }, random) };
}

const shapeOf = ({ m, k, n }: Problem) => `${m}x${k}x${n}`;

/** Rows [from, to) of the weights as f32. */
function weightsOf({ type, k, rows }: Problem, from: number, to: number): Float32Array {
  const out = new Float32Array((to - from) * k);
  const bytes = rowBytes(type, k);
  for (let r = from; r < to; r++) {
    const view = new DataView(rows.buffer, r * bytes, bytes);
    dequantize(type, view, out.subarray((r - from) * k, (r - from + 1) * k));
  }
  return out;
}

/** Throws unless y [m, n] is x W^T within `bound` of its largest; looks at the first and the last
 *  1,024 rows of W. */
function checkProduct(what: string, p: Problem, y: Float32Array, bound: number): void {
  const { m, k, n, x } = p;
  const part = Math.min(n, 1024);
  for (const from of new Set([0, n - part])) {
    const expected = gemmInteger(x, weightsOf(p, from, from + part), m, part, k);
    const actual = expected.map((_, i) => y[Math.floor(i / part) * n + from + (i % part)]!);
    check(what, Float32Array.from(actual), expected, bound);
  }
}

function pack(kernels: MatmulKernels, { type, k, n, rows }: Problem): Matrix {
  const w = kernels.allocMatrix(type, n, k);
  const mark = kernels.mark();
  const bytes = rowBytes(type, k);
  const portion = PANEL_ROWS * 64;
  const src = kernels.alloc(portion * bytes);
  for (let row = 0; row < n; row += portion) {
    const count = Math.min(portion, n - row);
    kernels.u8(src, count * bytes).set(rows.subarray(row * bytes, (row + count) * bytes));
    kernels.packMatrix(w, src, row, count);
  }
  kernels.release(mark);
  return w;
}

/** Our product: activations quantized and multiplied, as each step of a decoder does. */
function ours(p: Problem, variant: MatmulVariant, peer: string): Candidate {
  const { type, m, k, n } = p;
  const kernels = MatmulKernels.create(compileKernels(), { variant, bytesMax: BYTES_MAX });
  const w = pack(kernels, p);
  const x = floats(kernels, m * k);
  kernels.f32(x, m * k).set(p.x);
  const [at, y] = [kernels.alloc(activationBytes(m, k)), kernels.alloc(m * n * 4)];
  const run = () => kernels.matmul(y, n, kernels.activations(at, x, m, k, [type]), w);
  run();
  const kernel = `${m < 4 ? "gemv" : "gemm"}_${type.toLowerCase()}`;
  checkProduct(kernel, p, kernels.f32(y, m * n), 0.01);
  const name = `${kernel} ${type === "F32" ? "" : `${variant} `}${shapeOf(p)}`;
  return { name, unit: "GOP/s", work: 2 * m * n * k, peer, run };
}

/** onnxruntime-web's product by the model in `file`. */
async function theirs(
  p: Problem,
  kernel: string,
  file: Uint8Array,
  bound: number,
  more?: Partial<Candidate>,
): Promise<Candidate> {
  const { m, k, n } = p;
  const session = await openSession(file);
  const input = { x: new Tensor("float32", p.x, [m, k]) };
  const run = () => session.run(input);
  checkProduct(kernel, p, (await run()).y!.data as Float32Array, bound);
  const name = `${ORT} ${kernel} ${shapeOf(p)}`;
  return { name, unit: "GOP/s", work: 2 * m * n * k, run, ...more };
}

/** 4-bit weights: ours in each variant beside MatMulNBits, and beside the peer's best other path,
 *  the same weights in f32. */
async function fourBits(m: number, k: number, n: number): Promise<Candidate[]> {
  const p = problem("Q4_0", m, k, n);
  const nBits = (level: 0 | 4) => matMulNBits(p.rows, halfToFloat, level, p);
  const note = m === 1 ? "dequantizes the matrix each call" : undefined;
  const peers = [
    await theirs(p, "MatMulNBits, accuracy level 0,", nBits(0), 1e-4, { note }),
    await theirs(p, "MatMulNBits, accuracy level 4,", nBits(4), 0.02, { note }),
    await theirs(p, "MatMul of the weights in f32", matMul(weightsOf(p, 0, n), p), 1e-4),
  ];
  return peers.concat(
    VARIANTS.map((variant) => ours(p, variant, peers[1]!.name)),
    { ...ours(p, "relaxed_i16", peers[2]!.name), name: `q4_0 again, ${shapeOf(p)}` },
  );
}

/** int8 weights beside MatMulInteger. */
async function eightBits(m: number, k: number, n: number): Promise<Candidate[]> {
  const p = problem("Q8_0", m, k, n);
  const blocks = (n * k) / 32;
  const qs = new Int8Array(n * k);
  for (let block = 0; block < blocks; block++)
    qs.set(new Int8Array(p.rows.buffer, block * 34 + 2, 32), block * 32);
  const file = matMulInteger(qs, Q8_0_SCALE, p);
  const peer = await theirs(p, "MatMulInteger, activations quantized,", file, 0.02);
  return [peer, ours(p, "relaxed_i16", peer.name)];
}

async function floatWeights(m: number, k: number, n: number): Promise<Candidate[]> {
  const p = problem("F32", m, k, n);
  const peer = await theirs(p, "MatMul", matMul(weightsOf(p, 0, n), p), 1e-4);
  return [peer, ours(p, "relaxed_i16", peer.name)];
}

/** One row by more weights than the caches hold, in bytes of weights, beside a sum of as many. */
async function streaming(type: "Q4_0" | "Q8_0", k: number, n: number): Promise<Candidate[]> {
  const p = problem(type, 1, k, n);
  const bytes = matrixBytes(type, n, k);
  const work = { unit: "GB/s", work: bytes };
  const name = `plain SIMD sum of ${(bytes / 1e6).toFixed(1)} MB`;
  const sum = { name, ...work, run: await memorySum(bytes) };
  return [sum, { ...ours(p, "relaxed_i16", name), ...work }];
}

export async function matmulKernels(): Promise<Candidate[]> {
  return (
    await Promise.all([
      fourBits(128, 576, 1536),
      fourBits(128, 2048, 2048),
      fourBits(1, 2048, 2048),
      eightBits(1, 2048, 2048),
      eightBits(128, 384, 1536),
      floatWeights(128, 384, 1536),
      streaming("Q4_0", 2048, 65_536),
      streaming("Q8_0", 2048, 32_768),
    ])
  ).flat();
}
