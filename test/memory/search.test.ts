import fc from "fast-check";
import { expect, it } from "vitest";
import { BM25_VARIANTS } from "../../index/bm25.ts";
import { diversify } from "../../index/diversity.ts";
import type { Filter } from "../../index/filter.ts";
import { SEARCH_DEPTH_MAX } from "../../src/limits.ts";
import { search } from "../../src/memory/search.ts";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchHit,
  type SearchRequest,
} from "../../src/memory/types.ts";
import { type FusedUnit, fuseOracle } from "../oracle/fuse.ts";
import { embedWords } from "./documents.ts";
import { type FakeDocument, FakeGatherer } from "./fake-gatherer.ts";

const seed = 20261124;
const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2026, 10, 24);
const WORDS = "lease rent tenant landlord deposit notice May heating".split(" ");
const clock = { now: () => NOW, ms: () => 0 };

function asking(query: string, rest: Partial<SearchRequest> = {}): SearchRequest {
  const vector = rest.mode === "bm25" ? null : embedWords(query);
  return { query, vector, k: 10, mode: "hybrid", filter: null, explain: false, ...rest };
}

const line = (minLength: number) =>
  fc.array(fc.constantFrom(...WORDS), { minLength, maxLength: 6 }).map((words) => words.join(" "));
const documents = fc
  .array(
    fc.record({
      lines: fc.array(line(1), { minLength: 1, maxLength: 4 }),
      metadata: fc.record({ lang: fc.constantFrom("en", "de") }, { noNullPrototype: true }),
      age: fc.integer({ min: -2, max: 40 }),
    }),
    { maxLength: 12, size: "max" },
  )
  .map((all) =>
    all.map(({ lines, metadata, age }, i): FakeDocument => {
      return { id: `d${i}`, row: 3 * i + 1, lines, metadata, time: NOW - age * DAY };
    }),
  );
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 2 });
const request = fc
  .record({
    query: line(0),
    k: fc.integer({ min: 1, max: 12 }),
    mode: fc.constantFrom("bm25" as const, "vector" as const, "hybrid" as const),
    filter: fc.constantFrom<Filter | null>(null, { lang: "en" }),
    explain: fc.boolean(),
    fusion: maybe(fc.constantFrom("convex" as const, "rrf" as const)),
    cosine_weight: maybe(fc.constantFrom(0, 0.4, 1)),
    recency: maybe(fc.record({ half_life_days: fc.constantFrom(1, 30) })),
    diversity: maybe(
      fc.record({ lambda: fc.constantFrom(0, 0.5, 1), pool: fc.integer({ min: 1, max: 20 }) }),
    ),
    group_by_document: fc.boolean(),
  })
  .map(({ query, ...rest }) => asking(query, rest));
const options = fc
  .record({
    bm25_variant: fc.constantFrom(...BM25_VARIANTS),
    fusion: fc.constantFrom("convex" as const, "rrf" as const),
  })
  .map((some): NamespaceOptions => ({ ...NAMESPACE_DEFAULTS, ...some }));

