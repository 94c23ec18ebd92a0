import { expect, it } from "vitest";
import { estimateB1 } from "../oracle/codes.ts";
import { floats, random, writesOnly } from "./arena.ts";
import { BareKernels } from "./bare-kernels.ts";

interface Shape {
  blocks: number;
  bytes: number;
  bias: number;
  scale: number;
}

/** Runs the kernel over tables u8 [bytes * 2, 16] and codes in blocks of 16. */
function estimate(tables: Uint8Array, codes: Uint8Array, shape: Shape): number[] {
  const { blocks, bytes, bias, scale } = shape;
  const kernels = new BareKernels();
  const put = (values: Uint8Array) => {
    const offset = kernels.alloc(values.length);
    kernels.u8(offset, values.length).set(values);
    return offset;
  };
  const [at, from] = [put(tables), put(codes)];
  const out = kernels.alloc(blocks * 64);
  writesOnly(kernels, [[out, blocks * 64]], () =>
    kernels.run("estimate_b1", out, at, from, blocks, bytes, bias, scale),
  );
  return Array.from(kernels.f32(out, blocks * 16));
}

/** Blocks of random signs, each followed by 16 factors. */
function randomCodes(next: () => number, blocks: number, bytes: number): Uint8Array {
  const codes = Uint8Array.from({ length: blocks * (bytes * 16 + 64) }, () => next() * 256);
  for (let block = 0; block < blocks; block++) {
    const factors = new Uint8Array(floats(next, 16).buffer);
    codes.set(factors, block * (bytes * 16 + 64) + bytes * 16);
  }
  return codes;
}

it.each([
  [0, 16],
  [1, 16],
  [3, 48],
  [2, 256],
  [2, 272],
  [5, 512],
  [3, 512],
])("estimates %i blocks of %i bytes of signs to the bit", (blocks, bytes) => {
  const next = random(blocks * 1_000 + bytes);
  const tables = Uint8Array.from({ length: bytes * 32 }, () => next() * 64);
  const codes = randomCodes(next, blocks, bytes);
  const shape = { blocks, bytes, bias: 30, scale: Math.fround(0.0123) };
  expect(estimate(tables, codes, shape)).toEqual(estimateB1(tables, codes, shape));
});

it.each([0, 63])("adds up exactly where every entry is %i", (entry) => {
  for (const bytes of [256, 512]) {
    const tables = new Uint8Array(bytes * 32).fill(entry);
    const codes = randomCodes(random(4), 2, bytes);
    const shape = { blocks: 2, bytes, bias: 30, scale: 1 };
    expect(estimate(tables, codes, shape)).toEqual(estimateB1(tables, codes, shape));
  }
});
