import { expect, it } from "vitest";
import { hammingScan } from "../oracle/kernels.ts";
import { newKernels, random, writesOnly } from "./arena.ts";

function scan(codes: Uint8Array, query: Uint8Array): number[] {
  const kernels = newKernels();
  const n = codes.length / query.length;
  const put = (values: Uint8Array) => {
    const offset = kernels.alloc(values.length);
    kernels.u8(offset, values.length).set(values);
    return offset;
  };
  const [at, vectors, distances] = [put(query), put(codes), kernels.alloc(n * 2)];
  writesOnly(kernels, [[distances, n * 2]], () =>
    kernels.hammingScanB1({ distances, query: at, vectors, n, bits: query.length * 8 }),
  );
  return Array.from(new Uint16Array(kernels.memory.buffer, distances, n));
}

it.each([
  [1, 128],
  [3, 384],
  [4, 384],
  [131, 384],
  [5, 512],
  [2, 8192],
])("counts the differing bits of %i codes of %i bits", (n, bits) => {
  const next = random(n + bits);
  const bytes = (length: number) => Uint8Array.from({ length }, () => next() * 256);
  const [codes, query] = [bytes((n * bits) / 8), bytes(bits / 8)];
  expect(scan(codes, query)).toEqual(hammingScan(query, codes));
});

it.each([128, 384, 8192, 65_408])("counts all of %i bits where all differ", (bits) => {
  const query = new Uint8Array(bits / 8);
  const codes = new Uint8Array((bits / 8) * 5).fill(255);
  expect(scan(codes, query)).toEqual(new Array(5).fill(bits));
});

it("refuses codes that are no whole number of vectors of 128 bits", () => {
  const kernels = newKernels();
  const at = kernels.alloc(64);
  const arguments_ = { distances: at, query: at, vectors: at, n: 1, bits: 100 };
  expect(() => kernels.hammingScanB1(arguments_)).toThrow(/invariant/);
});
