import { expect, it } from "vitest";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { silu } from "../oracle/decoder-kernels.ts";
import { expectWithin, floats, kernelsModule, putF32, random, writesOnly } from "./arena.ts";

function siluMul(gateUp: Float32Array, m: number, ffn: number): Float32Array {
  const kernels = DecoderKernels.create(kernelsModule);
  const x = putF32(kernels, gateUp);
  const y = kernels.alloc(m * ffn * 4);
  writesOnly(kernels, [[y, m * ffn * 4]], () => kernels.siluMulF32(y, x, m, ffn));
  return kernels.f32(y, m * ffn);
}

it.each([
  [1, 1],
  [3, 7],
  [2, 1536],
])("silu_mul_f32 equals its definition over %i rows of %i", (m, ffn) => {
  const gateUp = floats(random(ffn), m * 2 * ffn, 20);
  const expected = Array.from({ length: m * ffn }, (_, i) => {
    const at = Math.floor(i / ffn) * 2 * ffn + (i % ffn);
    return silu(gateUp[at]!) * gateUp[at + ffn]!;
  });
  // exp's 2.5e-7 and five roundings.
  const relative = 2.5e-7 + 6 * 2 ** -24;
  expectWithin(siluMul(gateUp, m, ffn), expected, (i) => relative * Math.abs(expected[i]!));
});

it("silu_mul_f32 reaches its limits without overflow, and a NaN stays where it is", () => {
  const gates = [1e30, -1e30, 100, -100, 0, Number.NaN, -0, 1];
  const y = siluMul(Float32Array.from([...gates, ...gates.map(() => 1)]), 1, gates.length);
  expect(y[0]).toBe(Math.fround(1e30));
  expect(Math.abs(y[1]!)).toBeLessThan(1.3e-8); // |x| times exp's floor of 1.2e-38
  expect(y[2]).toBe(100);
  expect(Math.abs(y[3]!)).toBeLessThan(1e-35);
  expect(Array.from(y, Number.isNaN)).toEqual(gates.map((gate) => Number.isNaN(gate)));
  expectWithin([y[4]!, y[6]!, y[7]!], [0, 0, silu(1)], () => 1e-6);
});
