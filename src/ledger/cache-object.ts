/** The Durable Object that keeps a slice of a tenant's cached answers, and of the questions by
 *  whose likeness they are found. What it holds may be forgotten at any time. */
import { DurableObject } from "cloudflare:workers";
import { cosineOf, inverseLength, quantizeQuery } from "../../index/vectors.ts";
import {
  CACHE_BYTES_MAX,
  CACHE_ENTRIES_MAX,
  CACHE_QUESTIONS_BYTES_MAX,
  CACHE_QUESTIONS_MAX,
} from "../limits.ts";
import { dropOldest, type RowBounds } from "./bounded-rows.ts";
import { migrate } from "./migrate.ts";

export interface CachedAnswer {
  /** SHA-256 (hex) of all that the answer hangs on but the version. */
  id: string;
  /** '' where no memory was consulted. */
  namespace: string;
  /** Of the memory that it was read from. */
  version: string;
  /** Whether another one might have come: an engine sampled it. */
  sampled: boolean;
  /** Unix ms, of the answer and of its end. */
  at: number;
  expires_at: number;
  /** JSON in UTF-8, for the pipeline to read. */
  body: Uint8Array;
}

export interface CachedQuestion {
  /** The answer's. */
  id: string;
  namespace: string;
  /** SHA-256 (hex) of all that the answer hangs on but the question and the version. */
  scope: string;
  version: string;
  sampled: boolean;
  question: string;
  /** What the reader had found; null where it found nothing or was not asked. */
  edge_answer: string | null;
  answer: string;
  /** Quantized, i8 [dim]. */
  vector: Int8Array;
  at: number;
  expires_at: number;
}

export type NearQuestion = Omit<CachedQuestion, "vector" | "scope" | "namespace"> & {
  cosine: number;
};

export interface CacheFigures {
  answers: number;
  questions: number;
  bytes: number;
}

/** The n-th step leads from schema n to n + 1. Never edit a step that was released: append one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE answers (
     id TEXT PRIMARY KEY,
     namespace TEXT NOT NULL,
     version TEXT NOT NULL,
     sampled INTEGER NOT NULL,
     at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     body BLOB NOT NULL
   );
   CREATE INDEX answers_by_age ON answers (at, bytes);
   CREATE INDEX answers_by_end ON answers (expires_at);
   CREATE TABLE questions (
     id TEXT PRIMARY KEY,
     namespace TEXT NOT NULL,
     scope TEXT NOT NULL,
     version TEXT NOT NULL,
     sampled INTEGER NOT NULL,
     question TEXT NOT NULL,
     edge_answer TEXT,
     answer TEXT NOT NULL,
     at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     vector BLOB NOT NULL
   );
   CREATE INDEX questions_by_scope ON questions (scope, version, at);
   CREATE INDEX questions_by_age ON questions (at, bytes);
   CREATE INDEX questions_by_end ON questions (expires_at);`,
];

const TABLES = ["answers", "questions"] as const;

type SqlRow = Record<string, SqlStorageValue>;

/** Object RPC. */
export class CacheObject extends DurableObject {
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

  protected get bounds(): Record<(typeof TABLES)[number], RowBounds> {
    return {
      answers: { entries: CACHE_ENTRIES_MAX, bytes: CACHE_BYTES_MAX },
      questions: { entries: CACHE_QUESTIONS_MAX, bytes: CACHE_QUESTIONS_BYTES_MAX },
    };
  }

  find(id: string): CachedAnswer | null {
    const select = "SELECT * FROM answers WHERE id = ? AND expires_at > ?";
    const row = this.#sql.exec(select, id, this.now()).toArray()[0];
    return row === undefined ? null : answerFrom(row);
  }

  /** Keeps an answer in the place of any of its id. */
  async put({ id, namespace, version, sampled, at, expires_at, body }: CachedAnswer) {
    this.#sql.exec(
      "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[id, namespace, version, Number(sampled), at, expires_at, body.byteLength, body],
    );
    dropOldest(this.#sql, "answers", this.bounds.answers);
    await this.#wakeBy(expires_at);
  }

