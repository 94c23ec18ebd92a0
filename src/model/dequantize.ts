/** Blocks of GGUF's tensor types to f32. A block's layout stands beside its function; `d`, `m` and
 *  `dmin` are halves, little endian. Source of the formats: ggml's ggml-common.h. */
import { TENSOR_TYPES, type TensorType } from "./tensor-types.ts";

/** Writes one block at byte `at` of `view` to `out` from `j` on. */
type Dequantize = (view: DataView, at: number, out: Float32Array, j: number) => void;

/** A half float's value; NaN and infinities included. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const half = (view: DataView, at: number) => halfToFloat(view.getUint16(at, true));

const bitsOf = new Uint32Array(1);
const floatOf = new Float32Array(bitsOf.buffer);

function bfloatToFloat(bits: number): number {
  bitsOf[0] = bits << 16;
  return floatOf[0]!;
}

/** { d; qs i8 [32] }: d q. */
const q8_0: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  for (let b = 0; b < 32; b++) out[j + b] = d * view.getInt8(at + 2 + b);
};

/** { d; qs u4 [32] }: d (q - 8). Byte b holds numbers b (low nibble) and b + 16. */
const q4_0: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  for (let b = 0; b < 16; b++) {
    const byte = view.getUint8(at + 2 + b);
    out[j + b] = d * ((byte & 15) - 8);
    out[j + b + 16] = d * ((byte >> 4) - 8);
  }
};

/** { d; m; qs u4 [32] }: d q + m. */
const q4_1: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  const m = half(view, at + 2);
  for (let b = 0; b < 16; b++) {
    const byte = view.getUint8(at + 4 + b);
    out[j + b] = d * (byte & 15) + m;
    out[j + b + 16] = d * (byte >> 4) + m;
  }
};

/** The 5-bit number `i` of 32 whose low bits lie at `qs` as in q4_0 and high bits in `high`. */
function fiveBits(view: DataView, qs: number, high: number, i: number): number {
  const byte = view.getUint8(qs + (i & 15));
  return (i < 16 ? byte & 15 : byte >> 4) | (((high >>> i) & 1) << 4);
}

/** { d; high bits u32; qs u4 [32] }: d (q - 16). */
const q5_0: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  const high = view.getUint32(at + 2, true);
  for (let i = 0; i < 32; i++) out[j + i] = d * (fiveBits(view, at + 6, high, i) - 16);
};

/** { d; m; high bits u32; qs u4 [32] }: d q + m. */
const q5_1: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  const m = half(view, at + 2);
  const high = view.getUint32(at + 4, true);
  for (let i = 0; i < 32; i++) out[j + i] = d * fiveBits(view, at + 8, high, i) + m;
};

/** Scale and min, 6 bits each, of the 32 numbers `g` of a q4_k or q5_k block; 12 bytes at `at`. */
export function scaleAndMin(view: DataView, at: number, g: number): [scale: number, min: number] {
  const byte = (i: number) => view.getUint8(at + i);
  if (g < 4) return [byte(g) & 63, byte(g + 4) & 63];
  const low = byte(g + 4);
  return [(low & 15) | ((byte(g - 4) >> 6) << 4), (low >> 4) | ((byte(g) >> 6) << 4)];
}

/** { d; dmin; scales u6 [8], mins u6 [8]; qs u4 [256] }: d scale q - dmin min, scale and min for
 *  each 32. 64 numbers share 32 bytes: the first 32 in the low nibbles. */
const q4_k: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  const dmin = half(view, at + 2);
  for (let g = 0; g < 8; g++) {
    const [scale, min] = scaleAndMin(view, at + 4, g);
    const qs = at + 16 + (g >> 1) * 32;
    for (let b = 0; b < 32; b++) {
      const byte = view.getUint8(qs + b);
      out[j + g * 32 + b] = d * scale * (g & 1 ? byte >> 4 : byte & 15) - dmin * min;
    }
  }
};

/** As q4_k with { d; dmin; scales and mins; qh [32]; qs u4 [256] }: bit g of qh[b] is the fifth bit
 *  of number b of the g-th 32. */
const q5_k: Dequantize = (view, at, out, j) => {
  const d = half(view, at);
  const dmin = half(view, at + 2);
  for (let g = 0; g < 8; g++) {
    const [scale, min] = scaleAndMin(view, at + 4, g);
    const qs = at + 48 + (g >> 1) * 32;
    for (let b = 0; b < 32; b++) {
      const byte = view.getUint8(qs + b);
      const high = ((view.getUint8(at + 16 + b) >> g) & 1) << 4;
      const q = (g & 1 ? byte >> 4 : byte & 15) | high;
      out[j + g * 32 + b] = d * scale * q - dmin * min;
    }
  }
};

/** { ql u4 [256]; qh u2 [256]; scales i8 [16]; d }: d scale (q - 32), a scale for each 16. Of each
 *  128 numbers, quarter k (32 of them) has its low bits in ql[32 (k & 1) + b], the low nibble for
 *  k < 2, and its high bits in bits 2k of qh[b]. */
const q6_k: Dequantize = (view, at, out, j) => {
  const d = half(view, at + 208);
  for (let i = 0; i < 256; i++) {
    const [part, k, b] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = view.getUint8(at + part * 64 + (k & 1) * 32 + b);
    const high = (view.getUint8(at + 128 + part * 32 + b) >> (2 * k)) & 3;
    const q = ((k < 2 ? low & 15 : low >> 4) | (high << 4)) - 32;
    out[j + i] = d * view.getInt8(at + 192 + (i >> 4)) * q;
  }
};

const DEQUANTIZE: Record<TensorType, Dequantize> = {
  F32: (view, at, out, j) => {
    out[j] = view.getFloat32(at, true);
  },
  F16: (view, at, out, j) => {
    out[j] = half(view, at);
  },
  BF16: (view, at, out, j) => {
    out[j] = bfloatToFloat(view.getUint16(at, true));
  },
  Q8_0: q8_0,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
};

const BLOCKS = new Map(Array.from(TENSOR_TYPES.values(), (type) => [type.name, type]));

/** A row of `out.length` numbers, a whole number of blocks at the start of `view`, as f32. */
export function dequantize(type: TensorType, view: DataView, out: Float32Array): void {
  const { elements, bytes } = BLOCKS.get(type)!;
  const block = DEQUANTIZE[type];
  for (let j = 0, at = 0; j < out.length; j += elements, at += bytes) block(view, at, out, j);
}
