/** Restoring a snapshot: new objects are filled from its parts, and one transaction puts them in
 *  the place of all documents and options there are. Until then nothing changes. */
import { assert } from "../errors.ts";
import { SHARD_FANOUT } from "../limits.ts";
import { pooled, totalOf } from "./shard-port.ts";
import { bucketOf, objectsUnder, readManifest } from "./snapshot.ts";
import { damaged, decodePart, partKey, partsPrefix, type SnapshotPart } from "./snapshot-format.ts";
import { begun, checkTier, type RestoreWork, type WorkContext } from "./work.ts";

/** Begins to restore a snapshot of this namespace. Throws `snapshot_not_found`, `snapshot_damaged`
 *  where the manifest is damaged or a part is missing or of another size, `conflict` while other
 *  work runs, and `vectorize_not_configured`. */
export async function beginRestore(context: WorkContext, id: string): Promise<void> {
  const { store } = context;
  const manifest = await readManifest(context, id);
  checkTier(context, manifest.options);
  await checkParts(context, id, manifest.parts);
  store.transaction(() => {
    const generation = store.takeGeneration();
    const work: RestoreWork = {
      ...begun(context.now()),
      kind: "restore",
      phase: "prepare",
      id,
      targets: manifest.ranges.map((range, i) => {
        return { ...range, object: context.objectName(generation, i) };
      }),
      generation,
      part: 0,
      parts: manifest.parts.length,
      first_expiry: null,
      expected: { documents: manifest.documents, passages: manifest.passages },
      next_row: manifest.next_row,
      dim: manifest.dim,
      options: manifest.options,
    };
    store.beginWork(work);
    store.forgetParts();
    for (const [i, part] of manifest.parts.entries()) store.addPart(i, part);
  });
}

async function checkParts(context: WorkContext, id: string, parts: SnapshotPart[]): Promise<void> {
  const prefix = partsPrefix(context.store.name(), id);
  const sizes = new Map<string, number>();
  for await (const { key, size } of objectsUnder(bucketOf(context), prefix)) sizes.set(key, size);
  for (const [i, { bytes }] of parts.entries()) {
    const size = sizes.get(partKey(context.store.name(), id, i));
    if (size === undefined) throw damaged(`part ${i} is missing`);
    if (size !== bytes) throw damaged(`part ${i} has ${size} bytes`);
  }
}

/** One bounded step; true once the map is swapped. Throws `snapshot_damaged` for a part that is
 *  not what the manifest says. */
export async function stepRestore(context: WorkContext, work: RestoreWork): Promise<boolean> {
  const { store, call } = context;
  if (work.phase === "prepare") {
    await pooled(work.targets, SHARD_FANOUT, ({ object }) => call(object, "create", work.options));
    store.setWork({ ...work, phase: "copy", failures: 0 });
    return false;
  }
  for (let n = 0; n < context.stepPages && work.part < work.parts; n++) await fill(context, work);
  if (work.part < work.parts) return false;
  await context.writes.run(() => finish(context, work), true);
  return true;
}

/** Fills one part in. A part that was filled in but not remembered changes nothing the second
 *  time. */
async function fill(context: WorkContext, work: RestoreWork): Promise<void> {
  const { store, call } = context;
  const part = store.part<SnapshotPart>(work.part);
  assert(part !== null, "a restore remembers every part of its manifest");
  const object = await bucketOf(context).get(partKey(store.name(), work.id, work.part));
  if (object === null) throw damaged(`part ${work.part} is missing`);
  const page = await decodePart(new Uint8Array(await object.arrayBuffer()), part);
  await call(work.targets[part.shard]!.object, "adopt", page);
  for (const { document } of page.documents)
    if (document.expires_at !== null)
      work.first_expiry = Math.min(work.first_expiry ?? document.expires_at, document.expires_at);
  work.part += 1;
  work.documents += page.documents.length;
  work.failures = 0;
  store.setWork(work);
}

/** Puts the new objects to use once their counts are the manifest's, less what expired since. */
async function finish(context: WorkContext, work: RestoreWork): Promise<void> {
  const { store, call } = context;
  const counts = await pooled(work.targets, SHARD_FANOUT, ({ object }) => call(object, "counts"));
  const { documents, passages } = totalOf(counts);
  const mayLack = work.first_expiry !== null && work.first_expiry <= context.now();
  const { expected } = work;
  if (!mayLack && (documents !== expected.documents || passages !== expected.passages))
    throw damaged(`it holds ${documents} documents of ${expected.documents}`);
  store.transaction(() => {
    for (const { object } of store.map()) store.retire(object);
    store.beginChange();
    store.setMap(work.targets);
    store.setOptions(work.options);
    store.optionsPending = false;
    store.setDim(work.dim);
    store.setNextRow(Math.max(store.nextRow(), work.next_row));
    store.setForgetAt(work.options.forget === null ? null : context.now());
    store.forgetParts();
    store.setWork(null);
  });
}

/** Gives a restore up: the new objects go, and everything stays as it is. */
export async function abandonRestore(context: WorkContext, work: RestoreWork): Promise<void> {
  const { store } = context;
  store.transaction(() => {
    for (const { object } of work.targets) store.retire(object);
    store.forgetParts();
    store.setWork(null);
  });
}
