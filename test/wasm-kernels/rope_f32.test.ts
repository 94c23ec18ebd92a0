import { expect, it } from "vitest";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { rope } from "../oracle/decoder-kernels.ts";
import { expectWithin, floats, kernelsModule, putF32, random, writesOnly } from "./arena.ts";

const SHAPES: [m: number, n_heads: number, head_dim: number, rope_dim: number][] = [
  [1, 1, 8, 8],
  [2, 3, 8, 6],
  [3, 9, 64, 64],
  [9, 2, 16, 10],
  [5, 1, 128, 64],
];

it.each(
  SHAPES.flatMap((shape) => [[...shape, "interleaved"] as const, [...shape, "halves"] as const]),
)("rope_f32 equals its definition: %i rows, %i heads of %i, %i turned, %s", (...args) => {
  const [m, n_heads, head_dim, rope_dim, layout] = args;
  const kernels = DecoderKernels.create(kernelsModule);
  const stride = n_heads * head_dim + 4;
  const next = random(m * head_dim);
  const input = floats(next, m * stride, 2);
  const factors = floats(next, rope_dim / 2).map((value) => 2 + value);
  const table = kernels.ropeTable(2048, rope_dim, 10_000, factors);
  const x = putF32(kernels, input);
  const position = 2048 - m;
  writesOnly(kernels, [[x, m * stride * 4]], () =>
    kernels.ropeF32(x, { m, stride, n_heads, head_dim, rope_dim, position, table, layout }),
  );
  const expected = Float64Array.from(input);
  const shape = { rope_dim, base: 10_000, halves: layout === "halves", factors };
  for (let i = 0; i < m; i++)
    for (let h = 0; h < n_heads; h++) {
      const at = i * stride + h * head_dim;
      expected.set(rope(input.subarray(at, at + head_dim), position + i, shape), at);
    }
  // Cosine, product and sum round once each, on magnitudes of at most 2 + 2.
  expectWithin(kernels.f32(x, m * stride), expected, () => 3 * 4 * 2 ** -24);
});

it("rope_f32 at position 0 changes nothing, and a NaN stays in its pair", () => {
  const kernels = DecoderKernels.create(kernelsModule);
  const input = floats(random(1), 32);
  const table = kernels.ropeTable(2, 16, 500_000);
  const x = putF32(kernels, input);
  const shape = { m: 1, stride: 32, n_heads: 2, head_dim: 16, rope_dim: 16, table };
  kernels.ropeF32(x, { ...shape, position: 0, layout: "halves" });
  expect(kernels.f32(x, 32)).toEqual(input);
  kernels.f32(x, 32)[3] = Number.NaN;
  kernels.ropeF32(x, { ...shape, position: 1, layout: "interleaved" });
  const nans = Array.from(kernels.f32(x, 32).keys()).filter((i) =>
    Number.isNaN(kernels.f32(x, 32)[i]!),
  );
  expect(nans).toEqual([2, 3]);
});
