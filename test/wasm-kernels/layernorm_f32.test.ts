import { expect, it } from "vitest";
import { layernorm } from "../oracle/kernels.ts";
import { expectWithin, floats, newKernels, putF32, random, writesOnly } from "./arena.ts";

const SHAPES = [
  [1, 4],
  [3, 5],
  [2, 1],
  [4, 384],
  [5, 31],
] as const;

it.each(SHAPES)("layernorm_f32 equals its definition at [%i, %i]", (m, dim) => {
  for (const withResidual of [false, true]) {
    const next = random(m * 1000 + dim);
    const [a, b] = [floats(next, m * dim, 2), floats(next, m * dim, 2)];
    const [gamma, beta] = [floats(next, dim), floats(next, dim)];
    const kernels = newKernels();
    const [x, g, h] = [putF32(kernels, a), putF32(kernels, gamma), putF32(kernels, beta)];
    const residual = withResidual ? putF32(kernels, b) : 0;
    const y = kernels.alloc(m * dim * 4);
    const shape = { m, dim, eps: 1e-12 };
    writesOnly(kernels, [[y, m * dim * 4]], () =>
      kernels.layernormF32(y, x, residual, g, h, shape),
    );
    const sum = a.map((v, i) => (withResidual ? v + b[i]! : v));
    const expected = layernorm(sum, gamma, beta, dim, 1e-12);
    // The mean of dim values up to 4 is off by dim 2^-24 4 at most, over the deviation.
    expectWithin(kernels.f32(y, m * dim), expected, (i) => {
      if (dim === 1) return 1; // 0 / sqrt(eps), and the f32 mean of one number is that number
      const row = sum.subarray(i - (i % dim), i - (i % dim) + dim);
      const mean = row.reduce((s, v) => s + v) / dim;
      const deviation = Math.sqrt(row.reduce((s, v) => s + (v - mean) ** 2, 0) / dim);
      return (dim + 8) * 2 ** -24 * (4 / deviation + 8);
    });
    const before = kernels.f32(y, m * dim).slice();
    kernels.layernormF32(x, x, residual, g, h, shape);
    expect(kernels.f32(x, m * dim)).toEqual(before);
  }
});

it("layernorm_f32 gives beta for a constant row", () => {
  const kernels = newKernels();
  const [x, gamma, beta] = [
    [7, 7, 7, 7],
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ].map((v) => putF32(kernels, v));
  kernels.layernormF32(x!, x!, 0, gamma!, beta!, { m: 1, dim: 4, eps: 1e-12 });
  expect(Array.from(kernels.f32(x!, 4))).toEqual([5, 6, 7, 8]);
});
