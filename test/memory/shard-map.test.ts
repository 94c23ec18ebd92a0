import fc from "fast-check";
import { expect, it } from "vitest";
import {
  assertWhole,
  evenRanges,
  HASHES,
  hashOf,
  replaced,
  routed,
  shardOf,
} from "../../src/memory/shard-map.ts";

const seed = 20261124;

it("the hash of an id is what stored maps were made with", () => {
  expect(["", "a", "document 1", "ключ", "😀"].map(hashOf)).toEqual([
    2872998923, 2448022055, 1885680110, 1398607446, 2916093958,
  ]);
});

/** Pearson's chi-square of 64 bins over 64,000 ids has mean 63 and deviation 11.2. */
it.each([
  ["count up", (i: number) => `${i}`],
  ["share a long prefix", (i: number) => `https://example.org/articles/2026/${i}.html`],
  ["differ in one Cyrillic letter", (i: number) => `документ-${String.fromCharCode(0x400 + i)}`],
])("ids that %s lie evenly", (_, idOf) => {
  const n = 64_000;
  const bins = new Array<number>(64).fill(0);
  for (let i = 0; i < n; i++) bins[Math.floor((hashOf(idOf(i)) / HASHES) * 64)]! += 1;
  const chiSquare = bins.reduce((sum, bin) => sum + (bin - n / 64) ** 2 / (n / 64), 0);
  expect(chiSquare).toBeLessThan(63 + 5 * 11.2);
});

it("every hash lies on exactly one shard, whatever was split", () => {
  const splits = fc.array(fc.nat(), { maxLength: 20 });
  const hashes = fc.array(fc.integer({ min: 0, max: HASHES - 1 }), { minLength: 1 });
  fc.assert(
    fc.property(splits, hashes, (places, some) => {
      let map = evenRanges(0, HASHES, [null]);
      for (const [i, place] of places.entries()) {
        const source = map[place % map.length]!;
        if (source.hi - source.lo < 2) continue;
        map = replaced(map, source, evenRanges(source.lo, source.hi, [`g${i}-0`, `g${i}-1`]));
      }
      for (const hash of [...some, 0, HASHES - 1]) {
        const holders = map.filter(({ lo, hi }) => lo <= hash && hash < hi);
        expect(holders).toEqual([map[shardOf(map, hash)]]);
      }
    }),
    { seed },
  );
});

it("a map with a gap, an overlap or an end too early is refused", () => {
  const [a, b] = evenRanges(0, HASHES, ["a", "b"]) as [never, never];
  expect(() => assertWhole([a, b])).not.toThrow();
  for (const map of [[a], [b], [a, a, b], [b, a], []])
    expect(() => assertWhole(map)).toThrow("shard map");
});

it("routing keeps each item once, in order, with its place", () => {
  const map = evenRanges(0, HASHES, ["a", "b", "c"]);
  const ids = Array.from({ length: 50 }, (_, i) => `id ${i}`);
  const byShard = routed(map, ids, (id) => id);
  const all = [...byShard.values()].flat().sort((a, b) => a.at - b.at);
  expect(all.map(({ item }) => item)).toEqual(ids);
  for (const [shard, items] of byShard) {
    expect(items.map(({ at }) => at)).toEqual(items.map(({ at }) => at).sort((a, b) => a - b));
    for (const { item } of items) expect(shardOf(map, hashOf(item))).toBe(shard);
  }
});
