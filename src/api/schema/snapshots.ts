/** Snapshots of a namespace and the long work that makes and restores them. */
import type { MemorySnapshots } from "../../pipeline/memory-types.ts";
import { PathText, parse, z } from "./common.ts";

export const WorkReply = z
  .object({
    kind: z.enum(["split", "snapshot", "restore"]),
    phase: z.string(),
    id: z.string().nullable().openapi({ description: "Which snapshot is made or restored." }),
    started_at: z.number().openapi({ description: "Unix time in ms." }),
    documents: z.int().openapi({
      description: "Documents copied; some twice where they change meanwhile.",
    }),
    failures: z.int().openapi({ description: "Failures in a row; the work is tried again." }),
    error: z.string().nullable().openapi({ description: "What the last of them said." }),
  })
  .openapi("Work");

const Failure = z.object({ code: z.string(), message: z.string() }).nullable();

export const SnapshotReply = z
  .object({
    id: z.string(),
    state: z.enum(["writing", "complete", "failed"]),
    started_at: z.number().openapi({ description: "Unix time in ms." }),
    completed_at: z.number().nullable().openapi({
      description: "Unix time in ms; it holds the documents of this moment.",
    }),
    documents: z.int().openapi({ description: "While it is written, those copied so far." }),
    passages: z.int().nullable(),
    parts: z.int().nullable(),
    bytes: z.int().nullable().openapi({ description: "In R2." }),
    error: Failure,
  })
  .openapi("Snapshot");

export const SnapshotsReply = z
  .object({
    snapshots: z.array(SnapshotReply).openapi({ description: "The oldest first." }),
    work: WorkReply.nullable().openapi({ description: "What runs now." }),
    last_restore: z
      .object({
        state: z.enum(["done", "failed"]),
        id: z.string().nullable(),
        started_at: z.number(),
        ended_at: z.number(),
        documents: z.int(),
        error: Failure,
      })
      .nullable()
      .openapi({ description: "How the last restore ended." }),
  })
  .openapi("SnapshotList");

type Snapshot = z.infer<typeof SnapshotReply>;

/** Those that exist, and the last one that does not, or not yet. */
export function describeSnapshots(all: MemorySnapshots): z.infer<typeof SnapshotsReply> {
  const { work, last_snapshot, last_restore } = all;
  const snapshots = all.snapshots.map((info): Snapshot => {
    return { ...info, state: "complete", error: null };
  });
  const unfinished = { completed_at: null, passages: null, parts: null, bytes: null };
  if (work?.kind === "snapshot") {
    const { id, started_at, documents } = work;
    snapshots.push({
      ...{ id: id!, state: "writing", started_at, documents, ...unfinished, error: null },
    });
  } else if (last_snapshot?.state === "failed") {
    const { id, started_at, documents, error } = last_snapshot;
    snapshots.push({ id: id!, state: "failed", started_at, documents, ...unfinished, error });
  }
  return { snapshots, work, last_restore };
}

export const StartedReply = z.object({ id: z.string() }).openapi("SnapshotStarted");

export const SnapshotId = PathText;

export const SplitRequest = z
  .strictObject({
    shard: z.string().max(200).nullish().openapi({
      description: "The object of the shard, as stats names it; omitted: the one that holds most.",
    }),
  })
  .openapi("SplitRequest");

/** Undefined: the largest. Throws `invalid_request`. */
export function parseSplit(body: unknown): string | undefined {
  return parse(SplitRequest, body).shard ?? undefined;
}

export const CancelledReply = z
  .object({ cancelled: z.boolean().openapi({ description: "False: there was no work." }) })
  .openapi("WorkCancelled");
