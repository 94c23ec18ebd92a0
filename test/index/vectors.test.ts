import fc from "fast-check";
import { expect, it } from "vitest";
import { cosineOf, dequantizeVector, quantizeQuery, quantizeVector } from "../../index/vectors.ts";

const DIM = 16;
const seed = 20261123;
const value = fc.integer({ min: -10_000, max: 10_000 }).map((n) => n / 10_000);
const vector = fc
  .array(value, { minLength: DIM, maxLength: DIM })
  .map((values) => Float32Array.from(values));

function dot(query: Float32Array, stored: Float32Array): number {
  const [x, y] = [quantizeQuery(query), quantizeVector(stored)];
  const sum = x.qs.reduce((total, q, i) => total + q * y.qs[i]!, 0);
  return Math.fround(Math.fround(Math.fround(sum) * x.scale) * y.scale);
}

/** Brought to unit length in f64; null for zeros. */
function unit(values: Float32Array): Float32Array | null {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? null : values.map((value) => value / length);
}

it("quantizing moves no value of a unit vector by more than the steps account for", () => {
  fc.assert(
    fc.property(vector, (any) => {
      const values = unit(any);
      if (values === null) return;
      const { qs, scale } = quantizeVector(values);
      const step = Math.max(...values.map(Math.abs)) / 127;
      // A value moves by half a step, and the length, which is then mended, by sqrt(DIM) half
      // steps at most; one part in 2^20 is for the rounding to f32.
      const bound = ((1 + Math.sqrt(DIM)) * step) / 2 + 2 ** -20;
      for (const [i, q] of qs.entries())
        expect(Math.abs(q * scale - values[i]!)).toBeLessThanOrEqual(bound);
    }),
    { seed },
  );
});

it("a stored vector has unit length", () => {
  fc.assert(
    fc.property(vector, (values) => {
      if (unit(values) === null) return;
      const length = Math.hypot(...dequantizeVector(quantizeVector(values)));
      expect(Math.abs(length - 1)).toBeLessThan(2 ** -22);
    }),
    { seed },
  );
});

it("a stored vector read back, made unit in f32 or f64, and stored again is the same", () => {
  fc.assert(
    fc.property(vector, (values) => {
      const stored = quantizeVector(values);
      const read = dequantizeVector(stored);
      expect(quantizeVector(read)).toEqual(stored);
      expect(quantizeVector(unit(read) ?? read)).toEqual(stored);
      const length = Math.fround(Math.hypot(...read)) || 1;
      expect(quantizeVector(read.map((value) => value / length))).toEqual(stored);
    }),
    { seed, numRuns: 500 },
  );
});

it("a cosine is the exact integer product, times both scales in f32", () => {
  fc.assert(
    fc.property(vector, vector, (query, stored) => {
      expect(cosineOf(quantizeQuery(query), quantizeVector(stored))).toBe(dot(query, stored));
    }),
    { seed },
  );
  const ones = new Float32Array(4_096).fill(1 / 64);
  const cosine = cosineOf(quantizeQuery(ones), quantizeVector(ones));
  expect(Math.abs(cosine - 1)).toBeLessThan(2 ** -12);
});

it("a vector of zeros has scale 0 and scores 0 with everything", () => {
  expect(quantizeVector(new Float32Array(DIM))).toEqual({ qs: new Int8Array(DIM), scale: 0 });
});

it("a query's dot product with the largest vector stays within i32, whatever the dimension", () => {
  for (const dim of [1, 384, 516, 517, 4_096]) {
    const { qs } = quantizeQuery(new Float32Array(dim).fill(1));
    expect(qs.reduce((sum, q) => sum + q * 127, 0)).toBeLessThan(2 ** 31);
    expect(qs[0]).toBeGreaterThan(4_000);
  }
});
