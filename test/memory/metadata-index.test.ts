import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Filter, type FilterValue, matches, parseFilter } from "../../index/filter.ts";
import {
  FILTER_REMEMBERED_CHARS_MAX,
  FILTERS_REMEMBERED_MAX,
  METADATA_FIELDS_REMEMBERED_MAX,
  METADATA_VALUE_CHARS_MAX,
} from "../../src/limits.ts";
import { METADATA_TABLES, MetadataIndex } from "../../src/memory/metadata-index.ts";
import type { Metadata } from "../../src/memory/types.ts";

const seed = 20261124;
const FIELDS = ["lang", "year", "tags", "__proto__", "a.b c"];

/** Texts that agree up to where the index cuts them, short of it, and beyond. */
const LONG = [-2, -1, 0, 1, 2].flatMap((more) => {
  const start = "é".repeat(METADATA_VALUE_CHARS_MAX + more);
  return [start, `${start}x`, `${start}\u{1f600}`, `${start}\uffee`];
});
const TEXTS = ["", "a", "ab", "b", "B", "2024", "1", "\uffee", "\u{1f600}", "\ud7ff", "\u{10ffff}"];
const NUMBERS = [0, -0, 1, 1.5, 2024, -3, 2 ** 53, 2 ** 53 + 2, 1e300, -1e-300, 5e-324];

const text = fc.constantFrom(...TEXTS, ...LONG, "a".repeat(4_000));
const number = fc.constantFrom(...NUMBERS);
const plain: fc.Arbitrary<FilterValue> = fc.oneof(
  text,
  number,
  fc.constantFrom<FilterValue>(true, false, null),
);
const stored = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 3, arbitrary: fc.array(plain, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({ a: 1 }, {}, [["a"]], [{ b: 1 }, "a"]) },
);
const metadata = fc
  .array(fc.tuple(fc.constantFrom(...FIELDS), stored), { maxLength: 5 })
  .map((pairs) => JSON.parse(JSON.stringify(Object.fromEntries(pairs))) as Metadata);

