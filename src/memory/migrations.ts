/** The tables of a memory object, as a list of steps; the n-th leads from schema n to n + 1. */
import { SCHEMA_2, toSchema2 } from "./schema-2.ts";
import { refuseNewerSchema } from "./schema-version.ts";
import type { ShardStorage } from "./sql.ts";

/** Never edit a step that was released: append one. */
export const MIGRATIONS: readonly (string | ((sql: SqlStorage) => void))[] = [
  `CREATE TABLE documents (
     row INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     digest TEXT NOT NULL,
     title TEXT,
     metadata TEXT NOT NULL,
     expires_at INTEGER,
     updated_at INTEGER NOT NULL,
     passages INTEGER NOT NULL,
     embedding BLOB,
     text TEXT NOT NULL
   );
   CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;
   CREATE TABLE passages (
     row INTEGER PRIMARY KEY AUTOINCREMENT,
     document INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     start INTEGER NOT NULL,
     "end" INTEGER NOT NULL,
     vector BLOB NOT NULL,
     counts BLOB NOT NULL,
     text TEXT NOT NULL
   );
   CREATE INDEX passages_by_document ON passages (document, seq);
   CREATE TABLE document_terms (
     document INTEGER NOT NULL,
     part INTEGER NOT NULL,
     counts BLOB NOT NULL,
     PRIMARY KEY (document, part)
   ) WITHOUT ROWID;
   CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL);`,
  toSchema2,
  `ALTER TABLE passages ADD COLUMN codebook INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX passages_by_codebook ON passages (codebook) WHERE codebook <> 0;
   CREATE TABLE codebooks (
     id INTEGER NOT NULL,
     copy INTEGER NOT NULL,
     bytes BLOB NOT NULL,
     PRIMARY KEY (id, copy)
   );`,
];

/** The schema that SCHEMA_2 makes from nothing; later steps follow it. */
const FIRST_SCHEMA = 2;

/** Brings the tables up to date, in one transaction. Throws `storage_too_new`. */
export function migrate(storage: ShardStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
    const stored = sql.exec("SELECT value FROM meta WHERE name = 'schema'").toArray()[0];
    const version = stored === undefined ? 0 : Number(stored.value);
    if (version === MIGRATIONS.length) return;
    refuseNewerSchema(version, MIGRATIONS.length);
    if (version === 0) sql.exec(SCHEMA_2);
    for (const step of MIGRATIONS.slice(version || FIRST_SCHEMA)) runStep(sql, step);
    sql.exec(
      "INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?)",
      String(MIGRATIONS.length),
    );
  });
}

function runStep(sql: SqlStorage, step: (typeof MIGRATIONS)[number]): void {
  if (typeof step === "string") sql.exec(step);
  else step(sql);
}

/** Whether the tables were ever made. */
export function isMigrated(storage: ShardStorage): boolean {
  const found = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'meta'");
  return found.toArray().length > 0;
}
