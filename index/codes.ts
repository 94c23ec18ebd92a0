/** Vectors in one bit a dimension, after a random rotation, with an unbiased estimate of cosines.
 *
 *  RaBitQ (Gao and Long, SIGMOD 2024): let o be a unit vector after a random rotation, D its
 *  dimension, and x the vector of +-1 / sqrt(D) with o's signs. For a query q rotated alike,
 *  <x, q> / <x, o> estimates <o, q> without bias, with an error of order 1 / sqrt(D). With
 *  <x, o> = sum |o_i| / sqrt(D) that is  sum sign(o_i) q_i * |o| / sum |o_i|,  so a vector keeps
 *  its signs and the one factor |o| / sum |o_i|. No centre is subtracted: a code then is a function
 *  of its vector alone, and stays right whatever else is stored. */
import { assert } from "../src/errors.ts";
import { rotatedDim, rotationOf } from "./rotation.ts";
import { type QuantizedVector, quantizeQuery } from "./vectors.ts";

/** Bits of a query's values. Of the ten nearest, four find as many as more bits or none rounded
 *  off, and three lose 4 in 1,000 (docs/vectors.md); with four the kernel adds up four table entries
 *  in a byte. */
export const QUERY_BITS = 4;

/** The largest magnitude of a query's values, which are odd. */
const LEVEL_MAX = 2 ** QUERY_BITS - 1;

/** Bytes of signs of a vector: a multiple of 16. */
export const signBytes = (dim: number): number => rotatedDim(dim) / 8;

/** Bytes of a code: its signs, then its factor as f32, little-endian. 52 at 384 dimensions. */
export const codeBytes = (dim: number): number => signBytes(dim) + 4;

/** The code of a vector: bit i % 8 of byte i / 8 is set where value i of the rotated vector is not
 *  negative; the factor is 0 for a vector of zeros. A pure function of `qs`. */
export function encodeCode({ qs }: QuantizedVector): Uint8Array {
  const rotation = rotationOf(qs.length);
  const rotated = rotation.apply(qs);
  const code = new Uint8Array(codeBytes(qs.length));
  let sum = 0;
  let at = 0;
  for (let i = 0; i < rotated.length; i += 8) {
    let byte = 0;
    for (let j = 0; j < 8; j++) {
      const value = rotated[i + j]!;
      sum += Math.abs(value);
      byte |= (~value >>> 31) << j;
    }
    code[at++] = byte;
  }
  let squares = 0;
  for (const q of qs) squares += q * q;
  const factor = sum === 0 ? 0 : Math.sqrt(squares * rotation.growth) / sum;
  new DataView(code.buffer).setFloat32(at, factor, true);
  return code;
}

/** A query as codes meet it: sum over i of sign(o_i) levels[i], times a code's factor and `scale`,
 *  estimates the cosine. */
export interface QueryLevels {
  /** Odd integers in [-15, 15], i8 [rotatedDim]. */
  levels: Int8Array;
  /** f32. */
  scale: number;
}

/** Rounds a rotated query to QUERY_BITS bits. The step is the one of a Gaussian's best uniform
 *  quantizer (Max 1960), relative to the root mean square; few values are cut off. The scale makes
 *  the rounded query's product with the query itself exact, so that rounding adds no bias. */
export function quantizeLevels(query: Float32Array): QueryLevels {
  const { qs, scale } = quantizeQuery(query);
  const rotation = rotationOf(query.length);
  const rotated = rotation.apply(qs);
  let squares = 0;
  for (const value of rotated) squares += value * value;
  const levels = new Int8Array(rotated.length);
  if (squares === 0) return { levels, scale: 0 };
  const step = Math.sqrt(squares / rotated.length) * STEP;
  let product = 0;
  for (let i = 0; i < levels.length; i++) {
    const value = rotated[i]!;
    const level = 2 * Math.floor(value / step) + 1;
    levels[i] = Math.max(-LEVEL_MAX, Math.min(LEVEL_MAX, level));
    product += levels[i]! * value;
  }
  const unit = squares / product / Math.sqrt(rotation.growth);
  return { levels, scale: Math.fround(unit * scale) };
}

/** Step of the best uniform 16-level quantizer of a Gaussian of variance 1: J. Max, IRE
 *  Transactions on Information Theory 6 (1960), table II. */
const STEP = 0.3352;

/** Each entry of a table is raised by this, so that it is not negative: u8 in [0, 60]. */
export const TABLE_BIAS = 2 * LEVEL_MAX;

/** What the kernel adds up instead of multiplying: for each four signs, of all 16 values they can
 *  have, half the sum of their products with the levels, plus TABLE_BIAS. u8 [size / 4, 16]. Of
 *  four odd numbers the sum is even. */
export function signTables(levels: Int8Array, tables: Uint8Array): void {
  assert(tables.length === levels.length * 4, "a table for each four levels");
  for (let i = 0, at = 0; i < levels.length; i += 4, at += 16) {
    const [a, b, c, d] = [levels[i]!, levels[i + 1]!, levels[i + 2]!, levels[i + 3]!];
    const none = (TABLE_BIAS * 2 - a - b - c - d) / 2;
    for (let signs = 0; signs < 16; signs++) {
      const low = (signs & 1) * a + ((signs >> 1) & 1) * b;
      tables[at + signs] = none + low + ((signs >> 2) & 1) * c + (signs >> 3) * d;
    }
  }
}
