import { describe, expect, it } from "vitest";
import { qmaxOf, quantizedBytes } from "../../src/model/kernels.ts";
import { linear } from "../oracle/kernels.ts";
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

function scan(query: Float32Array, vectors: Int8Array, d: Float32Array): Float32Array {
  const [n, dim] = [d.length, query.length];
  const kernels = newKernels();
  const [q, qd] = [kernels.alloc(quantizedBytes(1, dim)), kernels.alloc(4)];
  kernels.quantizeQuery(q, qd, putF32(kernels, query), dim);
  const [at, scales] = [putI8(kernels, vectors), putF32(kernels, d)];
  const scores = kernels.alloc(n * 4);
  writesOnly(kernels, [[scores, n * 4]], () =>
    kernels.dotScanI8({ scores, q, qd, vectors: at, d: scales, n, dim }),
  );
  return kernels.f32(scores, n);
}

describe("dot_scan_i8", () => {
  it.each([
    [1, 1],
    [3, 5],
    [4, 16],
    [5, 17],
    [9, 100],
    [130, 384],
    [7, 390],
  ])("scores %i vectors of %i as the dot products in f64 do", (n, dim) => {
    const next = random(n + dim);
    const query = floats(next, dim);
    const [vectors, d] = [ints(next, n * dim), floats(next, n, 0.01)];
    const zero = new Float32Array(n);
    const dots = linear(query, vectors, zero, 1, n, dim).map((dot, i) => dot * d[i]!);
    // Half a step of the query's quantization, max |query| / 8191, for each |v| <= 127.
    const bound = (dim * 127 * 0.51) / qmaxOf(dim) + dim * 127 * 2 ** -21;
    expectWithin(scan(query, vectors, d), dots, (i) => bound * Math.abs(d[i]!));
  });

  it("is exact in the integers at the extremes of dim = 384", () => {
    const query = new Float32Array(384).fill(-1);
    const vectors = new Int8Array(384 * 5).fill(127);
    const scores = scan(query, vectors, new Float32Array(5).fill(1));
    expectWithin(scores, new Array(5).fill(-384 * 127), () => 384 * 127 * 2 ** -22);
  });

  it("scores a zero query 0", () => {
    const scores = scan(new Float32Array(8), ints(random(1), 24), new Float32Array(3).fill(1));
    expect(Array.from(scores, Math.abs)).toEqual([0, 0, 0]);
  });
});