/** What a search should find, step by step as it is described, from all there is. */
async function expected(gatherer: FakeGatherer, asked: SearchRequest): Promise<[string, number][]> {
  const { mode, recency, diversity, k } = asked;
  const { options } = gatherer;
  const words = mode === "vector" ? [] : termsOf(asked.query);
  const statistics = await gatherer.statistics(words.map(({ term }) => term));
  const depth = { bm25Depth: 1_000, vectorDepth: 1_000 };
  const rest = { mode, terms: words, vector: asked.vector, filter: asked.filter, statistics };
  const list = await gatherer.candidates({ ...rest, ...depth, explain: false, times: true });
  const fusion = asked.fusion ?? options.fusion;
  const cosineWeight = asked.cosine_weight ?? options.cosine_weight;
  const convex = {
    kind: "convex" as const,
    cosineWeight,
    bm25Least: leastOf(words, options, statistics),
  };
  const hybrid = fusion === "rrf" ? { kind: "rrf" as const, k: 60 } : convex;
  const kinds = { bm25: { kind: "bm25" as const }, vector: { kind: "cosine" as const }, hybrid };
  const decayed = fuseOracle(list, kinds[mode]).map((unit): FusedUnit => {
    const days = Math.max(0, NOW - list.time[unit.place]!) / DAY;
    const decays = recency && unit.score > 0;
    return {
      ...unit,
      score: decays ? unit.score * 2 ** (-days / recency.half_life_days) : unit.score,
    };
  });
  let ranked = decayed.toSorted(
    (a, b) =>
      b.score - a.score ||
      list.row[a.place]! - list.row[b.place]! ||
      list.seq[a.place]! - list.seq[b.place]!,
  );
  if (asked.group_by_document)
    ranked = ranked.filter(
      ({ place }, i) =>
        ranked.findIndex((other) => list.row[other.place] === list.row[place]) === i,
    );
  const unitAt = (place: number) =>
    gatherer.units.find(
      ({ document, seq }) => document.row === list.row[place] && seq === list.seq[place],
    )!;
  if (diversity) {
    const pool = ranked.slice(0, Math.max(k, diversity.pool));
    const top = mode === "vector" || !(pool[0] && pool[0].score > 0) ? 1 : pool[0].score;
    const relevance = pool.map(({ score }) => score / top);
    const vectors = pool.map(({ place }) => unitAt(place).vector);
    ranked = diversify(relevance, vectors, k, diversity.lambda).map(({ item }) => pool[item]!);
  }
  return ranked.slice(0, k).map(({ place, score }) => {
    const { document, seq } = unitAt(place);
    return [`${document.id}#${seq}`, score];
  });
}

/** What BM25 gives a unit that has no term of the query, by the papers' formulas. */
function leastOf(
  words: readonly { qtf: number }[],
  { bm25_variant, k1, delta }: NamespaceOptions,
  { units, df }: { units: number; df: number[] },
): number {
  return words.reduce((sum, { qtf }, i) => {
    if (df[i] === 0) return sum;
    if (bm25_variant === "bm25plus") return sum + qtf * Math.log((units + 1) / df[i]!) * delta;
    if (bm25_variant !== "bm25l") return sum;
    const part = ((k1 + 1) * delta) / (k1 + delta);
    return sum + qtf * Math.log((units + 1) / (df[i]! + 0.5)) * part;
  }, 0);
}

function termsOf(query: string): { term: string; qtf: number }[] {
  const all = query.split(" ").filter((word) => word !== "");
  const stems = all.map((word) => word.toLowerCase()).map((word) => STEMS[word] ?? word);
  return [...new Set(stems)].map((term) => {
    return { term, qtf: stems.filter((stem) => stem === term).length };
  });
}

const STEMS: Record<string, string> = {
  lease: "leas",
  notice: "notic",
  heating: "heat",
};

const found = (hits: readonly SearchHit[]) =>
  hits.map(({ passage_id, score }): [string, number] => [passage_id, score]);

it("hits, scores, order and ties are those of the definition, however many shards", async () => {
  await fc.assert(
    fc.asyncProperty(documents, request, options, async (all, asked, how) => {
      const one = new FakeGatherer(all, how);
      const { hits } = await search(one, how, asked, clock);
      expect(found(hits)).toEqual(await expected(one, asked));
      const many = await search(new FakeGatherer(all, how, 5), how, asked, clock);
      expect(many.hits).toEqual(hits);
    }),
    { seed, numRuns: 400 },
  );
});

