/** Snapshots: all documents of a namespace, as they are when the snapshot ends, in R2. Pages of
 *  every shard go to parts while writes go on, pass after pass, until little is new; for the last
 *  of it writes wait; then the manifest makes the snapshot exist. */
import { assert, ServiceError } from "../errors.ts";
import { SHARD_FANOUT, SNAPSHOT_PARTS_MAX, SNAPSHOT_PASSES_MAX, SNAPSHOTS_MAX } from "../limits.ts";
import { pooled, totalOf } from "./shard-port.ts";
import {
  decodeManifest,
  encodeManifest,
  encodePart,
  infoOf,
  manifestKey,
  partKey,
  partsPrefix,
  SNAPSHOT_FORMAT,
  type SnapshotInfo,
  type SnapshotManifest,
  type SnapshotPart,
  sha256,
  snapshotPrefix,
} from "./snapshot-format.ts";
import { begun, copyOf, type SnapshotWork, type WorkContext } from "./work.ts";

/** What an id looks like: no other reaches a key. */
const ID = /^[\w-]{1,64}$/;

/** R2 deletes and lists this many objects a call. */
const R2_KEYS_PER_CALL = 1_000;

/** Throws `snapshots_not_configured` where no bucket is bound. */
export function bucketOf({ bucket }: Pick<WorkContext, "bucket">): R2Bucket {
  if (bucket !== null) return bucket;
  throw new ServiceError(
    "snapshots_not_configured",
    "this deployment has no R2 bucket bound as SNAPSHOTS",
  );
}

/** Begins a snapshot; its id. Throws `conflict` while other work runs and where there are too many
 *  snapshots. */
export async function beginSnapshot(context: WorkContext): Promise<string> {
  const { store } = context;
  const known = await listSnapshots(context);
  if (known.length >= SNAPSHOTS_MAX)
    throw new ServiceError("conflict", `there are ${SNAPSHOTS_MAX} snapshots: delete one first`);
  const now = context.now();
  const time = new Date(now).toISOString().replace(/[-:.]/g, "");
  const id = `${time}-${crypto.randomUUID().slice(0, 8)}`;
  const shards = store.map().map((range) => ({ range, cursor: { row: 0, removal: 0 } }));
  const work: SnapshotWork = {
    ...begun(now),
    kind: "snapshot",
    phase: "prepare",
    id,
    shards,
    at: 0,
    passes: 0,
    pass_pages: 0,
    pass_row: store.nextRow() - 1,
    caught_up: false,
    parts: 0,
    bytes: 0,
    sealed: null,
  };
  store.transaction(() => {
    store.beginWork(work);
    store.forgetParts();
  });
  return id;
}

/** One bounded step; true once the manifest is there. A part that was written but not remembered
 *  is written again under the same key. */
export async function stepSnapshot(context: WorkContext, work: SnapshotWork): Promise<boolean> {
  const { store, call } = context;
  if (work.phase === "prepare") {
    const copy = copyOf(context, work);
    for (const { range } of work.shards) await call(range.object, "startCopy", copy);
    store.setWork({ ...work, phase: "copy", failures: 0 });
    return false;
  }
  if (work.phase === "copy") {
    for (let page = 0; page < context.stepPages && !work.caught_up; page++)
      await copyPass(context, work);
    if (work.caught_up) await context.writes.run(() => seal(context, work), true);
    return false;
  }
  await writeManifest(context, work);
  const copy = copyOf(context, work);
  for (const { range } of work.shards) await call(range.object, "endCopy", copy);
  store.transaction(() => {
    store.forgetParts();
    store.setWork(null);
  });
  return true;
}

/** The next page of a pass over all shards, which takes what was written before the pass began.
 *  Once a pass brought a page a shard or less, or many have passed, the rest is left to `seal`. */
async function copyPass(context: WorkContext, work: SnapshotWork): Promise<void> {
  const ended = await copyPage(context, work, work.at);
  work.pass_pages += 1;
  if (ended || work.shards[work.at]!.cursor.row >= work.pass_row) work.at += 1;
  const all = work.shards.length;
  if (work.at === all) {
    work.passes += 1;
    work.caught_up = work.pass_pages <= all || work.passes >= SNAPSHOT_PASSES_MAX;
    Object.assign(work, { at: 0, pass_pages: 0, pass_row: context.store.nextRow() - 1 });
  }
  context.store.setWork(work);
}

/** Writes a page of one shard as a part, where it holds anything; whether nothing follows it. */
async function copyPage(context: WorkContext, work: SnapshotWork, shard: number): Promise<boolean> {
  const { store, call } = context;
  const { range, cursor } = work.shards[shard]!;
  const { row, removal } = cursor;
  const page = await call(range.object, "copyPage", row, removal, context.partDocuments);
  if (page.documents.length + page.removed.length > 0) {
    if (work.parts >= SNAPSHOT_PARTS_MAX)
      throw new ServiceError("conflict", `a snapshot has at most ${SNAPSHOT_PARTS_MAX} parts`);
    const bytes = await encodePart(page);
    const part: SnapshotPart = {
      shard,
      bytes: bytes.length,
      sha256: await sha256(bytes),
      documents: page.documents.length,
      removed: page.removed.length,
    };
    await bucketOf(context).put(partKey(store.name(), work.id, work.parts), bytes);
    store.addPart(work.parts, part);
    work.parts += 1;
    work.bytes += bytes.length;
    work.documents += page.documents.length;
  }
  work.shards[shard]!.cursor = { row: page.row, removal: page.removal };
  work.failures = 0;
  store.setWork(work);
  return page.end;
}

