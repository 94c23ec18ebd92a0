/** The Durable Object of the memory. One named `tenant/namespace` is a namespace's root: it takes
 *  every call, and holds the documents itself while they are few. Others of the class, named
 *  `tenant/namespace/gG-I`, are its shards and listen to it alone. */
import type { Filter } from "../../index/filter.ts";
import {
  COPY_PAGE_BYTES_MAX,
  EXPORT_PAGE_CHARS_MAX,
  PAGE_DOCUMENTS_MAX,
  SEARCH_ATTEMPTS_MAX,
  SHARD_DEADLINE_MS_MAX,
} from "../limits.ts";
import { charsOf, listedChars } from "./document-size.ts";
import { ShardGatherer } from "./gather.ts";
import type { Job, JobStep } from "./jobs.ts";
import { MemoryNode } from "./memory-node.ts";
import { eachOf, type Namespace } from "./namespace.ts";
import type { NewChange } from "./namespace-changes.ts";
import { mergedPage, rowOf } from "./pages.ts";
import { beginRestore } from "./restore.ts";
import { search } from "./search.ts";
import { hashOf, shardOf } from "./shard-map.ts";
import type { ChangeOutcome, DocumentPatch, ShardRange, ShardStats } from "./shard-types.ts";
import { beginSnapshot, deleteSnapshot, listSnapshots } from "./snapshot.ts";
import type { SnapshotInfo } from "./snapshot-format.ts";
import type { FoundDocument } from "./store.ts";
import type {
  DocumentPage,
  ExportPage,
  MemoryStats,
  NamespaceOptions,
  PreparedDocument,
  SearchReply,
  SearchRequest,
  StoredDocument,
  WorkStatus,
} from "./types.ts";
import type { Work, WorkReport } from "./work.ts";

/** Object RPC, for the Worker. Every method sees all that was written before it and nothing that
 *  has expired, and resolves only once what it wrote is durable. Errors carry their code (see
 *  codeOf). Every method but `configure` throws `namespace_not_found` until that was called; those
 *  that write throw `memory_busy` where too many writes wait or a snapshot is being restored. */
export class MemoryObject extends MemoryNode {
  /** Makes the namespace, or gives it other options, which rank anew. Throws `conflict` where one
   *  differs that is fixed once documents are stored: bm25_unit, shards, vector_tier;
   *  `invalid_request` where they do not go together; `memory_busy` where a snapshot is being
   *  restored, which brings its own. */
  async configure(options: NamespaceOptions): Promise<void> {
    await this.makeNamespace().configure(options);
  }

  /** As configured, or as a restored snapshot brought them. */
  options(): NamespaceOptions {
    return this.namespace().store.options()!;
  }

  /** Of all that a search can find, expiry aside: what was found at an even version is found again
   *  while it is the same, but for cosines, which the archive makes less exact as vectors get old.
   *  Odd: a change is under way. */
  contentVersion(): number {
    return this.namespace().store.contentVersion();
  }

  /** Of each id what is stored under it; null: nothing. */
  async find(ids: string[]): Promise<(FoundDocument | null)[]> {
    const namespace = this.namespace();
    return namespace.read((map) => namespace.find(map, ids));
  }

  /** Applies changes in their order, each for itself: what became of each, in that order. */
  apply(changes: NewChange[]): Promise<ChangeOutcome[]> {
    return this.namespace().apply(changes);
  }

  /** Stores documents; one of a known id replaces it. Of the same id twice both are stored, one
   *  after the other. */
  upsert(
    changes: { document: PreparedDocument; if_version: number | null }[],
  ): Promise<ChangeOutcome[]> {
    return this.apply(changes.map((change) => ({ kind: "upsert", ...change })));
  }

  async patch(id: string, patch: DocumentPatch, ifVersion: number | null): Promise<ChangeOutcome> {
    const [outcome] = await this.apply([{ kind: "patch", id, patch, if_version: ifVersion }]);
    return outcome!;
  }