const range = fc.oneof(text, number);
const one = fc.oneof(
  ...(["eq", "ne"] as const).map((operator) => plain.map((value) => [operator, value])),
  ...(["in", "nin"] as const).map((operator) =>
    fc.array(plain, { maxLength: 5 }).map((values) => [operator, values]),
  ),
  ...(["gt", "gte", "lt", "lte"] as const).map((operator) => range.map((end) => [operator, end])),
  fc.boolean().map((there) => ["exists", there]),
  text.map((prefix) => ["prefix", prefix]),
);
const test = fc.oneof(
  plain,
  fc.array(one, { minLength: 1, maxLength: 2 }).map((pairs) => Object.fromEntries(pairs)),
);
const { filter } = fc.letrec<{ filter: unknown }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc
      .array(fc.tuple(fc.constantFrom(...FIELDS, "nobody's"), test), { maxLength: 2 })
      .map(Object.fromEntries),
    fc.record({ and: fc.array(tie("filter"), { maxLength: 3 }) }, { noNullPrototype: true }),
    fc.record({ or: fc.array(tie("filter"), { maxLength: 3 }) }, { noNullPrototype: true }),
    fc.record({ not: tie("filter") }, { noNullPrototype: true }),
  ),
}));

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: metadata }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
  { weight: 1, arbitrary: fc.constantFrom({ restart: true }, { rollback: true }) },
  { weight: 4, arbitrary: fc.record({ ask: filter, again: fc.boolean() }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer Step> ? Step : never;

/** Documents by row, and the index of them, in the tables of an object. */
class Documents {
  readonly byRow = new Map<number, Metadata>();
  readonly storage: DurableObjectStorage;
  index: MetadataIndex;
  asked: Filter[] = [];
  #row = 0;

  constructor(storage: DurableObjectStorage) {
    this.storage = storage;
    for (const table of ["metadata_fields", "metadata_values"])
      storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
    storage.sql.exec(METADATA_TABLES);
    this.index = this.open();
  }

  open(): MetadataIndex {
    return new MetadataIndex(this.storage.sql, (row) => this.byRow.get(row)!);
  }

  put(data: Metadata): void {
    this.#row += 1 + (this.#row % 3);
    this.byRow.set(this.#row, data);
    this.index.put(this.#row, data);
  }

  remove(nth: number): void {
    const row = [...this.byRow.keys()][nth % this.byRow.size];
    if (row === undefined) return;
    this.index.remove(row);
    this.byRow.delete(row);
  }

  expected(asked: Filter): number[] {
    return [...this.byRow].filter(([, data]) => matches(asked, data)).map(([row]) => row);
  }

  /** A write that fails half way. */
  rollBack(): void {
    const broken = () =>
      this.storage.transactionSync(() => {
        this.index.put(this.#row + 1, { lang: "lost", other: "field" });
        for (const row of this.byRow.keys()) this.index.remove(row);
        throw new Error("broken");
      });
    expect(broken).toThrow("broken");
    this.index.forget();
  }

  run(step: Operation): void {
    if ("put" in step) this.put(step.put);
    else if ("remove" in step) this.remove(step.remove);
    else if ("rollback" in step) this.rollBack();
    else if ("restart" in step) this.index = this.open();
    else {
      const asked = parseFilter(step.ask);
      this.asked.push(asked);
      for (const one of step.again ? this.asked.slice(-30) : [asked])
        expect([...this.index.rows(one)], JSON.stringify(one)).toEqual(this.expected(one));
    }
  }
}

const inObject = (name: string, check: (documents: Documents) => void) =>
  runInDurableObject(env.MEMORY.getByName(`metadata/${name}`), (_, { storage }) =>
    check(new Documents(storage)),
  );

it("the documents that the index finds are those that match, after any changes", async () => {
  await inObject("random", ({ storage }) => {
    const steps = fc.array(operation, { maxLength: 80, size: "max" });
    const property = fc.property(steps, (taken) => {
      const documents = new Documents(storage);
      for (const step of taken) documents.run(step);
    });
    fc.assert(property, { seed, numRuns: 300 });
  });
});

it("every operator agrees with matches on every pair of values", async () => {
  await inObject("pairs", (documents) => {
    const values: FilterValue[] = [...TEXTS, ...LONG, ...NUMBERS, true, false, null];
    for (const value of values) documents.put({ v: value });
    documents.put({});
    documents.put({ v: ["a", 1.5, LONG[3]!] });
    documents.put({ v: [] });
    for (const value of values)
      for (const operator of ["eq", "ne", "gt", "gte", "lt", "lte", "prefix", "in", "nin"]) {
        const ordered = typeof value === "string" || typeof value === "number";
        if (!ordered && /^[gl]t/.test(operator)) continue;
        if (operator === "prefix" && typeof value !== "string") continue;
        const operand = operator === "in" || operator === "nin" ? [value, "b"] : value;
        const asked = parseFilter({ v: { [operator]: operand } });
        expect([...documents.index.rows(asked)]).toEqual(documents.expected(asked));
      }
  });
});

it("more values than a statement takes and more documents than a page are whole", async () => {
  await inObject("large", (documents) => {
    const { index, storage } = documents;
    storage.transactionSync(() => {
      for (let row = 1; row <= 70_000; row++) index.put(row, { n: row % 700, even: row % 2 === 0 });
    });
    expect(index.rows({}).length).toBe(70_000);
    const even = index.rows({ even: true });
    expect(even.length).toBe(35_000);
    expect(even.every((row, i) => row === 2 * (i + 1))).toBe(true);
    expect(index.rows({ even: { exists: true } }).length).toBe(70_000);
    expect(index.rows({ n: { gte: 0 } }).length).toBe(70_000);
    const some = Array.from({ length: 500 }, (_, i) => i);
    expect(index.rows({ n: { in: some } }).length).toBe(50_000);
    expect(index.rows({ n: { nin: some } }).length).toBe(20_000);
  });
});

it("what is remembered has bounds, and a field goes with its last value", async () => {
  await inObject("bounds", (documents) => {
    const { index, storage } = documents;
    for (let i = 0; i < 200; i++) documents.put({ n: i, only: "here" });
    for (let i = 0; i < FILTERS_REMEMBERED_MAX * 3; i++) index.rows({ n: i });
    const bits = 4 * Math.ceil(512 / 32);
    expect(index.bytes).toBeLessThanOrEqual(512 * 8 + bits * (1 + FILTERS_REMEMBERED_MAX));
    const before = index.bytes;
    index.forget();
    index.rows({ n: { in: Array(FILTER_REMEMBERED_CHARS_MAX).fill(1) } });
    expect(index.bytes).toBeLessThan(before);
    for (let i = 0; i < 200; i++) documents.remove(0);
    const count = (table: string) =>
      storage.sql.exec(`SELECT count(*) AS n FROM ${table}`).one().n as number;
    expect([count("metadata_fields"), count("metadata_values")]).toEqual([0, 0]);
    expect([...index.rows({})]).toEqual([]);
  });
});

it("the numbers of so many fields are remembered, and looked up beyond that", async () => {
  await inObject("fields", ({ storage }) => {
    let lookUps = 0;
    const sql = {
      exec: (text: string, ...bindings: SqlStorageValue[]) => {
        lookUps += Number(text.startsWith("SELECT id FROM metadata_fields"));
        return storage.sql.exec(text, ...bindings);
      },
    } as SqlStorage;
    const index = new MetadataIndex(sql, () => ({}));
    const names = Array.from({ length: METADATA_FIELDS_REMEMBERED_MAX }, (_, i) => `f${i}`);
    index.put(1, Object.fromEntries(names.map((name) => [name, 1])));
    const lookedUp = () => {
      lookUps = 0;
      for (const name of names) expect([...index.rows({ [name]: 1 })]).toEqual([1]);
      return lookUps;
    };
    expect([lookedUp(), lookedUp()]).toEqual([0, 0]);
    index.put(2, { more: 1 });
    expect(lookedUp()).toBe(names.length);
  });
});
