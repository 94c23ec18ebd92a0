import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import type { Bm25Variant } from "../../index/bm25.ts";
import { type Filter, matches } from "../../index/filter.ts";
import { DAY_MS } from "../../index/recency.ts";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchHit,
  type SearchMode,
} from "../../src/memory/types.ts";
import { type RetrieveDeps, retrieve } from "../../src/pipeline/retrieve.ts";
import type { MemoryQuery } from "../../src/pipeline/types.ts";
import { DIM, embedWords, type Memory, prepared, store } from "./documents.ts";
import { type Stepped, settle } from "./random-documents.ts";
import { type OracleHit, retrieveOracle } from "./search-oracle.ts";
import { ShardOracle } from "./shard-oracle.ts";

const seed = 20261130;
const RUNS = Math.ceil(inject("randomOperations") / 300);
const SHARDS = 4;

/** The first is in every passage. */
const WORDS = "lease rent tenant deposit Müller STRASSE straße ﬁne 猫 東京 the ΟΔΟΣ οδος".split(
  " ",
);
const IDS = [..."abcdefghij", "ключ", "鍵/1", "😀", "__proto__", "constructor"];
const FILTERS: Filter[] = [
  { lang: "en" },
  { or: [{ lang: { prefix: "d" } }, { year: { gt: 2021 } }] },
  { not: { tags: "x" } },
  { and: [{ year: { exists: true } }, { tags: { nin: ["y"] } }] },
];
const VARIANTS: Bm25Variant[] = ["robertson", "lucene", "atire", "bm25l", "bm25plus"];

