/** The tables of a RouterObject. */
import { refuseNewerSchema } from "../memory/schema-version.ts";

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one.
 *
 *  `start` of an outcome is the bytes of all before it, and `upto` its own added, so that the
 *  oldest beyond a bound are found without a sum. `wrong` of a label is null where the reader gave
 *  no answer. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE outcomes (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     trace_id TEXT NOT NULL UNIQUE,
     at INTEGER NOT NULL,
     start INTEGER NOT NULL,
     upto INTEGER NOT NULL,
     namespace TEXT,
     revision INTEGER NOT NULL,
     outcome TEXT NOT NULL,
     rating TEXT
   );
   CREATE INDEX outcomes_at ON outcomes (at);
   CREATE INDEX outcomes_start ON outcomes (start);
   CREATE TABLE labels (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     source TEXT NOT NULL,
     trace_id TEXT NOT NULL,
     weights_version TEXT NOT NULL,
     difficulty REAL NOT NULL,
     wrong INTEGER,
     UNIQUE (source, trace_id)
   );
   CREATE INDEX labels_order ON labels (source, seq);
   CREATE TABLE versions (
     n INTEGER PRIMARY KEY AUTOINCREMENT,
     created_at INTEGER NOT NULL,
     source TEXT NOT NULL,
     note TEXT,
     weights_version TEXT NOT NULL,
     labels INTEGER NOT NULL,
     abstained INTEGER NOT NULL,
     model TEXT NOT NULL
   );
   CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE engine_labels (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     engine TEXT NOT NULL,
     trace_id TEXT NOT NULL,
     weights_version TEXT NOT NULL,
     difficulty REAL NOT NULL,
     wrong INTEGER NOT NULL,
     UNIQUE (engine, trace_id)
   );`,
];

/** Brings the storage to this code's schema. Throws `storage_too_new`. */
export function migrateRouter(sql: SqlStorage): void {
  sql.exec("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER)");
  const row = sql.exec("SELECT value FROM meta WHERE name = 'schema'").toArray()[0];
  const version = Number(row?.value ?? 0);
  refuseNewerSchema(version, MIGRATIONS.length);
  for (const step of MIGRATIONS.slice(version)) sql.exec(step);
  const put = "INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?)";
  sql.exec(put, MIGRATIONS.length);
}
