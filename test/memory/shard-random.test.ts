import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import type { Bm25Variant } from "../../index/bm25.ts";
import { type Filter, matches } from "../../index/filter.ts";
import { DUPLICATES_SHOWN_MAX } from "../../src/limits.ts";
import { Shard } from "../../src/memory/shard.ts";
import type { CandidateList, CandidateRequest, Change } from "../../src/memory/shard-types.ts";
import {
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type SearchMode,
} from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { embedWords, prepared } from "./documents.ts";
import { type OracleCandidate, ShardOracle } from "./shard-oracle.ts";

const seed = 20261124;
/** Small enough that some runs of operations seal, merge and rewrite segments again and again. */
const SMALL = { sealPassages: 5, segmentPassagesMax: 24, mergeFan: 3 };
const RUNS = Math.ceil(inject("randomOperations") / 80);

const WORDS = "lease rent tenant landlord deposit notice May heating 猫 東京 the of".split(" ");
const TERMS = ["leas", "rent", "tenant", "landlord", "deposit", "notic", "may", "heat", "猫", "x"];
const IDS = [..."abcdefghijklmnop", "ключ", "鍵/1", "😀", "__proto__"];
const FILTERS: Filter[] = [
  { lang: "en" },
  { or: [{ lang: "de" }, { year: { gt: 2021 } }] },
  { not: { tags: "x" } },
  { lang: "nobody speaks it" },
];
const VARIANTS: Bm25Variant[] = ["robertson", "lucene", "atire", "bm25l", "bm25plus"];

const words = fc.array(fc.constantFrom(...WORDS), { maxLength: 8 }).map((some) => some.join(" "));
/** Some say the same as others. */
const line = fc.oneof(
  { weight: 4, arbitrary: words },
  { weight: 1, arbitrary: fc.constantFrom("the lease", "The LEASE!", "rent, May", "rent (may)") },
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
    text: fc.array(line, { maxLength: 4 }).map((lines) => lines.join("\n")),
    title: fc.option(line),
    metadata,
    expires_at: fc.option(fc.integer({ min: 10, max: 100 }), { freq: 9 }),
    time: fc.nat(1_000),
  })
  .map(({ id, text, ...rest }) => prepared(id, text, rest));