/** The rest of every shard, while nothing is written, and the counts of the whole. */
async function seal(context: WorkContext, work: SnapshotWork): Promise<void> {
  const { store, call } = context;
  for (const shard of work.shards.keys()) while (!(await copyPage(context, work, shard)));
  const counts = await pooled(work.shards, SHARD_FANOUT, ({ range }) =>
    call(range.object, "counts"),
  );
  work.sealed = {
    completed_at: context.now(),
    ...totalOf(counts),
    options: store.options()!,
    dim: store.dim(),
    next_row: store.nextRow(),
  };
  store.setWork({ ...work, phase: "seal" });
}

async function writeManifest(context: WorkContext, work: SnapshotWork): Promise<void> {
  const { store } = context;
  assert(work.sealed !== null, "a snapshot is sealed before its manifest is written");
  const parts = store.parts<SnapshotPart>();
  assert(parts.length === work.parts, `a snapshot of ${work.parts} parts knows ${parts.length}`);
  const manifest: SnapshotManifest = {
    format: SNAPSHOT_FORMAT,
    id: work.id,
    name: store.name(),
    started_at: work.started_at,
    ...work.sealed,
    ranges: work.shards.map(({ range: { lo, hi } }) => ({ lo, hi })),
    parts,
  };
  const info = Object.entries(infoOf(manifest)).map(([key, value]) => [key, `${value}`]);
  await bucketOf(context).put(manifestKey(store.name(), work.id), await encodeManifest(manifest), {
    customMetadata: Object.fromEntries(info),
  });
}

/** Gives a snapshot up: its manifest goes, should it be there already, then its parts. That it is
 *  given up is kept first: were it forgotten with the object between two deletions, the next one
 *  would go on and end with a snapshot that lacks parts. */
export async function abandonSnapshot(context: WorkContext, work: SnapshotWork): Promise<void> {
  const { store, call, bucket } = context;
  const copy = copyOf(context, work);
  store.setWork({ ...work, phase: "abandon" });
  if (bucket !== null) {
    await bucket.delete(manifestKey(store.name(), work.id));
    await deletePrefix(bucket, partsPrefix(store.name(), work.id));
  }
  for (const { range } of work.shards) await call(range.object, "endCopy", copy);
  store.transaction(() => {
    store.forgetParts();
    store.setWork(null);
  });
}

/** All snapshots, oldest first. */
export async function listSnapshots(context: WorkContext): Promise<SnapshotInfo[]> {
  const prefix = `${snapshotPrefix(context.store.name())}manifests/`;
  const found: SnapshotInfo[] = [];
  for await (const { customMetadata } of objectsUnder(bucketOf(context), prefix)) {
    const { id, ...numbers } = customMetadata as Record<string, string> & { id: string };
    const counts = Object.entries(numbers).map(([key, value]) => [key, Number(value)]);
    found.push({ id, ...Object.fromEntries(counts) } as SnapshotInfo);
  }
  return found.sort((a, b) => a.started_at - b.started_at || (a.id < b.id ? -1 : 1));
}

/** All objects under a prefix, of which there are at most SNAPSHOT_PARTS_MAX, in the order of their
 *  keys. */
export async function* objectsUnder(bucket: R2Bucket, prefix: string): AsyncGenerator<R2Object> {
  let cursor: string | undefined;
  for (let seen = 0; seen <= SNAPSHOT_PARTS_MAX; ) {
    const at = cursor === undefined ? {} : { cursor };
    const page = await bucket.list({ prefix, include: ["customMetadata"], ...at });
    yield* page.objects;
    if (!page.truncated) return;
    cursor = page.cursor;
    seen += page.objects.length;
  }
}

/** Throws `snapshot_not_found`, or `snapshot_damaged` where its manifest is. */
export async function readManifest(context: WorkContext, id: string): Promise<SnapshotManifest> {
  const name = context.store.name();
  const object = ID.test(id) ? await bucketOf(context).get(manifestKey(name, id)) : null;
  if (object === null)
    throw new ServiceError("snapshot_not_found", `there is no snapshot ${JSON.stringify(id)}`);
  return decodeManifest(await object.text());
}

/** Deletes a snapshot, damaged or not: the manifest first, so that it stops to exist at once.
 *  Throws `snapshot_not_found`, and `conflict` while it is being restored. */
export async function deleteSnapshot(context: WorkContext, id: string): Promise<void> {
  const { store } = context;
  const bucket = bucketOf(context);
  const work = store.work();
  if (work?.kind === "restore" && work.id === id)
    throw new ServiceError("conflict", "the snapshot is being restored");
  const key = manifestKey(store.name(), id);
  if (!ID.test(id) || (await bucket.head(key)) === null)
    throw new ServiceError("snapshot_not_found", `there is no snapshot ${JSON.stringify(id)}`);
  await bucket.delete(key);
  await deletePrefix(bucket, partsPrefix(store.name(), id));
}

/** Deletes all objects under a prefix; there are at most SNAPSHOT_PARTS_MAX. */
async function deletePrefix(bucket: R2Bucket, prefix: string): Promise<void> {
  for (let call = 0; call <= SNAPSHOT_PARTS_MAX / R2_KEYS_PER_CALL; call++) {
    const { objects } = await bucket.list({ prefix, limit: R2_KEYS_PER_CALL });
    if (objects.length === 0) return;
    await bucket.delete(objects.map(({ key }) => key));
  }
}
