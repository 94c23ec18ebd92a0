import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  BM25_DEFAULTS,
  BM25_VARIANTS,
  type Bm25Options,
  explainScore,
  idf,
  scoreOf,
  weigh,
} from "../../index/bm25.ts";
import { countTerms } from "../../index/term-counts.ts";

/** Made by train/bm25_fixture.py: by case the scores of every unit for every query. */
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, "bm25.fixture.json"), "utf8"),
) as {
  units: number[][];
  queries: number[][];
  cases: { options: Bm25Options; scores: number[][] }[];
};

const units = fixture.units.map(countTerms);
const lengthSum = units.reduce((sum, { length }) => sum + length, 0);

function ask(words: readonly number[]) {
  const { ids, tfs } = countTerms(words);
  const query = Array.from(ids, (id, i) => ({ id, qtf: tfs[i]! }));
  const df = query.map(({ id }) => units.filter((counts) => counts.ids.includes(id)).length);
  return { query, statistics: { units: units.length, lengthSum, df } };
}

it("has a case of every variant", () => {
  const seen = new Set(fixture.cases.map(({ options }) => options.variant));
  expect([...seen].sort()).toEqual([...BM25_VARIANTS].sort());
});

// bm25s keeps idf and tf in single precision on the way, hence the tolerance.
it.each(fixture.cases)("scores as bm25s does: $options", ({ options, scores }) => {
  for (const [i, words] of fixture.queries.entries()) {
    const { query, statistics } = ask(words);
    const weights = weigh(query, statistics, options);
    for (const [j, counts] of units.entries()) {
      const wanted = scores[i]![j]!;
      const error = Math.abs(scoreOf(query, weights, counts) - wanted);
      expect(error).toBeLessThanOrEqual(1e-12 * Math.max(1, wanted));
    }
  }
});

it.each(BM25_VARIANTS)("an idf is never negative or without end: %s", (variant) => {
  for (const [n, df] of [
    [0, 0],
    [1, 1],
    [10, 6],
    [10, 10],
    [10, 12],
    [1e9, 1],
  ] as const) {
    const rarity = idf(variant, n, df);
    expect(rarity).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(rarity)).toBe(true);
  }
});

it("an explanation's shares add up to the score, absent terms' included", () => {
  for (const variant of BM25_VARIANTS) {
    const options = { ...BM25_DEFAULTS, variant };
    const { query, statistics } = ask([0, 3, 3, 11]);
    for (const counts of units) {
      const shares = explainScore(query, statistics, options, counts);
      const sum = shares.reduce((total, { contribution }) => total + contribution, 0);
      expect(sum).toBeCloseTo(scoreOf(query, weigh(query, statistics, options), counts), 12);
    }
  }
});