const options = fc.record({
  bm25_variant: fc.constantFrom(...VARIANTS),
  k1: fc.constantFrom(0, 0.9, 1.5),
  b: fc.constantFrom(0, 0.4, 0.75, 1),
  delta: fc.constantFrom(0, 0.5, 1),
});
const query = fc.record({
  terms: fc.uniqueArray(
    fc.record({ term: fc.constantFrom(...TERMS), qtf: fc.integer({ min: 1, max: 3 }) }),
    { maxLength: 5, selector: ({ term }) => term },
  ),
  text: line,
  mode: fc.constantFrom<SearchMode>("bm25", "vector", "hybrid"),
  filter: fc.option(fc.constantFrom(...FILTERS)),
  bm25Depth: fc.integer({ min: 1, max: 12 }),
  vectorDepth: fc.integer({ min: 1, max: 12 }),
  explain: fc.boolean(),
  times: fc.boolean(),
});
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ upsert: fc.array(document, { minLength: 1, maxLength: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      patch: fc.constantFrom(...IDS),
      metadata: fc.record({ lang: fc.constantFrom(null, "en"), year: fc.constant(2022) }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ remove: fc.subarray(IDS, { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ removeWhere: fc.constantFrom(...FILTERS) }) },
  { weight: 4, arbitrary: fc.constantFrom("maintain" as const, "restart" as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("compact" as const, "rebuild" as const, "later" as const),
  },
  { weight: 1, arbitrary: fc.record({ configure: options }) },
  { weight: 12, arbitrary: fc.record({ query }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer Step> ? Step : never;

class Run {
  readonly #open: (now: () => number) => Shard;
  readonly #oracle: ShardOracle;
  #shard: Shard;
  #row = 0;
  /** As many as ever had a row. */
  #passages = 0;
  #now = 0;

  constructor(open: (now: () => number) => Shard, options: Partial<NamespaceOptions>) {
    const first = { ...NAMESPACE_DEFAULTS, ...options };
    this.#open = open;
    this.#oracle = new ShardOracle(first);
    this.#shard = open(() => this.#now);
    this.#shard.configure(first);
  }

  step(step: Operation): void {
    if (step === "maintain") this.#shard.maintain();
    else if (step === "restart") this.#shard = this.#open(() => this.#now);
    else if (step === "compact") this.#shard.compact();
    else if (step === "rebuild") this.#shard.compact(true);
    else if (step === "later") this.#now += 10;
    else if ("configure" in step) this.#configure(step.configure);
    else if ("query" in step) this.#query(step.query);
    else this.#change(step);
    this.#oracle.removeWhere(({ expires_at }) => expires_at !== null && expires_at <= this.#now);
  }

  #change(step: Exclude<Operation, string>): void {
    const oracle = this.#oracle;
    if ("removeWhere" in step) {
      const gone = oracle.removeWhere(({ metadata }) => matches(step.removeWhere, metadata));
      expect(this.#shard.removeWhere(step.removeWhere)).toBe(gone);
    } else if ("patch" in step) {
      const row = ++this.#row;
      const { patch: id, metadata } = step;
      const known = oracle.find(id)?.version ?? null;
      const change: Change = { kind: "patch", row, id, patch: { metadata }, if_version: known };
      const [outcome] = this.#shard.apply([change]);
      expect(outcome!.status).toBe(known === null ? "missing" : "stored");
      this.#passages += oracle.find(id)?.document.passages.length ?? 0;
      if (known !== null) oracle.patchMetadata(row, id, metadata);
    } else if ("upsert" in step) {
      for (const { passages } of step.upsert) this.#passages += passages.length;
      const changes = step.upsert.map((each): Change => {
        oracle.put(++this.#row, each);
        return { kind: "upsert", row: this.#row, document: each, if_version: null };
      });
      const outcomes = this.#shard.apply(changes);
      const last = step.upsert.at(-1)!.id;
      expect(outcomes.at(-1)!.version).toBe(oracle.find(last)!.version);
    } else if ("remove" in step) {
      this.#shard.apply(step.remove.map((id) => ({ kind: "remove", id, if_version: null })));
      for (const id of step.remove) oracle.remove(id);
    }
  }

  #configure(change: Partial<NamespaceOptions>): void {
    this.#oracle.options = { ...this.#oracle.options, ...change };
    this.#shard.configure(this.#oracle.options);
  }

  /** The shard's candidates are the oracle's, to the bit. */
  #query({ text, ...asked }: { text: string } & Omit<CandidateRequest, "vector" | "statistics">) {
    const words = asked.terms.map(({ term }) => term);
    const statistics = this.#shard.statistics(words);
    expect(statistics).toEqual(this.#oracle.statistics(words));
    const vector = asked.mode === "bm25" ? null : embedWords(text);
    const request = { ...asked, vector, statistics };
    expect(rowsOf(this.#shard.candidates(request))).toEqual(this.#oracle.candidates(request));
  }

  /** Everything is there, and a shard opened anew has the same. How many passages are linked. */
  finish(): number {
    let linked = 0;
    for (const shard of [this.#shard, this.#open(() => this.#now)]) {
      const { documents } = shard.list(0, 100);
      const expected = this.#oracle.documents.map(({ version, document }) => {
        return { id: document.id, version, metadata: document.metadata };
      });
      expect(documents).toMatchObject(expected);
      expect(documents.length).toBe(expected.length);
      for (const { document } of this.#oracle.documents)
        expect(shard.get(document.id)!.text).toBe(document.text);
      const passages = Array.from({ length: this.#passages }, (_, i) => i + 1);
      const shown = shard.show({ passages, vectors: false, neighbours: 0 });
      const name = (each: { document_id: string; seq: number }) =>
        `${each.document_id}#${each.seq}`;
      const duplicates = shown.map((each): [string, string[]] => {
        return [name(each), each.duplicates.map(({ passage_id }) => passage_id)];
      });
      const groups = this.#oracle.groups(DUPLICATES_SHOWN_MAX);
      expect(new Map(duplicates)).toEqual(groups);
      linked = [...groups.values()].filter(({ length }) => length > 0).length;
    }
    return linked;
  }
}

/** A list by (row, seq), one object a candidate. */
function rowsOf(list: CandidateList): OracleCandidate[] {
  const number = (value: number) => (Number.isNaN(value) ? null : value);
  const width = list.tfs === null ? 0 : list.tfs.length / Math.max(1, list.row.length);
  const rows = Array.from(list.row, (row, i) => ({
    ...{ row, seq: list.seq[i]!, time: list.time[i]! },
    bm25: number(list.bm25[i]!),
    estimate: number(list.estimate[i]!),
    cosine: number(list.cosine[i]!),
    tfs: list.tfs && [...list.tfs.subarray(i * width, (i + 1) * width)],
    length: list.lengths && list.lengths[i]!,
  }));
  return rows.sort((a, b) => a.row - b.row || a.seq - b.seq);
}

const KINDS: [string, Partial<NamespaceOptions>][] = [
  ["units being passages", { bm25_unit: "passage" }],
  ["units being documents", { bm25_unit: "document" }],
  ["what says the same being linked", { near_duplicates: "link" }],
];

/** Runs of 80 operations on average, a third of them for each kind. */
it.each(KINDS)(
  "candidates equal brute force to the bit after any run of operations, %s",
  async (kind, first) => {
    let n = 0;
    let sealed = 0;
    let linked = 0;
    const runs = fc.array(operation, { minLength: 40, maxLength: 120, size: "max" });
    await fc.assert(
      fc.asyncProperty(runs, async (steps) => {
        const stub = env.MEMORY.getByName(`shard-random/${kind}-${n++}`);
        await runInDurableObject(stub, (_, { storage }) => {
          const open = (now: () => number) => new Shard(storage, kernels, { ...SMALL, now });
          const run = new Run(open, first);
          for (const step of steps) run.step(step);
          linked += run.finish();
          sealed += open(() => 0).stats().segments;
        });
      }),
      { seed, numRuns: Math.ceil(RUNS / KINDS.length) },
    );
    expect(sealed).toBeGreaterThan(RUNS / KINDS.length); // or nothing was tried
    if (first.near_duplicates === "link") expect(linked).toBeGreaterThan(RUNS / KINDS.length);
    else expect(linked).toBe(0);
  },
  600_000,
);
