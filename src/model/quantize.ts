/** Numbers to GGUF's Q8_0 and Q4_0 blocks, as ggml's reference defines them, bit for bit: every
 *  step rounds to f32, as C's floats do. Source: quantize_row_q8_0_ref and quantize_row_q4_0_ref in
 *  ggml-quants.c. */
import { assert } from "../errors.ts";
import { invalidModel } from "./gguf.ts";

/** The types that Brink writes. */
export type QuantizedType = "Q8_0" | "Q4_0";

/** Numbers a block of either type. */
export const QUANTIZED_BLOCK = 32;
export const QUANTIZED_BLOCK_BYTES: Record<QuantizedType, number> = { Q8_0: 34, Q4_0: 18 };

const floatOf = new Float32Array(1);
const bitsOf = new Uint32Array(floatOf.buffer);

/** The bits of the half float nearest to an f32, ties to even; beyond 65,504 infinity. */
export function floatToHalf(value: number): number {
  floatOf[0] = value;
  const bits = bitsOf[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // Below 2^-14 a half counts in steps of 2^-24, and multiplying by a power of two is exact.
  if (magnitude < 0x38800000) return sign | roundToEven(Math.abs(floatOf[0]) * 2 ** 24);
  // Rebased exponent and the upper ten bits of the fraction; a carry out of them is the next power.
  return sign | roundToEven((magnitude - 0x38000000) / 2 ** 13);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/** Writes a row f32 [cols], every number finite and cols a multiple of 32, as blocks to `out`, of
 *  just their size. Errors: invalid_model_file where a scale is beyond what a half holds. */
export function quantizeRow(type: QuantizedType, row: Float32Array, out: Uint8Array): void {
  const blockBytes = QUANTIZED_BLOCK_BYTES[type];
  assert(row.length % QUANTIZED_BLOCK === 0, `a row of ${row.length} to ${type}`);
  assert(out.length === (row.length / QUANTIZED_BLOCK) * blockBytes, `${type} to ${out.length}`);
  const block = type === "Q8_0" ? q8_0 : q4_0;
  for (let i = 0, at = 0; i < row.length; i += QUANTIZED_BLOCK, at += blockBytes)
    block(row, i, out, at);
}

const { fround } = Math;

/** d = max|x| / 127, q = x / d rounded half away from zero. The quants are made with d as an f32,
 *  though a half of it is what is stored: so does the reference. */
function q8_0(row: Float32Array, i: number, out: Uint8Array, at: number): void {
  let max = 0;
  for (let j = i; j < i + 32; j++) max = Math.max(max, Math.abs(row[j]!));
  const d = fround(max / 127);
  const inverse = d === 0 ? 0 : fround(1 / d);
  putScale(d, out, at);
  for (let j = 0; j < 32; j++) {
    const x = fround(row[i + j]! * inverse);
    out[at + 2 + j] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5);
  }
}

/** d = x / -8 for the x of greatest magnitude, the first of equals, so that it lands on -8 exactly;
 *  q = x / d + 8 rounded, 15 at most. Byte b holds numbers b (low nibble) and b + 16. */
function q4_0(row: Float32Array, i: number, out: Uint8Array, at: number): void {
  let max = 0;
  for (let j = i; j < i + 32; j++) if (Math.abs(row[j]!) > Math.abs(max)) max = row[j]!;
  const d = fround(max / -8);
  const inverse = d === 0 ? 0 : fround(1 / d);
  putScale(d, out, at);
  const quant = (x: number) => Math.min(15, Math.trunc(fround(fround(x * inverse) + 8.5)));
  for (let b = 0; b < 16; b++)
    out[at + 2 + b] = quant(row[i + b]!) | (quant(row[i + b + 16]!) << 4);
}

function putScale(d: number, out: Uint8Array, at: number): void {
  const half = floatToHalf(d);
  if ((half & 0x7c00) === 0x7c00)
    throw invalidModel(`a block needs the scale ${d}, beyond the 65504 that a half holds`);
  out[at] = half & 255;
  out[at + 1] = half >> 8;
}
