import fc from "fast-check";
import { expect, it } from "vitest";
import { compileKernels } from "../../bench/kernels-module.ts";
import { mulberry32 } from "../../eval/random.ts";
import { Bitmap } from "../../index/bitmap.ts";
import { BM25_DEFAULTS } from "../../index/bm25.ts";
import { LexicalIndex } from "../../index/lexical-index.ts";
import { encodeSegment } from "../../index/segment.ts";
import { SEGMENT_SLOTS_MAX } from "../../index/segment-format.ts";
import { countTerms, type TermCounts } from "../../index/term-counts.ts";

const kernels = compileKernels();
const seed = 20261124;
const newIndex = () => new LexicalIndex(kernels, BM25_DEFAULTS);

const someUnits = fc.array(
  fc.option(fc.array(fc.nat(40), { maxLength: 12 }).map(countTerms), { freq: 5 }),
  { maxLength: 40 },
);

it("is a pure function of its units", () => {
  fc.assert(
    fc.property(someUnits, (units) => {
      expect(encodeSegment(units)).toEqual(encodeSegment([...units]));
    }),
    { seed },
  );
});

it("counts units, lengths and df of what it holds, dead slots left out", () => {
  fc.assert(
    fc.property(someUnits, (units) => {
      const index = newIndex();
      index.load(encodeSegment(units));
      const live = units.filter((counts) => counts !== null);
      expect(index.slots).toBe(units.length);
      expect(index.units).toBe(live.length);
      expect(index.lengthSum).toBe(live.reduce((sum, { length }) => sum + length, 0));
      for (const [slot, counts] of units.entries())
        expect(index.isAlive(slot)).toBe(counts !== null);
      for (let term = 0; term <= 41; term++)
        expect(index.df(term)).toBe(live.filter(({ ids }) => ids.includes(term)).length);
    }),
    { seed },
  );
});

/** What every search of a few terms finds: enough to touch every list. */
function answers(index: LexicalIndex): unknown {
  const all = Bitmap.full(index.slots);
  return Array.from({ length: 41 }, (_, id) => {
    const query = [
      { id, qtf: 1 },
      { id: (id * 7) % 41, qtf: 2 },
    ];
    const df = query.map((term) => index.df(term.id));
    const statistics = { units: index.units, lengthSum: index.lengthSum, df };
    return index.search(query, statistics, 50, all);
  });
}

it("a damaged segment is refused, or else searched within its bounds", () => {
  const next = mulberry32(9);
  const units = Array.from({ length: 60 }, (_, i) =>
    i % 9 === 0 ? null : countTerms(Array.from({ length: i }, () => Math.floor(next() * 41))),
  );
  const segment = encodeSegment(units);
  const outcomes = { refused: 0, accepted: 0 };
  for (let i = 0; i < 4_000; i++) {
    const damaged = segment.slice(
      0,
      i % 50 === 0 ? Math.floor(next() * segment.length) : undefined,
    );
    for (let n = 1 + (i % 3); n > 0 && damaged.length > 0; n--)
      damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256);
    const index = newIndex();
    try {
      index.load(damaged);
    } catch (error) {
      expect(String(error)).toMatch(/^Error: (damaged segment|invariant)/);
      expect([index.slots, index.units, index.lengthSum]).toEqual([0, 0, 0]);
      outcomes.refused++;
      continue;
    }
    answers(index); // what passes the checks is searched without a trap or a slot out of range
    outcomes.accepted++;
  }
  expect(outcomes.refused).toBeGreaterThan(3_000);
});

it("holds 65,535 units and refuses one more", () => {
  const unit = countTerms([3]);
  const units = Array.from({ length: SEGMENT_SLOTS_MAX }, () => unit);
  const index = newIndex();
  index.load(encodeSegment(units));
  const statistics = { units: index.units, lengthSum: index.lengthSum, df: [index.df(3)] };
  const last = new Bitmap(index.slots);
  last.add(SEGMENT_SLOTS_MAX - 1);
  const found = index.search([{ id: 3, qtf: 1 }], statistics, 2, last);
  expect(found.map(({ slot }) => slot)).toEqual([SEGMENT_SLOTS_MAX - 1]);
  expect(() => encodeSegment([...units, unit])).toThrow(/slots/);
});

it("takes at most 2.25 bytes a posting where passages have 60 terms", () => {
  const next = mulberry32(2);
  const units: TermCounts[] = Array.from({ length: 8_000 }, () =>
    countTerms(Array.from({ length: 75 }, () => Math.floor(20_000 ** next() - 1))),
  );
  const postings = units.reduce((sum, { ids }) => sum + ids.length, 0);
  expect(encodeSegment(units).length / postings).toBeLessThan(2.25);
});
