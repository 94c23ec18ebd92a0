import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  cosineOf,
  cosinesOf,
  dequantizeVector,
  PlainScan,
  quantizeQuery,
  quantizeVector,
  VectorIndex,
  vectorBytes,
  vectorFrom,
} from "../../index/vectors.ts";
import { WasmScan } from "../../index/wasm-scan.ts";
import { codeOf } from "../../src/errors.ts";

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

it("a vector is read back from its bytes, and many are scored as one is", () => {
  fc.assert(
    fc.property(vector, fc.array(vector, { maxLength: 9 }), (values, others) => {
      const query = quantizeQuery(values);
      const stored = others.map(quantizeVector);
      const rows = stored.map((one) => vectorBytes(one).buffer as ArrayBuffer);
      expect(rows.map(vectorFrom)).toEqual(stored);
      expect(Array.from(cosinesOf(query, rows))).toEqual(stored.map((o) => cosineOf(query, o)));
    }),
    { seed },
  );
});

it("search equals brute force after any run of additions and removals", () => {
  const operation = fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: vector }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ search: vector, third: fc.boolean() }) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const index = new VectorIndex(new PlainScan(DIM, 1_000));
      const stored = new Map<number, Float32Array>();
      let next = 0;
      for (const step of operations) {
        if ("add" in step) {
          index.add(next, quantizeVector(step.add));
          stored.set(next++, step.add);
        } else if ("remove" in step) {
          index.remove(step.remove);
          stored.delete(step.remove);
        } else {
          const allow = (id: number) => !step.third || id % 3 === 0;
          const all = Array.from(stored, ([id, other]) => ({ id, score: dot(step.search, other) }));
          const expected = all.filter(({ id }) => allow(id));
          expected.sort((a, b) => b.score - a.score || a.id - b.id);
          expect(index.search(step.search, 5, allow)).toEqual(expected.slice(0, 5));
        }
      }
      expect(index.size).toBe(stored.size);
    }),
    { seed, numRuns: 200 },
  );
});

/** The Workers types know no constructor: there a module can only be imported. */
const WasmModule = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;
const wasmPath = join(import.meta.dirname, "../../build/kernels.wasm");

it("the kernel's scan equals the plain one to the bit, at any count and dimension", () => {
  const module = new WasmModule(readFileSync(wasmPath));
  for (const dim of [1, 15, 16, 17, 384, 520]) {
    const scans = [new PlainScan(dim, 300), new WasmScan(module, dim, 300)] as const;
    // Both extremes first: the largest sums that i32 must hold.
    const rowOf = (row: number) =>
      Float32Array.from({ length: dim }, (_, i) =>
        row < 2 ? 1 - 2 * row : Math.sin(row * dim + i),
      );
    for (const rows of [0, 1, 2, 3, 4, 7, 64, 299, 300]) {
      for (const scan of scans) {
        scan.reserve(rows);
        for (let row = 0; row < rows; row++) scan.write(row, quantizeVector(rowOf(row)));
      }
      for (const query of [rowOf(0), rowOf(1), rowOf(9), new Float32Array(dim)]) {
        const [plain, kernel] = scans.map((scan) =>
          scan.scan(quantizeQuery(query), rows).slice(0, rows),
        );
        expect(kernel).toEqual(plain);
      }
    }
  }
});

it("rows are used again after a removal, so that churn holds no more memory", () => {
  const index = new VectorIndex(new PlainScan(DIM, 64));
  const one = quantizeVector(new Float32Array(DIM).fill(0.25));
  for (let id = 0; id < 64; id++) index.add(id, one);
  const { bytes } = index;
  for (let id = 64; id < 1_000; id++) {
    index.remove(id - 64);
    index.add(id, one);
  }
  expect(index.bytes).toBe(bytes);
  expect(index.size).toBe(64);
});

it("a vector beyond the limit is memory_full", () => {
  const index = new VectorIndex(new PlainScan(DIM, 2));
  try {
    index.reserve(3);
    expect.unreachable();
  } catch (error) {
    expect(codeOf(error)).toBe("memory_full");
  }
});
