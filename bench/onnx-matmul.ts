/** Single products as ONNX files: x f32 [m, k] -> f32 [m, n], for weights W [n, k]. */
import { attributeInt, FLOAT, Graph, MICROSOFT } from "./onnx-graph.ts";

interface Shape {
  m: number;
  k: number;
  n: number;
}

function modelOf(g: Graph, y: string, { m, k, n }: Shape): Uint8Array {
  g.rename(y, "y");
  const input = { name: "x", type: FLOAT, dims: [m, k] };
  return g.model([input], { name: "y", type: FLOAT, dims: [m, n] });
}

/** W [n, k] as [k, n], the order that ONNX's matmuls take. */
function columns<T extends Float32Array | Int8Array>(w: T, { n, k }: Shape): T {
  const out = w.slice() as T;
  for (let r = 0; r < n; r++) for (let j = 0; j < k; j++) out[j * n + r] = w[r * k + j]!;
  return out;
}

/** MatMul in f32. */
export function matMul(w: Float32Array, shape: Shape): Uint8Array {
  const g = new Graph();
  const weights = g.constant(columns(w, shape), [shape.k, shape.n]);
  return modelOf(g, g.node("MatMul", ["x", weights]), shape);
}

/** Activations quantized to u8 as dynamic quantization does, MatMulInteger with int8 weights, and
 *  the scales. */
export function matMulInteger(qs: Int8Array, d: number, shape: Shape): Uint8Array {
  const g = new Graph();
  const [q, scale, zero] = g.nodes("DynamicQuantizeLinear", ["x"], 3);
  const weights = g.constant(columns(qs, shape), [shape.k, shape.n]);
  const inputs = [q!, weights, zero!, g.constant(Int8Array.of(0), [])];
  const sums = g.node("Cast", [g.node("MatMulInteger", inputs)], attributeInt("to", FLOAT));
  return modelOf(g, g.node("Mul", [sums, g.node("Mul", [scale!, g.scalar(d)])]), shape);
}

/** onnxruntime's MatMulNBits over q4_0 rows as they lie in a GGUF file: 4 bits, blocks of 32.
 *  accuracyLevel 0 lets it choose, 4 allows int8 activations. */
export function matMulNBits(
  rows: Uint8Array,
  halfToFloat: (bits: number) => number,
  accuracyLevel: 0 | 4,
  shape: Shape,
): Uint8Array {
  const { n, k } = shape;
  const g = new Graph();
  const blocks = (n * k) / 32;
  const quants = new Uint8Array(blocks * 16);
  const scales = new Float32Array(blocks);
  for (let block = 0, at = 0; block < blocks; block++, at += 18) {
    scales[block] = halfToFloat(rows[at]! | (rows[at + 1]! << 8));
    const number = (i: number) => (i < 16 ? rows[at + 2 + i]! & 15 : rows[at + 2 + i - 16]! >> 4);
    for (let b = 0; b < 16; b++) quants[block * 16 + b] = number(2 * b) | (number(2 * b + 1) << 4);
  }
  const inputs = ["x", g.constant(quants, [n, k / 32, 16]), g.constant(scales, [blocks])];
  const attributes = [
    attributeInt("K", k),
    attributeInt("N", n),
    attributeInt("bits", 4),
    attributeInt("block_size", 32),
    attributeInt("accuracy_level", accuracyLevel),
  ];
  return modelOf(g, g.node("MatMulNBits", inputs, MICROSOFT, ...attributes), shape);
}
