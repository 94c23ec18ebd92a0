/** A BERT encoder as an int8 ONNX file, as onnxruntime's dynamic quantization would leave it: u8
 *  activations (DynamicQuantizeLinear, one scale a tensor), s8 weights with a scale a column,
 *  attention, LayerNormalization and erf GELU in f32. */
import type { BertConfig } from "../src/model/bert.ts";
import { attributeFloat, attributeInt, attributeInts, FLOAT, Graph, INT64 } from "./onnx-graph.ts";

/** How matmuls with weights compute: as dynamic quantization does, or exactly, as a yardstick. */
export type Precision = "int8" | "f32";

class BertGraph extends Graph {
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

function activations(g: BertGraph, x: string): Activations {
  if (g.precision === "f32") return { x, u8: null };
  const [q, scale, zero] = g.nodes("DynamicQuantizeLinear", [x], 3);
  return { x, u8: { q: q!, scale: scale!, zero: zero! } };
}

/** W as [k, n], the order that ONNX's matmuls take, in f32 with the scales applied or as int8. */
function columns(g: BertGraph, { qs, d, n, k }: Matrix, type: "f32" | "int8"): string {
  const out = type === "f32" ? new Float32Array(n * k) : new Int8Array(n * k);
  for (let r = 0; r < n; r++)
    for (let j = 0; j < k; j++) out[j * n + r] = qs[r * k + j]! * (type === "f32" ? d[r]! : 1);
  return g.constant(out, [k, n]);
}

function linear(g: BertGraph, { x, u8 }: Activations, w: Matrix): string {
  const bias = g.constant(w.bias.slice(), [w.n]);
  if (u8 === null) return g.node("Add", [g.node("MatMul", [x, columns(g, w, "f32")]), bias]);
  const inputs = [u8.q, columns(g, w, "int8"), u8.zero, g.constant(Int8Array.of(0), [])];
  const sums = g.node("Cast", [g.node("MatMulInteger", inputs)], attributeInt("to", FLOAT));
  const scales = g.node("Mul", [u8.scale, g.constant(w.d.slice(), [w.n])]);
  return g.node("Add", [g.node("Mul", [sums, scales]), bias]);
}

function norm(g: BertGraph, x: string, { gamma, beta }: Norm, eps: number): string {
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
function attention(g: BertGraph, x: string, qkv: Matrix, { dim, n_heads }: BertConfig): string {
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

function gelu(g: BertGraph, x: string): string {
  const erf = g.node("Erf", [g.node("Div", [x, g.scalar(Math.SQRT2)])]);
  return g.node("Mul", [g.node("Mul", [x, g.node("Add", [erf, g.scalar(1)])]), g.scalar(0.5)]);
}

/** x f32 [n, dim], from the names of ids, places and types, int64 [n]. */
function embed(
  g: BertGraph,
  { config, tokens, positions, types }: BertNumbers,
  input: { ids: string; places: string; types: string },
): string {
  const { dim, vocab_size, context_length } = config;
  const ids = g.node("Gather", [g.constant(tokens.qs, [vocab_size, dim]), input.ids]);
  const scales = g.node("Gather", [g.constant(tokens.d, [vocab_size, 1]), input.ids]);
  const token = g.node("Mul", [g.node("Cast", [ids], attributeInt("to", FLOAT)), scales]);
  const place = g.node("Gather", [g.constant(positions, [context_length, dim]), input.places]);
  const type = g.node("Gather", [g.constant(types, [2, dim]), input.types]);
  return g.node("Add", [g.node("Add", [token, place]), type]);
}

function encode(g: BertGraph, numbers: BertNumbers, embedded: string): string {
  const { config, layers, embedNorm } = numbers;
  let x = norm(g, embedded, embedNorm, config.eps);
  for (const { qkv, attnOut, attnNorm, up, down, outNorm } of layers) {
    const attended = linear(g, activations(g, attention(g, x, qkv, config)), attnOut);
    x = norm(g, g.node("Add", [x, attended]), attnNorm, config.eps);
    const wide = gelu(g, linear(g, activations(g, x), up));
    x = norm(g, g.node("Add", [x, linear(g, activations(g, wide), down)]), outNorm, config.eps);
  }
  return x;
}

/** An ONNX file with inputs ids, places, types (int64 [n], one sequence) and the output `mean`,
 *  f32 [1, dim]: the mean of the last hidden states, not normalized. */
export function onnxModel(numbers: BertNumbers, precision: Precision): Uint8Array {
  const g = new BertGraph(precision);
  const names = { ids: "ids", places: "places", types: "types" };
  const x = encode(g, numbers, embed(g, numbers, names));
  const mean = g.node("ReduceMean", [x], attributeInts("axes", [0]));
  const inputs = Object.keys(names).map((name) => ({ name, type: INT64, dims: ["n"] }));
  return g.model(inputs, { name: mean, type: FLOAT, dims: [1, numbers.config.dim] });
}

/** The same model as transformers.js wants it: inputs input_ids, attention_mask, token_type_ids
 *  (int64 [1, n]), output last_hidden_state f32 [1, n, dim]. One text has no padding, so the mask
 *  is not applied to the scores, which spares the peer an addition. */
export function transformersModel(numbers: BertNumbers): Uint8Array {
  const g = new BertGraph("int8");
  const flat = g.constant(BigInt64Array.of(-1n), [1]);
  const ids = g.node("Reshape", ["input_ids", flat]);
  // Places 0 .. n - 1: how many tokens precede, by a sum over the mask of ones.
  const ones = g.node("Reshape", ["attention_mask", flat]);
  const places = g.node(
    "CumSum",
    [ones, g.constant(BigInt64Array.of(0n), [])],
    attributeInt("exclusive", 1),
  );
  const types = g.node("Reshape", ["token_type_ids", flat]);
  const x = encode(g, numbers, embed(g, numbers, { ids, places, types }));
  const { dim } = numbers.config;
  const hidden = g.node("Reshape", [x, g.constant(BigInt64Array.of(1n, -1n, BigInt(dim)), [3])]);
  const name = g.rename(hidden, "last_hidden_state");
  const inputs = ["input_ids", "attention_mask", "token_type_ids"].map((input) => {
    return { name: input, type: INT64, dims: ["batch", "n"] };
  });
  return g.model(inputs, { name, type: FLOAT, dims: [1, "n", dim] });
}
