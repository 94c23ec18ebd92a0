/** The Durable Object that knows a deployment's keys, namespaces and settings; there is one. */

import { DurableObject } from "cloudflare:workers";
import { utf8Length } from "../../index/bytes.ts";
import { ServiceError } from "../errors.ts";
import { KEYS_PER_TENANT_MAX, NAMESPACES_PER_TENANT_MAX, SETTING_BYTES_MAX } from "../limits.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "../memory/types.ts";
import { KEYS_SCHEMA_2, Keys } from "./keys.ts";
import { mergePatch } from "./merge-patch.ts";
import { migrate } from "./migrate.ts";
import type {
  KeyChanges,
  KeyRecord,
  NamespaceRecord,
  NewKey,
  SettingPatch,
  UploadRecord,
} from "./types.ts";
import { UPLOADS_SCHEMA, Uploads } from "./uploads.ts";

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE keys (
     hash TEXT PRIMARY KEY,
     id TEXT NOT NULL,
     tenant TEXT NOT NULL,
     record TEXT NOT NULL,
     UNIQUE (tenant, id)
   ) WITHOUT ROWID;
   CREATE TABLE namespaces (
     tenant TEXT NOT NULL,
     name TEXT NOT NULL,
     options TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     PRIMARY KEY (tenant, name)
   ) WITHOUT ROWID;
   CREATE TABLE settings (
     tenant TEXT NOT NULL,
     name TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (tenant, name)
   ) WITHOUT ROWID;`,
  UPLOADS_SCHEMA,
  KEYS_SCHEMA_2,
];

type SqlRow = Record<string, SqlStorageValue>;

/** Object RPC. Every method resolves once what it wrote is durable; errors carry their code. */
export class LedgerObject extends DurableObject {
  readonly #sql: SqlStorage;
  readonly #keys: Keys;
  readonly #uploads: Uploads;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    const now = () => this.now();
    this.#keys = new Keys(this.#sql, now, () => this.keysMax);
    this.#uploads = new Uploads(this.#sql, now);
    state.storage.transactionSync(() => migrate(this.#sql, MIGRATIONS));
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** How many keys and namespaces a tenant may have. A test lowers them. */
  protected get keysMax(): number {
    return KEYS_PER_TENANT_MAX;
  }

  protected get namespacesMax(): number {
    return NAMESPACES_PER_TENANT_MAX;
  }

  /** The key whose text has this SHA-256; null for an unknown or revoked one. */
  findKey(hash: string): KeyRecord | null {
    return this.#keys.find(hash);
  }

  getKey(tenant: string, id: string): KeyRecord | null {
    return this.#keys.get(tenant, id);
  }

  /** Stores a key. Throws `conflict` for a hash or an id that is taken, `invalid_request` for a
   *  hash that is not one and when the tenant has KEYS_PER_TENANT_MAX keys. */
  createKey(key: NewKey): KeyRecord {
    return this.#keys.create(key);
  }

  /** A tenant's keys, oldest first. */
  listKeys(tenant: string): KeyRecord[] {
    return this.#keys.list(tenant);
  }

  /** The key as it is then; null where there is none. */
  updateKey(tenant: string, id: string, changes: KeyChanges): KeyRecord | null {
    return this.#keys.update(tenant, id, changes);
  }

  /** The key, whose text has this SHA-256 from now on; what it had works for `graceMs` more. Null
   *  where there is none. */
  rotateKey(tenant: string, id: string, hash: string, graceMs: number): KeyRecord | null {
    return this.ctx.storage.transactionSync(() => this.#keys.rotate(tenant, id, hash, graceMs));
  }

  /** Whether the key was there. */
  revokeKey(tenant: string, id: string): boolean {
    return this.#keys.revoke(tenant, id);
  }

  /** Whether any tenant has a key. */
  hasKeys(): boolean {
    return this.#keys.any();
  }

  /** Registers a namespace, or notes its new options. Throws `invalid_request` when the tenant has
   *  NAMESPACES_PER_TENANT_MAX namespaces. Which options may change is the memory's to say. */
  putNamespace(tenant: string, name: string, options: NamespaceOptions): NamespaceRecord {
    const known = this.getNamespace(tenant, name);
    if (known === null && this.#countNamespaces(tenant) >= this.namespacesMax)
      throw new ServiceError(
        "invalid_request",
        `a tenant has at most ${this.namespacesMax} namespaces`,
      );
    const record = { tenant, name, options, created_at: known?.created_at ?? this.now() };
    this.#sql.exec(
      "INSERT OR REPLACE INTO namespaces (tenant, name, options, created_at) VALUES (?, ?, ?, ?)",
      ...[tenant, name, JSON.stringify(options), record.created_at],
    );
    return record;
  }

  getNamespace(tenant: string, name: string): NamespaceRecord | null {
    const select = "SELECT * FROM namespaces WHERE tenant = ? AND name = ?";
    const row = this.#one(select, tenant, name);
    return row === undefined ? null : namespaceFrom(row);
  }

  /** A tenant's namespaces by name. */
  listNamespaces(tenant: string): NamespaceRecord[] {
    const select = "SELECT * FROM namespaces WHERE tenant = ? ORDER BY name";
    return this.#sql.exec(select, tenant).toArray().map(namespaceFrom);
  }

  /** Whether the namespace was registered. Its memory is another object's business. `patches` are
   *  merged into settings in the same turn: what was set for it until then goes with it. */
  deleteNamespace(tenant: string, name: string, patches: readonly SettingPatch[] = []): boolean {
    const remove = "DELETE FROM namespaces WHERE tenant = ? AND name = ? RETURNING name";
    const known = this.#one(remove, tenant, name) !== undefined;
    for (const { setting, patch } of patches) this.patchSetting(tenant, setting, patch);
    return known;
  }

  /** A setting as JSON text; null where there is none. */
  getSetting(tenant: string, name: string): string | null {
    const select = "SELECT value FROM settings WHERE tenant = ? AND name = ?";
    const row = this.#one(select, tenant, name);
    return row === undefined ? null : String(row.value);
  }

  /** Merges a JSON text into a setting, as `mergePatch` does: in one turn, so that of changes made
   *  at the same time none undoes another. The setting as it is then; the patch `null` takes it
   *  away. `namespace` is the one that is set something, if any. Throws `invalid_request` where the
   *  setting would have more than SETTING_BYTES_MAX, `namespace_not_found` where the namespace is
   *  not registered, or no longer. */
  patchSetting(
    tenant: string,
    name: string,
    patch: string,
    namespace: string | null = null,
  ): string | null {
    if (namespace !== null && this.getNamespace(tenant, namespace) === null)
      throw new ServiceError("namespace_not_found", `there is no namespace "${namespace}"`, {
        param: "namespace",
      });
    const kept = this.getSetting(tenant, name);
    const merged = mergePatch(kept === null ? null : JSON.parse(kept), JSON.parse(patch));
    if (merged === null) {
      this.#sql.exec("DELETE FROM settings WHERE tenant = ? AND name = ?", tenant, name);
      return null;
    }
    const value = JSON.stringify(merged);
    const bytes = utf8Length(value);
    if (bytes > SETTING_BYTES_MAX)
      throw new ServiceError(
        "invalid_request",
        `setting "${name}" has ${bytes} bytes, the limit is ${SETTING_BYTES_MAX}`,
      );
    const put = "INSERT OR REPLACE INTO settings (tenant, name, value) VALUES (?, ?, ?)";
    this.#sql.exec(put, tenant, name, value);
    return value;
  }

  /** Opens an upload. Throws `conflict` when UPLOADS_MAX are open. */
  createUpload(record: Omit<UploadRecord, "parts" | "expires_at">): UploadRecord {
    return this.#uploads.create(record);
  }

  getUpload(id: string): UploadRecord | null {
    return this.#uploads.find(id);
  }

  listUploads(): UploadRecord[] {
    return this.#uploads.list();
  }

  /** Notes a part; whether there is such an upload. */
  putUploadPart(id: string, part: number, etag: string): boolean {
    return this.#uploads.putPart(id, part, etag);
  }

  deleteUpload(id: string): void {
    this.#uploads.remove(id);
  }

  #countNamespaces(tenant: string): number {
    const count = "SELECT count(*) AS n FROM namespaces WHERE tenant = ?";
    return Number(this.#one(count, tenant)!.n);
  }

  #one(query: string, ...bindings: SqlStorageValue[]): SqlRow | undefined {
    return this.#sql.exec(query, ...bindings).toArray()[0];
  }
}

function namespaceFrom(row: SqlRow): NamespaceRecord {
  return {
    tenant: String(row.tenant),
    name: String(row.name),
    options: { ...NAMESPACE_DEFAULTS, ...JSON.parse(String(row.options)) },
    created_at: Number(row.created_at),
  };
}
