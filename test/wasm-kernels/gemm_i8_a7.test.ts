import { describe, expect, it } from "vitest";
import { SPLIT_COPIES_MAX } from "../../src/limits.ts";
import {
  type Kernels,
  packedBytes,
  quantizedA7Bytes,
  type SplitColumns,
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
  copies: number[];
  extra: number;
}

/** Columns 0, 5, 10, ... are larger than the rest and split, up to `extra` columns in all. */
function problem(m: number, n: number, k: number, extra: number, wMax = 127): Problem {
  const next = random(m * 1e6 + n * 1e3 + k);
  const copies = new Array(k).fill(1);
  let left = extra - (extra > 2 ? 1 : 0); // one stays unused where there are several
  for (let j = 0; j < k && left > 0; j += 5) {
    const more = Math.min(left, 1 + (j % 3));
    copies[j] += more;
    left -= more;
  }
  const x = floats(next, m * k, 3).map((v, i) => v * copies[i % k]! + 0.5);
  return { m, n, k, x, w: ints(next, n * k, wMax), copies, extra };
}

function quantize(kernels: Kernels, p: Problem, split: SplitColumns) {
  const { m, k, extra } = p;
  const bytes = quantizedA7Bytes(m, k, extra);
  const [q, qd, x] = [kernels.alloc(bytes), kernels.alloc(2 * m * 4), putF32(kernels, p.x)];
  kernels.u8(q, bytes).fill(0xa5);
  const written = [
    [q, bytes],
    [qd, 2 * m * 4],
  ] as const;
  writesOnly(kernels, written, () => kernels.quantizeRowsA7(q, qd, x, m, split));
  return { q, qd, quants: kernels.u8(q, bytes), scales: kernels.f32(qd, 2 * m) };
}

function multiply(kernels: Kernels, p: Problem, withGelu = false) {
  const { m, n, k, extra } = p;
  const bytes = packedBytes(n, k, extra);
  const packed = kernels.alloc(bytes);
  kernels.u8(packed, bytes).fill(0xa5); // as memory that was used before
  kernels.packI8(packed, putI8(kernels, p.w), 0, n, { n, k, extra });
  const split = kernels.splitColumns(p.copies, extra);
  writesOnly(kernels, [[packed, bytes]], () => kernels.widenI8(packed, n, split));
  const { q, qd, scales } = quantize(kernels, p, split);
  const next = random(n);
  const [d, bias] = [floats(next, n, 0.01), floats(next, n)];
  const [dAt, biasAt, y] = [putF32(kernels, d), putF32(kernels, bias), kernels.alloc(m * n * 4)];
  const shape = { m, n, k, extra, gelu: withGelu };
  writesOnly(kernels, [[y, m * n * 4]], () =>
    kernels.gemmI8A7({ y, q, qd, packed, d: dAt, bias: biasAt, ...shape }),
  );
  return { y: kernels.f32(y, m * n), scales, d, bias };
}

/** What each row's x is after rounding, from its definition and the scales that were chosen. */
const rounded = (p: Problem, scales: Float32Array) =>
  Float64Array.from(p.x, (v, i) => {
    const row = Math.floor(i / p.k);
    const [step, lo] = [scales[row]!, scales[p.m + row]! * p.copies[i % p.k]!];
    return step > 0 ? Math.round((v - lo) / step) * step + lo : lo;
  });

const SHAPES = [
  [1, 1, 1, 0],
  [1, 4, 16, 1],
  [2, 3, 5, 2],
  [3, 9, 17, 4],
  [5, 13, 33, 16],
  [7, 6, 63, 0],
  [17, 20, 48, 16],
  [37, 11, 384, 16],
] as const;

describe("quantize_rows_a7", () => {
  it.each(SHAPES)("rounds %i rows (n %i) of %i + %i columns to half a step", (m, n, k, extra) => {
    const p = problem(m, n, k, extra);
    const kernels = newKernels();
    const split = kernels.splitColumns(p.copies, extra);
    const { quants, scales } = quantize(kernels, p, split);
    const kx = quants.length / m;
    const sources = kernels.i32(split.at + 8 * k, extra);
    for (let r = 0; r < m; r++) {
      const row = quants.subarray(r * kx, r * kx + kx);
      expect(Math.max(...row)).toBeLessThan(128);
      expect(row.subarray(k + extra).every((u) => u === 0)).toBe(true);
      const [step, lo] = [scales[r]!, scales[m + r]!];
      const sums = Float64Array.from(row.subarray(0, k));
      for (let e = 0; e < extra; e++)
        if (sources[e]! >= 0) sums[sources[e]!]! += row[k + e]!;
        else expect(row[k + e]).toBe(0);
      const back = sums.map((u, j) => u * step + lo * p.copies[j]!);
      // Half a step, and f32 rounding of numbers up to copies * |lo| and of u up to 127 copies.
      expectWithin(back, p.x.subarray(r * k, r * k + k), (j) => step / 2 + 2e-5 * p.copies[j]!);
    }
  });

  it("gives an exact offset for a row of equal numbers, NaN for one that is not finite", () => {
    const x = Float32Array.from({ length: 4 * 20 }, (_, i) => [0, -2.5, 1, 1][(i / 20) | 0]!);
    x[2 * 20 + 19] = Number.NaN;
    x[3 * 20 + 3] = Number.NEGATIVE_INFINITY;
    const p: Problem = { ...problem(4, 1, 20, 0), x };
    const kernels = newKernels();
    const { quants, scales } = quantize(kernels, p, kernels.splitColumns(p.copies, 0));
    expect(quants.every((u) => u === 0)).toBe(true);
    expect(Array.from(scales)).toEqual([0, 0, Number.NaN, Number.NaN, 0, -2.5, Number.NaN, NaN]);
  });
});

