/** The ledger's table of keys. A key is found by its SHA-256, never by its text: nothing here could
 *  be used as a key, and how long a lookup takes tells of a hash, which says nothing of the key. */
import { ServiceError } from "../errors.ts";
import { OLD_HASHES_MAX } from "../limits.ts";
import type { KeyChanges, KeyRecord, NewKey } from "./types.ts";

/** The schema's step that gives the first keys, which had a role and permissions, their scopes, no
 *  limits and no end, and remembers the texts that a rotated key had. */
export const KEYS_SCHEMA_2 = `UPDATE keys SET record = json_remove(
     json_set(record,
       '$.scopes', json(CASE
         WHEN record ->> '$.role' = 'admin' THEN '["admin"]'
         WHEN record ->> '$.permissions[0]' = 'memory:write' THEN '["inference","memory:write"]'
         ELSE '["inference"]' END),
       '$.expires_at', NULL,
       '$.disabled', json('false'),
       '$.requests_per_minute', NULL,
       '$.tokens_per_minute', NULL,
       '$.budget_usd', NULL,
       '$.budget_period', 'month'),
     '$.role', '$.permissions');
   CREATE TABLE old_hashes (
     hash TEXT PRIMARY KEY,
     tenant TEXT NOT NULL,
     id TEXT NOT NULL,
     until INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX old_hashes_by_key ON old_hashes (tenant, id);`;

/** `now` gives Unix time in ms; a tenant may have `keysMax()` keys. */
export class Keys {
  readonly #sql: SqlStorage;
  readonly #now: () => number;
  readonly #keysMax: () => number;

  constructor(sql: SqlStorage, now: () => number, keysMax: () => number) {
    this.#sql = sql;
    this.#now = now;
    this.#keysMax = keysMax;
  }

  /** The key whose text has, or not long ago had, this SHA-256; null for an unknown one. */
  find(hash: string): KeyRecord | null {
    const record = this.#one("SELECT record FROM keys WHERE hash = ?", hash);
    if (record !== null) return record;
    const old = `SELECT record FROM old_hashes JOIN keys USING (tenant, id)
      WHERE old_hashes.hash = ? AND until > ?`;
    return this.#one(old, hash, this.#now());
  }

  get(tenant: string, id: string): KeyRecord | null {
    return this.#one("SELECT record FROM keys WHERE tenant = ? AND id = ?", tenant, id);
  }

  /** Throws `conflict` for a hash or an id that is taken, `invalid_request` for a hash that is not
   *  one and when the tenant has as many keys as it may. */
  create({ hash, ...record }: NewKey): KeyRecord {
    checkHash(hash);
    const { id, tenant } = record;
    if (this.#isTaken(hash) || this.get(tenant, id) !== null)
      throw new ServiceError("conflict", `the key ${id} exists already`);
    const count = "SELECT count(*) AS n FROM keys WHERE tenant = ?";
    if (Number(this.#sql.exec(count, tenant).one().n) >= this.#keysMax())
      throw new ServiceError("invalid_request", `a tenant has at most ${this.#keysMax()} keys`);
    const insert = "INSERT INTO keys (hash, id, tenant, record) VALUES (?, ?, ?, ?)";
    this.#sql.exec(insert, hash, id, tenant, JSON.stringify(record));
    return record;
  }

  /** A tenant's keys, oldest first. */
  list(tenant: string): KeyRecord[] {
    const rows = this.#sql.exec("SELECT record FROM keys WHERE tenant = ?", tenant).toArray();
    const records = rows.map((row): KeyRecord => JSON.parse(String(row.record)));
    return records.sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  }

  /** The key as it is then; null where there is none. */
  update(tenant: string, id: string, changes: KeyChanges): KeyRecord | null {
    const record = this.get(tenant, id);
    if (record === null) return null;
    const changed = { ...record, ...changes };
    const update = "UPDATE keys SET record = ? WHERE tenant = ? AND id = ?";
    this.#sql.exec(update, JSON.stringify(changed), tenant, id);
    return changed;
  }

  /** Gives the key another text; the one it had works for `graceMs` more. Null where there is no
   *  such key. Throws as `create` does. */
  rotate(tenant: string, id: string, hash: string, graceMs: number): KeyRecord | null {
    checkHash(hash);
    if (this.#isTaken(hash)) throw new ServiceError("conflict", "that key exists already");
    const record = this.get(tenant, id);
    if (record === null) return null;
    const now = this.#now();
    if (graceMs > 0) {
      const keep = `INSERT INTO old_hashes (hash, tenant, id, until)
        SELECT hash, tenant, id, ? FROM keys WHERE tenant = ? AND id = ?`;
      this.#sql.exec(keep, now + graceMs, tenant, id);
    } else this.#sql.exec("DELETE FROM old_hashes WHERE tenant = ? AND id = ?", tenant, id);
    // The text that it had until now has its grace, though others may have longer ones.
    const trim = `DELETE FROM old_hashes WHERE tenant = ? AND id = ? AND hash NOT IN (
      SELECT hash FROM old_hashes AS old WHERE tenant = ? AND id = ? AND until > ?
      ORDER BY EXISTS (SELECT 1 FROM keys WHERE keys.hash = old.hash) DESC, until DESC LIMIT ?)`;
    this.#sql.exec(trim, tenant, id, tenant, id, now, OLD_HASHES_MAX);
    this.#sql.exec("UPDATE keys SET hash = ? WHERE tenant = ? AND id = ?", hash, tenant, id);
    return record;
  }

  /** Whether the key was there. */
  revoke(tenant: string, id: string): boolean {
    this.#sql.exec("DELETE FROM old_hashes WHERE tenant = ? AND id = ?", tenant, id);
    const remove = "DELETE FROM keys WHERE tenant = ? AND id = ? RETURNING id";
    return this.#sql.exec(remove, tenant, id).toArray().length > 0;
  }

  /** Whether any tenant has a key. */
  any(): boolean {
    return this.#sql.exec("SELECT 1 FROM keys LIMIT 1").toArray().length > 0;
  }

  #isTaken(hash: string): boolean {
    const taken = `SELECT 1 FROM keys WHERE hash = ? UNION ALL
      SELECT 1 FROM old_hashes WHERE hash = ? LIMIT 1`;
    return this.#sql.exec(taken, hash, hash).toArray().length > 0;
  }

  #one(query: string, ...bindings: SqlStorageValue[]): KeyRecord | null {
    const row = this.#sql.exec(query, ...bindings).toArray()[0];
    return row === undefined ? null : JSON.parse(String(row.record));
  }
}

function checkHash(hash: string): void {
  if (!/^[0-9a-f]{64}$/.test(hash))
    throw new ServiceError("invalid_request", "a key is stored as 64 hexadecimal digits");
}
