import { expect, it } from "vitest";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { rmsnorm } from "../oracle/decoder-kernels.ts";
import { expectWithin, floats, kernelsModule, putF32, random, writesOnly } from "./arena.ts";

/** A sum of dim squares is off by dim / 4 + 2 roundings a lane, halved by the root; the division,
 *  the root and the three products round once each. */
const bound = (dim: number) => (dim / 8 + 8) * 2 ** -24;

it.each([
  [1, 1],
  [3, 5],
  [2, 64],
  [9, 576],
  [1, 4098],
])("rmsnorm_f32 equals its definition over %i rows of %i", (m, dim) => {
  const kernels = DecoderKernels.create(kernelsModule);
  const next = random(m * dim);
  const [input, scales] = [floats(next, m * dim, 3), floats(next, dim, 2)];
  const [x, weight] = [putF32(kernels, input), putF32(kernels, scales)];
  const y = kernels.alloc(m * dim * 4);
  writesOnly(kernels, [[y, m * dim * 4]], () =>
    kernels.rmsnormF32(y, x, weight, { m, dim, eps: 1e-5 }),
  );
  const expected = rmsnorm(input, scales, dim, 1e-5);
  expectWithin(kernels.f32(y, m * dim), expected, (i) => bound(dim) * Math.abs(expected[i]!));
});

it("rmsnorm_f32 works in place, head by head, between what it leaves alone", () => {
  const kernels = DecoderKernels.create(kernelsModule);
  const [m, n_heads, dim, stride] = [3, 2, 8, 21];
  const input = floats(random(2), m * stride, 2);
  const [x, weight] = [putF32(kernels, input), putF32(kernels, new Float32Array(dim).fill(1))];
  kernels.rmsnormF32(x, x, weight, { m, n_heads, dim, stride, eps: 1e-6 });
  const expected = Float64Array.from(input);
  for (let i = 0; i < m; i++) {
    const at = i * stride;
    const heads = input.subarray(at, at + n_heads * dim);
    expected.set(rmsnorm(heads, new Float32Array(dim).fill(1), dim, 1e-6), at);
  }
  expectWithin(kernels.f32(x, m * stride), expected, (i) => bound(dim) * Math.abs(expected[i]!));
});

it("rmsnorm_f32 keeps squares of 1e18 finite, zeros zero, and a NaN in its row", () => {
  const kernels = DecoderKernels.create(kernelsModule);
  const rows = [
    [1e18, -1e18, 1e18, 1e18, 1e18],
    [0, 0, 0, 0, 0],
    [1, Number.NaN, 1, 1, 1],
  ];
  const [x, weight] = [putF32(kernels, rows.flat()), putF32(kernels, [1, 1, 1, 1, 1])];
  kernels.rmsnormF32(x, x, weight, { m: 3, dim: 5, eps: 1e-5 });
  const y = Array.from(kernels.f32(x, 15));
  expectWithin(y.slice(0, 5), [1, -1, 1, 1, 1], () => 1e-6);
  expect(y.slice(5, 10)).toEqual([0, 0, 0, 0, 0]);
  expect(y.slice(10).every(Number.isNaN)).toBe(true);
});
