/** What the API asks of the tending of memories and what it gets back. */
import type { Filter } from "../../index/filter.ts";
import type { Job, JobStep } from "../memory/jobs.ts";
import type { DocumentPatch } from "../memory/shard-types.ts";
import type { SnapshotInfo } from "../memory/snapshot-format.ts";
import type {
  DocumentPage,
  ExportedDocument,
  MemoryStats,
  NamespaceOptions,
  StoredDocument,
  WorkStatus,
} from "../memory/types.ts";
import type { WorkReport } from "../memory/work.ts";
import type { Caller, IngestOutcome, NamespaceInfo, SubmittedDocument } from "./types.ts";

/** The snapshots there are, the work under way, and how the last of each kind ended. */
export interface MemorySnapshots {
  snapshots: SnapshotInfo[];
  work: WorkStatus | null;
  last_snapshot: WorkReport | null;
  last_restore: WorkReport | null;
}

/** The tending of memories: namespaces, documents, jobs and snapshots. Every method that names a
 *  namespace throws `namespace_not_found` where the caller's tenant has none of that name, and
 *  `memory_busy` where too many writes wait. */
export interface MemoryAdmin {
  /** Resolves once the accepted documents are durable and searchable. A document that is refused
   *  is in `errors` and holds up no other. Past `embeddedMax` passages to embed, without which
   *  there is no such bound, documents are refused with `body_too_large`. */
  ingest(
    caller: Caller,
    namespace: string,
    documents: readonly SubmittedDocument[],
    embeddedMax?: number,
  ): Promise<IngestOutcome>;
  /** Throws `document_not_found`. */
  getDocument(caller: Caller, namespace: string, id: string): Promise<StoredDocument>;
  /** `limit` is 1 to DOCUMENTS_PER_CALL_MAX. Throws `invalid_request` with param `cursor` for a
   *  cursor it did not give. */
  listDocuments(
    caller: Caller,
    namespace: string,
    page: { limit: number; cursor: string | null },
  ): Promise<DocumentPage>;
  /** The document's new version. Throws `document_not_found`, and `version_conflict` where it has
   *  another version than `ifVersion`, null for any. */
  patchDocument(
    caller: Caller,
    namespace: string,
    id: string,
    patch: DocumentPatch,
    ifVersion: number | null,
  ): Promise<number>;
  /** Throws as `patchDocument` does. */
  deleteDocument(
    caller: Caller,
    namespace: string,
    id: string,
    ifVersion: number | null,
  ): Promise<void>;
  deleteWhere(caller: Caller, namespace: string, filter: Filter): Promise<{ deleted: number }>;
  /** One page of the export, bounded in bytes by the service; null `cursor` asks for the first
   *  and marks the last. The documents are what `ingest` takes back. */
  exportPage(
    caller: Caller,
    namespace: string,
    cursor: string | null,
  ): Promise<{ documents: ExportedDocument[]; cursor: string | null }>;

  stats(caller: Caller, namespace: string): Promise<MemoryStats>;
  /** Drops the expired and what is dead in the index, or with `rebuild` makes all of it anew; the
   *  stats afterwards. */
  compact(caller: Caller, namespace: string, rebuild: boolean): Promise<MemoryStats>;

  /** Creates it, or changes the options that may change; omitted options are the defaults, or what
   *  an existing namespace has. Throws `conflict` where an option that is fixed differs. */
  putNamespace(
    caller: Caller,
    name: string,
    options: Partial<NamespaceOptions>,
  ): Promise<NamespaceInfo>;
  getNamespace(caller: Caller, name: string): Promise<NamespaceInfo>;
  listNamespaces(caller: Caller): Promise<NamespaceInfo[]>;
  /** Deletes it with all its documents. */
  deleteNamespace(caller: Caller, name: string): Promise<void>;

  createJob(caller: Caller, namespace: string, name: string | null): Promise<Job>;
  /** Without the errors of each. The newest first. */
  listJobs(caller: Caller, namespace: string): Promise<Omit<Job, "errors">[]>;
  /** This and the following throw `job_not_found`. */
  getJob(caller: Caller, namespace: string, id: string): Promise<Job>;
  /** Notes what became of the lines from `from` on. Throws `conflict` where the job is finished or
   *  no longer at that line. */
  advanceJob(
    caller: Caller,
    namespace: string,
    id: string,
    from: number,
    step: JobStep,
  ): Promise<Job>;
  /** After it the job takes no more lines; again is no error. */
  finishJob(caller: Caller, namespace: string, id: string): Promise<Job>;
  /** Forgets the job; what it stored stays. */
  deleteJob(caller: Caller, namespace: string, id: string): Promise<void>;

  /** Begins to split the shard in an object, or the largest. This and all long work throw
   *  `conflict` while other long work runs. */
  split(caller: Caller, namespace: string, shard: string | undefined): Promise<void>;
  /** Begins a snapshot; its id. This and the following throw `snapshots_not_configured` where no
   *  bucket is bound. */
  startSnapshot(caller: Caller, namespace: string): Promise<string>;
  snapshots(caller: Caller, namespace: string): Promise<MemorySnapshots>;
  /** This and the following throw `snapshot_not_found`. */
  deleteSnapshot(caller: Caller, namespace: string, id: string): Promise<void>;
  /** Begins to put a snapshot in the place of all documents and options. Throws
   *  `snapshot_damaged`. */
  restore(caller: Caller, namespace: string, id: string): Promise<void>;
  /** Calls off the long work that runs; false where there is none. */
  cancelWork(caller: Caller, namespace: string): Promise<boolean>;
}
