/** A tenant's counters, which grow over all isolates and outlive them. */
import { SERIES_KEY_CHARS_MAX, SERIES_MAX } from "../limits.ts";

export const SERIES_SCHEMA = `CREATE TABLE series (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     json TEXT NOT NULL
   );`;

/** What did not fit is counted under this key. */
export const SERIES_DROPPED = "series_dropped_total";

/** One row holds all of them: an isolate's counts touch many, and each row written is paid for. */
export class Series {
  readonly #sql: SqlStorage;
  readonly #max: number;
  #values: Map<string, number> | null = null;

  constructor(sql: SqlStorage, max: number = SERIES_MAX) {
    this.#sql = sql;
    this.#max = max;
  }

  add(grown: readonly [string, number][]): void {
    if (grown.length === 0) return;
    const values = this.#read();
    const grow = (key: string, by: number) => values.set(key, (values.get(key) ?? 0) + by);
    for (const [key, by] of grown) {
      if (!Number.isFinite(by) || by < 0) continue; // a counter never falls
      const fits = values.has(key) || values.size < this.#max;
      if (fits && key.length <= SERIES_KEY_CHARS_MAX) grow(key, by);
      else grow(SERIES_DROPPED, 1);
    }
    const json = JSON.stringify([...values]);
    this.#sql.exec("INSERT OR REPLACE INTO series (one, json) VALUES (1, ?)", json);
  }

  all(): [string, number][] {
    return [...this.#read()];
  }

  #read(): Map<string, number> {
    const row = this.#values ?? this.#sql.exec("SELECT json FROM series").toArray()[0];
    this.#values = row instanceof Map ? row : new Map(row ? JSON.parse(String(row.json)) : []);
    return this.#values;
  }
}