  /** Removes documents whatever their version; how many of the ids were there. */
  async remove(ids: string[]): Promise<number> {
    const changes = ids.map((id): NewChange => ({ kind: "remove", id, if_version: null }));
    const outcomes = await this.apply(changes);
    return outcomes.filter(({ status }) => status === "removed").length;
  }

  /** How many documents passed the filter and are gone. */
  removeWhere(filter: Filter): Promise<number> {
    return this.namespace().removeWhere(filter);
  }

  /** The best hits, best first. Where a passage that was ranked is gone before it is shown, the
   *  search starts anew; the last attempt has writes wait. Throws `invalid_request` for a vector of
   *  the wrong size, `shard_unavailable` where a shard does not answer in time and the request does
   *  not allow partial results. */
  async search(request: SearchRequest): Promise<SearchReply> {
    const namespace = this.namespace();
    for (let attempt = 1; ; attempt++) {
      const once = () => namespace.read((map) => this.#search(namespace, map, request));
      const last = attempt === SEARCH_ATTEMPTS_MAX;
      const { reply, lost } = await (last ? namespace.writes.run(once, true) : once());
      if (!lost || last) return reply;
    }
  }

  async #search(namespace: Namespace, map: readonly ShardRange[], request: SearchRequest) {
    const leaves = map.map(({ object }, shard) => ({ shard, object }));
    const partial = request.partial ?? false;
    const gatherer = new ShardGatherer(this.gatherNode(null), leaves, partial, this.deadlineMs);
    const options = namespace.store.options()!;
    const found = await search(gatherer, options, request);
    const reply: SearchReply = { ...found, partial: gatherer.partial };
    return { reply, lost: gatherer.lost > 0 };
  }

  async get(id: string): Promise<StoredDocument | null> {
    const namespace = this.namespace();
    return namespace.read((map) => {
      const { object } = map[shardOf(map, hashOf(id))]!;
      return this.call(object, "get", id);
    });
  }

  /** Documents by last change, oldest first; a page ends early at EXPORT_PAGE_CHARS_MAX. Throws
   *  `invalid_request` for a foreign cursor. */
  async list(cursor: string | null, limit: number): Promise<DocumentPage> {
    const namespace = this.namespace();
    const read = (object: string | null, after: number, most: number) =>
      this.call(object, "list", after, most);
    return namespace.read((map) =>
      mergedPage(map, rowOf(cursor), clampLimit(limit), read, {
        size: EXPORT_PAGE_CHARS_MAX,
        sizeOf: listedChars,
      }),
    );
  }

  /** Whole documents in the order of `list`; a page ends early at EXPORT_PAGE_CHARS_MAX. */
  async export(cursor: string | null, limit = PAGE_DOCUMENTS_MAX): Promise<ExportPage> {
    const namespace = this.namespace();
    return namespace.read((map) => {
      // What shards read ahead stays about a page, however many they are and long the documents.
      const bytesMax = Math.ceil(COPY_PAGE_BYTES_MAX / map.length);
      const read = (object: string | null, after: number, most: number) =>
        this.call(object, "export", after, most, bytesMax);
      return mergedPage(map, rowOf(cursor), clampLimit(limit), read, {
        size: EXPORT_PAGE_CHARS_MAX,
        sizeOf: (document) => charsOf(document, []) + (document.embedding?.length ?? 0) * 4,
      });
    });
  }

  async stats(): Promise<MemoryStats> {
    const namespace = this.namespace();
    const shards = await namespace.read(async (map) => {
      const stats = await eachOf(map, (object) => this.call(object, "stats"));
      return stats.map((each, i) => ({ ...map[i]!, ...each }));
    });
    const sum = (name: Exclude<keyof ShardStats, "segments" | "tombstones" | "rebuilt">): number =>
      shards.reduce((total, shard) => total + shard[name], 0);
    return {
      documents: sum("documents"),
      passages: sum("passages"),
      archived_passages: sum("archived_passages"),
      lost_vectors: sum("lost_vectors"),
      terms: sum("terms"),
      avgdl: sum("units") === 0 ? 0 : sum("length_sum") / sum("units"),
      sqlite_bytes: sum("sqlite_bytes"),
      resident_bytes: sum("resident_bytes"),
      shards,
      work: statusOf(namespace.store.work()),
      retired: namespace.store.retired().length,
    };
  }

