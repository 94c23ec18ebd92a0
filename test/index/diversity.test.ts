import fc from "fast-check";
import { expect, it } from "vitest";
import { diversify } from "../../index/diversity.ts";

const seed = 20261124;

/** Unit vectors of few directions, so that many are alike and many choices tie. */
const vector = fc
  .array(fc.integer({ min: -1, max: 1 }), { minLength: 3, maxLength: 3 })
  .map((values) => {
    const norm = Math.hypot(...values);
    return norm === 0 ? null : Float32Array.from(values, (value) => value / norm);
  });
const items = fc.array(fc.tuple(fc.constantFrom(0, 0.25, 0.5, 0.75, 1), vector), {
  maxLength: 25,
  size: "max",
});

/** The definition, recomputed at every step. */
function oracle(
  relevance: number[],
  vectors: (Float32Array | null)[],
  k: number,
  lambda: number,
): number[] {
  const cosine = (a: Float32Array | null, b: Float32Array | null) =>
    a === null || b === null ? 0 : a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const chosen: number[] = [];
  while (chosen.length < Math.min(k, relevance.length)) {
    const marginals = relevance.map((score, i) => {
      if (chosen.includes(i)) return Number.NEGATIVE_INFINITY;
      const like = chosen.map((j) => cosine(vectors[i]!, vectors[j]!));
      return lambda * score - (1 - lambda) * (like.length === 0 ? 0 : Math.max(...like));
    });
    chosen.push(marginals.indexOf(Math.max(...marginals)));
  }
  return chosen;
}

it("every choice has the greatest marginal relevance, ties going to the first", () => {
  fc.assert(
    fc.property(items, fc.nat(30), fc.constantFrom(0, 0.3, 0.5, 0.7, 1), (all, k, lambda) => {
      const relevance = all.map(([score]) => score);
      const vectors = all.map(([, unit]) => unit);
      const choices = diversify(relevance, vectors, k, lambda);
      expect(choices.map(({ item }) => item)).toEqual(oracle(relevance, vectors, k, lambda));
      for (const { item, marginal, similarity } of choices)
        expect(marginal).toBe(lambda * relevance[item]! - (1 - lambda) * similarity);
    }),
    { seed, numRuns: 500 },
  );
});

it("lambda 1 keeps the order of relevance; less puts a copy behind what is new", () => {
  const [a, b] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const order = (lambda: number) =>
    diversify([0.9, 0.8, 0.7], [a, a, b], 3, lambda).map(({ item }) => item);
  expect(order(1)).toEqual([0, 1, 2]);
  expect(order(0.5)).toEqual([0, 2, 1]);
  expect(diversify([0.9, 0.8, 0.7], [a, a, b], 2, 0.5)[1]).toMatchObject({
    similarity: 0,
    nearest: 0,
  });
});
