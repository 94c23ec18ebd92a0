/** The long pieces of work of a namespace, of which one runs at a time: each is a state in the
 *  root's SQLite and a step that leads to the next state. The root's alarm takes steps; whatever
 *  ends the object between two of them costs at most the step. */

import type { NamespaceStore } from "./namespace-store.ts";
import type { ShardCall } from "./shard-port.ts";
import { notConfigured } from "./shard-tier.ts";
import type { ShardRange } from "./shard-types.ts";
import type { NamespaceOptions } from "./types.ts";
import type { WriteLock } from "./write-lock.ts";

/** Where a copy goes on: after the document's row, and after the removal. */
export interface CopyCursor {
  row: number;
  removal: number;
}

interface Begun {
  /** Unix ms. */
  started_at: number;
  /** Documents copied, those copied again included. */
  documents: number;
  /** Failures since the last step that did not fail, and what the last one said. */
  failures: number;
  error: string | null;
}

/** Work that copies shards. */
interface Copying extends Begun {
  /** What its calls to begin and end copies carry, by which shards know late ones; absent until the
   *  first of them: see copyOf. */
  copy?: number;
}

/** A shard's documents move to two new objects. */
export interface SplitWork extends Copying {
  kind: "split";
  phase: "prepare" | "copy" | "abandon";
  source: ShardRange;
  targets: ShardRange[];
  generation: number;
  cursor: CopyCursor;
  /** What the targets were told last; absent before they are made. */
  options?: NamespaceOptions;
  /** The last row that was given when the split began: from there on, it catches up. */
  start_row: number;
  /** Pages copied since it caught up. */
  behind: number;
}

/** All documents go to R2. */
export interface SnapshotWork extends Copying {
  kind: "snapshot";
  phase: "prepare" | "copy" | "seal" | "abandon";
  id: string;
  shards: { range: ShardRange; cursor: CopyCursor }[];
  /** The shard that is read. */
  at: number;
  /** Passes over all shards; pages that this one read, and the last row when it began. */
  passes: number;
  pass_pages: number;
  pass_row: number;
  /** Whether what is left is little, or passes would never end. */
  caught_up: boolean;
  parts: number;
  bytes: number;
  /** What the manifest says of the whole, once nothing more is read. */
  sealed: {
    completed_at: number;
    documents: number;
    passages: number;
    options: NamespaceOptions;
    dim: number | null;
    next_row: number;
  } | null;
}

/** New objects are filled from R2. */
export interface RestoreWork extends Begun {
  kind: "restore";
  phase: "prepare" | "copy";
  id: string;
  targets: ShardRange[];
  generation: number;
  /** The next part to read, and how many there are. */
  part: number;
  parts: number;
  /** When the first document that was filled in expires, Unix ms. */
  first_expiry: number | null;
  expected: { documents: number; passages: number };
  next_row: number;
  dim: number | null;
  options: NamespaceOptions;
}

export type Work = SplitWork | SnapshotWork | RestoreWork;

/** How a piece of work ended. */
export interface WorkReport {
  state: "done" | "failed";
  /** Of a snapshot or restore: which. */
  id: string | null;
  started_at: number;
  ended_at: number;
  documents: number;
  error: { code: string; message: string } | null;
}

/** What a step of work works with. */
export interface WorkContext {
  store: NamespaceStore;
  call: ShardCall;
  /** Nothing is written while it is held. */
  writes: WriteLock;
  /** Name of the i-th object of a generation. */
  objectName(generation: number, i: number): string;
  now(): number;
  /** Lets requests come first that wait for the process; see COPY_REST_MS. */
  giveWay(): Promise<void>;
  /** Documents of a split's page, and of a snapshot's part. */
  pageDocuments: number;
  partDocuments: number;
  /** Pages that a step copies at most. */
  stepPages: number;
  shardsMax: number;
  bucket: R2Bucket | null;
  /** Whether there is a vector tier. */
  tiered: boolean;
}

/** Throws `vectorize_not_configured` for options that need what the deployment lacks. */
export function checkTier({ tiered }: WorkContext, { vector_tier }: NamespaceOptions): void {
  if (vector_tier === "vectorize" && !tiered) throw notConfigured();
}

/** The number of the copies that the work makes, which is kept before any shard hears of it. */
export function copyOf({ store }: WorkContext, work: SplitWork | SnapshotWork): number {
  if (work.copy === undefined) {
    work.copy = store.takeCopy();
    store.setWork(work);
  }
  return work.copy;
}

export function begun(now: number): Begun {
  return { started_at: now, documents: 0, failures: 0, error: null };
}
