/** The Durable Object that records what a tenant's keys used, by the day. Isolates send their
 *  counts together every few seconds, so a request costs it no call of its own. */
import { DurableObject } from "cloudflare:workers";
import { USAGE_DAYS_KEPT, USAGE_KEYS_SHOWN_MAX } from "../limits.ts";
import { migrate } from "./migrate.ts";
import { dayOf, dayText } from "./periods.ts";

/** What there was of each. */
export interface UsageCounts {
  /** All that were authenticated, the refused ones included. */
  requests: number;
  /** By a limit or a budget. */
  refused: number;
  prompt_tokens: number;
  completion_tokens: number;
  /** Nano-USD. */
  nanos: number;
}

export interface UsageEntry extends UsageCounts {
  /** The key's id; `operator` for the fixed ones. */
  key: string;
  /** Days since the beginning of Unix time. */
  day: number;
}

/** A day like `2026-11-29`, UTC's. */
export type DayUsage = UsageCounts & { day: string };
/** With the last day on which the key was used. */
export type KeyUsage = UsageCounts & { key: string; last_day: string };

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE usage (
     day INTEGER NOT NULL,
     key TEXT NOT NULL,
     requests INTEGER NOT NULL,
     refused INTEGER NOT NULL,
     prompt_tokens INTEGER NOT NULL,
     completion_tokens INTEGER NOT NULL,
     nanos INTEGER NOT NULL,
     PRIMARY KEY (day, key)
   ) WITHOUT ROWID;
   CREATE INDEX usage_by_key ON usage (key, day);`,
];

const SUMS = `total(requests) AS requests, total(refused) AS refused,
  total(prompt_tokens) AS prompt_tokens, total(completion_tokens) AS completion_tokens,
  total(nanos) AS nanos`;

/** Object RPC; one object a tenant. */
export class UsageObject extends DurableObject {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    state.storage.transactionSync(() => migrate(this.#sql, MIGRATIONS));
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** Adds the counts; days older than USAGE_DAYS_KEPT go. */
  record(entries: readonly UsageEntry[]): void {
    const add = `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (day, key) DO UPDATE SET requests = requests + excluded.requests,
        refused = refused + excluded.refused,
        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens,
        nanos = nanos + excluded.nanos`;
    this.ctx.storage.transactionSync(() => {
      for (const { day, key, ...counts } of entries) {
        const { requests, refused, prompt_tokens, completion_tokens, nanos } = counts;
        const values = [requests, refused, prompt_tokens, completion_tokens, nanos];
        this.#sql.exec(add, day, key, ...values);
      }
      this.#sql.exec("DELETE FROM usage WHERE day <= ?", dayOf(this.now()) - USAGE_DAYS_KEPT);
    });
  }

  /** The last `days` days that had any use, today included, oldest first; of one key, or of all
   *  together where it is null. */
  byDay(days: number, key: string | null): DayUsage[] {
    const which = key === null ? "" : "AND key = ?";
    const select = `SELECT day, ${SUMS} FROM usage WHERE day > ? ${which}
      GROUP BY day ORDER BY day`;
    const rows = this.#sql.exec(select, ...this.#since(days), ...(key === null ? [] : [key]));
    return rows.toArray().map((row) => ({ day: dayText(Number(row.day)), ...countsOf(row) }));
  }

  /** Each key's use within the last `days` days, the most requests first; USAGE_KEYS_SHOWN_MAX at
   *  most. */
  byKey(days: number): KeyUsage[] {
    const select = `SELECT key, max(day) AS last_day, ${SUMS} FROM usage WHERE day > ?
      GROUP BY key ORDER BY requests DESC, key LIMIT ?`;
    const rows = this.#sql.exec(select, ...this.#since(days), USAGE_KEYS_SHOWN_MAX);
    return rows.toArray().map((row) => {
      const last_day = dayText(Number(row.last_day));
      return { key: String(row.key), last_day, ...countsOf(row) };
    });
  }

  #since(days: number): [number] {
    return [dayOf(this.now()) - days];
  }
}

function countsOf(row: Record<string, SqlStorageValue>): UsageCounts {
  return {
    requests: Number(row.requests),
    refused: Number(row.refused),
    prompt_tokens: Number(row.prompt_tokens),
    completion_tokens: Number(row.completion_tokens),
    nanos: Number(row.nanos),
  };
}
