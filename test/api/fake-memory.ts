/** Memories of fixed answers, for tests of what the HTTP layer reads and writes; only jobs are
 *  kept. Calls are recorded. */
import { ServiceError } from "../../src/errors.ts";
import type { Job } from "../../src/memory/jobs.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import type { MemoryAdmin, MemorySnapshots } from "../../src/pipeline/memory-types.ts";
import type { IngestOutcome } from "../../src/pipeline/types.ts";

const NAMESPACE = { ...NAMESPACE_DEFAULTS, name: "docs", created_at: 1 };
const STATS = {
  documents: 1,
  passages: 1,
  archived_passages: 0,
  lost_vectors: 0,
  terms: 4,
  avgdl: 4,
  sqlite_bytes: 4096,
  resident_bytes: 100,
  shards: [
    {
      ...{ object: null, lo: 0, hi: 2 ** 32, documents: 1, passages: 1, terms: 4, units: 1 },
      archived_passages: 0,
      lost_vectors: 0,
      ...{ length_sum: 4, sqlite_bytes: 4096, resident_bytes: 100 },
      ...{ segments: 0, memtable_passages: 1, tombstones: 0, rebuilt: 0 },
    },
  ],
  work: null,
  retired: 0,
};
const SNAPSHOT = {
  ...{ id: "s1", started_at: 10, completed_at: 20, documents: 5, passages: 6 },
  ...{ parts: 1, bytes: 700 },
};
const STORED = {
  id: "d1",
  title: null,
  metadata: {},
  expires_at: null,
  time: 1,
  content_type: "text/plain" as const,
  version: 3,
  passages: 1,
  brought: false,
  updated_at: 2,
};

/** Throws where the namespace is not `docs`, the only one there is. */
export function knows(namespace: string): void {
  if (namespace !== "docs")
    throw new ServiceError("namespace_not_found", `no namespace "${namespace}"`);
}

type Log = (name: string, ...args: unknown[]) => void;

export class FakeMemory implements MemoryAdmin {
  readonly #note: Log;
  readonly #jobs = new Map<string, Job>();
  snapshotStatus: MemorySnapshots = {
    snapshots: [SNAPSHOT],
    work: null,
    last_snapshot: null,
    last_restore: null,
  };

  constructor(note: Log) {
    this.#note = note;
  }

