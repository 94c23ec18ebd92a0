import fc from "fast-check";
import { expect, it } from "vitest";
import { Bm25Index } from "../../index/bm25.ts";
import { countTerms, decodeCounts, encodeCounts } from "../../index/term-counts.ts";
import { bm25Oracle, type OracleUnit } from "../oracle/bm25.ts";

const OPTIONS = { k1: 1.5, b: 0.75 };
const TERMS = ["amber", "birch", "cedar", "delta", "ember", "fern"];
const seed = 20261123;

const text = fc.array(fc.constantFrom(...TERMS), { maxLength: 12 });
const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ add: text }) },
  { weight: 3, arbitrary: fc.record({ remove: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ seal: true }) },
  {
    weight: 2,
    arbitrary: fc.record({ search: text, odd: fc.boolean(), k: fc.integer({ min: 1, max: 8 }) }),
  },
);

function numbers(words: readonly string[]): number[] {
  return words.map((word) => TERMS.indexOf(word));
}

function queryOf(words: readonly string[]) {
  const unique = [...new Set(words)];
  return unique.map((word) => ({
    id: TERMS.indexOf(word),
    qtf: words.filter((other) => other === word).length,
  }));
}

/** The same words, the equal ones side by side: the order in which the index adds. */
function grouped(words: readonly string[]): string[] {
  return [...new Set(words)].flatMap((word) => words.filter((other) => other === word));
}

it("search equals the formula after any run of additions, removals and seals", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const index = new Bm25Index(OPTIONS);
      const units: OracleUnit[] = [];
      let next = 0;
      for (const step of operations) {
        if ("add" in step) {
          index.add(next, countTerms(numbers(step.add)));
          units.push({ unit: next++, terms: step.add });
        } else if ("remove" in step) {
          index.remove(step.remove);
          const at = units.findIndex(({ unit }) => unit === step.remove);
          if (at >= 0) units.splice(at, 1);
        } else if ("seal" in step) {
          index.seal();
        } else {
          const allow = (unit: number) => !step.odd || unit % 2 === 1;
          const expected = bm25Oracle(units, grouped(step.search), OPTIONS)
            .filter(({ id }) => allow(id))
            .slice(0, step.k);
          const found = index.search(queryOf(step.search), step.k, allow);
          expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
          for (const [i, { score }] of found.entries())
            expect(score).toBeCloseTo(expected[i]!.score, 12);
        }
      }
      expect(index.units).toBe(units.length);
    }),
    { seed, numRuns: 300 },
  );
});

it("adding and removing leaves the scores of the rest as they were, to the bit", () => {
  const index = new Bm25Index(OPTIONS);
  index.add(1, countTerms([0, 1, 1, 2]));
  index.add(2, countTerms([1, 3]));
  const query = [
    { id: 1, qtf: 1 },
    { id: 0, qtf: 2 },
  ];
  const before = index.search(query, 5);
  for (let unit = 3; unit < 5_000; unit++) index.add(unit, countTerms([unit % 7, unit % 11, 1]));
  for (let unit = 3; unit < 5_000; unit++) index.remove(unit);
  expect(index.search(query, 5)).toEqual(before);
});

it("units with equal scores rank by number, in whatever order they came", () => {
  const index = new Bm25Index(OPTIONS);
  for (const unit of [7, 3, 9, 1]) index.add(unit, countTerms([0]));
  expect(index.search([{ id: 0, qtf: 1 }], 3).map(({ id }) => id)).toEqual([1, 3, 7]);
});

it("an explanation's shares add up to the score", () => {
  const index = new Bm25Index(OPTIONS);
  index.add(1, countTerms([0, 1, 1, 2, 4]));
  index.add(2, countTerms([1, 3]));
  const query = [1, 0, 3, 5].map((id) => ({ id, qtf: 1 }));
  for (const { id, score } of index.search(query, 2)) {
    const shares = index.explain(id, query);
    expect(shares.reduce((sum, share) => sum + share.contribution, 0)).toBe(score);
  }
  expect(index.explain(1, query).map(({ id, df, tf }) => [id, df, tf])).toEqual([
    [1, 2, 2],
    [0, 1, 1],
  ]);
});

it("a term frequency above 255 counts in full, sealed or not", () => {
  const index = new Bm25Index(OPTIONS);
  const words = Array.from({ length: 70_000 }, () => "amber");
  index.add(1, countTerms(numbers(words)));
  index.add(2, countTerms(numbers(["birch"])));
  const tf = () => index.explain(1, [{ id: 0, qtf: 1 }])[0]!.tf;
  expect(tf()).toBe(70_000);
  index.remove(2);
  index.seal();
  expect(tf()).toBe(70_000);
});

it("more postings than the unsealed limit are found after the index seals itself", () => {
  const index = new Bm25Index(OPTIONS);
  for (let unit = 0; unit < 3_000; unit++)
    index.add(unit, countTerms(Array.from({ length: 50 }, (_, i) => (unit * 7 + i * 13) % 997)));
  expect(index.df(5)).toBe(index.search([{ id: 5, qtf: 1 }], 5_000).length);
  expect(index.termCount()).toBe(997);
});

it("stored counts decode to what was encoded", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2 ** 31), { maxLength: 200 }), (ids) => {
      const counts = countTerms([...ids, ...ids.slice(0, 20)]);
      expect(decodeCounts(encodeCounts(counts))).toEqual(counts);
    }),
    { seed },
  );
});
