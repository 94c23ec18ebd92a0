import { describe, expect, it } from "vitest";
import {
  activationBytes,
  MatmulKernels,
  type MatmulVariant,
  type Matrix,
  matrixBytes,
  PANEL_ROWS,
  rowBytes,
} from "../../src/model/matmul-kernels.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { gemmInteger } from "../oracle/kernels.ts";
import { expectWithin, floats, kernelsModule, random, writesOnly } from "../wasm-kernels/arena.ts";
import {
  blockOf,
  QUANTIZED,
  randomRows,
  roundedPart,
  TYPES,
  weightsOf,
  withoutMins,
} from "../wasm-kernels/quantized-rows.ts";

const VARIANTS: readonly MatmulVariant[] = ["plain", "relaxed_i16", "relaxed_i32"];

interface Problem {
  type: TensorType;
  m: number;
  n: number;
  k: number;
  x: Float32Array;
  rows: Uint8Array;
}

function randomProblem(type: TensorType, m: number, n: number, k: number, quant?: number): Problem {
  const next = random(m * 1e6 + n * 1e3 + k);
  return { type, m, n, k, x: floats(next, m * k, 3), rows: randomRows(type, n, k, next, quant) };
}

const create = (variant?: MatmulVariant) => MatmulKernels.create(kernelsModule, { variant });

function put(kernels: MatmulKernels, bytes: Uint8Array | Float32Array): number {
  const offset = kernels.alloc(bytes.byteLength);
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  kernels.u8(offset, bytes.byteLength).set(source);
  return offset;
}

/** The matrix, packed in two portions where it has more than one panel. */
function pack(kernels: MatmulKernels, { type, n, k, rows }: Problem): Matrix {
  const w = kernels.allocMatrix(type, n, k);
  const bytes = matrixBytes(type, n, k);
  kernels.u8(w.at, bytes).fill(0xa5); // as memory that was used before
  const first = Math.min(n, PANEL_ROWS);
  const src = put(kernels, rows.subarray(0, first * rowBytes(type, k)));
  const rest = put(kernels, rows.subarray(first * rowBytes(type, k)));
  const scratch = [0, 4096] as const; // of the module, below the arena: a group of quants
  writesOnly(kernels, [scratch, [w.at, bytes]], () => kernels.packMatrix(w, src, 0, first));
  if (first < n) kernels.packMatrix(w, rest, first, n - first);
  return w;
}

/** y [m, n], once checked to write nothing else, from rows that are wider apart than n. */
function multiply(kernels: MatmulKernels, p: Problem, add?: Float32Array): Float32Array {
  const { type, m, n, k } = p;
  const w = pack(kernels, p);
  const x = put(kernels, p.x);
  const at = kernels.alloc(activationBytes(m, k));
  let a!: ReturnType<MatmulKernels["activations"]>;
  writesOnly(kernels, [[at, activationBytes(m, k)]], () => {
    a = kernels.activations(at, x, m, k, [type]);
  });
  const stride = n + 3;
  const y = kernels.alloc(m * stride * 4);
  kernels.u8(y, m * stride * 4).fill(0xa5); // between the rows too
  const before = add ?? new Float32Array(m * n).fill(Number.NaN);
  for (let r = 0; r < m; r++)
    kernels.f32(y + r * stride * 4, n).set(before.subarray(r * n, r * n + n));
  const written = Array.from({ length: m }, (_, r) => [y + r * stride * 4, n * 4] as const);
  const scratch = [a.scratch, at + activationBytes(m, k) - a.scratch] as const;
  writesOnly(kernels, [scratch, ...written], () =>
    kernels.matmul(y, stride, a, w, add ? { add: true } : undefined),
  );
  const out = new Float32Array(m * n);
  for (let r = 0; r < m; r++) out.set(kernels.f32(y + r * stride * 4, n), r * n);
  return out;
}

/** The largest |q| of the activations that a type meets; 0 for float types. */
function qmaxOf(type: TensorType): number {
  if (!QUANTIZED.includes(type)) return 0;
  return ["Q4_0", "Q4_1", "Q4_K"].includes(type) ? 127 : 8191;
}

/** For each group of 32 activations, where it starts and the largest magnitude in it. */
const groupsOf = (x: Float32Array) =>
  Array.from({ length: x.length / 32 }, (_, g): [at: number, largest: number] => [
    g * 32,
    Math.max(...x.subarray(g * 32, g * 32 + 32).map(Math.abs)),
  ]);

/** What f32 arithmetic may add: it rounds once a group and a few times more, or for each product
 *  where the type is a float. */
