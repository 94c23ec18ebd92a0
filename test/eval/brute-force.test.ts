/** The benches' own oracle, and what they compare with it. */
import { describe, expect, it } from "vitest";
import { BruteForce, recallOf, sameRanking } from "../../bench/brute-force.ts";
import { mulberry32 } from "../../eval/random.ts";
import { terms } from "../../index/terms.ts";
import { bm25Oracle } from "../oracle/bm25.ts";
import { convexOracle } from "../oracle/fuse.ts";

const random = mulberry32(7);
const words = (n: number) =>
  Array.from({ length: n }, () => `word${Math.floor(random() * 12)}`).join(" ");
const vector = () => {
  const values = Float32Array.from({ length: 8 }, () => random() - 0.5);
  return values.map((value) => value / Math.hypot(...values));
};
const documents = Array.from({ length: 60 }, (_, i) => {
  return { id: `d${i}`, text: words(1 + Math.floor(random() * 20)), vector: vector() };
});
const queries = Array.from({ length: 5 }, () => ({ text: words(4), vector: vector() }));

function truth(): BruteForce {
  const all = new BruteForce(queries, documents.length);
  for (const document of documents) all.add(document);
  return all;
}

describe("counting by hand", () => {
  it("gives BM25 as the formula reads", () => {
    const units = documents.map(({ text }, unit) => ({ unit, terms: terms(text, "document") }));
    for (const [q, { text }] of queries.entries()) {
      const expected = bm25Oracle(units, terms(text, "query"), { k1: 1.5, b: 0.75 });
      const best = truth().bm25(q, documents.length);
      expect(best.map(({ id }) => id)).toEqual(expected.map(({ id }) => `d${id}`));
      for (const [i, { score }] of best.entries())
        expect(score).toBeCloseTo(expected[i]!.score, 10);
    }
  });

  it("fuses as the oracle of fusion does", () => {
    const all = truth();
    for (const q of queries.keys()) {
      const byPlace = (hits: { id: string; score: number }[]) =>
        new Map(hits.map(({ id, score }) => [Number(id.slice(1)), score]));
      const every = documents.length;
      const cosines = byPlace(all.vector(q, every));
      const expected = convexOracle(byPlace(all.bm25(q, every)), cosines, 0.75);
      const fused = all.hybrid(q, 10);
      for (const [i, { id, score }] of fused.entries()) {
        expect(`d${expected[i]!.id}`).toBe(id);
        expect(score).toBeCloseTo(expected[i]!.score, 6);
      }
    }
  });
});

describe("comparing", () => {
  const a = { id: "a", score: 2 };
  const b = { id: "b", score: 1 };
  const c = { id: "c", score: 0.5 };

  it("rankings are the same where ids, order and scores are", () => {
    expect(sameRanking([a, b], [a, b, c])).toBe(true);
    expect(sameRanking([b, a], [a, b, c])).toBe(false);
    expect(sameRanking([a, { ...b, score: 1.001 }], [a, b, c])).toBe(false);
    expect(sameRanking([a, { id: "x", score: 1 }], [a, b, c])).toBe(false);
  });

  it("scores that differ by rounding alone may change places", () => {
    const near = { id: "n", score: 1 + 1e-12 };
    expect(sameRanking([a, b, near], [a, near, b])).toBe(true);
  });

  it("recall is the share that was found", () => {
    expect(recallOf([{ id: "a" }, { id: "x" }], [a, b])).toBe(0.5);
  });
});
