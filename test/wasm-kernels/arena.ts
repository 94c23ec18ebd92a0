/** What the kernel tests share: the compiled module, seeded numbers, and a watch over writes. */
import { expect } from "vitest";
import { compileKernels } from "../../bench/kernels-module.ts";
import { mulberry32 } from "../../eval/random.ts";
import type { Arena } from "../../src/model/arena.ts";
import { type GemmVariant, Kernels } from "../../src/model/kernels.ts";

export const kernelsModule = compileKernels();

export const newKernels = (variant?: GemmVariant) => Kernels.create(kernelsModule, { variant });

/** Uniform in [0, 1), from a seed. */
export const random = mulberry32;

export const floats = (next: () => number, length: number, scale = 1) =>
  Float32Array.from({ length }, () => (next() * 2 - 1) * scale);

export const ints = (next: () => number, length: number, max = 127) =>
  Int8Array.from({ length }, () => Math.round((next() * 2 - 1) * max));

export function putF32(kernels: Arena, values: ArrayLike<number>): number {
  const offset = kernels.alloc(values.length * 4);
  kernels.f32(offset, values.length).set(values);
  return offset;
}

export function putI8(kernels: Arena, values: ArrayLike<number>): number {
  const offset = kernels.alloc(values.length);
  kernels.i8(offset, values.length).set(values);
  return offset;
}

/** More than a row of any output in these tests, lest one row too many stay unseen. */
const GUARD_BYTES = 1024;

/** Runs a kernel and fails if a byte of all linear memory changed outside the ranges
 *  [offset, bytes] it is allowed. */
export function writesOnly(
  kernels: Arena,
  ranges: readonly (readonly [offset: number, bytes: number])[],
  run: () => void,
): void {
  // What lies after the last output is watched too; a zero that is written there must show.
  kernels.u8(kernels.alloc(GUARD_BYTES), GUARD_BYTES).fill(0xa5);
  const before = Buffer.from(new Uint8Array(kernels.memory.buffer).slice());
  run();
  const after = Buffer.from(kernels.memory.buffer);
  let at = 0;
  for (const [offset, bytes] of [...ranges].sort((a, b) => a[0] - b[0])) {
    expect(before.compare(after, at, offset, at, offset)).toBe(0);
    at = offset + bytes;
  }
  expect(before.compare(after, at, after.length, at, before.length)).toBe(0);
}

/** Fails unless |actual[i] - expected[i]| <= bound(i) everywhere; reports the first breach. */
export function expectWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (i: number) => number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (!(error <= bound(i)))
      expect.fail(`[${i}] is ${actual[i]}, not ${expected[i]} within ${bound(i)}`);
  }
}
