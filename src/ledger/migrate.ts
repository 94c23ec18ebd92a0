/** Brings the tables of one of the ledger's objects up to date. */
import { refuseNewerSchema } from "../memory/schema-version.ts";

/** Takes the steps that are not taken yet; the n-th leads from schema n to n + 1. To be called in a
 *  transaction. Throws `storage_too_new`. */
export function migrate(sql: SqlStorage, steps: readonly string[]): void {
  sql.exec("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER)");
  const stored = sql.exec("SELECT value FROM meta WHERE name = 'schema'").toArray()[0];
  const version = Number(stored?.value ?? 0);
  refuseNewerSchema(version, steps.length);
  if (version === steps.length) return;
  for (const step of steps.slice(version)) sql.exec(step);
  const put = "INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?)";
  sql.exec(put, steps.length);
}
