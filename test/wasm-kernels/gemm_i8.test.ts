import { describe, expect, it } from "vitest";
import {
  type GemmVariant,
  type Kernels,
  packedBytes,
  qmaxOf,
  quantizedBytes,
} from "../../src/model/kernels.ts";
import { gelu, gemmInteger } from "../oracle/kernels.ts";
import {
  expectWithin,
  floats,
  ints,
  newKernels,
  putF32,
  putI8,
  random,
  writesOnly,
} from "./arena.ts";

interface Problem {
  m: number;
  n: number;
  k: number;
  x: Float32Array;
  w: Int8Array;
  d: Float32Array;
  bias: Float32Array;
}

function randomProblem(m: number, n: number, k: number): Problem {
  const next = random(m * 1e6 + n * 1e3 + k);
  const [x, w] = [floats(next, m * k, 3), ints(next, n * k)];
  return { m, n, k, x, w, d: floats(next, n, 0.01), bias: floats(next, n) };
}

/** Packs in two portions, quantizes and multiplies; checks that nothing but y is written. */
function multiply(kernels: Kernels, p: Problem, gelu = false) {
  const { m, n, k } = p;
  const packed = kernels.alloc(packedBytes(n, k));
  kernels.u8(packed, packedBytes(n, k)).fill(0xa5); // as memory that was used before
  const first = n >> 1;
  const w = putI8(kernels, p.w.subarray(0, first * k));
  const rest = putI8(kernels, p.w.subarray(first * k));
  if (first > 0) kernels.packI8(packed, w, 0, first, { n, k });
  writesOnly(kernels, [[packed, packedBytes(n, k)]], () =>
    kernels.packI8(packed, rest, first, n - first, { n, k }),
  );
  const [x, d, bias] = [putF32(kernels, p.x), putF32(kernels, p.d), putF32(kernels, p.bias)];
  const [q, qd] = [kernels.alloc(quantizedBytes(m, k)), kernels.alloc(m * 4)];
  kernels.quantizeRows(q, qd, x, m, k);
  const y = kernels.alloc(m * n * 4);
  writesOnly(kernels, [[y, m * n * 4]], () =>
    kernels.gemmI8({ y, q, qd, packed, d, bias, m, n, k, gelu }),
  );
  return { y: kernels.f32(y, m * n), qd: kernels.f32(qd, m) };
}

/** The quantized x, from its definition, given the scales that the kernel chose. */
const quantized = (p: Problem, qd: Float32Array) =>
  Array.from(p.x, (v, i) => (qd[(i / p.k) | 0]! > 0 ? Math.round(v / qd[(i / p.k) | 0]!) : 0));

const RAGGED = [
  [1, 1, 1],
  [1, 4, 16],
  [1, 13, 130],
  [1, 8, 1536],
  [2, 3, 5],
  [3, 9, 17],
  [4, 8, 32],
  [5, 13, 33],
  [7, 6, 63],
  [17, 20, 48],
  [37, 11, 384],
] as const;

describe.each<GemmVariant>(["plain", "relaxed"])("gemm_i8, %s", (variant) => {
  it.each(RAGGED)("multiplies %i x %i x %i within quantization's bound", (m, n, k) => {
    const p = randomProblem(m, n, k);
    const { y, qd } = multiply(newKernels(variant), p);
    const exact = gemmInteger(p.x, p.w, m, n, k);
    // Each activation is off by at most d / 2, met by |w|; d (x / d) rounds by another 2^-22 |x|.
    const slack = gemmInteger(p.x.map(Math.abs), p.w.map(Math.abs), m, n, k);
    const expected = exact.map((sum, i) => sum * p.d[i % n]! + p.bias[i % n]!);
    expectWithin(y, expected, (i) => {
      const [r, c] = [(i / n) | 0, i % n];
      const weights = p.w.subarray(c * k, c * k + k).reduce((sum, w) => sum + Math.abs(w), 0);
      const rounding = 2 ** -21 * (slack[i]! * Math.abs(p.d[c]!) + Math.abs(p.bias[c]!));
      return ((qd[r]! * 1.0001) / 2) * weights * Math.abs(p.d[c]!) + rounding;
    });
  });

  it.each([384, 1536, 2064, 4096])("sums k = %i at the extremes exactly", (k) => {
    const [m, n] = [4, 4];
    const sign = (i: number) => (i % 3 === 0 ? -1 : 1);
    const x = Float32Array.from({ length: m * k }, (_, i) => (((i / k) | 0) % 2 ? -1 : 1));
    const w = Int8Array.from({ length: n * k }, (_, i) => 127 * sign((i / k) | 0));
    const p = { m, n, k, x, w, d: new Float32Array(n).fill(1), bias: new Float32Array(n) };
    const { y } = multiply(newKernels(variant), p);
    const expected = gemmInteger(x, w, m, n, k);
    // The integers are exact, |sum| = 127 k qmax < 2^31; three f32 roundings follow.
    expect(127 * k * qmaxOf(k)).toBeLessThan(2 ** 31);
    expectWithin(y, expected, (i) => Math.abs(expected[i]!) * 2 ** -22);
  });

  it("keeps the integer sum exact where all quants are distinct", () => {
    const p = randomProblem(6, 8, 96);
    const { y, qd } = multiply(newKernels(variant), { ...p, bias: p.bias.fill(0) });
    const sums = gemmInteger(quantized(p, qd), p.w, 6, 8, 96);
    // A tie that rounds the other way shifts a sum by at most 127 of about 10^6.
    const expected = sums.map((sum, i) => sum * qd[(i / 8) | 0]! * p.d[i % 8]!);
    const unit = (i: number) => qd[(i / 8) | 0]! * Math.abs(p.d[i % 8]!);
    expectWithin(y, expected, (i) => Math.abs(expected[i]!) * 2 ** -22 + 0.5 * unit(i));
  });

  it("applies GELU to the very result without it", () => {
    const p = randomProblem(9, 7, 40);
    const plain = multiply(newKernels(variant), p).y;
    const fused = multiply(newKernels(variant), p, true).y;
    expectWithin(fused, Array.from(plain, gelu), () => 1e-6);
  });

  it("turns a row with a NaN or an infinity into NaN, and leaves the others alone", () => {
    const p = randomProblem(4, 5, 20);
    p.x[21] = Number.NaN;
    p.x[45] = Number.POSITIVE_INFINITY;
    const { y } = multiply(newKernels(variant), p);
    const rows = [0, 1, 2, 3].map((r) => Array.from(y.subarray(r * 5, r * 5 + 5), Number.isNaN));
    expect(rows.map((row) => row.every((nan) => nan))).toEqual([false, true, true, false]);
    expect(rows[0]!.concat(rows[3]!)).not.toContain(true);
  });

  it("gives the bias for a row of zeros or of vanishing numbers", () => {
    const p = randomProblem(2, 5, 20);
    p.x.fill(0, 0, 20).fill(1e-40, 20);
    const { y } = multiply(newKernels(variant), p);
    expect(Array.from(y)).toEqual([...p.bias, ...p.bias]);
  });
});

describe("gemm_i8_relaxed", () => {
  it.each(RAGGED)("equals gemm_i8 to the last bit at %i x %i x %i", (m, n, k) => {
    const p = randomProblem(m, n, k);
    const plain = multiply(newKernels("plain"), p).y;
    expect(multiply(newKernels("relaxed"), p).y).toEqual(plain);
  });
});
