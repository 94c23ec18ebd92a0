/** Random rows in GGUF's types, as bytes, and what they stand for. */
import { dequantize } from "../../src/model/dequantize.ts";
import { rowBytes } from "../../src/model/matmul-kernels.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";

/** Of each quantized type: elements and bytes of a block, where its halves lie, and the one of them
 *  that scales the mins. */
const BLOCKS: Partial<Record<TensorType, [elements: number, halves: number[], min?: number]>> = {
  Q8_0: [32, [0]],
  Q4_0: [32, [0]],
  Q4_1: [32, [0, 2], 2],
  Q5_0: [32, [0]],
  Q5_1: [32, [0, 2], 2],
  Q4_K: [256, [0, 2], 2],
  Q5_K: [256, [0, 2], 2],
  Q6_K: [256, [208]],
};

export const QUANTIZED = Object.keys(BLOCKS) as TensorType[];
export const TYPES: readonly TensorType[] = [...QUANTIZED, "F32", "F16", "BF16"];

/** Numbers of a type's block. */
export const blockOf = (type: TensorType) => BLOCKS[type]?.[0] ?? 1;

/** A half float of either sign below 2 in magnitude, one in 16 of them subnormal or zero. */
function half(next: () => number): number {
  const exponent = next() < 1 / 16 ? 0 : 1 + Math.floor(next() * 15);
  return (next() < 0.5 ? 0x8000 : 0) | (exponent << 10) | Math.floor(next() * 1024);
}

/** Rows [n, k] of a type: any quants (or all bytes `quant`), any finite scales. */
export function randomRows(
  type: TensorType,
  n: number,
  k: number,
  next: () => number,
  quant?: number,
): Uint8Array {
  const rows = new Uint8Array(n * rowBytes(type, k));
  const view = new DataView(rows.buffer);
  const block = BLOCKS[type];
  if (type === "F32") for (let i = 0; i < n * k; i++) view.setFloat32(i * 4, next() * 2 - 1, true);
  else if (type === "F16") for (let i = 0; i < n * k; i++) view.setUint16(i * 2, half(next), true);
  else if (type === "BF16")
    for (let i = 0; i < n * k; i++)
      view.setUint16(i * 2, (next() < 0.5 ? 0x8000 : 0) | (0x3c00 + next() * 0x380), true);
  else {
    for (let i = 0; i < rows.length; i++) rows[i] = quant ?? Math.floor(next() * 256);
    const bytes = rowBytes(type, block![0]);
    for (let at = 0; at < rows.length; at += bytes)
      for (const h of block![1]) view.setUint16(at + h, half(next), true);
  }
  return rows;
}

/** The weights f32 [n, k] that rows stand for. */
export function weightsOf(type: TensorType, rows: Uint8Array, n: number, k: number): Float32Array {
  const out = new Float32Array(n * k);
  const bytes = rowBytes(type, k);
  for (let r = 0; r < n; r++) {
    const view = new DataView(rows.buffer, rows.byteOffset + r * bytes, bytes);
    dequantize(type, view, out.subarray(r * k, (r + 1) * k));
  }
  return out;
}

/** The weights without their mins: the part that meets quantized activations. */
export function withoutMins(type: TensorType, rows: Uint8Array, n: number, k: number) {
  const [elements, , min] = BLOCKS[type] ?? [1, []];
  const bare = rows.slice();
  if (min !== undefined)
    for (let at = 0, bytes = rowBytes(type, elements); at < bare.length; at += bytes)
      bare.fill(0, at + min, at + min + 2);
  return weightsOf(type, bare, n, k);
}

/** withoutMins as activations' rounding meets it, and the scale of each weight: quants of 4 bits
 *  with a min are less 8 there. */
export function roundedPart(type: TensorType, rows: Uint8Array, n: number, k: number) {
  const bare = withoutMins(type, rows, n, k);
  if (type !== "Q4_1" && type !== "Q4_K") return { part: bare, scale: new Float32Array(n * k) };
  const [elements, , min] = BLOCKS[type]!;
  const ones = rows.slice(); // the same scales, every quant 1
  const head = type === "Q4_1" ? 4 : 16;
  for (let at = 0, bytes = rowBytes(type, elements); at < ones.length; at += bytes) {
    ones.fill(0, at + min!, at + min! + 2);
    ones.fill(0x11, at + head, at + bytes);
  }
  const scale = weightsOf(type, ones, n, k);
  return { part: bare.map((v, i) => v - 8 * scale[i]!), scale };
}