function rounding({ type, m, n, k, x, rows }: Problem): Float64Array {
  const bare = withoutMins(type, rows, n, k);
  const w = weightsOf(type, rows, n, k).map((v, i) =>
    Math.max(Math.abs(v), 2 * Math.abs(bare[i]!)),
  );
  const roundings = QUANTIZED.includes(type) ? k / 32 + 16 : k;
  return gemmInteger(x.map(Math.abs), w, m, n, k).map((sum) => sum * 3 * roundings * 2 ** -24);
}

/** What the product may differ from exact arithmetic by: rounding, and half a step of its group of
 *  32 for each activation, met by the weight less its min, where quants are 4 bits also less 8
 *  scales; the offset that centres them is half a step off once a group, 1/32 for each weight. */
function bounds(p: Problem): Float64Array {
  const { type, m, n, k, x, rows } = p;
  const steps = new Float64Array(m * k);
  if (QUANTIZED.includes(type))
    for (const [at, largest] of groupsOf(x))
      steps.fill((largest / qmaxOf(type)) * 1.0001, at, at + 32);
  const { part, scale } = roundedPart(type, rows, n, k);
  const met = part.map((v, i) => Math.abs(v) + Math.abs(scale[i]!) / 32);
  const quantizing = gemmInteger(steps, met, m, n, k);
  return rounding(p).map((sum, i) => sum + quantizing[i]! / 2);
}

/** The product by its definition: quantized activations by weights, exact ones by the mins, and by
 *  8 scales what rounding took from a group, in eighths of a step. */
function quantizedProduct({ type, m, n, k, x, rows }: Problem): Float64Array {
  const bare = withoutMins(type, rows, n, k);
  const mins = weightsOf(type, rows, n, k).map((w, i) => w - bare[i]!);
  const qmax = qmaxOf(type);
  const [rounded, offsets] = [new Float64Array(m * k), new Float64Array(m * k)];
  for (const [at, largest] of groupsOf(x)) {
    const [d, inverse] = [Math.fround(largest / qmax), Math.fround(qmax / largest)];
    let taken = 0;
    for (let j = at; j < at + 32; j++) {
      const scaled = Math.fround(x[j]! * inverse);
      const q = Math.fround(scaled + 1.5 * 2 ** 23) - 1.5 * 2 ** 23; // to even
      rounded[j] = d * q;
      taken += scaled - q;
    }
    offsets.fill((d * Math.round(8 * taken)) / 32, at, at + 32); // as the sum of 32
  }
  const byMins = gemmInteger(x, mins, m, n, k);
  const byScales = gemmInteger(offsets, roundedPart(type, rows, n, k).scale, m, n, k);
  const product = gemmInteger(rounded, bare, m, n, k);
  return product.map((sum, i) => sum + byMins[i]! + byScales[i]!);
}

const exact = ({ type, m, n, k, x, rows }: Problem) =>
  gemmInteger(x, weightsOf(type, rows, n, k), m, n, k);

/** m, n and k, the last in blocks (of quantized types). */
const SHAPES = [
  [1, 1, 1],
  [1, 8, 1],
  [1, 37, 3],
  [2, 9, 1],
  [3, 16, 2],
  [4, 7, 3],
  [5, 24, 1],
  [6, 32, 5],
  [7, 15, 1],
  [8, 33, 2],
  [9, 23, 1],
  [17, 12, 2],
] as const;

