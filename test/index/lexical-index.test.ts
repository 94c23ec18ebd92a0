import fc from "fast-check";
import { expect, it } from "vitest";
import { compileKernels } from "../../bench/kernels-module.ts";
import { mulberry32 } from "../../eval/random.ts";
import { Bitmap } from "../../index/bitmap.ts";
import { BM25_DEFAULTS, BM25_VARIANTS, type Bm25Options, tfOf, weigh } from "../../index/bm25.ts";
import { type LexicalHit, LexicalIndex } from "../../index/lexical-index.ts";
import { encodeSegment } from "../../index/segment.ts";
import { countTerms, type TermCounts } from "../../index/term-counts.ts";
import { variantOracle } from "../oracle/bm25.ts";

const kernels = compileKernels();
const seed = 20261124;
const TERMS = 12;

interface Query {
  terms: { id: number | null; qtf: number }[];
  k: number;
  /** One in so many slots is allowed; null: all. */
  filter: number | null;
  /** What other shards add: factors on units and lengths, and on df. */
  more: { units: number; length: number; df: number };
}

const options = fc.record({
  variant: fc.constantFrom(...BM25_VARIANTS),
  k1: fc.constantFrom(0, 0.3, 0.9, 1.5, 4),
  b: fc.constantFrom(0, 0.4, 0.75, 1),
  delta: fc.constantFrom(0, 0.5, 1),
});

/** Skewed, so that some terms are everywhere and units tie. */
const term = fc.nat(TERMS * TERMS - 1).map((n) => TERMS - 1 - Math.floor(Math.sqrt(n)));
const unit = fc.array(fc.record({ term, tf: fc.constantFrom(1, 1, 1, 2, 3, 9, 300, 70_000) }), {
  maxLength: 5,
});
const query = fc.record({
  terms: fc
    .uniqueArray(fc.option(fc.nat(TERMS), { freq: 9 }), { minLength: 1, maxLength: 7 })
    .chain((ids) =>
      fc.tuple(
        ...ids.map((id) => fc.record({ id: fc.constant(id), qtf: fc.constantFrom(1, 1, 2, 5) })),
      ),
    ),
  k: fc.constantFrom(1, 2, 3, 10, 200),
  filter: fc.option(fc.constantFrom(1, 2, 3, 7)),
  more: fc.record({
    units: fc.constantFrom(0, 0, 1, 50),
    length: fc.constantFrom(0.5, 1, 1, 2, 3),
    df: fc.constantFrom(0, 0, 1, 2),
  }),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ add: fc.array(unit, { minLength: 1, maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ copies: fc.integer({ min: 2, max: 40 }), of: unit }) },
  { weight: 3, arbitrary: fc.record({ remove: fc.nat(200) }) },
  { weight: 2, arbitrary: fc.constant("seal" as const) },
  { weight: 1, arbitrary: fc.constant("reload" as const) },
  { weight: 1, arbitrary: fc.record({ options }) },
  { weight: 5, arbitrary: fc.record({ query }) },
);

function countsOf(entries: readonly { term: number; tf: number }[]): TermCounts {
  const tfs = new Map<number, number>();
  for (const { term: id, tf } of entries) tfs.set(id, (tfs.get(id) ?? 0) + tf);
  const sorted = [...tfs].sort((a, b) => a[0] - b[0]);
  return {
    ids: Uint32Array.from(sorted, ([id]) => id),
    tfs: Uint32Array.from(sorted, ([, tf]) => tf),
    length: sorted.reduce((sum, [, tf]) => sum + tf, 0),
  };
}

/** The index with its units kept beside it, as a list in slot order. */
class Watched {
  index: LexicalIndex;
  readonly units: (TermCounts | null)[] = [];
  #segments: Uint8Array[] = [];
  /** What was removed from segments since they were made: the owner stores it. */
  #tombstones: { slot: number; counts: TermCounts }[] = [];

  constructor(bm25: Bm25Options) {
    this.index = new LexicalIndex(kernels, bm25);
  }

  add(counts: TermCounts): void {
    expect(this.index.append(counts)).toBe(this.units.length);
    this.units.push(counts);
  }

