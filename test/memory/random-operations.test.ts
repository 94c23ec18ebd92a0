import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import type { Filter } from "../../index/filter.ts";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchMode,
  type SearchRequest,
} from "../../src/memory/types.ts";
import { embedWords, hitsOf, type Memory, prepared, store } from "./documents.ts";
import { MemoryOracle } from "./oracle.ts";
import type { Stepped } from "./random-documents.ts";

const WORDS = "lease rent tenant landlord deposit notice May heating 猫 東京 the of".split(" ");
const IDS = ["a", "b", "c#1", "ключ", "鍵/1", "😀", " ", "__proto__"];
const FILTERS: Filter[] = [
  { lang: "en" },
  { or: [{ lang: "de" }, { year: { gt: 2021 } }] },
  { not: { tags: "x" } },
  { lang: "nobody speaks it" },
];
const seed = 20261123;
/** Half of the operations asked for go to each unit. */
const RUNS = Math.ceil(inject("randomOperations") / 54);
/** A run splits no further: more shards than documents would say nothing more. */
const SHARDS = 5;

const line = fc.array(fc.constantFrom(...WORDS), { maxLength: 8 }).map((words) => words.join(" "));
const document = fc
  .record({
    id: fc.constantFrom(...IDS),
    text: fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n")),
    title: fc.option(line),
    metadata: fc.record(
      {
        lang: fc.constantFrom("en", "de"),
        year: fc.integer({ min: 2019, max: 2024 }),
        tags: fc.subarray(["x", "y"]),
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
  })
  .map(({ id, text, title, metadata }) => prepared(id, text, { title, metadata }));
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ upsert: fc.array(document, { minLength: 1, maxLength: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ remove: fc.subarray(IDS, { maxLength: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ removeWhere: fc.constantFrom(...FILTERS) }) },
  { weight: 1, arbitrary: fc.constantFrom({ evict: true }, { compact: true }) },
  { weight: 1, arbitrary: fc.constant({ split: true }) },
  { weight: 4, arbitrary: fc.constant({ step: true }) },
  {
    weight: 8,
    arbitrary: fc.record({
      query: line,
      mode: fc.constantFrom<SearchMode>("bm25", "vector", "hybrid"),
      filter: fc.option(fc.constantFrom(...FILTERS)),
      k: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

type Operation = typeof operation extends fc.Arbitrary<infer Step> ? Step : never;

/** Search in the memory equals search in the oracle, scores within rounding; where two scores are
 *  that close, either order will do. */
async function expectSameHits(memory: Memory, oracle: MemoryOracle, request: SearchRequest) {
  const hits = await hitsOf(memory, request);
  const expected = oracle.search(request);
  expect(hits.length).toBe(Math.min(request.k, expected.length));
  for (const [i, hit] of hits.entries()) {
    expect(hit.score).toBeCloseTo(expected[i]!.score, 6);
    const [, seq] = /#(\d+)$/.exec(hit.passage_id)!;
    const same = expected.find(
      (other) =>
        other.document_id === hit.document_id && (other.seq === null || other.seq === Number(seq)),
    );
    expect(same?.score).toBeCloseTo(hit.score, 6);
    const source = oracle.documents.find(({ id }) => id === hit.document_id)!;
    expect(source.text.slice(hit.start, hit.end)).toBe(hit.text);
    expect(hit).toMatchObject({ title: source.title, metadata: source.metadata });
  }
  expect(new Set(hits.map(({ passage_id }) => passage_id)).size).toBe(hits.length);
}

/** What the alarms of the root and of its shards would do: a step of a split, seals and merges. */
async function stepAll(memory: Memory): Promise<void> {
  const { shards } = await memory.stats();
  await (memory as unknown as Stepped).tick();
  for (const { object } of shards)
    if (object !== null) await env.STEPPED_MEMORY.getByName(object).tick();
}

async function run(memory: Memory, oracle: MemoryOracle, step: Operation): Promise<void> {
  if ("upsert" in step) {
    await store(memory, step.upsert);
    for (const id of new Set(step.upsert.map((document) => document.id)))
      oracle.upsert(step.upsert.findLast((document) => document.id === id)!);
  } else if ("remove" in step) {
    await memory.remove(step.remove);
    for (const id of step.remove) oracle.remove(id);
  } else if ("removeWhere" in step) {
    const gone = oracle.passing(step.removeWhere);
    expect(await memory.removeWhere(step.removeWhere)).toBe(gone.length);
    for (const id of gone) oracle.remove(id);
  } else if ("evict" in step) {
    await memory.options(); // Only an object that runs can be evicted.
    await evictDurableObject(memory);
  } else if ("compact" in step) {
    await memory.compact();
  } else if ("split" in step) {
    const { shards, work } = await memory.stats();
    if (work === null && shards.length < SHARDS) await memory.split();
  } else if ("step" in step) {
    await stepAll(memory);
  } else {
    const vector = step.mode === "bm25" ? null : embedWords(step.query);
    await expectSameHits(memory, oracle, { ...step, vector, explain: false });
  }
}

/** Runs of 27 operations on average, for each unit. */
it.each(["passage", "document"] as const)(
  "every mode equals brute force after any run of changes, units being %ss",
  { timeout: 600_000 },
  async (bm25_unit) => {
    const options: NamespaceOptions = { ...NAMESPACE_DEFAULTS, bm25_unit };
    let n = 0;
    const runs = fc.array(operation, { minLength: 10, maxLength: 44 });
    await fc.assert(
      fc.asyncProperty(runs, async (steps) => {
        const stepped = env.STEPPED_MEMORY.getByName(`random/${bm25_unit}-${n++}`);
        const memory = stepped as unknown as Memory;
        const oracle = new MemoryOracle(options);
        await memory.configure(options);
        for (const step of steps) await run(memory, oracle, step);
        const stats = await memory.stats();
        expect(stats.documents).toBe(oracle.documents.length);
        const passages = oracle.documents.map((document) => document.passages.length);
        expect(stats.passages).toBe(passages.reduce((sum, count) => sum + count, 0));
      }),
      { seed, numRuns: RUNS },
    );
  },
);
