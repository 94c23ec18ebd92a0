import { expect, it } from "vitest";
import { attentionScratchBytes } from "../../src/model/kernels.ts";
import { attention } from "../oracle/kernels.ts";
import { expectWithin, floats, newKernels, putF32, random, writesOnly } from "./arena.ts";

function attend(qkv: Float32Array, n: number, n_heads: number, head_dim: number): Float32Array {
  const kernels = newKernels();
  const width = n_heads * head_dim;
  const q = putF32(kernels, qkv);
  const scratch = kernels.alloc(attentionScratchBytes(n, head_dim));
  const out = kernels.alloc(n * width * 4);
  const [k, v, stride] = [q + width * 4, q + width * 8, 3 * width];
  const allowed = [
    [scratch, attentionScratchBytes(n, head_dim)],
    [out, n * width * 4],
  ] as const;
  kernels.u8(scratch, attentionScratchBytes(n, head_dim)).fill(0xff); // NaNs left by others
  writesOnly(kernels, allowed, () =>
    kernels.attentionF32({ out, q, k, v, stride, scratch, n, n_heads, head_dim }),
  );
  return kernels.f32(out, n * width);
}

/** A score sums head_dim products up to scale^2, each rounded; the weights' relative error is the
 *  scores' absolute one twice (s and max) plus exp's 2.5e-7; the sums over n round n times. */
const bound = (n: number, head_dim: number, scale: number) =>
  (2 * head_dim ** 1.5 * scale ** 2 * 2 ** -23 + 1e-6 + n * 2 ** -23) * scale * 2;

it.each([
  [1, 1, 4],
  [2, 2, 8],
  [3, 3, 12],
  [7, 2, 32],
  [8, 12, 32],
  [13, 2, 64],
  [33, 1, 36],
  [130, 2, 32],
])("attention_f32 equals its definition for %i tokens, %i heads of %i", (n, n_heads, head_dim) => {
  const qkv = floats(random(n), n * 3 * n_heads * head_dim, 2);
  const expected = attention(qkv, n, n_heads, head_dim);
  expectWithin(attend(qkv, n, n_heads, head_dim), expected, () => bound(n, head_dim, 2));
});

it("attention_f32 survives scores far apart: the largest takes all", () => {
  const [n, dim] = [5, 4];
  const qkv = new Float32Array(n * 3 * dim);
  for (let i = 0; i < n; i++) {
    qkv[i * 3 * dim] = 1000; // q
    qkv[i * 3 * dim + dim] = i === 3 ? 1000 : -1000 * i; // k
    qkv.fill(i + 1, i * 3 * dim + 2 * dim, (i + 1) * 3 * dim); // v
  }
  expect(Array.from(attend(qkv, n, 1, dim))).toEqual(new Array(n * dim).fill(4));
});

it("attention_f32 over equal keys is the mean of v", () => {
  const [n, dim] = [6, 32];
  const qkv = floats(random(6), n * 3 * dim);
  for (let i = 0; i < n; i++) qkv.fill(0.25, i * 3 * dim + dim, i * 3 * dim + 2 * dim);
  const means = Array.from({ length: dim }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += qkv[i * 3 * dim + 2 * dim + c]!;
    return sum / n;
  });
  expectWithin(attend(qkv, n, 1, dim).subarray(0, dim), means, () => 1e-6);
});
