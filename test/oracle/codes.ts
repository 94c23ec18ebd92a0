/** Codes and their estimates by definition, in plain JavaScript: what an index must give to the
 *  bit. */
import { Rotation } from "../../index/rotation.ts";
import { type QuantizedVector, quantizeQuery } from "../../index/vectors.ts";

/** Entry (i, j) is -1 to the power of how many bits i and j share. */
const HADAMARD = Array.from({ length: 128 }, (_, i) =>
  Array.from({ length: 128 }, (_, j) =>
    (i & j).toString(2).replaceAll("0", "").length % 2 === 0 ? 1 : -1,
  ),
);

/** The seeded rotation as its definition has it: each round a permutation with signs, then the
 *  Hadamard matrix times each block of 128. */
export function rotate(vector: ArrayLike<number>): number[] {
  const rotation = new Rotation(vector.length);
  let values = Array.from({ length: rotation.size }, (_, i) => vector[i] ?? 0);
  for (const { from, sign } of rotation.rounds) {
    const moved = values.map((_, i) => values[from[i]!]! * sign[i]!);
    values = moved.map((_, i) => {
      let sum = 0;
      for (let j = 0; j < 128; j++) sum += moved[(i & ~127) + j]! * HADAMARD[i & 127]![j]!;
      return sum;
    });
  }
  return values;
}

const sumOf = (values: ArrayLike<number>, of: (value: number, i: number) => number) =>
  Array.from(values).reduce((sum, value, i) => sum + of(value, i), 0);

export interface PlainCode {
  signs: number[];
  factor: number;
}

export function codeOf({ qs }: QuantizedVector): PlainCode {
  const rotated = rotate(qs);
  const length = Math.sqrt(sumOf(qs, (q) => q * q) * 2 ** 21);
  const sum = sumOf(rotated, Math.abs);
  return {
    signs: rotated.map((value) => (value >= 0 ? 1 : -1)),
    factor: sum === 0 ? 0 : Math.fround(length / sum),
  };
}

/** A code read from its bytes. */
export function readCode(bytes: Uint8Array): PlainCode {
  const end = bytes.length - 4;
  const bit = (i: number) => (bytes[i >> 3]! >> (i & 7)) & 1;
  return {
    signs: Array.from({ length: end * 8 }, (_, i) => 2 * bit(i) - 1),
    factor: new DataView(bytes.buffer, bytes.byteOffset).getFloat32(end, true),
  };
}

/** A query's levels and scale, by the formula of `quantizeLevels`. */
export function levelsOf(query: Float32Array): { levels: number[]; scale: number } {
  const { qs, scale } = quantizeQuery(query);
  const rotated = rotate(qs);
  const squares = sumOf(rotated, (value) => value * value);
  if (squares === 0) return { levels: rotated.map(() => 0), scale: 0 };
  const step = Math.sqrt(squares / rotated.length) * 0.3352;
  const levels = rotated.map((value) =>
    Math.max(-15, Math.min(15, 2 * Math.floor(value / step) + 1)),
  );
  const product = sumOf(rotated, (value, i) => levels[i]! * value);
  return { levels, scale: Math.fround((squares / product / Math.sqrt(2 ** 21)) * scale) };
}

/** The estimated cosine of each code. */
export function estimatesOf(query: Float32Array, codes: readonly PlainCode[]): number[] {
  const { levels, scale } = levelsOf(query);
  return codes.map(({ signs, factor }) => {
    const dot = signs.reduce((sum, sign, i) => sum + sign * levels[i]!, 0);
    return Math.fround(Math.fround(Math.fround(dot) * factor) * scale);
  });
}

/** What the kernel of this name gives, entry by entry: twice the sum of entries less their bias. */
export function estimateB1(
  tables: Uint8Array,
  codes: Uint8Array,
  { blocks, bytes, bias, scale }: { blocks: number; bytes: number; bias: number; scale: number },
): number[] {
  const view = new DataView(codes.buffer, codes.byteOffset);
  return Array.from({ length: blocks * 16 }, (_, i) => {
    const block = (i >> 4) * (bytes * 16 + 64);
    let sum = 0;
    for (let j = 0; j < bytes; j++) {
      const signs = codes[block + j * 16 + (i & 15)]!;
      sum += tables[j * 32 + (signs & 15)]! + tables[j * 32 + 16 + (signs >> 4)]! - 2 * bias;
    }
    const factor = view.getFloat32(block + bytes * 16 + (i & 15) * 4, true);
    return Math.fround(Math.fround(2 * sum * factor) * scale);
  });
}

/** What the kernel of this name appends, and where it stops. */
export function selectF32(
  values: Float32Array,
  {
    room,
    from,
    first,
    found,
    threshold,
    allowed,
  }: {
    room: number;
    from: number;
    first: number;
    found: number;
    threshold: number;
    allowed: Uint32Array | null;
  },
): { end: number; slots: number[]; scores: number[] } {
  const has = (i: number) => allowed === null || ((allowed[i >> 5]! >>> (i & 31)) & 1) === 1;
  const fits = Array.from(values, (_, i) => i).filter(
    (i) => i >= from && values[i]! > threshold && has(i),
  );
  const kept = fits.slice(0, room - found);
  const end = fits[kept.length] ?? values.length;
  return { end, slots: kept.map((i) => first + i), scores: kept.map((i) => values[i]!) };
}
