/** Every schema that a memory object ever had, with documents in it, opened by today's code; and
 *  one from the future, which is refused. A new step needs its fixture here. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { encodeCounts } from "../../index/term-counts.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../../src/errors.ts";
import { MetadataIndex } from "../../src/memory/metadata-index.ts";
import { MIGRATIONS } from "../../src/memory/migrations.ts";
import { NAMESPACE_STEPS } from "../../src/memory/namespace-store.ts";
import { SCHEMA_2 } from "../../src/memory/schema-2.ts";
import { digestBytes, vectorBytes } from "../../src/memory/sql.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { rowsOf, schemaOf, storeAsBefore } from "../support/old-schema.ts";
import { embedWords, hitsOf, type Memory, prepared, store } from "./documents.ts";

const WORDS = ["amber", "birch"];
const TEXT = "amber\nbirch\n";
const OPTIONS = JSON.stringify({ bm25_unit: "passage", k1: 1.5, b: 0.75 });
const DIGEST = "ab".repeat(32);

const countsOf = (term: number) =>
  encodeCounts({ ids: Uint32Array.of(term), tfs: Uint32Array.of(1), length: 1 }).buffer;
const vectorOf = (word: string) => vectorBytes(quantizeVector(embedWords(word)));

function putMeta(sql: SqlStorage, values: Record<string, string>): void {
  sql.exec("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
  for (const [name, value] of Object.entries({ options: OPTIONS, dim: "384", ...values }))
    sql.exec("INSERT INTO meta VALUES (?, ?)", name, value);
}

function putTerms(sql: SqlStorage): void {
  for (const [id, term] of WORDS.entries()) sql.exec("INSERT INTO terms VALUES (?, ?)", id, term);
}

/** Documents x and y in rows 3 and 5, with a passage a word. */
function fillFirst(sql: SqlStorage): void {
  putMeta(sql, { schema: "1" });
  sql.exec(MIGRATIONS[0] as string);
  putTerms(sql);
  const put = `INSERT INTO passages (document, seq, start, "end", vector, counts, text)
    VALUES (?, ?, ?, ?, ?, ?, ?)`;
  for (const [row, id] of [[3, "x"] as const, [5, "y"] as const]) {
    const document = "INSERT INTO documents VALUES (?, ?, ?, 'T', ?, NULL, 77, 2, NULL, ?)";
    sql.exec(document, row, id, DIGEST, `{"n":${row}}`, TEXT);
    for (const [seq, word] of WORDS.entries()) {
      const [start, end] = [seq * 6, seq * 6 + 5];
      sql.exec(put, row, seq, start, end, vectorOf(word), countsOf(seq), word);
    }
  }
}

/** The same as the second schema and those after it have it. */
function fillLater(version: number): (sql: SqlStorage) => void {
  return (sql) => {
    putMeta(sql, { schema: `${version}`, last_row: "5", next_passage: "5" });
    sql.exec(SCHEMA_2);
    for (const step of MIGRATIONS.slice(2, version)) sql.exec(step as string);
    putTerms(sql);
    const metadata = new MetadataIndex(sql, () => ({}));
    const put = `INSERT INTO passages
      (row, document, start, "end", counts, vector, heading_path, anchor, text)
      VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?)`;
    for (const [row, id, first] of [[3, "x", 1] as const, [5, "y", 3] as const]) {
      sql.exec(
        `INSERT INTO documents
           VALUES (?, ?, ?, 1, ?, 2, 0, 'text/plain', 77, 77, NULL, 'T', ?, ?)`,
        ...[row, id, digestBytes(DIGEST), first, `{"n":${row}}`, "\n"],
      );
      metadata.put(row, { n: row });
      for (const [seq, word] of WORDS.entries()) {
        const [start, end] = [seq * 6, seq * 6 + 5];
        const text = seq === 0 ? word : `\n${word}`; // from where the one before it ended
        sql.exec(put, first + seq, row, start, end, countsOf(seq), vectorOf(word), text);
      }
    }
  };
}

const FILLS = [fillFirst, fillLater(2), fillLater(3)];

/** The tables of a namespace's root from before they had a number, when there were no jobs. */
function fillRoot(sql: SqlStorage): void {
  fillLater(3)(sql);
  sql.exec(NAMESPACE_STEPS[0]!);
  sql.exec("DROP TABLE jobs");
  const values = { role: { kind: "root" }, name: "t/root", options: NAMESPACE_DEFAULTS };
  for (const [name, value] of Object.entries({ ...values, next_row: 6, dim: 384 }))
    sql.exec("INSERT INTO namespace VALUES (?, ?)", name, JSON.stringify(value));
  sql.exec("INSERT INTO shards VALUES (0, 4294967296, '')");
}

