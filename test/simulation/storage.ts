/** A Durable Object's storage over SQLite in the process: what is written is seen at once and
 *  lasts from `flush` on; `lose` takes back what was written since. */
import { DatabaseSync, type StatementSync } from "node:sqlite";

type Row = Record<string, SqlStorageValue>;

/** Statements that one object prepares: the memory has some hundreds of texts. */
const STATEMENTS_MAX = 2_000;

/** Statements that change nothing begin so. */
const READS = /^\s*(SELECT|PRAGMA)\b/i;
/** Several statements, which are run without bindings. */
const SEVERAL = /;\s*\S/;

interface Prepared {
  /** Null where the text holds several. */
  statement: StatementSync | null;
  reads: boolean;
}

/** What was found, read at once. */
class Cursor {
  readonly #rows: Row[];

  constructor(rows: Row[]) {
    this.#rows = rows;
  }

  toArray(): Row[] {
    return this.#rows;
  }

  one(): Row {
    if (this.#rows.length !== 1) throw new Error(`expected one row, got ${this.#rows.length}`);
    return this.#rows[0]!;
  }

  [Symbol.iterator]() {
    return this.#rows.values();
  }

  next() {
    const row = this.#rows.shift();
    return row === undefined ? { done: true } : { done: false, value: row };
  }
}

export class SimulatedStorage {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, Prepared>();
  /** When the alarm is to run, Unix ms: as the object sees it, and as it lasts. */
  #alarm: number | null = null;
  #durableAlarm: number | null = null;
  /** Whether the alarm runs now: it is gone for the object, and for good once it succeeded. */
  #alarmRuns = false;
  #depth = 0;
  #open = false;
  #dirtyAlarm = false;

  readonly sql = {
    exec: (query: string, ...bindings: SqlStorageValue[]) => this.#exec(query, bindings),
    get databaseSize(): number {
      return this.exec(
        "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
      ).one().bytes as number;
    },
  };

  /** Whether something was written that does not last yet. */
  get dirty(): boolean {
    return this.#open || this.#dirtyAlarm;
  }

  /** When the alarm is to run, Unix ms; null: not, or not before a change of that is durable. */
  get durableAlarm(): number | null {
    return this.#dirtyAlarm ? null : this.#durableAlarm;
  }

  #exec(query: string, bindings: SqlStorageValue[]): Cursor {
    const { statement, reads } = this.#prepared(query);
    if (!this.#open && !reads) this.#begin();
    if (statement === null) {
      this.#database.exec(query);
      return new Cursor([]);
    }
    const values = bindings.map((value) =>
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    );
    const rows = statement.all(...values) as Row[];
    for (const row of rows)
      for (const name in row) {
        const value: unknown = row[name];
        if (value instanceof Uint8Array) row[name] = bufferOf(value);
      }
    return new Cursor(rows);
  }

  #begin(): void {
    this.#run("BEGIN");
    this.#open = true;
  }

  #prepared(query: string): Prepared {
    const known = this.#statements.get(query);
    if (known !== undefined) return known;
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    const statement = SEVERAL.test(query) ? null : this.#database.prepare(query);
    const prepared = { statement, reads: READS.test(query) };
    this.#statements.set(query, prepared);
    return prepared;
  }

  #run(command: string): void {
    this.#prepared(command).statement!.run();
  }

  transactionSync<T>(work: () => T): T {
    if (!this.#open) this.#begin();
    const point = `point${this.#depth++}`;
    this.#run(`SAVEPOINT ${point}`);
    try {
      const result = work();
      this.#run(`RELEASE ${point}`);
      return result;
    } catch (error) {
      this.#run(`ROLLBACK TO ${point}`);
      this.#run(`RELEASE ${point}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  async getAlarm(): Promise<number | null> {
    return this.#alarmRuns ? null : this.#alarm;
  }

  async setAlarm(at: number): Promise<void> {
    this.#alarm = at;
    this.#alarmRuns = false;
    this.#dirtyAlarm = true;
  }

  async deleteAlarm(): Promise<void> {
    this.#alarm = null;
    this.#alarmRuns = false;
    this.#dirtyAlarm = true;
  }

  async deleteAll(): Promise<void> {
    this.transactionSync(() => {
      const select = `SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`;
      for (const { name } of this.sql.exec(select).toArray())
        this.sql.exec(`DROP TABLE "${String(name)}"`);
    });
  }

  beginAlarm(): void {
    this.#alarmRuns = true;
  }

  /** The alarm succeeded; `again`: the runtime does not know, and runs it once more. */
  endAlarm(again: boolean): void {
    if (!this.#alarmRuns) return;
    this.#alarmRuns = false;
    if (again) return;
    this.#alarm = null;
    this.#dirtyAlarm = true;
  }

  flush(): void {
    if (this.#open) this.#run("COMMIT");
    this.#open = false;
    this.#dirtyAlarm = false;
    this.#durableAlarm = this.#alarm;
  }

  /** The object died. */
  lose(): void {
    if (this.#open) this.#run("ROLLBACK");
    this.#open = false;
    this.#dirtyAlarm = false;
    this.#alarmRuns = false;
    this.#alarm = this.#durableAlarm;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return bytes.slice().buffer as ArrayBuffer;
}
