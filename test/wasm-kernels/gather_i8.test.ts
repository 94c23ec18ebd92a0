import { it } from "vitest";
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

it.each([1, 7, 8, 12, 37, 384])("gather_i8 sums token, position and type at dim %i", (dim) => {
  const next = random(dim);
  const [vocab, context, t] = [11, 9, 9];
  const [qs, d] = [ints(next, vocab * dim), floats(next, vocab)];
  const [positions, types] = [floats(next, context * dim), floats(next, 2 * dim)];
  const ids = Int32Array.from({ length: t }, (_, i) => (i === 0 ? vocab - 1 : (i * 5) % vocab));
  const kernels = newKernels();
  const put = (values: Int32Array) => {
    const offset = kernels.alloc(t * 4);
    kernels.i32(offset, t).set(values);
    return offset;
  };
  const places = ids.map((_, i) => context - 1 - i);
  const typeIds = ids.map((_, i) => i % 2);
  const offsets = { ids: put(ids), places: put(places), typeIds: put(typeIds) };
  const weights = { qs: putI8(kernels, qs), d: putF32(kernels, d) };
  const tables = { positions: putF32(kernels, positions), types: putF32(kernels, types) };
  const y = kernels.alloc(t * dim * 4);
  writesOnly(kernels, [[y, t * dim * 4]], () =>
    kernels.gatherI8({ y, ...offsets, ...weights, ...tables, t, dim }),
  );
  const expected = Array.from({ length: t * dim }, (_, i) => {
    const [r, j] = [(i / dim) | 0, i % dim];
    const token = qs[ids[r]! * dim + j]! * d[ids[r]!]!;
    return token + positions[places[r]! * dim + j]! + types[typeIds[r]! * dim + j]!;
  });
  // Three roundings of values up to 129.
  expectWithin(kernels.f32(y, t * dim), expected, () => 3 * 129 * 2 ** -24);
});
