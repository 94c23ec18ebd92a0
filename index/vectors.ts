/** Vectors in eight bits, and their cosines with a query, exact in integers. */
import { assert } from "../src/errors.ts";

/** A unit vector as stored: value i is `scale * qs[i]`; qs i8 [dim] in [-127, 127], scale f32, the
 *  inverse of the length of `qs`, so that the stored vector has unit length again; 0 where `qs` is
 *  all zeros. */
export interface QuantizedVector {
  qs: Int8Array;
  scale: number;
}

/** Rounds a vector of any length to eight bits, the largest magnitude becoming 127. A cosine of two
 *  random 384-d vectors moves by about 0.001. Values that are read back, brought to unit length by
 *  whatever rounding in f32, and quantized again give the same integers: export and ingest repeat
 *  without drift. */
export function quantizeVector(vector: Float32Array): QuantizedVector {
  let max = 0;
  for (const value of vector) max = Math.max(max, Math.abs(value));
  const step = Math.fround(max / 127);
  const qs = new Int8Array(vector.length);
  if (step > 0)
    for (const [i, value] of vector.entries())
      qs[i] = Math.max(-127, Math.min(127, Math.round(value / step)));
  return { qs, scale: inverseLength(qs) };
}

/** 1 / |qs|, f32; 0 of zeros. The sum of squares is exact. */
export function inverseLength(qs: Int8Array): number {
  let squares = 0;
  for (const q of qs) squares += q * q;
  return squares === 0 ? 0 : Math.fround(1 / Math.sqrt(squares));
}

/** The values of a stored vector, f32 [dim], of unit length. */
export function dequantizeVector({ qs, scale }: QuantizedVector): Float32Array {
  return Float32Array.from(qs, (q) => q * scale);
}

/** The cosine of a unit query with a stored vector. The sum of products is exact, within i32; it is
 *  rounded to f32, and so is its product with the query's scale, and that with the vector's. 0.5 us
 *  at 384 dimensions. */
export function cosineOf(query: QuantizedQuery, { qs, scale }: QuantizedVector): number {
  assert(qs.length === query.qs.length, "a stored vector has the query's dimension");
  return Math.fround(Math.fround(Math.fround(dotOf(query.qs, qs)) * query.scale) * scale);
}

function dotOf(query: Int16Array, qs: Int8Array): number {
  let sum = 0;
  for (let i = 0; i < qs.length; i++) sum = (sum + Math.imul(query[i]!, qs[i]!)) | 0;
  return sum;
}

/** A query as `cosineOf` takes it: i16 [dim], finer than what is stored, with its scale. */
export interface QuantizedQuery {
  qs: Int16Array;
  scale: number;
}

/** Rounds a query to 16 bits, or to fewer where the dimension is so large (above 516) that its dot
 *  product with 127s would leave i32. */
export function quantizeQuery(vector: Float32Array): QuantizedQuery {
  const qMax = Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * vector.length)));
  let max = 0;
  for (const value of vector) max = Math.max(max, Math.abs(value));
  const scale = Math.fround(max / qMax);
  const qs = new Int16Array(vector.length);
  if (scale > 0)
    for (const [i, value] of vector.entries())
      qs[i] = Math.max(-qMax, Math.min(qMax, Math.round(value / scale)));
  return { qs, scale };
}