  remove(slot: number): void {
    const counts = this.units[slot];
    if (counts === undefined || counts === null) return;
    if (slot < this.index.sealedSlots) this.#tombstones.push({ slot, counts });
    this.index.remove(slot, counts);
    this.units[slot] = null;
  }

  seal(): void {
    this.#segments.push(this.index.seal());
  }

  /** A new index from what an owner would have stored. */
  reload(): void {
    const memtable = this.units.slice(this.index.sealedSlots);
    const fresh = new LexicalIndex(kernels, this.index.options);
    for (const segment of this.#segments) fresh.load(segment);
    for (const { slot, counts } of this.#tombstones) fresh.remove(slot, counts);
    this.units.length = fresh.sealedSlots;
    this.index = fresh;
    for (const counts of memtable) if (counts !== null) this.add(counts);
  }

  df(id: number | null): number {
    let df = 0;
    for (const counts of this.units) if (id !== null && counts !== null && tfOf(counts, id)) df++;
    return df;
  }

  statistics({ terms, more }: Query) {
    const { units, lengthSum } = this.index;
    return {
      units: units * (1 + more.units),
      lengthSum: Math.round(lengthSum * (1 + more.units) * more.length),
      df: terms.map(({ id }) => Math.min(this.df(id) * (1 + more.df), units * (1 + more.units))),
    };
  }

  allowed({ filter }: Query): Bitmap | null {
    if (filter === null) return null;
    const bitmap = new Bitmap(this.index.slots);
    for (let slot = 0; slot < bitmap.size; slot += filter) bitmap.add(slot);
    return bitmap;
  }
}

/** Every living, allowed unit scored one by one; the scores of one in `step` agree with the printed
 *  formulas. */
function bruteForce(watched: Watched, asked: Query, step = 1): LexicalHit[] {
  const { index, units } = watched;
  const statistics = watched.statistics(asked);
  const allowed = watched.allowed(asked);
  const { base } = weigh(asked.terms, statistics, index.options);
  const printed = asked.terms.map(({ id, qtf }, i) => ({ term: id, qtf, df: statistics.df[i]! }));
  const hits: LexicalHit[] = [];
  for (const [slot, counts] of units.entries()) {
    if (counts === null || allowed?.has(slot) === false) continue;
    const score = index.score(asked.terms, statistics, counts);
    if (slot % step === 0 && counts.length > 0) {
      const map = new Map(Array.from(counts.ids, (id, i) => [id, counts.tfs[i]!]));
      const wanted = variantOracle(index.options, statistics, printed, map);
      const agrees = Math.abs(score - wanted) <= 1e-12 * Math.max(1, wanted);
      if (!agrees) expect(score).toBe(wanted);
    }
    if (score > base) hits.push({ slot, score });
  }
  return hits.sort((a, b) => b.score - a.score || a.slot - b.slot).slice(0, asked.k);
}

it("finds exactly what scoring every unit finds, after any run of changes", () => {
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 30 }), (first, steps) => {
      const watched = new Watched(first);
      for (const change of steps) {
        if (change === "seal") watched.seal();
        else if (change === "reload") watched.reload();
        else if ("add" in change) for (const entries of change.add) watched.add(countsOf(entries));
        else if ("copies" in change)
          for (let i = 0; i < change.copies; i++) watched.add(countsOf(change.of));
        else if ("remove" in change) watched.remove(change.remove % (watched.units.length || 1));
        else if ("options" in change) watched.index.options = change.options;
        else {
          const { terms, k } = change.query;
          const statistics = watched.statistics(change.query);
          const found = watched.index.search(terms, statistics, k, watched.allowed(change.query));
          expect(found).toEqual(bruteForce(watched, change.query));
        }
      }
      const live = watched.units.filter((counts) => counts !== null);
      expect(watched.index.units).toBe(live.length);
      expect(watched.index.lengthSum).toBe(live.reduce((sum, { length }) => sum + length, 0));
      for (let id = 0; id < TERMS; id++) expect(watched.index.df(id)).toBe(watched.df(id));
    }),
    { seed, numRuns: 3_000 },
  );
}, 120_000);

