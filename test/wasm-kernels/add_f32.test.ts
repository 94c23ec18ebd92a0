import { expect, it } from "vitest";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { floats, kernelsModule, putF32, random, writesOnly } from "./arena.ts";

it.each([1, 4, 7, 576])("add_f32 is the rounded sum of %i numbers", (n) => {
  const kernels = DecoderKernels.create(kernelsModule);
  const [a, b] = [floats(random(n), n), floats(random(n + 1), n)];
  const [y, x] = [putF32(kernels, a), putF32(kernels, b)];
  writesOnly(kernels, [[y, n * 4]], () => kernels.addBiasF32(y, x, 1, n));
  expect(kernels.f32(y, n)).toEqual(a.map((value, i) => value + b[i]!));
});

it("add_f32 adds a bias to rows that lie apart, and to nothing between them", () => {
  const kernels = DecoderKernels.create(kernelsModule);
  const [m, n, stride] = [3, 6, 11];
  const [a, b] = [floats(random(1), m * stride), floats(random(2), n)];
  const [y, bias] = [putF32(kernels, a), putF32(kernels, b)];
  kernels.addBiasF32(y, bias, m, n, stride);
  const expected = a.map((value, i) => value + (i % stride < n ? b[i % stride]! : 0));
  expect(kernels.f32(y, m * stride)).toEqual(expected);
});