const searchFor = (query: string, mode: "bm25" | "vector" = "bm25", filter = {}) => ({
  ...{ query, vector: mode === "bm25" ? null : embedWords(query), k: 10, mode, explain: false },
  filter: Object.keys(filter).length === 0 ? null : filter,
});

/** Fails unless both documents are there, are found each way, and others may be added. */
async function checkDocuments(memory: Memory): Promise<void> {
  const ids = async (...args: Parameters<typeof searchFor>) =>
    (await hitsOf(memory, searchFor(...args))).map(({ passage_id }) => passage_id).sort();
  expect(await memory.get("y")).toMatchObject({
    ...{ text: TEXT, title: "T", metadata: { n: 5 }, updated_at: 77, version: 1 },
  });
  expect(await ids("birch")).toEqual(["x#1", "y#1"]);
  expect((await ids("birch", "vector")).slice(0, 2)).toEqual(["x#0", "x#1"]);
  expect(await ids("birch", "bm25", { n: 5 })).toEqual(["y#1"]);
  const [best] = await hitsOf(memory, searchFor("birch", "vector"));
  expect([best!.text, TEXT.slice(best!.start, best!.end)]).toEqual(["birch", "birch"]);
  await store(memory, [prepared("z", "birch"), prepared("x", "cedar")]);
  expect(await ids("birch")).toEqual(["y#1", "z#0"]);
  expect(await memory.stats()).toMatchObject({ documents: 3 });
}

it("every step has a fixture", () => {
  expect(FILLS).toHaveLength(MIGRATIONS.length);
});

it.each(FILLS.map((_, i) => i + 1))(
  "what schema %i stored is read and goes on",
  async (version) => {
    const memory = env.MEMORY.getByName(`past/schema-${version}`) as unknown as Memory;
    await storeAsBefore(memory, FILLS[version - 1]!);
    await checkDocuments(memory);
    await evictDurableObject(memory);
    expect(await memory.stats()).toMatchObject({ documents: 3 });
    const fresh = env.MEMORY.getByName("past/fresh") as unknown as Memory;
    await fresh.configure(NAMESPACE_DEFAULTS);
    await store(fresh, [prepared("a", "amber")]);
    const schema = (of: Memory) =>
      runInDurableObject(of, (_, { storage }) => schemaOf(storage.sql));
    expect(await schema(memory)).toEqual(await schema(fresh));
  },
);

it("a namespace's root from before its tables had a number gets what is missing", async () => {
  const memory = env.MEMORY.getByName("t/root") as unknown as Memory;
  await storeAsBefore(memory, fillRoot);
  await checkDocuments(memory);
  await runInDurableObject(memory, (_, { storage: { sql } }) => {
    const { namespace, jobs } = rowsOf(sql);
    expect(jobs).toEqual([]);
    expect(namespace).toContainEqual({ name: "schema", value: `${NAMESPACE_STEPS.length}` });
  });
});

it.each([
  ["documents", "UPDATE meta SET value = '99' WHERE name = 'schema'"],
  ["namespace", "UPDATE namespace SET value = '99' WHERE name = 'schema'"],
])("newer tables of the %s are refused and left alone", async (what, change) => {
  const memory = env.MEMORY.getByName(`newer/${what}`) as unknown as Memory;
  await memory.configure(NAMESPACE_DEFAULTS);
  await store(memory, [prepared("a", "amber")]);
  const rows = () =>
    runInDurableObject(memory, (_, { storage }) => {
      const { namespace, ...documents } = rowsOf(storage.sql);
      // The root may have taken a row and a version for a document that then was refused: none is
      // used twice.
      const taken = ["next_row", "content_version"];
      return [documents, namespace!.filter(({ name }) => !taken.includes(String(name)))];
    });
  await runInDurableObject(memory, (_, { storage }) => {
    expect(storage.sql.exec(change).rowsWritten).toBeGreaterThan(0);
  });
  await evictDurableObject(memory);
  const before = await rows();
  for (const call of [
    () => memory.get("a"),
    () => hitsOf(memory, searchFor("amber")),
    () => store(memory, [prepared("b", "birch")]),
  ]) {
    const code = await call().then(
      () => expect.unreachable(),
      (error: unknown) => codeOf(error),
    );
    expect(code).toBe("storage_too_new");
  }
  expect(await rows()).toEqual(before);
});
