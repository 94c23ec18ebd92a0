/** int8 matmuls at the shapes of MiniLM-L6, against onnxruntime-web's MatMulInteger (u8 by s8): its
 *  inputs are quantized already and its sums stay integers, so that neither its quantizing nor our
 *  scaling and bias are compared, the latter being in our time only. */
import { chooseCopies } from "../src/model/calibrate.ts";
import {
  type GemmVariant,
  Kernels,
  packedBytes,
  quantizedA7Bytes,
  quantizedBytes,
} from "../src/model/kernels.ts";
import * as oracle from "../test/oracle/kernels.ts";
import { check, floats, uniform } from "./inputs.ts";
import { compileKernels } from "./kernels-module.ts";
import { FLOAT, Graph, INT32, UINT8 } from "./onnx-graph.ts";
import { ORT, openSession, Tensor } from "./onnxruntime.ts";
import type { Candidate } from "./report.ts";

interface Shape {
  m: number;
  n: number;
  k: number;
  gelu?: boolean;
}

const EXTRA = 16; // of 400 columns at k = 384, as calibrate sets aside

/** What a group's rows of one shape share: inputs, and what they must give within 1 %. */
class Problem {
  readonly shape: Shape;
  readonly x: Float32Array;
  readonly w: Int8Array;
  readonly d: Float32Array;
  readonly bias: Float32Array;
  readonly expected: Float64Array;

  constructor(source: Kernels, shape: Shape) {
    const { m, n, k, gelu } = shape;
    this.shape = shape;
    this.x = source.f32(floats(source, m * k), m * k).slice();
    this.w = gaussianRows(n, k);
    this.d = source.f32(floats(source, n, 0.01), n).slice();
    this.bias = source.f32(floats(source, n), n).slice();
    const sums = oracle.gemmInteger(this.x, this.w, m, n, k);
    const linear = sums.map((sum, i) => sum * this.d[i % n]! + this.bias[i % n]!);
    this.expected = gelu ? linear.map(oracle.gelu) : linear;
  }

  get text(): string {
    const { m, n, k, gelu } = this.shape;
    return `${m}x${k}x${n}${gelu ? " + gelu" : ""}`;
  }

  get work(): number {
    return 2 * this.shape.m * this.shape.n * this.shape.k;
  }
}

/** int8 rows [n, k] whose largest magnitude is 127, as those of a matrix quantized by rows: by the
 *  central limit theorem near to Gaussian, as trained weights are. */
function gaussianRows(n: number, k: number): Int8Array {
  const next = uniform(7);
  const out = new Int8Array(n * k);
  for (let at = 0; at < n * k; at += k) {
    const row = Float64Array.from({ length: k }, () => {
      let sum = 0;
      for (let i = 0; i < 12; i++) sum += next();
      return sum;
    });
    const largest = row.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
    out.set(
      row.map((v) => Math.round((v / largest) * 127)),
      at,
    );
  }
  return out;
}

function load(kernels: Kernels, p: Problem, extra: number) {
  const { m, n, k } = p.shape;
  const [x, w] = [kernels.alloc(m * k * 4), kernels.alloc(n * k)];
  const [d, bias, y] = [kernels.alloc(n * 4), kernels.alloc(n * 4), kernels.alloc(m * n * 4)];
  kernels.f32(x, m * k).set(p.x);
  kernels.i8(w, n * k).set(p.w);
  kernels.f32(d, n).set(p.d);
  kernels.f32(bias, n).set(p.bias);
  const packed = kernels.alloc(packedBytes(n, k, extra));
  kernels.packI8(packed, w, 0, n, { n, k, extra });
  const q = kernels.alloc(Math.max(quantizedBytes(m, k), quantizedA7Bytes(m, k, extra)));
  return { x, d, bias, y, packed, q, qd: kernels.alloc(m * 8) };
}

function exact(kernels: Kernels, p: Problem, peer: string): Candidate {
  const { m, n, k, gelu } = p.shape;
  const { x, d, bias, y, packed, q, qd } = load(kernels, p, 0);
  kernels.quantizeRows(q, qd, x, m, k);
  const run = () => kernels.gemmI8({ y, q, qd, packed, d, bias, m, n, k, gelu });
  run();
  check("gemm_i8", kernels.f32(y, m * n), p.expected, 1e-3);
  return { name: `gemm_i8 ${kernels.variant} ${p.text}`, unit: "GOP/s", work: p.work, peer, run };
}

