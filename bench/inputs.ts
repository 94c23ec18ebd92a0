/** Seeded inputs in linear memory, and the check that an answer must pass before it is timed. */
import { mulberry32 } from "../eval/random.ts";
import { assert } from "../src/errors.ts";
import type { Arena } from "../src/model/arena.ts";

/** Numbers in [-1, 1) without a pattern, seeded. */
export function uniform(seed: number): () => number {
  const next = mulberry32(seed);
  return () => 2 * next() - 1;
}

const next = uniform(1);

/** Offset of f32 [length], uniform in [-scale, scale). */
export function floats(arena: Arena, length: number, scale = 1): number {
  const offset = arena.alloc(length * 4);
  const view = arena.f32(offset, length);
  for (let i = 0; i < length; i++) view[i] = next() * scale;
  return offset;
}

/** Offset of i8 [length] in [-127, 127]. */
export function ints(arena: Arena, length: number): number {
  const offset = arena.alloc(length);
  const view = arena.i8(offset, length);
  for (let i = 0; i < length; i++) view[i] = Math.round(next() * 127);
  return offset;
}

/** Throws unless actual and expected differ by at most `bound` of the largest expected. */
export function check(
  what: string,
  actual: Float32Array,
  expected: ArrayLike<number>,
  bound: number,
) {
  let largest = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  assert(error <= bound * largest, `${what} is off by ${error} of ${largest}`);
}
