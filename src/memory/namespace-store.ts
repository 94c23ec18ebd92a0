/** What a namespace's root knows beside documents: options, the map of shards, the next row, work
 *  under way, objects to destroy. Its tables lie in the root's SQLite beside those of its shard. */
import { ServiceError } from "../errors.ts";
import { isMigrated } from "./migrations.ts";
import { refuseNewerSchema } from "./schema-version.ts";
import { assertWhole } from "./shard-map.ts";
import type { ShardRange } from "./shard-types.ts";
import type { ShardStorage, SqlRow } from "./sql.ts";
import type { NamespaceOptions } from "./types.ts";
import type { Work, WorkReport } from "./work.ts";

/** The n-th step leads from schema n to n + 1; never edit one that was released: append one. The
 *  first makes what is missing of tables that came before there was a number.
 *
 *  `object` is '' for the root's own tables. Names of objects hold a generation, which ascends, so
 *  that in a namespace a name never means two things. One that is destroyed and made anew begins
 *  again with the first: see takeCopy. */
export const NAMESPACE_STEPS: readonly string[] = [
  `
  CREATE TABLE IF NOT EXISTS namespace (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS shards (lo INTEGER PRIMARY KEY, hi INTEGER NOT NULL,
    object TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS retired (object TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS snapshot_parts (part INTEGER PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL,
    open INTEGER NOT NULL, job TEXT NOT NULL);`,
];

/** Who an object is: a namespace's root, or the shard of one. */
export type Role = { kind: "root" } | { kind: "shard"; root: string };

export class NamespaceStore {
  readonly #storage: ShardStorage;
  /** Changes of content that this object has under way. */
  #changes = 0;

  private constructor(storage: ShardStorage) {
    this.#storage = storage;
  }

  /** The tables, up to date, or null where they were never made: looking leaves nothing behind.
   *  Throws `storage_too_new`. */
  static find(storage: ShardStorage): NamespaceStore | null {
    const select = "SELECT 1 FROM sqlite_master WHERE name = 'namespace'";
    if (storage.sql.exec(select).toArray().length === 0) return null;
    const store = new NamespaceStore(storage);
    store.#migrate(store.#read<number>("schema") ?? 0);
    return store;
  }

  static make(storage: ShardStorage): NamespaceStore {
    const known = NamespaceStore.find(storage);
    if (known !== null) return known;
    const store = new NamespaceStore(storage);
    store.#migrate(0);
    return store;
  }

