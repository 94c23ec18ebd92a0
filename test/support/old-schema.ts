/** Durable Objects whose storage an earlier version of the code wrote. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import type { DurableObject } from "cloudflare:workers";

type Stub = DurableObjectStub<DurableObject>;
type Row = Record<string, SqlStorageValue>;

/** Empties an object's storage, has `write` fill it as an earlier version did, and evicts the
 *  object: the next call has today's code open what it finds. */
export async function storeAsBefore(stub: Stub, write: (sql: SqlStorage) => void): Promise<void> {
  await runInDurableObject(stub, async (_, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
    write(storage.sql);
  });
  await evictDurableObject(stub);
}

/** The meta table at this schema, and what the steps to it made; of all but the memory. */
export function makeSchema(sql: SqlStorage, steps: readonly string[], version: number): void {
  sql.exec("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER)");
  sql.exec("INSERT INTO meta VALUES ('schema', ?)", version);
  for (const step of steps.slice(0, version)) sql.exec(step);
}

const OURS = "name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*'";

/** What tables and indexes there are, by name, with the text that made each. */
export function schemaOf(sql: SqlStorage): Row[] {
  const rows = sql.exec(`SELECT name, sql FROM sqlite_master WHERE ${OURS} ORDER BY name`);
  return rows.toArray().map(({ name, sql }) => ({
    name: name!,
    // A table that was renamed has its name in quotes, and one that was made anew its own spaces.
    sql: String(sql).replaceAll('"', "").replace(/\s+/g, " "),
  }));
}

/** Every row of every table, in the tables' order. */
export function rowsOf(sql: SqlStorage): Record<string, Row[]> {
  const names = sql.exec(`SELECT name FROM sqlite_master WHERE type = 'table' AND ${OURS}`);
  const tables = names.toArray().map(({ name }) => String(name));
  return Object.fromEntries(
    tables.map((name) => [name, sql.exec(`SELECT * FROM "${name}"`).toArray()]),
  );
}