function sevenBit(kernels: Kernels, p: Problem, peer: string): Candidate {
  const { m, n, k, gelu } = p.shape;
  const extra = EXTRA;
  const { x, d, bias, y, packed, q, qd } = load(kernels, p, extra);
  const maxima = kernels.f32(x, k).map(Math.abs);
  const split = kernels.splitColumns(chooseCopies(maxima, extra), extra);
  kernels.widenI8(packed, n, split);
  kernels.quantizeRowsA7(q, qd, x, m, split);
  const run = () => kernels.gemmI8A7({ y, q, qd, packed, d, bias, m, n, k, extra, gelu });
  run();
  check("gemm_i8_a7", kernels.f32(y, m * n), p.expected, 0.02);
  return { name: `gemm_i8_a7 ${p.text}`, unit: "GOP/s", work: p.work, peer, run };
}

/** onnxruntime-web's MatMulInteger of the same matrices, activations rounded to u8. */
async function peerInteger(p: Problem): Promise<Candidate> {
  const { m, n, k } = p.shape;
  const g = new Graph();
  const columns = new Int8Array(n * k);
  for (let r = 0; r < n; r++) for (let j = 0; j < k; j++) columns[j * n + r] = p.w[r * k + j]!;
  const zero = g.constant(Uint8Array.of(128), []);
  const y = g.node("MatMulInteger", ["x", g.constant(columns, [k, n]), zero]);
  const file = g.model([{ name: "x", type: UINT8, dims: [m, k] }], {
    name: y,
    type: INT32,
    dims: [m, n],
  });
  const session = await openSession(file);
  const u8 = Uint8Array.from(p.x, (v) => Math.round(v * 127) + 128);
  const feeds = { x: new Tensor("uint8", u8, [m, k]) };
  const run = () => session.run(feeds);
  const sums = (await run())[y]!.data as Int32Array;
  const back = Float32Array.from(sums, (s, i) => (s / 127) * p.d[i % n]! + p.bias[i % n]!);
  check("MatMulInteger", back, p.expected, 0.02);
  return { name: integerName(p), unit: "GOP/s", work: p.work, run };
}

const integerName = (p: Problem) => `${ORT} MatMulInteger u8s8 ${p.text}`;

/** The same product in f32 by onnxruntime-web: its best other path where MatMulInteger is slow. */
export async function peerFloat(p: Problem): Promise<Candidate> {
  const { m, n, k } = p.shape;
  const g = new Graph();
  const columns = new Float32Array(n * k);
  for (let r = 0; r < n; r++)
    for (let j = 0; j < k; j++) columns[j * n + r] = p.w[r * k + j]! * p.d[r]!;
  const product = g.node("MatMul", ["x", g.constant(columns, [k, n])]);
  const y = g.node("Add", [product, g.constant(p.bias, [n])]);
  const file = g.model([{ name: "x", type: FLOAT, dims: [m, k] }], {
    name: y,
    type: FLOAT,
    dims: [m, n],
  });
  const session = await openSession(file);
  const feeds = { x: new Tensor("float32", p.x, [m, k]) };
  const run = () => session.run(feeds);
  check("MatMul", (await run())[y]!.data as Float32Array, p.expected, 1e-4);
  return { name: `${ORT} MatMul f32 ${p.text}`, unit: "GOP/s", work: p.work, run };
}

const SHAPES: Shape[] = [
  { m: 128, n: 1536, k: 384 },
  { m: 128, n: 384, k: 1536 },
  { m: 128, n: 1152, k: 384 },
  { m: 128, n: 384, k: 384 },
  { m: 16, n: 1536, k: 384 },
  { m: 1, n: 2048, k: 2048 },
];

/** Each shape by each of our variants and by the peer; one with GELU, which only we fuse. */
export async function gemmI8Kernels(): Promise<Candidate[]> {
  const variants: GemmVariant[] = ["plain", "relaxed"];
  const both = variants.map((variant) => Kernels.create(compileKernels(), { variant }));
  const out: Candidate[] = [];
  for (const shape of SHAPES) {
    const p = new Problem(both[0]!, shape);
    const peer = integerName(p);
    out.push(...both.map((kernels) => exact(kernels, p, peer)), sevenBit(both[0]!, p, peer));
    out.push(await peerInteger(p));
    if (shape.m === 1) out.push(await peerFloat(p));
  }
  const fused = new Problem(both[0]!, { m: 128, n: 1536, k: 384, gelu: true });
  const against = `gemm_i8 plain ${fused.text}`;
  out.push(exact(both[0]!, fused, against), sevenBit(both[0]!, fused, against));
  return out;
}
