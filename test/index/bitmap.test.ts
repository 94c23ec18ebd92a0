import fc from "fast-check";
import { expect, it } from "vitest";
import { Bitmap } from "../../index/bitmap.ts";

const seed = 20261124;
const SIZES = [0, 1, 31, 32, 33, 100];

const members = (size: number) =>
  fc.uniqueArray(fc.nat(Math.max(0, size - 1)), { maxLength: size });

function bitmapOf(size: number, ids: readonly number[]): Bitmap {
  const bitmap = new Bitmap(size);
  for (const id of ids) bitmap.add(id);
  return bitmap;
}

const sorted = (ids: Iterable<number>) => [...ids].sort((a, b) => a - b);

it.each(SIZES)("a bitmap of %i bits is the set of what was added", (size) => {
  fc.assert(
    fc.property(members(size), members(size), (a, b) => {
      const bitmap = bitmapOf(size, a);
      expect([...bitmap]).toEqual(sorted(a));
      expect(bitmap.count()).toBe(a.length);
      const both = a.filter((id) => b.includes(id));
      expect([...bitmapOf(size, a).and(bitmapOf(size, b))]).toEqual(sorted(both));
      const either = new Set([...a, ...b]);
      expect([...bitmapOf(size, a).or(bitmapOf(size, b))]).toEqual(sorted(either));
      const rest = Array.from({ length: size }, (_, id) => id).filter((id) => !a.includes(id));
      expect([...bitmapOf(size, a).invert()]).toEqual(rest);
      expect([...bitmap.resized(size + 40)]).toEqual(sorted(a));
      for (const id of b) bitmap.delete(id);
      expect([...bitmap]).toEqual(sorted(a.filter((id) => !b.includes(id))));
    }),
    { seed },
  );
});

it("nothing is in it past its size, and adding there throws", () => {
  const bitmap = Bitmap.full(40);
  expect(bitmap.count()).toBe(40);
  expect(bitmap.has(40)).toBe(false);
  expect(() => bitmap.add(40)).toThrow(RangeError);
});
