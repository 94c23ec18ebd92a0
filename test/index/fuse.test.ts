import fc from "fast-check";
import { expect, it } from "vitest";
import { type Fusing, fuse, RRF_K, type ScoredCandidates } from "../../index/fuse.ts";
import { fuseOracle } from "../oracle/fuse.ts";

const seed = 20261124;

/** Few distinct scores, so that many tie. */
const score = fc.oneof(
  fc.constantFrom(0, 0.25, 0.5, 3),
  fc.double({ min: 0, max: 40, noNaN: true }),
);
const cosine = fc.oneof(
  fc.constantFrom(-1, -0.5, 0, 0.5),
  fc.double({ min: -1, max: 1, noNaN: true }),
);
const unit = fc.record({
  row: fc.nat(9),
  bm25: score,
  cosine,
  lexical: fc.boolean(),
  estimated: fc.boolean(),
});
const candidates = fc
  .array(unit, { maxLength: 40, size: "max" })
  .map((units) => listOf(units.map((one, seq) => ({ ...one, seq }))));
const ways: fc.Arbitrary<Fusing> = fc.oneof(
  fc.constantFrom<Fusing>({ kind: "bm25" }, { kind: "cosine" }, { kind: "rrf", k: RRF_K }),
  fc.record({
    kind: fc.constant("convex" as const),
    cosineWeight: fc.double({ min: 0, max: 1, noNaN: true }),
    bm25Least: fc.constantFrom(0, 0, 0.25, 1.5),
  }),
);

interface Unit {
  row: number;
  seq: number;
  bm25: number;
  cosine: number;
  lexical: boolean;
  estimated: boolean;
}

function listOf(units: readonly Unit[]): ScoredCandidates {
  return {
    row: Float64Array.from(units, ({ row }) => row),
    seq: Uint32Array.from(units, ({ seq }) => seq),
    bm25: Float64Array.from(units, ({ bm25 }) => bm25),
    cosine: Float32Array.from(units, ({ cosine }) => cosine),
    lexical: Uint8Array.from(units, ({ lexical }) => Number(lexical)),
    estimate: Float32Array.from(units, ({ estimated }) => (estimated ? 0.5 : Number.NaN)),
  };
}

it("every way of fusing equals its formula, scores, order, ranks and ties", () => {
  fc.assert(
    fc.property(candidates, ways, (list, how) => {
      const expected = fuseOracle(list, how);
      const { order, scores, bm25Rank, cosineRank } = fuse(list, how);
      expect(Array.from(order)).toEqual(expected.map(({ place }) => place));
      for (const one of expected) {
        expect(scores[one.place]).toBe(one.score);
        expect(bm25Rank[one.place] || null).toBe(one.bm25Rank);
        expect(cosineRank[one.place] || null).toBe(one.cosineRank);
      }
    }),
    { seed, numRuns: 500 },
  );
});

it("the convex combination is between 0 and 1, and 1 for what is best by both", () => {
  fc.assert(
    fc.property(candidates, fc.double({ min: 0, max: 1, noNaN: true }), (list, cosineWeight) => {
      const { scores } = fuse(list, { kind: "convex", cosineWeight, bm25Least: 0 });
      for (const score of scores) {
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1 + Number.EPSILON);
      }
    }),
    { seed },
  );
  const best = { row: 2, seq: 0, bm25: 9, cosine: 0.8, lexical: true, estimated: true };
  const list = listOf([best, { ...best, row: 1, bm25: 3 }, { ...best, row: 3, cosine: 0.1 }]);
  const { order, scores } = fuse(list, { kind: "convex", cosineWeight: 0.75, bm25Least: 0 });
  expect(order[0]).toBe(0);
  expect(scores[0]).toBe(1);
});

it("reciprocal ranks add up over the lists that have a candidate", () => {
  const one = { row: 1, seq: 0, bm25: 2, cosine: 0.2, lexical: true, estimated: true };
  const list = listOf([
    one,
    { ...one, row: 2, bm25: 1, cosine: 0.9 },
    { ...one, row: 3, bm25: 5, lexical: false, cosine: 0.1 },
  ]);
  const { scores } = fuse(list, { kind: "rrf", k: 60 });
  expect([...scores]).toEqual([1 / 61 + 1 / 62, 1 / 62 + 1 / 61, 1 / 63]);
});
