/** The Durable Object that remembers a tenant's writes by their idempotency keys: which are under
 *  way, and what was replied. An object of its own, so that replies neither fill the ledger, which
 *  every request reads, nor wait for it. What it holds is sealed by its callers. */
import { DurableObject } from "cloudflare:workers";
import { REPLAY_MS_MAX, REPLAY_RUNNING_MS_MAX, REPLAYS_BYTES_MAX, REPLAYS_MAX } from "../limits.ts";
import { dropOldest, type RowBounds } from "./bounded-rows.ts";
import { migrate } from "./migrate.ts";

export interface StoredReply {
  status: number;
  /** The content type. */
  type: string;
  /** Sealed. */
  body: Uint8Array;
}

/** What became of a claim: the write is the caller's to do, or under way, or the key came with
 *  another request, or it was done. */
export interface Claim {
  state: "new" | "running" | "other" | "done";
  /** Of what was done. */
  reply?: StoredReply;
}

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE replays (
     id TEXT PRIMARY KEY,
     fingerprint TEXT NOT NULL,
     token TEXT NOT NULL,
     at INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     status INTEGER,
     type TEXT,
     body BLOB
   );
   CREATE INDEX replays_by_age ON replays (at, bytes);`,
];

/** Object RPC. */
export class ReplayObject extends DurableObject {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    state.storage.transactionSync(() => migrate(this.#sql, MIGRATIONS));
  }

  /** Unix time in ms. A test sets it, and lowers the bounds. */
  protected now(): number {
    return Date.now();
  }

  protected get bounds(): RowBounds {
    return { entries: REPLAYS_MAX, bytes: REPLAYS_BYTES_MAX };
  }

  /** Claims a write. `token` names the claim. A claim that was neither finished nor released within
   *  REPLAY_RUNNING_MS_MAX belongs to an isolate that has gone, and is the next one's. */
  async claim(id: string, fingerprint: string, token: string): Promise<Claim> {
    this.#expire();
    const known = this.#sql.exec("SELECT * FROM replays WHERE id = ?", id).toArray()[0];
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return { state: "other" };
      if (known.status !== null) return { state: "done", reply: replyFrom(known) };
      // Of a claim from a clock that was ahead nobody knows when its time is over.
      const age = Math.abs(this.now() - Number(known.at));
      if (age < REPLAY_RUNNING_MS_MAX) return { state: "running" };
    }
    const put = `INSERT OR REPLACE INTO replays (id, fingerprint, token, at, bytes)
      VALUES (?, ?, ?, ?, 0)`;
    this.#sql.exec(put, id, fingerprint, token, this.now());
    dropOldest(this.#sql, "replays", this.bounds);
    await this.#wakeLater();
    return { state: "new" };
  }

  /** Keeps what was replied. Does nothing where the claim is no longer that token's. */
  finish(id: string, token: string, { status, type, body }: StoredReply): void {
    const update = `UPDATE replays SET status = ?, type = ?, body = ?, bytes = ?
      WHERE id = ? AND token = ?`;
    this.#sql.exec(update, status, type, body, body.byteLength, id, token);
    dropOldest(this.#sql, "replays", this.bounds);
  }

  /** Gives up a claim whose write was refused or failed: it may be tried again. */
  release(id: string, token: string): void {
    this.#sql.exec("DELETE FROM replays WHERE id = ? AND token = ?", id, token);
  }

  override async alarm(): Promise<void> {
    this.#expire();
    await this.#wakeLater();
  }

  #expire(): void {
    this.#sql.exec("DELETE FROM replays WHERE at <= ?", this.now() - REPLAY_MS_MAX);
  }

  /** What is past its time goes, though nobody calls again. */
  async #wakeLater(): Promise<void> {
    const oldest = this.#sql.exec("SELECT min(at) AS at FROM replays").one().at;
    if (oldest === null || (await this.ctx.storage.getAlarm()) !== null) return;
    await this.ctx.storage.setAlarm(Number(oldest) + REPLAY_MS_MAX);
  }
}

function replyFrom({ status, type, body }: Record<string, SqlStorageValue>): StoredReply {
  return {
    status: Number(status),
    type: String(type),
    body: new Uint8Array(body as ArrayBuffer),
  };
}
