/** Labels that were collected: a difficulty and a verdict each, and no text. */
import { LABELS_KEPT_MAX } from "../limits.ts";
import type { LabelledScore } from "./calibration.ts";

const SOURCES = ["feedback", "backend"] as const;

export interface NewLabel {
  source: (typeof SOURCES)[number];
  trace_id: string;
  weights_version: string;
  /** 0..1, by those weights. */
  difficulty: number;
  /** Null: the reader gave no answer. */
  wrong: boolean | null;
}

/** Labels between two looks at whether there are too many. */
const TRIM_EVERY = 100;

export class LabelStore {
  readonly #sql: SqlStorage;
  readonly #kept: number;

  /** `kept` of each source, and up to TRIM_EVERY more. */
  constructor(sql: SqlStorage, kept = LABELS_KEPT_MAX) {
    this.#sql = sql;
    this.#kept = kept;
  }

  /** Keeps a label, in the place of an earlier one of the same source. Whether there was none. */
  put({ source, trace_id, weights_version, difficulty, wrong }: NewLabel): boolean {
    const known = "SELECT 1 FROM labels WHERE source = ? AND trace_id = ?";
    const isNew = this.#sql.exec(known, source, trace_id).toArray().length === 0;
    this.#sql.exec(
      `INSERT INTO labels (source, trace_id, weights_version, difficulty, wrong)
       VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (source, trace_id) DO UPDATE SET wrong = excluded.wrong`,
      ...[source, trace_id, weights_version, difficulty, wrong === null ? null : Number(wrong)],
    );
    if (isNew) this.#trim();
    return isNew;
  }

  remove(source: NewLabel["source"], traceId: string): void {
    this.#sql.exec("DELETE FROM labels WHERE source = ? AND trace_id = ?", source, traceId);
  }

  /** Now and then, as it reads all labels; of both sources, whichever it was that came now: where
   *  they take turns, only one of them would ever be looked at. */
  #trim(): void {
    const last = Number(this.#sql.exec("SELECT max(seq) AS seq FROM labels").one().seq);
    if (last % TRIM_EVERY !== 0) return;
    const over = "SELECT seq FROM labels WHERE source = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2";
    const drop = `DELETE FROM labels WHERE source = ?1 AND seq <= (${over})`;
    for (const source of SOURCES) this.#sql.exec(drop, source, this.#kept);
  }

  /** How many answers of each source have a verdict. */
  counts(): { backend: number; feedback: number } {
    const select = "SELECT source, count(wrong) AS n FROM labels GROUP BY source";
    const rows = this.#sql.exec(select).toArray();
    const of = (source: string) => Number(rows.find((row) => row.source === source)?.n ?? 0);
    return { backend: of("backend"), feedback: of("feedback") };
  }

  /** Answers with a backend's verdict on the reader by these weights. */
  compared(weightsVersion: string): number {
    const select =
      "SELECT count(wrong) AS n FROM labels WHERE source = 'backend' AND weights_version = ?";
    return Number(this.#sql.exec(select, weightsVersion).one().n);
  }

  /** The set that the labels by these weights make, oldest first. With feedback, a question that
   *  both speak of counts once, as the person said. */
  collect(
    weightsVersion: string,
    includeFeedback: boolean,
  ): { scores: LabelledScore[]; abstained: number } {
    const feedback = includeFeedback
      ? `SELECT seq, difficulty, wrong FROM labels
           WHERE source = 'feedback' AND weights_version = ?1
         UNION ALL `
      : "";
    const unless = includeFeedback
      ? `AND trace_id NOT IN (SELECT trace_id FROM labels WHERE source = 'feedback'
           AND weights_version = ?1)`
      : "";
    const rows = this.#sql.exec(
      `${feedback}SELECT seq, difficulty, wrong FROM labels
         WHERE source = 'backend' AND weights_version = ?1 ${unless} ORDER BY seq`,
      weightsVersion,
    );
    const scores: LabelledScore[] = [];
    let abstained = 0;
    for (const { difficulty, wrong } of rows)
      if (wrong === null) abstained += 1;
      else scores.push({ difficulty: Number(difficulty), wrong: wrong === 1 });
    return { scores, abstained };
  }
}
