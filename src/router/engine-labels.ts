/** Labels of other engines than the reader: the difficulty of the question, a verdict on the
 *  engine's answer, and no text. */
import { ENGINE_LABELS_KEPT_MAX, ENGINES_LABELLED_MAX } from "../limits.ts";
import type { EngineSet } from "./ladder.ts";

export interface EngineLabel {
  engine: string;
  trace_id: string;
  weights_version: string;
  /** The reader's, 0..1, by those weights. */
  difficulty: number;
  wrong: boolean;
}

/** Labels of an engine between two looks at whether there are too many. */
const TRIM_EVERY = 100;

export class EngineLabelStore {
  readonly #sql: SqlStorage;

  /** ENGINE_LABELS_KEPT_MAX of each engine and up to TRIM_EVERY more, of the engines that were
   *  labelled last. */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Keeps a label in the place of an earlier one. How many the engine has by these weights, where
   *  it is new; null where it is not. */
  put({ engine, trace_id, weights_version, difficulty, wrong }: EngineLabel): number | null {
    const known = "SELECT 1 FROM engine_labels WHERE engine = ? AND trace_id = ?";
    const isNew = this.#sql.exec(known, engine, trace_id).toArray().length === 0;
    this.#sql.exec(
      `INSERT INTO engine_labels (engine, trace_id, weights_version, difficulty, wrong)
       VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (engine, trace_id) DO UPDATE SET wrong = excluded.wrong`,
      ...[engine, trace_id, weights_version, difficulty, Number(wrong)],
    );
    if (!isNew) return null;
    const last = Number(this.#sql.exec("SELECT max(seq) AS seq FROM engine_labels").one().seq);
    if (last % TRIM_EVERY === 0) this.#trim();
    const select =
      "SELECT count(*) AS n FROM engine_labels WHERE engine = ? AND weights_version = ?";
    return Number(this.#sql.exec(select, engine, weights_version).one().n);
  }

  /** A person's verdict in the place of a comparison's; nothing where the engine's answer was none
   *  of the sample, since those who rate choose what they rate. */
  correct(engine: string, trace_id: string, wrong: boolean): void {
    const update = "UPDATE engine_labels SET wrong = ? WHERE engine = ? AND trace_id = ?";
    this.#sql.exec(update, Number(wrong), engine, trace_id);
  }

  /** Those by the weights, oldest first, at most ENGINE_LABELS_KEPT_MAX of an engine. */
  collect(weightsVersion: string): EngineSet[] {
    const select = `SELECT engine, difficulty, wrong FROM engine_labels
      WHERE weights_version = ? ORDER BY seq`;
    const rows = this.#sql.exec(select, weightsVersion).toArray();
    return Array.from(
      Map.groupBy(rows, (row) => String(row.engine)),
      ([engine, own]) => ({
        engine,
        scores: own.slice(-ENGINE_LABELS_KEPT_MAX).map(({ difficulty, wrong }) => {
          return { difficulty: Number(difficulty), wrong: wrong === 1 };
        }),
      }),
    );
  }

  #trim(): void {
    const newest = `SELECT engine, max(seq) AS last FROM engine_labels GROUP BY engine
      ORDER BY last DESC`;
    const engines = this.#sql.exec(newest).toArray();
    for (const [i, { engine }] of engines.entries()) {
      const kept = i < ENGINES_LABELLED_MAX ? ENGINE_LABELS_KEPT_MAX : 0;
      const over =
        "SELECT seq FROM engine_labels WHERE engine = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2";
      const drop = `DELETE FROM engine_labels WHERE engine = ?1 AND seq <= (${over})`;
      this.#sql.exec(drop, engine!, kept);
    }
  }
}
