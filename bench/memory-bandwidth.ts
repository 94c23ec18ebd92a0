/** What memory gives to 128-bit SIMD: the yardstick of kernels that stream their weights. */
import asc from "assemblyscript/asc";
import { assert } from "../src/errors.ts";

/** Four independent sums of 16 bytes each, so that only loads bound it. */
const SOURCE = `
export function sum(at: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
  for (const end = at + bytes; at < end; at += 128) {
    a = i32x4.add(i32x4.add(a, v128.load(at)), v128.load(at, 64));
    b = i32x4.add(i32x4.add(b, v128.load(at, 16)), v128.load(at, 80));
    c = i32x4.add(i32x4.add(c, v128.load(at, 32)), v128.load(at, 96));
    d = i32x4.add(i32x4.add(d, v128.load(at, 48)), v128.load(at, 112));
  }
  a = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2)
    + i32x4.extract_lane(a, 3);
}`;

/** A function that reads `bytes`, a multiple of 128, of memory once and adds them up in i32. */
export async function memorySum(bytes: number): Promise<() => number> {
  assert(bytes % 128 === 0, `a sum of ${bytes} bytes`);
  const options = { optimizeLevel: 3, runtime: "stub", enable: ["simd"], noAssert: true };
  const { binary, error } = await asc.compileString(SOURCE, options);
  assert(binary, `the sum does not compile: ${error}`);
  const { instance } = await WebAssembly.instantiate(binary as unknown as WebAssembly.Module).then(
    (result) => result as unknown as { instance: WebAssembly.Instance },
  );
  const memory = instance.exports.memory as WebAssembly.Memory;
  const start = 65536;
  memory.grow(Math.ceil((start + bytes) / 65536));
  new Uint32Array(memory.buffer, start, bytes / 4).fill(3);
  const sum = instance.exports.sum as (at: number, bytes: number) => number;
  assert(sum(start, bytes) === (((3 * bytes) / 4) | 0), "the sum is wrong");
  return () => sum(start, bytes);
}