  /** Drops terms that no passage holds any more and what is dead in the index; with `rebuild` all
   *  of it is made anew from the tables. Changes no result. */
  async compact(rebuild = false): Promise<MemoryStats> {
    await this.namespace().each((object) => this.call(object, "compact", rebuild));
    return this.stats();
  }

  /** Begins to split the largest shard, or that in an object; `stats` tells how far it is. Throws
   *  `conflict` while other long work runs, `memory_full` where there are too many shards. */
  async split(object?: string | null): Promise<void> {
    await this.namespace().split(object);
  }

  /** Begins a snapshot; its id. Throws `snapshots_not_configured`, and `conflict` while other long
   *  work runs and where there are too many snapshots. */
  async snapshot(): Promise<string> {
    const id = await beginSnapshot(this.namespace().context);
    await this.wake();
    return id;
  }

  /** The snapshots there are, the one being written, and how the last snapshot and the last restore
   *  ended. */
  async snapshots(): Promise<{
    snapshots: SnapshotInfo[];
    work: WorkStatus | null;
    last_snapshot: WorkReport | null;
    last_restore: WorkReport | null;
  }> {
    const { context, store } = this.namespace();
    return {
      snapshots: await listSnapshots(context),
      work: statusOf(store.work()),
      last_snapshot: store.report("snapshot"),
      last_restore: store.report("restore"),
    };
  }

  /** Throws `snapshot_not_found`, and `conflict` while the snapshot is being restored. */
  async deleteSnapshot(id: string): Promise<void> {
    await deleteSnapshot(this.namespace().context, id);
  }

  /** Begins to put a snapshot in the place of all documents and options; until it is done nothing
   *  changes and writes are `memory_busy`. Throws `snapshot_not_found`, `snapshot_damaged` as far
   *  as the manifest and the sizes of parts tell, and `conflict` while other long work runs. */
  async restore(id: string): Promise<void> {
    await beginRestore(this.namespace().context, id);
    await this.wake();
  }

  /** Calls off the long work under way; false where there is none. */
  async cancelWork(): Promise<boolean> {
    const called = await this.namespace().work.cancel();
    await this.wake();
    return called;
  }

  createJob(name: string | null): Job {
    return this.jobs().create(name);
  }

  listJobs(): Omit<Job, "errors">[] {
    return this.jobs().list();
  }

  getJob(id: string): Job {
    return this.jobs().get(id);
  }

  advanceJob(id: string, from: number, step: JobStep): Job {
    return this.jobs().advance(id, from, step);
  }

  finishJob(id: string): Job {
    return this.jobs().finish(id);
  }

  deleteJob(id: string): void {
    this.jobs().delete(id);
  }

  /** Deletes everything, all shards and the options included; `configure` makes the namespace anew.
   *  Snapshots stay. Throws where a shard does not answer; the alarm goes on with it. */
  async destroy(): Promise<void> {
    await this.destroyNamespace();
  }

  /** How long a shard has to answer a search. A test lowers it. */
  protected get deadlineMs(): number {
    return SHARD_DEADLINE_MS_MAX;
  }
}

function statusOf(work: Work | null): WorkStatus | null {
  if (work === null) return null;
  const { kind, phase, started_at, documents, failures, error } = work;
  const id = work.kind === "split" ? null : work.id;
  return { kind, phase, id, started_at, documents, failures, error };
}

function clampLimit(limit: number): number {
  return Math.max(1, Math.min(PAGE_DOCUMENTS_MAX, Math.floor(limit)));
}
