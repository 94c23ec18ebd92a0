/** A BERT encoder as an int8 ONNX file, as onnxruntime's dynamic quantization would leave it: u8
 *  activations (DynamicQuantizeLinear, one scale a tensor), s8 weights with a scale a column,
 *  attention, LayerNormalization and erf GELU in f32. */
import type { BertConfig } from "../src/model/bert.ts";
import {
  attributeFloat,
  attributeInt,
  attributeInts,
  FLOAT,
  INT64,
  Graph as OnnxGraph,
  onnxFile,
  valueInfo,
} from "./onnx-graph.ts";

/** How matmuls with weights compute: as dynamic quantization does, or exactly, as a yardstick. */
export type Precision = "int8" | "f32";

class Graph extends OnnxGraph {
  readonly precision: Precision;

  constructor(precision: Precision) {
    super();
    this.precision = precision;
  }
}

/** W int8 [n, k] with its rows' scales, as numbers. */
export interface Matrix {
  qs: Int8Array;
  d: Float32Array;
  bias: Float32Array;
  n: number;
  k: number;
}

export interface Norm {
  gamma: Float32Array;
  beta: Float32Array;
}

/** The numbers behind a BertWeights. */
export interface BertNumbers {
  config: BertConfig;
  tokens: { qs: Int8Array; d: Float32Array };
  positions: Float32Array;
  types: Float32Array;
  embedNorm: Norm;
  layers: {
    qkv: Matrix;
    attnOut: Matrix;
    attnNorm: Norm;
    up: Matrix;
    down: Matrix;
    outNorm: Norm;
  }[];
}

/** Rows [from, to) of a matrix. */
function rowsOf({ qs, d, bias, k }: Matrix, from: number, to: number): Matrix {
  const n = to - from;
  const rows = qs.subarray(from * k, to * k);
  return { qs: rows, d: d.subarray(from, to), bias: bias.subarray(from, to), n, k };
}

/** What a matmul takes in: x itself, and its u8 form unless the model computes in f32. */
interface Activations {
  x: string;
  u8: { q: string; scale: string; zero: string } | null;
}

function activations(g: Graph, x: string): Activations {
  if (g.precision === "f32") return { x, u8: null };
  const [q, scale, zero] = g.nodes("DynamicQuantizeLinear", [x], 3);
  return { x, u8: { q: q!, scale: scale!, zero: zero! } };
}

/** W as [k, n], the order that ONNX's matmuls take, in f32 with the scales applied or as int8. */
function columns(g: Graph, { qs, d, n, k }: Matrix, type: "f32" | "int8"): string {
  const out = type === "f32" ? new Float32Array(n * k) : new Int8Array(n * k);
  for (let r = 0; r < n; r++)
    for (let j = 0; j < k; j++) out[j * n + r] = qs[r * k + j]! * (type === "f32" ? d[r]! : 1);
  return g.constant(out, [k, n]);
}

function linear(g: Graph, { x, u8 }: Activations, w: Matrix): string {
  const bias = g.constant(w.bias.slice(), [w.n]);
  if (u8 === null) return g.node("Add", [g.node("MatMul", [x, columns(g, w, "f32")]), bias]);
  const inputs = [u8.q, columns(g, w, "int8"), u8.zero, g.constant(Int8Array.of(0), [])];
  const sums = g.node("Cast", [g.node("MatMulInteger", inputs)], attributeInt("to", FLOAT));
  const scales = g.node("Mul", [u8.scale, g.constant(w.d.slice(), [w.n])]);
  return g.node("Add", [g.node("Mul", [sums, scales]), bias]);
}

function norm(g: Graph, x: string, { gamma, beta }: Norm, eps: number): string {
  const dims = [gamma.length];
  const inputs = [x, g.constant(gamma, dims), g.constant(beta, dims)];
  return g.node(
    "LayerNormalization",
    inputs,
    attributeInt("axis", -1),
    attributeFloat("epsilon", eps),
  );
}

/** x [n, dim] -> attention's mix [n, dim]. */
function attention(g: Graph, x: string, qkv: Matrix, { dim, n_heads }: BertConfig): string {
  const input = activations(g, x);
  const heads = g.constant(BigInt64Array.of(-1n, BigInt(n_heads), BigInt(dim / n_heads)), [3]);
  const [q, k, v] = [0, 1, 2].map((part) => {
    const flat = linear(g, input, rowsOf(qkv, part * dim, (part + 1) * dim));
    const perm = attributeInts("perm", part === 1 ? [1, 2, 0] : [1, 0, 2]);
    return g.node("Transpose", [g.node("Reshape", [flat, heads])], perm);
  });
  const scale = g.scalar(Math.sqrt(dim / n_heads));
  const scores = g.node("Div", [g.node("MatMul", [q!, k!]), scale]);
  const weights = g.node("Softmax", [scores], attributeInt("axis", -1));
  const mixed = g.node(
    "Transpose",
    [g.node("MatMul", [weights, v!])],
    attributeInts("perm", [1, 0, 2]),
  );
  return g.node("Reshape", [mixed, g.constant(BigInt64Array.of(-1n, BigInt(dim)), [2])]);
}

function gelu(g: Graph, x: string): string {
  const erf = g.node("Erf", [g.node("Div", [x, g.scalar(Math.SQRT2)])]);
  return g.node("Mul", [g.node("Mul", [x, g.node("Add", [erf, g.scalar(1)])]), g.scalar(0.5)]);
}

function embed(g: Graph, { config, tokens, positions, types }: BertNumbers): string {
  const { dim, vocab_size, context_length } = config;
  const ids = g.node("Gather", [g.constant(tokens.qs, [vocab_size, dim]), "ids"]);
  const scales = g.node("Gather", [g.constant(tokens.d, [vocab_size, 1]), "ids"]);
  const token = g.node("Mul", [g.node("Cast", [ids], attributeInt("to", FLOAT)), scales]);
  const place = g.node("Gather", [g.constant(positions, [context_length, dim]), "places"]);
  const type = g.node("Gather", [g.constant(types, [2, dim]), "types"]);
  return g.node("Add", [g.node("Add", [token, place]), type]);
}

/** An ONNX file with inputs ids, places, types (int64 [n], one sequence) and the output `mean`,
 *  f32 [1, dim]: the mean of the last hidden states, not normalized. */
export function onnxModel(numbers: BertNumbers, precision: Precision): Uint8Array {
  const { config, layers } = numbers;
  const g = new Graph(precision);
  let x = norm(g, embed(g, numbers), numbers.embedNorm, config.eps);
  for (const { qkv, attnOut, attnNorm, up, down, outNorm } of layers) {
    const attended = linear(g, activations(g, attention(g, x, qkv, config)), attnOut);
    x = norm(g, g.node("Add", [x, attended]), attnNorm, config.eps);
    const wide = gelu(g, linear(g, activations(g, x), up));
    x = norm(g, g.node("Add", [x, linear(g, activations(g, wide), down)]), outNorm, config.eps);
  }
  const mean = g.node("ReduceMean", [x], attributeInts("axes", [0]));
  const inputs = ["ids", "places", "types"].map((name) => valueInfo(11, name, INT64, ["n"]));
  const output = valueInfo(12, mean, FLOAT, [1, config.dim]);
  return onnxFile(g, [...inputs, output]);
}
