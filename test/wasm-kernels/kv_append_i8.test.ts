import { expect, it } from "vitest";
import { DecoderKernels, kvBytes } from "../../src/model/decoder-kernels.ts";
import { expectWithin, floats, kernelsModule, putF32, random, writesOnly } from "./arena.ts";
import { filledCache, readCache } from "./kv-cache.ts";

/** Half a step of the head's own scale, and the roundings of the scale and of the product. */
function halfSteps(x: Float32Array, head_dim: number): (i: number) => number {
  return (i) => {
    const from = i - (i % head_dim);
    const top = Math.max(...x.subarray(from, from + head_dim).map(Math.abs));
    return (top / 254) * (1 + 2 ** -14);
  };
}

it.each([
  [1, 1, 8, 1],
  [5, 3, 64, 5],
  [9, 2, 128, 12],
  [4, 1, 16, 7],
])("kv_append_i8 keeps %i positions of %i heads of %i in a cache of %i", (...args) => {
  const [m, n_kv_heads, head_dim, capacity] = args;
  const next = random(m);
  const size = m * n_kv_heads * head_dim;
  const [k, v] = [floats(next, size, 3), floats(next, size, 0.01)];
  const { kernels, cache } = filledCache(k, v, { capacity, n_kv_heads, head_dim });
  const kept = readCache(kernels, cache, m);
  expectWithin(kept.k, k, halfSteps(k, head_dim));
  expectWithin(kept.v, v, halfSteps(v, head_dim));
});

it("kv_append_i8 writes to the cache alone and leaves other positions as they were", () => {
  const shape = { capacity: 7, n_kv_heads: 2, head_dim: 16 };
  const next = random(3);
  const [k, v] = [floats(next, 7 * 32), floats(next, 7 * 32)];
  const { kernels, cache } = filledCache(k, v, shape);
  const before = readCache(kernels, cache, 7);
  const rows = floats(next, 2 * 70, 5);
  const at = putF32(kernels, rows);
  writesOnly(kernels, [[cache.at, kvBytes(7, 2, 16)]], () =>
    kernels.kvAppend(cache, at, at + 32 * 4, 70, 3, 2),
  );
  const after = readCache(kernels, cache, 7);
  for (const [name, from] of [
    ["k", 0],
    ["v", 32],
  ] as const) {
    const expected = before[name].slice();
    for (const i of [0, 1])
      expected.set(rows.subarray(i * 70 + from, i * 70 + from + 32), (3 + i) * 32);
    const near = halfSteps(Float32Array.from(expected), 16);
    expectWithin(after[name], expected, (i) => (i >= 96 && i < 160 ? near(i) : 0));
  }
});

it("kv_append_i8 keeps zeros, the largest and the smallest floats, and marks a NaN", () => {
  const k = new Float32Array(4 * 8);
  k.set([3e38, -3e38, 1e38], 8); // position 1
  k.set([1e-40, -1e-40], 16); // position 2
  k.set([Number.NaN, 1], 24); // position 3
  const { kernels, cache } = filledCache(k, k, { capacity: 4, n_kv_heads: 1, head_dim: 8 });
  const kept = readCache(kernels, cache, 4);
  expect(Array.from(kept.v.subarray(0, 8))).toEqual(new Array(8).fill(0));
  expectWithin(kept.k.subarray(8, 16), k.subarray(8, 16), halfSteps(k.subarray(8, 16), 8));
  expect(Array.from(kept.k.subarray(16, 24))).toEqual(new Array(8).fill(0));
  expect(kept.k.subarray(24).every(Number.isNaN)).toBe(true);
});

it("a cache refuses positions past its capacity and heads of odd sizes", () => {
  const kernels = DecoderKernels.create(kernelsModule);
  const cache = kernels.allocKv(4, 1, 8);
  const x = kernels.alloc(8 * 4 * 5);
  for (const [position, m] of [
    [4, 1],
    [0, 5],
    [-1, 1],
    [1.5, 1],
  ] as const)
    expect(() => kernels.kvAppend(cache, x, x, 8, position, m)).toThrow(/positions/);
  expect(() => kernels.allocKv(4, 1, 12)).toThrow("KV heads of 12");
  expect(() => kernels.allocKv(4, 1, 520)).toThrow("KV heads of 520");
});