describe.each(VARIANTS)("matmul, %s", (variant) => {
  it.each(TYPES)("multiplies %s at ragged shapes within quantization's bound", (type) => {
    for (const [m, n, blocks] of SHAPES) {
      const p = randomProblem(type, m, n, blocks * blockOf(type));
      const bound = bounds(p);
      expectWithin(multiply(create(variant), p), exact(p), (i) => bound[i]!);
    }
  });

  it.each(QUANTIZED)("rounds %s activations as it says and sums them exactly", (type) => {
    for (const [m, n, blocks] of SHAPES) {
      const p = randomProblem(type, m, n, blocks * blockOf(type));
      const bound = rounding(p);
      expectWithin(multiply(create(variant), p), quantizedProduct(p), (i) => bound[i]!);
    }
  });

  it.each(QUANTIZED)("multiplies %s at the extremes within the same bound", (type) => {
    for (const quant of [0, 0x7f, 0x80, 0xff])
      for (const sign of [-1, 1]) {
        const p = randomProblem(type, 5, 9, 2 * blockOf(type), quant);
        p.x.fill(sign);
        const bound = bounds(p);
        expectWithin(multiply(create(variant), p), exact(p), (i) => bound[i]!);
      }
  });

  it.each(TYPES)("adds a product of %s to what is there", (type) => {
    const p = randomProblem(type, 3, 11, 2 * blockOf(type));
    const there = floats(random(7), 33, 2);
    const bound = bounds(p);
    const expected = exact(p).map((sum, i) => sum + there[i]!);
    const slack = (i: number) => bound[i]! + 2 ** -22 * (Math.abs(expected[i]!) + 2);
    expectWithin(multiply(create(variant), p, there), expected, slack);
  });

  it.each(TYPES)("keeps a row of %s that is not finite to itself", (type) => {
    const p = randomProblem(type, 4, 9, 2 * blockOf(type));
    const { k, n } = p;
    p.x[k + 1] = Number.NaN;
    p.x[3 * k - 1] = Number.POSITIVE_INFINITY;
    const y = multiply(create(variant), p);
    const finite = [0, 1, 2, 3].map((r) => y.subarray(r * n, r * n + n).some(Number.isFinite));
    expect(finite).toEqual([true, false, false, true]);
    const bound = bounds(p);
    expectWithin(y.subarray(0, n), exact(p).subarray(0, n), (i) => bound[i]!);
  });

  it.each(TYPES)("gives zeros for rows of %s that are zero or vanish", (type) => {
    const p = randomProblem(type, 2, 9, 2 * blockOf(type));
    p.x.fill(0, 0, p.k).fill(1e-40, p.k);
    expectWithin(multiply(create(variant), p), new Float32Array(18), () => 1e-30);
  });
});

describe("the variants", () => {
  it.each(QUANTIZED)("give the same bits for %s", (type) => {
    for (const [m, n, blocks] of SHAPES) {
      const p = randomProblem(type, m, n, blocks * blockOf(type));
      const [plain, ...others] = VARIANTS.map((variant) => multiply(create(variant), p));
      for (const other of others) expect(other).toEqual(plain);
    }
  });
});

describe("dequantizeRows", () => {
  it.each(TYPES)("gives back the numbers of %s", (type) => {
    const p = randomProblem(type, 1, 19, 2 * blockOf(type));
    const kernels = create();
    const w = pack(kernels, p);
    const ids = [18, 0, 5, 5, 11];
    const y = kernels.alloc(ids.length * p.k * 4);
    writesOnly(kernels, [[y, ids.length * p.k * 4]], () => kernels.dequantizeRows(y, w, ids));
    const weights = weightsOf(type, p.rows, 19, p.k);
    const expected = ids.flatMap((id) => Array.from(weights.subarray(id * p.k, (id + 1) * p.k)));
    expectWithin(kernels.f32(y, ids.length * p.k), expected, () => 0);
  });
});

it("a machine takes a relaxed variant, and keeps its memory free meanwhile", () => {
  const kernels = create();
  expect(["relaxed_i16", "relaxed_i32"]).toContain(kernels.choice.name);
  expect(["timing", "probe"]).toContain(kernels.choice.by);
  expect(kernels.bytesUsed).toBe(create("plain").bytesUsed);
});

it("a matrix takes what the file takes, for the types that are resident as they are", () => {
  expect(matrixBytes("Q4_0", 576, 1536)).toBe(576 * rowBytes("Q4_0", 1536));
  expect(matrixBytes("Q8_0", 576, 1536)).toBe(576 * rowBytes("Q8_0", 1536));
});

it("shapes and ranges that do not fit are refused", () => {
  const kernels = create();
  expect(() => kernels.allocMatrix("Q4_0", 8, 33)).toThrow(/no multiple of 32/);
  expect(() => kernels.allocMatrix("Q6_K", 8, 64)).toThrow(/no multiple of 256/);
  const w = kernels.allocMatrix("Q4_0", 40, 64);
  const src = kernels.alloc(40 * 36);
  expect(() => kernels.packMatrix(w, src, 8, 16)).toThrow(/rows 8\+16 of 40/);
  expect(() => kernels.packMatrix(w, src, 0, 24)).toThrow(/rows 0\+24 of 40/);
  expect(() => kernels.packMatrix(w, src, 32, 16)).toThrow(/rows 32\+16 of 40/);
  const x = kernels.alloc(64 * 4);
  const a = kernels.activations(kernels.alloc(activationBytes(1, 64)), x, 1, 64, ["Q4_0"]);
  const y = kernels.alloc(40 * 4);
  expect(() => kernels.matmul(y, 39, a, w)).toThrow(/stride 39/);
  expect(() => kernels.matmul(y + 16, 40, a, w)).toThrow(/matmul y/);
  const row = kernels.alloc(64 * 4);
  expect(() => kernels.dequantizeRows(row, w, [40])).toThrow(/row 40 of 40/);
});