  #migrate(version: number): void {
    refuseNewerSchema(version, NAMESPACE_STEPS.length);
    if (version === NAMESPACE_STEPS.length) return;
    this.transaction(() => {
      for (const step of NAMESPACE_STEPS.slice(version)) this.sql.exec(step);
      this.#write("schema", NAMESPACE_STEPS.length);
    });
  }

  get sql(): SqlStorage {
    return this.#storage.sql;
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  role(): Role | null {
    return this.#read<Role>("role");
  }

  setRole(role: Role): void {
    this.#write("role", role);
  }

  /** The object's own name, `tenant/namespace`: alarms set before 2026-03-15 do not tell it. */
  name(): string {
    return this.#read<string>("name")!;
  }

  setName(name: string): void {
    this.#write("name", name);
  }

  options(): NamespaceOptions | null {
    return this.#read<NamespaceOptions>("options");
  }

  setOptions(options: NamespaceOptions): void {
    this.#write("options", options);
  }

  /** Whether options changed that not every shard has heard of. */
  get optionsPending(): boolean {
    return this.#read<boolean>("options_pending") ?? false;
  }

  set optionsPending(pending: boolean) {
    this.#write("options_pending", pending);
  }

  /** Whether the namespace is being deleted and refuses everything else. */
  get destroying(): boolean {
    return this.#read<boolean>("destroying") ?? false;
  }

  setDestroying(): void {
    this.#write("destroying", true);
  }

  /** Dimension of every stored vector; null before the first. */
  dim(): number | null {
    return this.#read<number>("dim");
  }

  setDim(dim: number | null): void {
    this.#write("dim", dim);
  }

  nextRow(): number {
    return this.#read<number>("next_row") ?? 1;
  }

  setNextRow(row: number): void {
    this.#write("next_row", row);
  }

  /** Takes `n` rows that nothing has had; the first. */
  takeRows(n: number): number {
    const first = this.nextRow();
    this.setNextRow(first + n);
    return first;
  }

  generation(): number {
    return this.#read<number>("generation") ?? 0;
  }

  /** The next generation, for names of new objects. */
  takeGeneration(): number {
    const next = this.generation() + 1;
    this.#write("generation", next);
    return next;
  }

  /** The next copy's number. The clock is in it, so that a namespace that is made anew has none
   *  that the one before it had: its objects may have the same names, and calls may come late. */
  takeCopy(): number {
    const next = Math.max((this.#read<number>("copy") ?? 0) + 1, Date.now());
    this.#write("copy", next);
    return next;
  }

  /** Of all that a search can find: every change makes it greater, and it is odd while one is under
   *  way. A change that the object did not live to finish counts as one more. */
  contentVersion(): number {
    const version = this.#read<number>("content_version") ?? 0;
    if (version % 2 === 0 || this.#changes > 0) return version;
    this.#write("content_version", version + 1);
    return version + 1;
  }

  /** Runs what changes content. The clock is in the version, so that a namespace that is made anew
   *  has none that the one before it had. */
  async changing<T>(work: () => Promise<T>): Promise<T> {
    if (this.#changes++ === 0) this.beginChange();
    try {
      return await work();
    } finally {
      this.#changes -= 1;
      this.contentVersion();
    }
  }

  /** Moves the version on to an odd one, which the next reader makes even. */
  beginChange(): void {
    const version = this.#read<number>("content_version") ?? 0;
    const next = Math.max(version + 1, 2 * Date.now());
    this.#write("content_version", next % 2 === 0 ? next + 1 : next);
  }

  map(): ShardRange[] {
    const rows = this.sql.exec("SELECT lo, hi, object FROM shards ORDER BY lo").toArray();
    return rows.map(({ lo, hi, object }) => ({
      object: object === "" ? null : String(object),
      lo: Number(lo),
      hi: Number(hi),
    }));
  }

  /** Whether the map names the root's own tables and they are gone. */
  lacksOwnTables(): boolean {
    return this.map().some(({ object }) => object === null) && !isMigrated(this.#storage);
  }

  setMap(map: readonly ShardRange[]): void {
    assertWhole(map);
    this.sql.exec("DELETE FROM shards");
    for (const { lo, hi, object } of map)
      this.sql.exec("INSERT INTO shards (lo, hi, object) VALUES (?, ?, ?)", lo, hi, object ?? "");
  }

  /** Has an object destroyed once no query reads it. */
  retire(object: string | null): void {
    this.sql.exec("INSERT OR REPLACE INTO retired (object) VALUES (?)", object ?? "");
  }

  retired(): (string | null)[] {
    const rows = this.sql.exec("SELECT object FROM retired").toArray();
    return rows.map(({ object }) => (object === "" ? null : String(object)));
  }

  forgetRetired(object: string | null): void {
    this.sql.exec("DELETE FROM retired WHERE object = ?", object ?? "");
  }

  /** The one long piece of work under way. */
  work(): Work | null {
    return this.#read<Work>("work");
  }

  setWork(work: Work | null): void {
    this.#write("work", work);
  }

  /** Takes work on. Throws `conflict` where other work is under way. */
  beginWork(work: Work): void {
    const known = this.work();
    if (known !== null)
      throw new ServiceError("conflict", `a ${known.kind} is under way in this namespace`);
    this.setWork(work);
  }

  /** How the last work of a kind ended. */
  report(kind: Work["kind"]): WorkReport | null {
    return this.#read<WorkReport>(`last_${kind}`);
  }

  setReport(kind: Work["kind"], report: WorkReport): void {
    this.#write(`last_${kind}`, report);
  }

  /** When documents are next looked at for forgetting, Unix ms; null: never. */
  forgetAt(): number | null {
    return this.#read<number>("forget_at");
  }

  setForgetAt(at: number | null): void {
    this.#write("forget_at", at);
  }

  /** What is remembered of each part of a snapshot that is being written. */
  parts<T>(): T[] {
    const rows = this.sql.exec("SELECT value FROM snapshot_parts ORDER BY part").toArray();
    return rows.map(({ value }) => JSON.parse(String(value)) as T);
  }

  part<T>(part: number): T | null {
    const select = "SELECT value FROM snapshot_parts WHERE part = ?";
    const row = this.sql.exec(select, part).toArray()[0];
    return row === undefined ? null : JSON.parse(String(row.value));
  }

  addPart(part: number, value: unknown): void {
    const insert = "INSERT OR REPLACE INTO snapshot_parts (part, value) VALUES (?, ?)";
    this.sql.exec(insert, part, JSON.stringify(value));
  }

  forgetParts(): void {
    this.sql.exec("DELETE FROM snapshot_parts");
  }

  #read<T>(name: string): T | null {
    const select = "SELECT value FROM namespace WHERE name = ?";
    const row: SqlRow | undefined = this.sql.exec(select, name).toArray()[0];
    return row === undefined ? null : JSON.parse(String(row.value));
  }

  #write(name: string, value: unknown): void {
    const insert = "INSERT OR REPLACE INTO namespace (name, value) VALUES (?, ?)";
    this.sql.exec(insert, name, JSON.stringify(value));
  }
}
