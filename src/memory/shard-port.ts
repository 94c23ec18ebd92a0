/** What a namespace's root has its shards do, its own tables and other objects alike. */
import type { Filter } from "../../index/filter.ts";
import type { Change, ChangeOutcome, CopyPage, ShardStats } from "./shard-types.ts";
import type { FoundDocument } from "./store.ts";
import type { ExportedDocument, NamespaceOptions, StoredDocument } from "./types.ts";

/** A document's row beside what is listed or exported of it: what pages of all shards merge by. */
export interface Rowed<T> {
  row: number;
  document: T;
}

export type Listed = Omit<StoredDocument, "text">;

/** A document as forgetting weighs it. */
export interface AgedDocument {
  id: string;
  row: number;
  /** When it happened, Unix ms. */
  time: number;
}

export interface ShardMethods {
  /** Makes an empty shard, whatever was there. */
  create(options: NamespaceOptions): Promise<void>;
  configure(options: NamespaceOptions): void;
  apply(changes: Change[]): Promise<ChangeOutcome[]>;
  /** Of each id what is stored under it; null: nothing. */
  find(ids: string[]): (FoundDocument | null)[];
  get(id: string): StoredDocument | null;
  /** Documents after a row, in row order; fewer than `limit` where they are long, but one. */
  list(after: number, limit: number): Rowed<Listed>[];
  /** Whole documents after a row, in row order: as many as `bytesMax` holds, but one. */
  export(after: number, limit: number, bytesMax: number): Rowed<ExportedDocument>[];
  removeWhere(filter: Filter): Promise<number>;
  /** The oldest documents by time, at most `limit`; with `before` only those that are older. */
  oldest(limit: number, before: number | null): AgedDocument[];
  /** What it holds; loads no index, as `stats` does. */
  counts(): Pick<ShardStats, "documents" | "passages">;
  stats(): ShardStats;
  compact(rebuild: boolean): Promise<void>;
  /** Of the copy with that number; see Shard. */
  startCopy(copy: number): void;
  endCopy(copy: number): void;
  copyPage(row: number, removal: number, limit: number): CopyPage;
  /** Takes a page of a copy; the same page again changes nothing. */
  adopt(page: CopyPage): Promise<void>;
  destroy(): Promise<void>;
}

export type ShardMethod = keyof ShardMethods;

/** Runs a method on the shard in an object; null: on the root's own tables. */
export type ShardCall = <K extends ShardMethod>(
  object: string | null,
  method: K,
  ...args: Parameters<ShardMethods[K]>
) => Promise<Awaited<ReturnType<ShardMethods[K]>>>;

/** Results of `work` on every item, at most `width` at once. All are over when it returns; where
 *  some failed it throws the first failure. */
export async function pooled<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const settled = await settledPool(items, width, work);
  return settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** The same with failures in the place of their results. */
export async function settledPool<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results = new Array<PromiseSettledResult<R>>(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      try {
        results[at] = { status: "fulfilled", value: await work(items[at]!, at) };
      } catch (reason) {
        results[at] = { status: "rejected", reason };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

/** What shards hold together. */
export function totalOf(counts: readonly Pick<ShardStats, "documents" | "passages">[]) {
  return {
    documents: counts.reduce((sum, each) => sum + each.documents, 0),
    passages: counts.reduce((sum, each) => sum + each.passages, 0),
  };
}
