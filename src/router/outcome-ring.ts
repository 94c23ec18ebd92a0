/** The last outcomes of a tenant, bounded in number, bytes and age. */
import { utf8Length } from "../../index/bytes.ts";
import {
  OUTCOME_BYTES_MAX,
  OUTCOME_KEPT_MS_MAX,
  OUTCOMES_BYTES_MAX,
  OUTCOMES_KEPT_MAX,
  OUTCOMES_PAGE_BYTES_MAX,
} from "../limits.ts";
import type { Outcome } from "./outcome.ts";
import type { OutcomePage, RecordedOutcome } from "./router-types.ts";

/** How much is kept; a test makes it small. */
export interface RingBounds {
  outcomes: number;
  bytes: number;
  ms: number;
}

export const RING_BOUNDS: RingBounds = {
  outcomes: OUTCOMES_KEPT_MAX,
  bytes: OUTCOMES_BYTES_MAX,
  ms: OUTCOME_KEPT_MS_MAX,
};

/** With its labels: a person's word goes before a backend's. */
const SELECT = `SELECT o.seq, o.outcome, o.rating, o.revision, f.wrong AS felt, b.wrong AS compared
  FROM outcomes o
  LEFT JOIN labels f ON f.source = 'feedback' AND f.trace_id = o.trace_id
  LEFT JOIN labels b ON b.source = 'backend' AND b.trace_id = o.trace_id`;

/** Of the newest. */
const UPTO = "(SELECT upto FROM outcomes ORDER BY seq DESC LIMIT 1)";

/** `now` gives Unix ms. */
export class OutcomeRing {
  readonly #sql: SqlStorage;
  readonly #bounds: RingBounds;
  readonly #now: () => number;

  constructor(sql: SqlStorage, bounds: RingBounds, now: () => number) {
    this.#sql = sql;
    this.#bounds = bounds;
    this.#now = now;
  }

  /** Keeps outcomes, oldest first, without their texts where `keepText` is false or one is too
   *  large with them, and lets the oldest go; of each whether it was kept already. */
  add(given: readonly { outcome: Outcome; revision: number }[], keepText: boolean): boolean[] {
    const known: boolean[] = given.map(() => false);
    let start = Number(this.#sql.exec(`SELECT coalesce(${UPTO}, 0) AS upto`).one().upto);
    for (const [i, { outcome, revision }] of given.entries()) {
      let text = JSON.stringify(keepText ? outcome : withoutText(outcome));
      if (utf8Length(text) > OUTCOME_BYTES_MAX) text = JSON.stringify(withoutText(outcome));
      const bytes = utf8Length(text);
      if (bytes > OUTCOME_BYTES_MAX) continue;
      const { trace_id, at, namespace } = outcome;
      // rowsWritten does not tell: AUTOINCREMENT writes a row of its own whatever is kept.
      const kept = this.#sql.exec(
        `INSERT OR IGNORE INTO outcomes (trace_id, at, start, upto, namespace, revision, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
        ...[trace_id, at, start, start + bytes, namespace, revision, text],
      );
      if (kept.toArray().length > 0) start += bytes;
      else known[i] = true;
    }
    this.#trim();
    return known;
  }

  find(traceId: string): { recorded: RecordedOutcome; revision: number } | null {
    this.#trim();
    const row = this.#sql.exec(`${SELECT} WHERE o.trace_id = ?`, traceId).toArray()[0];
    return row === undefined ? null : { recorded: fromRow(row), revision: Number(row.revision) };
  }

  /** What was thought of the engine's answer before it was compared; null: nothing, or the answer
   *  was another's. */
  isRatedBad(traceId: string, engine: string): boolean | null {
    const { recorded } = this.find(traceId) ?? {};
    if (!recorded?.rating || recorded.engine !== engine) return null;
    return recorded.rating === "bad";
  }

  rate(traceId: string, rating: "good" | "bad"): void {
    this.#sql.exec("UPDATE outcomes SET rating = ? WHERE trace_id = ?", rating, traceId);
  }

  /** Newest first, at most `limit` and OUTCOMES_PAGE_BYTES_MAX, one at least. */
  page(limit: number, cursor: number | null, labelled: boolean): OutcomePage {
    this.#trim();
    const rows = this.#sql.exec(
      `${SELECT} WHERE o.seq < ? ${labelled ? "AND coalesce(felt, compared) IS NOT NULL" : ""}
       ORDER BY o.seq DESC LIMIT ?`,
      ...[cursor ?? Number.MAX_SAFE_INTEGER, limit + 1],
    );
    const outcomes: RecordedOutcome[] = [];
    let bytes = 0;
    let last = 0;
    for (const row of rows) {
      bytes += utf8Length(String(row.outcome));
      const full = outcomes.length === limit || bytes > OUTCOMES_PAGE_BYTES_MAX;
      if (full && outcomes.length > 0) return { outcomes, cursor: String(last) };
      outcomes.push(fromRow(row));
      last = Number(row.seq);
    }
    return { outcomes, cursor: null };
  }

  count(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM outcomes").one().n);
  }

  /** Forgets those of a namespace, or all; how many there were. */
  clear(namespace: string | null): number {
    const where = namespace === null ? "" : "WHERE namespace = ?";
    const bindings = namespace === null ? [] : [namespace];
    return this.#sql.exec(`DELETE FROM outcomes ${where} RETURNING seq`, ...bindings).toArray()
      .length;
  }

  #trim(): void {
    const { outcomes, bytes, ms } = this.#bounds;
    this.#sql.exec("DELETE FROM outcomes WHERE at < ?", this.#now() - ms);
    this.#sql.exec(`DELETE FROM outcomes WHERE start < ${UPTO} - ?`, bytes);
    // By numbers given and not by rows counted, which would read them all each time.
    this.#sql.exec(
      "DELETE FROM outcomes WHERE seq <= (SELECT max(seq) FROM outcomes) - ?",
      outcomes,
    );
  }
}

function fromRow(row: Record<string, SqlStorageValue>): RecordedOutcome {
  const { felt, compared } = row;
  const label =
    felt !== null
      ? { wrong: felt === 1, source: "feedback" as const }
      : compared !== null
        ? { wrong: compared === 1, source: "backend" as const }
        : null;
  const rating = row.rating as RecordedOutcome["rating"];
  return { ...(JSON.parse(String(row.outcome)) as Outcome), rating, label };
}

/** The reader's answer stays told apart from none. */
function withoutText(outcome: Outcome): Outcome {
  const edge_answer = outcome.edge_answer === null ? null : "";
  return { ...outcome, question: "", edge_answer, text: "", conversation: null };
}
