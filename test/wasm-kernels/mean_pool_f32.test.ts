import { expect, it } from "vitest";
import { meanPool } from "../oracle/kernels.ts";
import { expectWithin, floats, newKernels, putF32, random, writesOnly } from "./arena.ts";

it.each([
  [1, 1],
  [1, 384],
  [5, 7],
  [33, 12],
  [256, 384],
])("mean_pool_f32 of [%i, %i] is the mean at length 1", (n, dim) => {
  const values = floats(random(n * dim), n * dim);
  const kernels = newKernels();
  const x = putF32(kernels, values);
  const y = kernels.alloc(dim * 4);
  writesOnly(kernels, [[y, dim * 4]], () => kernels.meanPoolF32(y, x, n, dim));
  const sums = Array.from({ length: dim }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[i * dim + j]!;
    return sum;
  });
  // A sum of n values up to 1 is off by n^2 2^-24 at most, and is divided by the sums' length.
  const length = Math.hypot(...sums);
  const bound = (2 * n * n * 2 ** -24) / length + 2 ** -22;
  expectWithin(kernels.f32(y, dim), meanPool(values, n, dim), () => bound);
});

it("mean_pool_f32 leaves a zero mean zero, and passes a NaN on", () => {
  const kernels = newKernels();
  const x = putF32(kernels, [1, 2, -1, -2]);
  const y = kernels.alloc(8);
  kernels.meanPoolF32(y, x, 2, 2);
  expect(Array.from(kernels.f32(y, 2))).toEqual([0, 0]);
  kernels.f32(x, 4)[1] = Number.NaN;
  kernels.meanPoolF32(y, x, 2, 2);
  expect(Array.from(kernels.f32(y, 2))).toEqual([Number.NaN, Number.NaN]);
});
