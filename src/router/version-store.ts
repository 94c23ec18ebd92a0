/** A tenant's own versions of weights and calibration. */
import { ROUTER_VERSIONS_MAX } from "../limits.ts";
import { type DifficultyFile, parseDifficultyModel } from "./difficulty.ts";
import { FEATURES } from "./features.ts";
import { QUESTION_FEATURES } from "./features-question.ts";
import type { LogisticModel } from "./logistic.ts";
import type { VersionInfo } from "./router-types.ts";

type Row = Record<string, SqlStorageValue>;

/** `now` gives Unix ms. */
export class VersionStore {
  readonly #sql: SqlStorage;
  readonly #now: () => number;

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** Keeps a version and resolves with its name. Of more than ROUTER_VERSIONS_MAX the oldest that
   *  the service made by itself goes, or else the oldest; never `active`. */
  add(
    model: DifficultyFile,
    source: Exclude<VersionInfo["source"], "shipped">,
    note: string | null,
    active: string,
  ): string {
    const { version, calibration } = model;
    const { scores, abstained } = calibration;
    this.#sql.exec(
      `INSERT INTO versions
         (created_at, source, note, weights_version, labels, abstained, model)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[this.#now(), source, note, version, scores.length, abstained, JSON.stringify(model)],
    );
    const n = Number(this.#sql.exec("SELECT max(n) AS n FROM versions").one().n);
    const count = Number(this.#sql.exec("SELECT count(*) AS n FROM versions").one().n);
    if (count > ROUTER_VERSIONS_MAX)
      this.#sql.exec(
        `DELETE FROM versions WHERE n = (SELECT n FROM versions WHERE n NOT IN (?, ?)
           ORDER BY source = 'automatic' DESC, n LIMIT 1)`,
        ...[n, numberOf(active)],
      );
    return `v${n}`;
  }

  /** Newest first. */
  list(active: string): VersionInfo[] {
    const select = `SELECT n, created_at, source, note, weights_version, labels, abstained
      FROM versions ORDER BY n DESC`;
    return this.#sql
      .exec(select)
      .toArray()
      .map((row) => infoOf(row, active));
  }

  /** The weights as they came; null for a version that is not there. */
  model(version: string): DifficultyFile | null {
    const select = "SELECT model FROM versions WHERE n = ?";
    const row = this.#sql.exec(select, numberOf(version)).toArray()[0];
    return row === undefined ? null : (JSON.parse(String(row.model)) as DifficultyFile);
  }

  /** What made it; null for a version that is not there. */
  source(version: string): VersionInfo["source"] | null {
    const select = "SELECT source FROM versions WHERE n = ?";
    const row = this.#sql.exec(select, numberOf(version)).toArray()[0];
    return row === undefined ? null : (row.source as VersionInfo["source"]);
  }
}

function infoOf(row: Row, active: string): VersionInfo {
  const version = `v${row.n}`;
  return {
    version,
    created_at: Number(row.created_at),
    source: row.source as VersionInfo["source"],
    note: row.note === null ? null : String(row.note),
    weights_version: String(row.weights_version),
    labels: Number(row.labels),
    abstained: Number(row.abstained),
    active: version === active,
  };
}

/** -1, which no row has, for what is no name of an own version. */
function numberOf(version: string): number {
  return Number(/^v(\d{1,15})$/.exec(version)?.[1] ?? -1);
}

/** Whether two models score alike, whatever their calibration sets are. */
export function sameWeights(a: DifficultyFile, b: DifficultyFile): boolean {
  const numbers = (model: LogisticModel, names: readonly string[]) => [
    model.bias,
    ...names.flatMap((name) => {
      const { mean, std, weight } = model.weights[name] ?? { mean: null, std: null, weight: null };
      return [mean, std, weight];
    }),
  ];
  const all = (model: DifficultyFile) => {
    const { before = null } = model;
    const floors = before?.floors.map(({ above, floor }) => [above, floor]);
    return [numbers(model, FEATURES), before && [numbers(before, QUESTION_FEATURES), floors]];
  };
  return JSON.stringify(all(a)) === JSON.stringify(all(b));
}

/** Whether this build can score by the weights. */
export function fits(model: DifficultyFile): boolean {
  try {
    parseDifficultyModel(model);
    return true;
  } catch {
    return false;
  }
}
