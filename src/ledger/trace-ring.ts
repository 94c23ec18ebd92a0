/** A tenant's last traces, bounded in number, bytes and age. */
import { utf8Length } from "../../index/bytes.ts";
import {
  TRACE_BYTES_MAX,
  TRACE_KEPT_MS_MAX,
  TRACES_BYTES_MAX,
  TRACES_KEPT_MAX,
} from "../limits.ts";
import type { TraceFilter, TracePage, TraceRecord, TraceSummary } from "./trace-types.ts";

/** The summary stands before the rest, so that a list reads no more than it shows. */
export const TRACES_SCHEMA = `CREATE TABLE traces (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     trace_id TEXT NOT NULL UNIQUE,
     at INTEGER NOT NULL,
     ms REAL NOT NULL,
     status INTEGER NOT NULL,
     route TEXT,
     key TEXT NOT NULL,
     namespace TEXT,
     start INTEGER NOT NULL,
     upto INTEGER NOT NULL,
     summary TEXT NOT NULL,
     detail TEXT NOT NULL
   );`;

/** How much is kept; a test makes it small. */
export interface TraceBounds {
  traces: number;
  bytes: number;
  ms: number;
}

export const TRACE_BOUNDS: TraceBounds = {
  traces: TRACES_KEPT_MAX,
  bytes: TRACES_BYTES_MAX,
  ms: TRACE_KEPT_MS_MAX,
};

/** `now` gives Unix ms. */
export class TraceRing {
  readonly #sql: SqlStorage;
  readonly #bounds: TraceBounds;
  readonly #now: () => number;

  constructor(sql: SqlStorage, bounds: TraceBounds, now: () => number) {
    this.#sql = sql;
    this.#bounds = bounds;
    this.#now = now;
  }

  /** Keeps them and lets the oldest go. One above TRACE_BYTES_MAX loses its texts, passages and
   *  spans first. */
  add(traces: readonly TraceRecord[]): void {
    const last = "SELECT upto FROM traces ORDER BY seq DESC LIMIT 1";
    let upto = Number(this.#sql.exec(last).toArray()[0]?.upto ?? 0);
    for (const trace of traces) {
      const { summary, detail } = textsOf(trace);
      const start = upto;
      upto += utf8Length(summary) + utf8Length(detail);
      const { trace_id, at, duration_ms, status, route, key, namespace } = trace;
      this.#sql.exec(
        `INSERT OR IGNORE INTO traces
         (trace_id, at, ms, status, route, key, namespace, start, upto, summary, detail)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[trace_id, at, duration_ms, status, route, key, namespace, start, upto, summary, detail],
      );
    }
    this.trim();
  }

  find(traceId: string): TraceRecord | null {
    this.trim();
    const select = "SELECT summary, detail FROM traces WHERE trace_id = ?";
    const row = this.#sql.exec(select, traceId).toArray()[0];
    if (row === undefined) return null;
    return { ...JSON.parse(String(row.summary)), ...JSON.parse(String(row.detail)) };
  }

  /** Newest first, `limit` at most. */
  page(filter: TraceFilter, limit: number, cursor: number | null): TracePage {
    this.trim();
    const wheres: [string, SqlStorageValue][] = [["seq < ?", cursor ?? Number.MAX_SAFE_INTEGER]];
    const { route, status, since, min_ms, key } = filter;
    if (route !== null) wheres.push(["route = ?", route]);
    if (status !== null) wheres.push([status < 10 ? "status / 100 = ?" : "status = ?", status]);
    if (since !== null) wheres.push(["at >= ?", since]);
    if (min_ms !== null) wheres.push(["ms >= ?", min_ms]);
    if (key !== null) wheres.push(["key = ?", key]);
    const rows = this.#sql
      .exec(
        `SELECT seq, summary FROM traces WHERE ${wheres.map(([sql]) => sql).join(" AND ")}
         ORDER BY seq DESC LIMIT ?`,
        ...wheres.map(([, value]) => value),
        limit + 1,
      )
      .toArray();
    const shown = rows.slice(0, limit);
    const traces = shown.map(({ summary }): TraceSummary => JSON.parse(String(summary)));
    return { traces, cursor: rows.length > limit ? String(shown.at(-1)!.seq) : null };
  }

  /** Forgets those of a namespace, or all; how many there were. */
  clear(namespace: string | null): number {
    const where = namespace === null ? "" : "WHERE namespace = ?";
    const bindings = namespace === null ? [] : [namespace];
    const remove = `DELETE FROM traces ${where} RETURNING seq`;
    return this.#sql.exec(remove, ...bindings).toArray().length;
  }

  /** When the oldest is past its time, Unix ms; null where there is none. */
  expires(): number | null {
    const oldest = this.#sql.exec("SELECT at FROM traces ORDER BY seq LIMIT 1").toArray()[0];
    return oldest === undefined ? null : Number(oldest.at) + this.#bounds.ms;
  }

  trim(): void {
    const { traces, bytes, ms } = this.#bounds;
    // They came in about the order of their times: what an isolate held back goes a little late.
    this.#sql.exec(
      `DELETE FROM traces WHERE seq < coalesce(
         (SELECT seq FROM traces WHERE at >= ? ORDER BY seq LIMIT 1),
         (SELECT max(seq) + 1 FROM traces))`,
      this.#now() - ms,
    );
    // By numbers given and bytes summed up, not by rows counted, which would read them all.
    this.#sql.exec("DELETE FROM traces WHERE seq <= (SELECT max(seq) FROM traces) - ?", traces);
    this.#sql.exec(
      `DELETE FROM traces WHERE seq < coalesce((SELECT seq FROM traces WHERE start >=
         (SELECT upto FROM traces ORDER BY seq DESC LIMIT 1) - ? ORDER BY seq LIMIT 1), 0)`,
      bytes,
    );
  }
}

function textsOf(trace: TraceRecord): { summary: string; detail: string } {
  const { decision, passages, notes, span_id, parent, spans, spans_dropped, texts, ...rest } =
    trace;
  const summary = JSON.stringify(rest);
  const whole = { decision, passages, notes, span_id, parent, spans, spans_dropped, texts };
  const less = { ...whole, passages: [], texts: null };
  const least = { ...less, spans: [], spans_dropped: spans_dropped + spans.length };
  const room = TRACE_BYTES_MAX - utf8Length(summary);
  let detail = "";
  for (const one of [whole, less, least]) {
    detail = JSON.stringify(one);
    if (utf8Length(detail) <= room) break;
  }
  return { summary, detail };
}
