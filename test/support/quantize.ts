/** Numbers to blocks of every tensor type, for tests: valid and near, not the best there are. Q8_0
 *  and Q4_0 are the ones that Brink writes. Layouts: src/model/dequantize.ts. */
import { halfToFloat } from "../../src/model/dequantize.ts";
import { floatToHalf, quantizeRow } from "../../src/model/quantize.ts";
import { TENSOR_TYPES, type TensorType } from "../../src/model/tensor-types.ts";

/** Writes x, the numbers of one block, to `view` at byte `at`. */
type Encode = (x: Float32Array, view: DataView, at: number) => void;

/** The number that a type has in a file. */
export function typeId(type: TensorType): number {
  for (const [id, { name }] of TENSOR_TYPES) if (name === type) return id;
  throw new Error(`${type} is no tensor type`);
}

/** Stores a half; the value stored. */
function putHalf(view: DataView, at: number, value: number): number {
  view.setUint16(at, floatToHalf(value), true);
  return halfToFloat(view.getUint16(at, true));
}

/** The integer nearest to x / d, within [min, max]; 0 is the nearest where d is 0. */
const near = (x: number, d: number, min: number, max: number) =>
  Math.max(min, Math.min(max, d === 0 ? 0 : Math.round(x / d)));

const range = (x: Float32Array) => ({ low: Math.min(...x), high: Math.max(...x) });

/** The number of greatest magnitude, with its sign. */
const extreme = (x: Float32Array) => x.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);

/** q4_1 and q5_1: quants above the least number. */
function affine(bits: 4 | 5): Encode {
  return (x, view, at) => {
    const { low, high } = range(x);
    const d = putHalf(view, at, (high - low) / (2 ** bits - 1));
    const m = putHalf(view, at + 2, low);
    put5(view, at + 4, bits, (i) => near(x[i]! - m, d, 0, 2 ** bits - 1));
  };
}

const q5_0: Encode = (x, view, at) => {
  const d = putHalf(view, at, extreme(x) / -16);
  put5(view, at + 2, 5, (i) => near(x[i]!, d, -16, 15) + 16);
};

/** The high bits, where there are five, then two quants a byte: i and i + 16. */
function put5(view: DataView, at: number, bits: 4 | 5, quant: (i: number) => number): void {
  const quants = Array.from({ length: 32 }, (_, i) => quant(i));
  const high = quants.reduce((word, q, i) => word | ((q >> 4) << i), 0);
  if (bits === 5) view.setUint32(at, high >>> 0, true);
  const qs = bits === 5 ? at + 4 : at;
  for (let b = 0; b < 16; b++)
    view.setUint8(qs + b, (quants[b]! & 15) | ((quants[b + 16]! & 15) << 4));
}

/** q4_k and q5_k: for each 32 numbers a scale and a min of six bits. */
function kAffine(bits: 4 | 5): Encode {
  return (x, view, at) => {
    const groups = Array.from({ length: 8 }, (_, g) => x.subarray(g * 32, (g + 1) * 32));
    const mins = groups.map((group) => Math.max(0, -range(group).low));
    const steps = groups.map((group, g) => (range(group).high + mins[g]!) / (2 ** bits - 1));
    const d = putHalf(view, at, Math.max(0, ...steps) / 63);
    const dmin = putHalf(view, at + 2, Math.max(...mins) / 63);
    const ls = steps.map((step) => near(step, d, 0, 63));
    const lm = mins.map((min) => near(min, dmin, 0, 63));
    for (let g = 0; g < 4; g++) {
      view.setUint8(at + 4 + g, ls[g]! | ((ls[g + 4]! >> 4) << 6));
      view.setUint8(at + 8 + g, lm[g]! | ((lm[g + 4]! >> 4) << 6));
      view.setUint8(at + 12 + g, (ls[g + 4]! & 15) | ((lm[g + 4]! & 15) << 4));
    }
    const quant = (g: number, b: number) =>
      near(groups[g]![b]! + dmin * lm[g]!, d * ls[g]!, 0, 2 ** bits - 1);
    const qs = at + (bits === 5 ? 48 : 16);
    for (let b = 0; b < 32; b++) {
      const q = groups.map((_, g) => quant(g, b));
      for (let pair = 0; pair < 4; pair++)
        view.setUint8(qs + pair * 32 + b, (q[2 * pair]! & 15) | ((q[2 * pair + 1]! & 15) << 4));
      const high = q.reduce((byte, value, g) => byte | ((value >> 4) << g), 0);
      if (bits === 5) view.setUint8(at + 16 + b, high);
    }
  };
}

const q6_k: Encode = (x, view, at) => {
  const groups = Array.from({ length: 16 }, (_, g) => x.subarray(g * 16, (g + 1) * 16));
  const steps = groups.map((group) => extreme(group) / -32);
  const d = putHalf(view, at + 208, Math.max(...steps.map(Math.abs)) / 127);
  const scales = steps.map((step) => near(step, d, -127, 127));
  for (const [g, scale] of scales.entries()) view.setInt8(at + 192 + g, scale);
  const quant = (i: number) => near(x[i]!, d * scales[i >> 4]!, -32, 31) + 32;
  for (let part = 0; part < 2; part++)
    for (let b = 0; b < 32; b++) {
      const q = [0, 1, 2, 3].map((k) => quant(part * 128 + k * 32 + b));
      for (let k = 0; k < 2; k++)
        view.setUint8(at + part * 64 + k * 32 + b, (q[k]! & 15) | ((q[k + 2]! & 15) << 4));
      const high = q.reduce((byte, value, k) => byte | ((value >> 4) << (2 * k)), 0);
      view.setUint8(at + 128 + part * 32 + b, high);
    }
};

const written = (type: "Q8_0" | "Q4_0", bytes: number): Encode => {
  return (x, view, at) => {
    quantizeRow(type, x, new Uint8Array(view.buffer, view.byteOffset + at, bytes));
  };
};

const ENCODE: Record<TensorType, Encode> = {
  F32: (x, view, at) => view.setFloat32(at, x[0]!, true),
  F16: (x, view, at) => view.setUint16(at, floatToHalf(x[0]!), true),
  BF16: (x, view, at) => view.setUint16(at, new Uint32Array(x.slice(0, 1).buffer)[0]! >>> 16, true),
  Q8_0: written("Q8_0", 34),
  Q4_0: written("Q4_0", 18),
  Q4_1: affine(4),
  Q5_0: q5_0,
  Q5_1: affine(5),
  Q4_K: kAffine(4),
  Q5_K: kAffine(5),
  Q6_K: q6_k,
};

/** The rows of f32 [rows, cols] as blocks, cols being a multiple of the type's. */
export function quantize(type: TensorType, values: Float32Array): Uint8Array {
  const { elements, bytes } = TENSOR_TYPES.get(typeId(type))!;
  const out = new Uint8Array((values.length / elements) * bytes);
  const view = new DataView(out.buffer);
  for (let i = 0, at = 0; i < values.length; i += elements, at += bytes)
    ENCODE[type](values.subarray(i, i + elements), view, at);
  return out;
}