const words = fc.array(fc.constantFrom(...WORDS), { maxLength: 6 });
/** Some say what others say. */
const line = fc.oneof(
  { weight: 5, arbitrary: words.map((some) => ["lease", ...some].join(" ")) },
  { weight: 1, arbitrary: fc.constantFrom("lease rent", "Lease; RENT.") },
);
/** Some have no passage, some one word. */
const text = fc.oneof(
  { weight: 6, arbitrary: fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n")) },
  { weight: 1, arbitrary: fc.constantFrom("", "rent", "lease", "\n\n") },
);
const metadata = fc.record(
  {
    lang: fc.constantFrom("en", "de"),
    year: fc.integer({ min: 2019, max: 2024 }),
    tags: fc.subarray(["x", "y"]),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const document = fc
  .record({
    id: fc.constantFrom(...IDS),
    text,
    title: fc.option(words.map((some) => some.join(" "))),
    metadata,
    // Long ago, of late, and to come.
    time: fc.constantFrom(0, Date.UTC(2026, 0, 1), Date.UTC(2026, 9, 1), Date.UTC(2100, 0, 1)),
  })
  .map(({ id, text: written, ...rest }) => prepared(id, written, rest));
const options = fc.record({
  bm25_variant: fc.constantFrom(...VARIANTS),
  k1: fc.constantFrom(0, 0.9, 1.5),
  b: fc.constantFrom(0, 0.4, 1),
  delta: fc.constantFrom(0, 0.5),
  fusion: fc.constantFrom("convex" as const, "rrf" as const),
  cosine_weight: fc.constantFrom(0, 0.5, 0.75, 1),
});
/** One in two. */
const sometimes = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.option(fc.record(fields, { noNullPrototype: true }), { freq: 2, nil: undefined });
const query = fc.record({
  query: fc.oneof(line, fc.constantFrom("", "the", "Muller", "strasse", "Rent for Tenant")),
  mode: fc.constantFrom<SearchMode>("bm25", "vector", "hybrid"),
  k: fc.constantFrom(1, 2, 3, 5, 8, 100),
  filter: fc.option(fc.constantFrom(...FILTERS)),
  fusion: fc.option(fc.constantFrom("convex" as const, "rrf" as const)),
  cosine_weight: fc.option(fc.constantFrom(0, 0.3, 1)),
  recency: sometimes({ half_life_days: fc.constantFrom(0.01, 30, 1_000) }),
  diversity: sometimes({
    lambda: fc.constantFrom(0, 0.3, 0.7, 1),
    pool: fc.constantFrom(1, 4, 64),
  }),
  neighbours: fc.constantFrom(0, 0, 1, 2),
  group_by_document: fc.boolean(),
  iterative: sometimes({ hops: fc.constant(2) }),
  rerank: sometimes({ model: fc.constant(null), depth: fc.constantFrom(1, 4, 10) }),
  /** Of a query without a direction. */
  zero: fc.constantFrom(false, false, false, true),
});
type Query = typeof query extends fc.Arbitrary<infer Asked> ? Asked : never;

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ upsert: fc.array(document, { minLength: 1, maxLength: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ remove: fc.subarray(IDS, { maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ removeWhere: fc.constantFrom(...FILTERS) }) },
  { weight: 1, arbitrary: fc.record({ expire: fc.constantFrom(...IDS) }) },
  { weight: 1, arbitrary: fc.record({ relabel: fc.constantFrom(...IDS) }) },
  { weight: 1, arbitrary: fc.record({ configure: options }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom("split", "step", "end", "evict", "compact", "snapshot", "restore"),
  },
  { weight: 10, arbitrary: fc.record({ query }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer Step> ? Step : never;

/** As a reranker might: of the text alone, with ties. */
const judge = (read: string) => (read.length * 7) % 5;

/** A namespace of one object or more beside the oracle, and its last snapshot. */
class Run {
  readonly #stepped: Stepped;
  readonly #memory: Memory;
  readonly #oracle: ShardOracle;
  readonly #splits: boolean;
  #row = 0;
  /** What hits showed of all that may be asked. */
  readonly seen = new Set<string>();
  #snapshot: { id: string; documents: ShardOracle["documents"]; options: NamespaceOptions } | null =
    null;

  constructor(name: string, first: NamespaceOptions) {
    this.#stepped = env.STEPPED_MEMORY.getByName(name);
    this.#memory = this.#stepped as unknown as Memory;
    this.#oracle = new ShardOracle(first);
    // Shards link what says the same each for itself.
    this.#splits = first.near_duplicates === "keep";
  }

  async begin(): Promise<void> {
    await this.#memory.configure(this.#oracle.options);
  }

  async step(step: Operation): Promise<void> {
    if (typeof step === "string") await this.#tend(step);
    else if ("query" in step) await this.#query(step.query);
    else if ("configure" in step) {
      this.#oracle.options = { ...this.#oracle.options, ...step.configure };
      await this.#memory.configure(this.#oracle.options);
    } else await this.#change(step);
  }

  async #tend(what: string): Promise<void> {
    const memory = this.#memory;
    const { shards, work } = await memory.stats();
    if (what === "split") {
      if (this.#splits && work === null && shards.length < SHARDS) await memory.split();
    } else if (what === "step") await this.#stepped.tick();
    else if (what === "end") await settle(this.#stepped);
    else if (what === "evict") await evictDurableObject(memory);
    else if (what === "compact") await memory.compact();
    else if (what === "snapshot") {
      await settle(this.#stepped);
      const id = await memory.snapshot();
      await settle(this.#stepped);
      const { documents, options: before } = this.#oracle;
      this.#snapshot = { id, documents: [...documents], options: before };
    } else if (this.#snapshot !== null) {
      await settle(this.#stepped);
      await memory.restore(this.#snapshot.id);
      await settle(this.#stepped);
      expect((await memory.snapshots()).last_restore?.state).toBe("done");
      this.#oracle.documents = [...this.#snapshot.documents];
      this.#oracle.options = this.#snapshot.options;
    }
  }

  async #change(step: Exclude<Operation, string | { query: Query }>): Promise<void> {
    const [memory, oracle] = [this.#memory, this.#oracle];
    if ("upsert" in step) {
      await store(memory, step.upsert);
      for (const each of step.upsert) oracle.put(++this.#row, each);
    } else if ("remove" in step) {
      await memory.remove(step.remove);
      for (const id of step.remove) oracle.remove(id);
    } else if ("removeWhere" in step) {
      const gone = oracle.removeWhere((each) => matches(step.removeWhere, each.metadata));
      expect(await memory.removeWhere(step.removeWhere)).toBe(gone);
    } else if ("expire" in step) {
      await memory.patch(step.expire, { metadata: null, expires_at: 1 }, null);
      oracle.remove(step.expire);
    } else if ("relabel" in step && oracle.find(step.relabel) !== undefined) {
      const patch = { metadata: { lang: "de", year: null } };
      await memory.patch(step.relabel, patch, null);
      oracle.patchMetadata(++this.#row, step.relabel, patch.metadata);
    }
  }

  async #query({ zero, ...rest }: Query): Promise<void> {
    const vector = zero ? new Float32Array(DIM) : embedWords(rest.query);
    const asked = Object.fromEntries(Object.entries(rest).filter(([, value]) => value != null));
    const base = { namespace: "any", embedding: null, filter: null, explain: true };
    const query = { ...base, ...asked } as MemoryQuery;
    const times: number[] = [];
    const deps: RetrieveDeps = {
      search: async (request) => {
        const reply = await this.#memory.search(request);
        times.push(this.#nowOf(reply.hits));
        return reply;
      },
      embed: async () => vector,
      score: async (_choice, _query, hits) => {
        return { model: "judge", scores: hits.map(({ text: read }) => judge(read)) };
      },
    };
    const { hits } = await retrieve(deps, query);
    for (const hit of hits) for (const each of madeOf(hit)) this.seen.add(each);
    const ranked = { ...query, vector: query.mode === "bm25" ? null : vector };
    const expected = retrieveOracle(this.#oracle, ranked, times, judge);
    const context = JSON.stringify(query);
    expect(hits.map(plain), context).toEqual(expected);
  }

  /** The time of the search, which an age in its explanations tells; where none is above 0, any
   *  time does. */
  #nowOf(hits: readonly SearchHit[]): number {
    for (const { explain, document_id } of hits) {
      const age = explain!.recency?.age_days ?? 0;
      if (age > 0) return Math.round(age * DAY_MS + this.#oracle.find(document_id)!.document.time);
    }
    return Date.now();
  }

  /** How many shards there are, once all is over. */
  async finish(): Promise<number> {
    await settle(this.#stepped);
    const { documents, shards } = await this.#memory.stats();
    expect(documents).toBe(this.#oracle.documents.length);
    return shards.length;
  }
}

const KINDS: [string, Partial<NamespaceOptions>][] = [
  ["units being passages", { bm25_unit: "passage" }],
  ["units being documents", { bm25_unit: "document" }],
  ["what says the same being linked", { near_duplicates: "link" }],
];

/** Runs of 30 operations on average, a third of them for each kind; some begin with shards. */
it.each(KINDS)(
  "a search with all that may be asked of it equals brute force after any operations, %s",
  { timeout: 600_000 },
  async (kind, first) => {
    let n = 0;
    let shards = 0;
    const seen = new Set<string>();
    const begun = first.near_duplicates === "link" ? [1] : [1, 3];
    const runs = fc.array(operation, { minLength: 15, maxLength: 45, size: "max" });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...begun), runs, async (many, steps) => {
        const options = { ...NAMESPACE_DEFAULTS, ...first, shards: many };
        const run = new Run(`search-random/${kind}-${n++}`, options);
        await run.begin();
        for (const step of steps) await run.step(step);
        shards = Math.max(shards, await run.finish());
        for (const each of run.seen) seen.add(each);
      }),
      { seed, numRuns: RUNS },
    );
    expect([...seen].sort()).toEqual(["alike", "decayed", "overlaps", "read", "second"]);
    expect(shards).toBeGreaterThanOrEqual(first.near_duplicates === "link" ? 1 : 2);
  },
);

/** Which of the things that may be asked for a hit shows: a generator that never asks for one would
 *  leave it untried. */
function madeOf({ explain, hop, rerank_score, overlaps = [] }: SearchHit): string[] {
  const { recency, diversity } = explain!;
  const shown = {
    alike: (diversity?.nearest ?? null) !== null,
    decayed: recency !== null && recency.factor < 1,
    overlaps: overlaps.length > 0,
    read: rerank_score !== undefined,
    second: hop === 2,
  };
  return Object.entries(shown).flatMap(([name, is]) => (is ? [name] : []));
}

/** What the oracle says of a hit. */
function plain(hit: SearchHit): OracleHit {
  const { document_id, passage_id, score, start, end, text: read, title, version } = hit;
  const { hop, rerank_score, overlaps } = hit;
  const own = { document_id, passage_id, score, start, end, text: read, title, version: version! };
  return {
    ...own,
    ...(hop === undefined ? {} : { hop }),
    ...(rerank_score === undefined ? {} : { rerank_score }),
    ...(overlaps === undefined ? {} : { overlaps }),
  };
}