it("explanations add up: terms to BM25, formula to fused score, decay to the score", async () => {
  await fc.assert(
    fc.asyncProperty(documents, request, options, async (all, asked, how) => {
      const gatherer = new FakeGatherer(all, how, 2);
      const { hits } = await search(gatherer, how, { ...asked, explain: true }, clock);
      for (const { bm25, score, explain } of hits) {
        const { bm25_terms, fusion, fused, recency, diversity } = explain!;
        expect(bm25_terms === null).toBe(asked.mode === "vector");
        const sum = bm25_terms?.reduce((total, { contribution }) => total + contribution, 0);
        if (bm25_terms !== null) expect(sum).toBeCloseTo(bm25!, 10);
        expect(calculate(fusion)).toBe(fused);
        expect(score).toBe(fused > 0 ? fused * (recency?.factor ?? 1) : fused);
        if (recency) expect(recency.factor).toBe(2 ** (-recency.age_days / recency.half_life_days));
        if (!diversity) continue;
        const { lambda, relevance, similarity, marginal } = diversity;
        expect(lambda * relevance - (1 - lambda) * similarity).toBe(marginal);
      }
      for (const list of ["bm25_rank", "vector_rank"] as const) {
        const ranks = hits.flatMap(({ explain }) => explain![list] ?? []);
        expect(new Set(ranks).size).toBe(ranks.length);
      }
    }),
    { seed, numRuns: 200 },
  );
});

/** The value of arithmetic of numbers, + - * / and parentheses, left to right as JavaScript has
 *  it; code from a string is not allowed where this runs. */
function calculate(text: string): number {
  const tokens = text.match(/\d[\d.]*(?:e[+-]?\d+)?|[-+*/()]/g)!;
  let at = 0;
  const factor = (): number => {
    const token = tokens[at++]!;
    if (token === "-") return -factor();
    if (token !== "(") return Number(token);
    const value = sum();
    at++;
    return value;
  };
  const product = (): number => {
    let value = factor();
    while (tokens[at] === "*" || tokens[at] === "/")
      value = tokens[at++] === "*" ? value * factor() : value / factor();
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === "+" || tokens[at] === "-")
      value = tokens[at++] === "+" ? value + product() : value - product();
    return value;
  };
  return sum();
}

const LEASE: FakeDocument = {
  id: "lease",
  row: 1,
  lines: ["The lease ends on 3 May.", "The rent is due monthly.", "The deposit is two rents."],
  metadata: { lang: "en", year: 2024 },
  time: NOW,
};

it("an explanation shows what each condition of the filter found", async () => {
  const gatherer = new FakeGatherer([LEASE], NAMESPACE_DEFAULTS);
  const filter: Filter = { or: [{ lang: "de" }, { year: { gte: 2020 } }] };
  const asked = asking("when does the lease end", { filter, explain: true, k: 1 });
  const [hit] = (await search(gatherer, NAMESPACE_DEFAULTS, asked, clock)).hits;
  expect(hit!.explain!.filter).toEqual([
    { field: "lang", operator: "eq", operand: "de", value: "en", present: true, passed: false },
    { field: "year", operator: "gte", operand: 2020, value: 2024, present: true, passed: true },
  ]);
});

it("with neighbours a hit's text grows in place, and hits that overlap say so", async () => {
  const other = { ...LEASE, id: "other", row: 2, lines: ["May we heat?"] };
  const gatherer = new FakeGatherer([LEASE, other], NAMESPACE_DEFAULTS);
  const asked = asking("rent May", { neighbours: 1, k: 4 });
  for (const diversity of [null, { lambda: 0.5, pool: 4 }]) {
    const { hits } = await search(gatherer, NAMESPACE_DEFAULTS, { ...asked, diversity }, clock);
    const byId = new Map(hits.map((hit) => [hit.passage_id, hit]));
    const whole = LEASE.lines.join("\n");
    expect(byId.get("lease#1")).toMatchObject({ text: whole, start: 0, end: whole.length });
    for (const { text, start, end, document_id } of hits)
      if (document_id === "lease") expect(text).toBe(whole.slice(start, end));
    expect(byId.get("lease#0")!.overlaps!.toSorted()).toEqual(["lease#1", "lease#2"]);
    expect(byId.get("other#0")!.overlaps).toEqual([]);
  }
  const plain = await search(gatherer, NAMESPACE_DEFAULTS, asking("rent"), clock);
  expect(plain.hits.every(({ overlaps }) => overlaps === undefined)).toBe(true);
});

