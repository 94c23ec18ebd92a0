/** Records of long ingests, beside the documents that they bring: how far each is, and what became
 *  of its lines. */
import { type ErrorCode, ServiceError } from "../errors.ts";
import { JOBS_MAX, LINE_ERRORS_KEPT_MAX } from "../limits.ts";

export interface LineError {
  line: number;
  code: ErrorCode;
  message: string;
}

/** What became of the lines from a job's position on. */
export interface JobStep {
  /** Lines that were taken, and their bytes. */
  lines: number;
  bytes: number;
  upserted: number;
  unchanged: number;
  passages: number;
  error_count: number;
  /** The first of them; `line` counts from 0. */
  errors: LineError[];
}

export interface Job extends JobStep {
  id: string;
  name: string | null;
  state: "open" | "finished";
  /** Unix ms. */
  created_at: number;
  updated_at: number;
}

export class Jobs {
  readonly #sql: SqlStorage;
  readonly #now: () => number;

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** A new job, open and at its first line. The oldest finished one gives way where there are
   *  JOBS_MAX; throws `conflict` where all of them are open. */
  create(name: string | null): Job {
    const now = this.#now();
    const counts = { lines: 0, bytes: 0, upserted: 0, unchanged: 0, passages: 0, error_count: 0 };
    const about = { id: crypto.randomUUID(), name, state: "open" as const };
    const job: Job = { ...about, ...counts, errors: [], created_at: now, updated_at: now };
    if (Number(this.#sql.exec("SELECT count(*) AS n FROM jobs").one().n) >= JOBS_MAX) {
      const oldest = "SELECT id FROM jobs WHERE open = 0 ORDER BY created_at, id LIMIT 1";
      const [finished] = this.#sql.exec(oldest).toArray();
      if (finished === undefined)
        throw new ServiceError("conflict", `${JOBS_MAX} jobs are open: finish or delete one first`);
      this.delete(String(finished.id));
    }
    return this.#put(job);
  }

  /** The newest first, without their errors. */
  list(): Omit<Job, "errors">[] {
    const rows = this.#sql.exec("SELECT job FROM jobs ORDER BY created_at DESC, id").toArray();
    return rows.map(({ job }) => {
      const { errors: _, ...rest } = JSON.parse(String(job)) as Job;
      return rest;
    });
  }

  /** Throws `job_not_found`, as all that follow do. */
  get(id: string): Job {
    const [row] = this.#sql.exec("SELECT job FROM jobs WHERE id = ?", id).toArray();
    if (row === undefined)
      throw new ServiceError("job_not_found", `there is no job ${JSON.stringify(id)}`);
    return JSON.parse(String(row.job));
  }

  /** Moves a job on from line `from`. Throws `conflict` where it is finished or at another line. */
  advance(id: string, from: number, step: JobStep): Job {
    const job = this.get(id);
    if (job.state === "finished") throw new ServiceError("conflict", "the job is finished");
    if (job.lines !== from)
      throw new ServiceError("conflict", `the job is at line ${job.lines}, not at ${from}`);
    return this.#put({
      ...job,
      lines: job.lines + step.lines,
      bytes: job.bytes + step.bytes,
      upserted: job.upserted + step.upserted,
      unchanged: job.unchanged + step.unchanged,
      passages: job.passages + step.passages,
      error_count: job.error_count + step.error_count,
      errors: [...job.errors, ...step.errors].slice(0, LINE_ERRORS_KEPT_MAX),
      updated_at: this.#now(),
    });
  }

  /** A finished job takes no more lines; again is no error. */
  finish(id: string): Job {
    const job = this.get(id);
    if (job.state === "finished") return job;
    return this.#put({ ...job, state: "finished", updated_at: this.#now() });
  }

  delete(id: string): void {
    this.get(id);
    this.#sql.exec("DELETE FROM jobs WHERE id = ?", id);
  }

  #put(job: Job): Job {
    this.#sql.exec(
      "INSERT OR REPLACE INTO jobs (id, created_at, open, job) VALUES (?, ?, ?, ?)",
      ...[job.id, job.created_at, job.state === "open" ? 1 : 0, JSON.stringify(job)],
    );
    return job;
  }
}
