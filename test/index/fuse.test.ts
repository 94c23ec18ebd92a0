import fc from "fast-check";
import { expect, it } from "vitest";
import { fuseConvex, fuseRanks } from "../../index/fuse.ts";
import { fuseOracle } from "../oracle/fuse.ts";

const seed = 20261123;
const list = (min: number, max: number) =>
  fc
    .array(fc.tuple(fc.nat(30), fc.double({ min, max, noNaN: true })), { maxLength: 20 })
    .map((pairs) => new Map(pairs));

it("the convex combination equals the formula", () => {
  fc.assert(
    fc.property(
      list(0.001, 40),
      list(-0.9, 1),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (bm25, cosine, alpha) => {
        const expected = new Map(
          fuseOracle(bm25, cosine, alpha).map(({ id, score }) => [id, score]),
        );
        const fused = fuseConvex(bm25, cosine, 100, alpha);
        expect(fused.length).toBe(expected.size);
        for (const { id, score, ...parts } of fused) {
          expect(score).toBeCloseTo(expected.get(id)!, 10);
          expect(parts).toEqual({ bm25: bm25.get(id) ?? null, cosine: cosine.get(id) ?? null });
        }
        for (const [i, { score }] of fused.entries())
          if (i > 0) expect(score).toBeLessThanOrEqual(fused[i - 1]!.score);
      },
    ),
    { seed },
  );
});

it("a fused score is between 0 and 1, and 1 for the best of both lists", () => {
  const [best] = fuseConvex(
    new Map([
      [1, 9],
      [2, 3],
    ]),
    new Map([
      [1, 0.8],
      [3, 0.1],
    ]),
    3,
  );
  expect(best).toEqual({ id: 1, score: 1, bm25: 9, cosine: 0.8 });
});

it("one empty list leaves the order of the other", () => {
  const scores = new Map([
    [5, 0.2],
    [6, 0.9],
    [7, 0.5],
  ]);
  const ids = (hits: { id: number }[]) => hits.map(({ id }) => id);
  expect(ids(fuseConvex(scores, new Map(), 3))).toEqual([6, 7, 5]);
  expect(ids(fuseConvex(new Map(), scores, 3))).toEqual([6, 7, 5]);
});

it("reciprocal ranks add up, and a tie goes to the lower id", () => {
  expect(fuseRanks([[1, 2], [2, 1], [9]])).toEqual([
    { id: 1, score: 1 / 61 + 1 / 62 },
    { id: 2, score: 1 / 62 + 1 / 61 },
    { id: 9, score: 1 / 61 },
  ]);
});