it("one hit a document reads deeper lists until there are enough documents", async () => {
  const long = { ...LEASE, lines: Array.from({ length: 700 }, () => "rent rent") };
  const others = [2, 3, 4].map((row) => ({ ...LEASE, id: `d${row}`, row, lines: ["rent a flat"] }));
  const gatherer = new FakeGatherer([long, ...others], NAMESPACE_DEFAULTS);
  const asked = asking("rent", { group_by_document: true, k: 3 });
  const { hits } = await search(gatherer, NAMESPACE_DEFAULTS, asked, clock);
  expect(hits.map(({ document_id }) => document_id)).toEqual(["lease", "d2", "d3"]);
  const depths = gatherer.asked.flatMap(({ depth }) => depth ?? []);
  expect(depths).toEqual([256, 512, 1_024]);
});

it("a list is not read deeper than its bound", async () => {
  const lines = Array.from({ length: SEARCH_DEPTH_MAX + 300 }, () => "rent rent");
  const gatherer = new FakeGatherer([{ ...LEASE, lines }], NAMESPACE_DEFAULTS);
  const asked = asking("rent", { mode: "bm25", group_by_document: true, k: 3 });
  const { hits } = await search(gatherer, NAMESPACE_DEFAULTS, asked, clock);
  expect(hits.length).toBe(1);
  expect(Math.max(...gatherer.asked.map(({ depth }) => depth ?? 0))).toBe(SEARCH_DEPTH_MAX);
});

it("a passage that is gone before it is shown is left out", async () => {
  const gatherer = new FakeGatherer([LEASE], NAMESPACE_DEFAULTS, 2);
  gatherer.gone.add("lease#1");
  for (const diversity of [null, { lambda: 0.5, pool: 3 }]) {
    const asked = asking("rent", { diversity });
    const { hits } = await search(gatherer, NAMESPACE_DEFAULTS, asked, clock);
    expect(hits.map(({ passage_id }) => passage_id).toSorted()).toEqual(["lease#0", "lease#2"]);
  }
});

it("stages say how long they took, shards' own among them", async () => {
  let ms = 0;
  const ticking = { now: () => NOW, ms: () => ms++ };
  const gatherer = new FakeGatherer([LEASE], NAMESPACE_DEFAULTS);
  const { stages_ms } = await search(gatherer, NAMESPACE_DEFAULTS, asking("rent"), ticking);
  const { total, shard_scan, ...stages } = stages_ms;
  expect(shard_scan).toBe(3);
  expect(stages).toEqual({ terms: 1, statistics: 1, candidates: 1, fuse: 1, show: 1, explain: 1 });
  expect(total).toBe(ms - 1);
});

it("a search by vector alone needs no statistics, and vectors come on request", async () => {
  const gatherer = new FakeGatherer([LEASE], NAMESPACE_DEFAULTS);
  const asked = asking("rent", { mode: "vector", vectors: true });
  const { hits } = await search(gatherer, NAMESPACE_DEFAULTS, asked, clock);
  expect(hits[0]!.vector).toEqual(embedWords("The rent is due monthly."));
  expect(gatherer.asked.map(({ kind }) => kind)).toEqual(["candidates", "show"]);
  const diverse = asking("rent", { diversity: { lambda: 0.5, pool: 3 } });
  const plain = await search(gatherer, NAMESPACE_DEFAULTS, diverse, clock);
  expect(plain.hits.every((hit) => !("vector" in hit))).toBe(true);
});