  #log<T>(result: T, name: string, ...args: unknown[]): Promise<T> {
    this.#note(name, ...args);
    return Promise.resolve(result);
  }

  /** Refuses a text of "too much", and a version that is none of STORED's; "same" is unchanged. */
  async ingest(...args: Parameters<MemoryAdmin["ingest"]>) {
    knows(args[1]);
    const outcome: IngestOutcome = {
      upserted: 0,
      unchanged: 0,
      passages: 0,
      documents: [],
      errors: [],
    };
    for (const [index, { id, text, if_version }] of args[2].entries()) {
      const unchanged = text === "same";
      if (text === "too much")
        outcome.errors.push({ index, code: "memory_full", message: "the memory is full" });
      else if (if_version !== null && if_version !== STORED.version)
        outcome.errors.push({ index, code: "version_conflict", message: "it has version 3" });
      else {
        outcome[unchanged ? "unchanged" : "upserted"] += 1;
        outcome.passages += unchanged ? 0 : 1;
        outcome.documents.push({ index, id: id ?? `made-${index}`, version: 3, unchanged });
      }
    }
    return this.#log(outcome, "ingest", ...args);
  }

  async getDocument(...args: Parameters<MemoryAdmin["getDocument"]>) {
    this.#knowsDocument(args[2]);
    return this.#log({ ...STORED, id: args[2], text: "hello" }, "getDocument", ...args);
  }

  listDocuments(...args: Parameters<MemoryAdmin["listDocuments"]>) {
    return this.#log({ documents: [STORED], cursor: "next" }, "listDocuments", ...args);
  }

  async patchDocument(...args: Parameters<MemoryAdmin["patchDocument"]>) {
    this.#knowsDocument(args[2]);
    this.#hasVersion(args[4]);
    return this.#log(STORED.version + 1, "patchDocument", ...args);
  }

  async deleteDocument(...args: Parameters<MemoryAdmin["deleteDocument"]>) {
    this.#hasVersion(args[3]);
    return this.#log(undefined, "deleteDocument", ...args);
  }

  deleteWhere(...args: Parameters<MemoryAdmin["deleteWhere"]>) {
    return this.#log({ deleted: 2 }, "deleteWhere", ...args);
  }

  /** Three pages, the middle one empty. */
  exportPage(...args: Parameters<MemoryAdmin["exportPage"]>) {
    const page = Number(args[2] ?? "0");
    const document = {
      id: `d${page}`,
      text: "a\nb",
      title: null,
      metadata: {},
      expires_at: null as number | null,
      time: 2e12,
      content_type: page === 0 ? ("text/plain" as const) : ("text/markdown" as const),
      embedding: page === 0 ? null : Float32Array.of(1),
    };
    const documents = page === 1 ? [] : [document];
    const cursor = page === 2 ? null : String(page + 1);
    return this.#log({ documents, cursor }, "exportPage", ...args);
  }

  stats(...args: Parameters<MemoryAdmin["stats"]>) {
    return this.#log(STATS, "stats", ...args);
  }

  compact(...args: Parameters<MemoryAdmin["compact"]>) {
    return this.#log(STATS, "compact", ...args);
  }

  putNamespace(...args: Parameters<MemoryAdmin["putNamespace"]>) {
    return this.#log({ ...NAMESPACE, name: args[1], ...args[2] }, "putNamespace", ...args);
  }

  async getNamespace(...args: Parameters<MemoryAdmin["getNamespace"]>) {
    knows(args[1]);
    return this.#log(NAMESPACE, "getNamespace", ...args);
  }

  listNamespaces(...args: Parameters<MemoryAdmin["listNamespaces"]>) {
    return this.#log([NAMESPACE], "listNamespaces", ...args);
  }

  deleteNamespace(...args: Parameters<MemoryAdmin["deleteNamespace"]>) {
    return this.#log(undefined, "deleteNamespace", ...args);
  }

  async createJob(...args: Parameters<MemoryAdmin["createJob"]>) {
    knows(args[1]);
    const none = { lines: 0, bytes: 0, upserted: 0, unchanged: 0, passages: 0, error_count: 0 };
    const id = `j${this.#jobs.size}`;
    const times = { created_at: 7, updated_at: 7 };
    const job: Job = { id, name: args[2], state: "open", ...none, errors: [], ...times };
    this.#jobs.set(id, job);
    return this.#log({ ...job }, "createJob", ...args);
  }

  async listJobs(...args: Parameters<MemoryAdmin["listJobs"]>) {
    const jobs = [...this.#jobs.values()].map(({ errors: _, ...job }) => job);
    return this.#log(jobs, "listJobs", ...args);
  }

  async getJob(...args: Parameters<MemoryAdmin["getJob"]>) {
    return this.#log({ ...this.#job(args[2]) }, "getJob", ...args);
  }

  async advanceJob(...args: Parameters<MemoryAdmin["advanceJob"]>) {
    const [, , id, from, step] = args;
    const job = this.#job(id);
    if (job.lines !== from) throw new ServiceError("conflict", `the job is at ${job.lines}`);
    for (const name of ["lines", "bytes", "upserted", "unchanged", "passages"] as const)
      job[name] += step[name];
    job.error_count += step.error_count;
    job.errors = [...job.errors, ...step.errors].slice(0, 1_000);
    return this.#log({ ...job }, "advanceJob", ...args);
  }

  async finishJob(...args: Parameters<MemoryAdmin["finishJob"]>) {
    const job = this.#job(args[2]);
    job.state = "finished";
    return this.#log({ ...job }, "finishJob", ...args);
  }

  async deleteJob(...args: Parameters<MemoryAdmin["deleteJob"]>) {
    this.#jobs.delete(this.#job(args[2]).id);
    return this.#log(undefined, "deleteJob", ...args);
  }

  async split(...args: Parameters<MemoryAdmin["split"]>) {
    return this.#log(undefined, "split", ...args);
  }

  async startSnapshot(...args: Parameters<MemoryAdmin["startSnapshot"]>) {
    knows(args[1]);
    return this.#log("s2", "startSnapshot", ...args);
  }

  snapshots(...args: Parameters<MemoryAdmin["snapshots"]>) {
    return this.#log(this.snapshotStatus, "snapshots", ...args);
  }

  async deleteSnapshot(...args: Parameters<MemoryAdmin["deleteSnapshot"]>) {
    this.#knowsSnapshot(args[2]);
    return this.#log(undefined, "deleteSnapshot", ...args);
  }

  async restore(...args: Parameters<MemoryAdmin["restore"]>) {
    this.#knowsSnapshot(args[2]);
    return this.#log(undefined, "restore", ...args);
  }

  cancelWork(...args: Parameters<MemoryAdmin["cancelWork"]>) {
    return this.#log(this.snapshotStatus.work !== null, "cancelWork", ...args);
  }

  #knowsSnapshot(id: string): void {
    if (id !== "s1") throw new ServiceError("snapshot_not_found", `no snapshot "${id}"`);
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new ServiceError("job_not_found", `no job "${id}"`);
    return job;
  }

  #knowsDocument(id: string): void {
    if (id === "absent") throw new ServiceError("document_not_found", "no such document");
  }

  #hasVersion(wanted: number | null): void {
    if (wanted !== null && wanted !== STORED.version)
      throw new ServiceError("version_conflict", `it has version ${STORED.version}`);
  }
}