/** `n` units of about 30 terms out of 2,000, in Zipf's shares. */
function corpus(n: number, from: number): TermCounts[] {
  const next = mulberry32(from);
  return Array.from({ length: n }, () => {
    const words = Array.from({ length: 5 + Math.floor(next() * 50) }, () =>
      Math.floor(2_000 ** next() - 1),
    );
    return countTerms(words);
  });
}

it.each(BM25_VARIANTS)(
  "finds the same in segments of two windows, in every variant: %s",
  (variant) => {
    const watched = new Watched({ ...BM25_DEFAULTS, variant });
    const next = mulberry32(5);
    for (const size of [18_000, 4_000, 300]) {
      for (const counts of corpus(size, size)) watched.add(counts);
      for (let i = 0; i < size / 10; i++) watched.remove(Math.floor(next() * watched.units.length));
      if (size > 1_000) watched.seal();
    }
    for (let i = 0; i < 60; i++) {
      const ids = new Set(
        Array.from({ length: 1 + (i % 9) }, () => Math.floor(2_000 ** next() - 1)),
      );
      const terms = [...ids].map((id) => ({ id, qtf: 1 + (id % 3 === 0 ? 1 : 0) }));
      const asked: Query = {
        terms,
        k: [1, 10, 128][i % 3]!,
        filter: [null, 2, 50][i % 3]!,
        more: { units: i % 2, length: 1 + (i % 4) / 4, df: 0 },
      };
      const found = watched.index.search(
        terms,
        watched.statistics(asked),
        asked.k,
        watched.allowed(asked),
      );
      expect(found).toEqual(bruteForce(watched, asked));
    }
  },
);

it("finds the same where a term has a thousand different tfs, in two segments", () => {
  const watched = new Watched(BM25_DEFAULTS);
  const next = mulberry32(8);
  for (let i = 0; i < 4_000; i++) {
    const entries = [
      { term: 0, tf: 1 + Math.floor(next() * 1_000) },
      { term: 1 + (i % 3), tf: 1 + Math.floor(next() * 400) },
    ];
    watched.add(countsOf(entries));
    if (i % 1_500 === 1_499) watched.seal();
  }
  const terms = [0, 2, 3].map((id) => ({ id, qtf: 1 }));
  const asked = { terms, k: 30, filter: null, more: { units: 0, length: 1, df: 0 } };
  const found = watched.index.search(terms, watched.statistics(asked), 30, null);
  expect(found).toEqual(bruteForce(watched, asked));
});

it("starts anew after clear, in the memory that it has", () => {
  const units = corpus(500, 6);
  const index = new LexicalIndex(kernels, BM25_DEFAULTS);
  const segment = encodeSegment(units);
  const terms = [0, 5, 40].map((id) => ({ id, qtf: 1 }));
  const ask = () => {
    const df = terms.map(({ id }) => index.df(id));
    const { lengthSum } = index;
    return index.search(terms, { units: index.units, lengthSum, df }, 10, null);
  };
  index.load(segment);
  const [first, { bytes }] = [ask(), index];
  for (let i = 0; i < 5; i++) {
    index.append(units[3]!);
    index.remove(7, units[7]!);
    index.clear();
    expect(index.slots).toBe(0);
    expect(ask()).toEqual([]);
    index.load(segment);
    expect(ask()).toEqual(first);
  }
  expect(index.bytes).toBeLessThanOrEqual(bytes + 4_096);
});

it("an explanation's shares add up to the score", () => {
  for (const variant of BM25_VARIANTS) {
    const watched = new Watched({ ...BM25_DEFAULTS, variant });
    for (const counts of corpus(200, 3)) watched.add(counts);
    const terms = [0, 3, 17, null].map((id) => ({ id, qtf: id === 3 ? 2 : 1 }));
    const asked = { terms, k: 5, filter: null, more: { units: 0, length: 1, df: 0 } };
    const statistics = watched.statistics(asked);
    for (const { slot, score } of watched.index.search(terms, statistics, 5, null)) {
      const shares = watched.index.explain(terms, statistics, watched.units[slot]!);
      const sum = shares.reduce((total, { contribution }) => total + contribution, 0);
      expect(sum).toBeCloseTo(score, 12);
      expect(shares.map(({ df }) => df)).toEqual(statistics.df);
    }
  }
});