describe("gemm_i8_a7", () => {
  it.each(SHAPES)("multiplies %i x %i x %i + %i as the rounded rows do", (m, n, k, extra) => {
    const p = problem(m, n, k, extra);
    const { y, scales, d, bias } = multiply(newKernels(), p);
    const x = rounded(p, scales);
    const expected = gemmInteger(x, p.w, m, n, k).map((s, i) => s * d[i % n]! + bias[i % n]!);
    const size = gemmInteger(x.map(Math.abs), p.w.map(Math.abs), m, n, k);
    // The integers are exact; a tie that rounds the other way moves a sum by one step of 127, and
    // f32 rounds the two parts, each up to some times `size` where lo is large.
    expectWithin(y, expected, (i) => {
      const tie = 2 * scales[(i / n) | 0]! * 127;
      return Math.abs(d[i % n]!) * (tie + size[i]! * 1e-5) + 1e-6;
    });
  });

  it.each([127, -127])("sums weights of %i exactly, where products must not be chained", (w) => {
    for (const k of [8, 384, 1536]) {
      const p = { ...problem(5, 9, k, 0), x: new Float32Array(5 * k), w: new Int8Array(9 * k) };
      for (let i = 0; i < p.x.length; i++) p.x[i] = (i * 7) % 128; // u = x: every step is 1
      for (let r = 0; r < 5; r++) p.x.set([0, 127], r * k);
      p.w.fill(w);
      const { y, d, bias } = multiply(newKernels(), p);
      const sums = gemmInteger(p.x, p.w, 5, 9, k);
      const expected = sums.map((sum, i) => sum * d[i % 9]! + bias[i % 9]!);
      expectWithin(y, expected, (i) => Math.abs(expected[i]!) * 2 ** -21 + 1e-6);
    }
  });

  it("chains what just fits 16 bits, and does not what just does not", () => {
    // Four weights of one row at columns 0, 1, 4, 5 that sum to 258 or 259, all u at 127.
    for (const last of [3, 4])
      for (const sign of [1, -1]) {
        const w = new Int8Array(16);
        w.set([127 * sign, 127 * sign, 0, 0, sign, last * sign]);
        const x = new Float32Array(16).fill(127);
        x[15] = 0; // so that lo = 0 and a step is 1
        const p: Problem = { m: 1, n: 1, k: 16, x, w, copies: new Array(16).fill(1), extra: 0 };
        const { y, d, bias } = multiply(newKernels(), p);
        const expected = sign * 127 * (255 + last) * d[0]! + bias[0]!;
        expectWithin(y, [expected], () => Math.abs(expected) * 2 ** -21 + 1e-6);
      }
  });

  it("applies GELU to the very result without it", () => {
    const p = problem(9, 7, 40, 8);
    const plain = multiply(newKernels(), p).y;
    expectWithin(multiply(newKernels(), p, true).y, Array.from(plain, gelu), () => 1e-6);
  });

  it("turns a row with a NaN or an infinity into NaN, and leaves the others alone", () => {
    const p = problem(4, 5, 20, 4);
    const clean = multiply(newKernels(), p).y;
    p.x[21] = Number.NaN;
    p.x[45] = Number.POSITIVE_INFINITY;
    const { y } = multiply(newKernels(), p);
    const rows = [0, 1, 2, 3].map((r) => y.subarray(r * 5, r * 5 + 5));
    expect(rows[1]!.every(Number.isNaN) && rows[2]!.every(Number.isNaN)).toBe(true);
    expect([...rows[0]!, ...rows[3]!]).toEqual([...clean.subarray(0, 5), ...clean.subarray(15)]);
  });

  it("gives the same bits with marks and without, whatever the relaxed instructions choose", () => {
    // Weights of at most 64 are never marked; twice them, with half the scale, often are.
    const p = problem(6, 8, 96, 0, 63);
    const unmarked = multiply(newKernels(), p).y;
    const doubled = multiply(newKernels(), { ...p, w: p.w.map((v) => 2 * v) });
    const single = multiply(newKernels(), p);
    const half = doubled.y.map((v, i) => (v - doubled.bias[i % 8]!) / 2 + doubled.bias[i % 8]!);
    expect(unmarked).toEqual(single.y);
    expectWithin(half, unmarked, (i) => Math.abs(unmarked[i]!) * 1e-6 + 1e-5);
  });
});

describe("splitColumns", () => {
  it("refuses more copies than there is room for, or than 16 bits hold", () => {
    const kernels = newKernels();
    expect(() => kernels.splitColumns([1, 3], 1)).toThrow(/invariant/);
    expect(() => kernels.splitColumns([0, 1], 1)).toThrow(/invariant/);
    expect(() => kernels.splitColumns([SPLIT_COPIES_MAX + 1], 99)).toThrow(/invariant/);
  });
});