  async putQuestion(asked: CachedQuestion): Promise<void> {
    const { id, namespace, scope, version, sampled, question, edge_answer, answer } = asked;
    const { at, expires_at, vector } = asked;
    const chars = question.length + answer.length + (edge_answer?.length ?? 0);
    const bytes = vector.byteLength + 2 * chars;
    this.#sql.exec(
      "INSERT OR REPLACE INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[id, namespace, scope, version, Number(sampled), question, edge_answer, answer],
      ...[at, expires_at, bytes, vector],
    );
    dropOldest(this.#sql, "questions", this.bounds.questions);
    await this.#wakeBy(expires_at);
  }

  /** The `k` questions of a scope and version nearest to the unit vector, f32 [dim], best first,
   *  none below `cosineMin`. */
  near(
    scope: string,
    version: string,
    vector: Float32Array,
    { k, cosineMin }: { k: number; cosineMin: number },
  ): NearQuestion[] {
    const select = `SELECT id, vector FROM questions
      WHERE scope = ? AND version = ? AND expires_at > ? ORDER BY at DESC LIMIT ?`;
    const { entries } = this.bounds.questions;
    const query = quantizeQuery(vector);
    const near: { id: string; cosine: number }[] = [];
    for (const row of this.#sql.exec(select, scope, version, this.now(), entries)) {
      const qs = new Int8Array(row.vector as ArrayBuffer);
      const cosine = cosineOf(query, { qs, scale: inverseLength(qs) });
      if (cosine >= cosineMin) near.push({ id: String(row.id), cosine });
    }
    near.sort((a, b) => b.cosine - a.cosine);
    return near.slice(0, k).map(({ id, cosine }) => {
      const row = this.#sql.exec("SELECT * FROM questions WHERE id = ?", id).one();
      return questionFrom(row, cosine);
    });
  }

  remove(id: string): void {
    for (const table of TABLES) this.#sql.exec(`DELETE FROM ${table} WHERE id = ?`, id);
  }

  /** Forgets the answers of a namespace, or all; how many there were. */
  purge(namespace: string | null): number {
    const where = namespace === null ? "" : "WHERE namespace = ?";
    const bindings = namespace === null ? [] : [namespace];
    const { answers } = this.figures(namespace);
    for (const table of TABLES) this.#sql.exec(`DELETE FROM ${table} ${where}`, ...bindings);
    return answers;
  }

  /** Of a namespace, or of all. */
  figures(namespace: string | null): CacheFigures {
    const where = namespace === null ? "" : "AND namespace = ?";
    const [answers, questions] = TABLES.map((table) => {
      const select = `SELECT count(*) AS n, total(bytes) AS bytes FROM ${table}
        WHERE expires_at > ? ${where}`;
      const bindings = namespace === null ? [] : [namespace];
      return this.#sql.exec(select, this.now(), ...bindings).one();
    });
    return {
      answers: Number(answers!.n),
      questions: Number(questions!.n),
      bytes: Number(answers!.bytes) + Number(questions!.bytes),
    };
  }

  override async alarm(): Promise<void> {
    for (const table of TABLES)
      this.#sql.exec(`DELETE FROM ${table} WHERE expires_at <= ?`, this.now());
    const ends = `SELECT min(at) AS at FROM (SELECT min(expires_at) AS at FROM answers
      UNION ALL SELECT min(expires_at) FROM questions)`;
    const { at } = this.#sql.exec(ends).one();
    if (at !== null) await this.ctx.storage.setAlarm(Number(at));
  }

  /** What is past its time goes, though nobody calls again. */
  async #wakeBy(expiresAt: number): Promise<void> {
    const alarm = await this.ctx.storage.getAlarm();
    if (alarm === null || alarm > expiresAt) await this.ctx.storage.setAlarm(expiresAt);
  }
}

function answerFrom(row: SqlRow): CachedAnswer {
  return {
    id: String(row.id),
    namespace: String(row.namespace),
    version: String(row.version),
    sampled: row.sampled === 1,
    at: Number(row.at),
    expires_at: Number(row.expires_at),
    body: new Uint8Array(row.body as ArrayBuffer),
  };
}

function questionFrom(row: SqlRow, cosine: number): NearQuestion {
  return {
    id: String(row.id),
    version: String(row.version),
    sampled: row.sampled === 1,
    question: String(row.question),
    edge_answer: row.edge_answer as string | null,
    answer: String(row.answer),
    at: Number(row.at),
    expires_at: Number(row.expires_at),
    cosine,
  };
}
