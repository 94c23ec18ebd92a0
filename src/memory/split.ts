/** A shard becomes two, online: its documents are copied to two new objects while it goes on
 *  answering and taking writes; what was written meanwhile follows; for the last of it writes wait,
 *  and one transaction swaps the map. */
import { assert, ServiceError } from "../errors.ts";
import { COPY_CATCH_UP_PAGES } from "../limits.ts";
import { equalOptions } from "./namespace-options.ts";
import { evenRanges, hashOf, replaced } from "./shard-map.ts";
import { totalOf } from "./shard-port.ts";
import type { CopyPage, ShardRange } from "./shard-types.ts";
import { begun, copyOf, type SplitWork, type WorkContext } from "./work.ts";

/** How often the two sides are counted while documents expire. */
const COUNTS_MAX = 3;

/** Begins the split of one shard. Throws `conflict` while other work runs and where the map has the
 *  shard no longer, `memory_full` where the namespace has all the shards it may have. */
export function beginSplit(context: WorkContext, source: ShardRange): SplitWork {
  const { store } = context;
  const { shardsMax } = context;
  if (store.map().length >= shardsMax)
    throw new ServiceError("memory_full", `the namespace has all ${shardsMax} shards it may have`);
  // Who chose it may have waited for answers since, and a restore may have come between.
  if (!store.map().some(({ object }) => object === source.object))
    throw new ServiceError("conflict", "the shard was replaced while it was chosen");
  assert(source.hi - source.lo >= 2, "a shard of one hash is never split");
  return store.transaction(() => {
    const generation = store.takeGeneration();
    const names = [0, 1].map((i) => context.objectName(generation, i));
    const work: SplitWork = {
      ...begun(context.now()),
      kind: "split",
      phase: "prepare",
      source,
      targets: evenRanges(source.lo, source.hi, names),
      generation,
      cursor: { row: 0, removal: 0 },
      start_row: store.nextRow() - 1,
      behind: 0,
    };
    store.beginWork(work);
    return work;
  });
}

/** One bounded step; true once the map is swapped. Every step may run again after a crash: making
 *  an object anew empties it, a page that was adopted changes nothing, and the swap is one
 *  transaction. */
export async function stepSplit(context: WorkContext, work: SplitWork): Promise<boolean> {
  const { store, call } = context;
  const { source, targets } = work;
  if (work.phase === "prepare") {
    const options = store.options()!;
    for (const { object } of targets) await call(object, "create", options);
    await call(source.object, "startCopy", copyOf(context, work));
    const cursor = { row: 0, removal: 0 };
    store.setWork({ ...work, phase: "copy", cursor, options, failures: 0 });
    return false;
  }
  await tellOptions(context, work);
  for (let page = 0; page < context.stepPages; page++) {
    const caughtUp = await copyPage(context, work);
    if (caughtUp || work.behind > COPY_CATCH_UP_PAGES)
      return context.writes.run(() => finish(context, work), true);
  }
  return false;
}

/** Has the new shards hear of options that changed since they last did: whoever changes them tells
 *  those of the map alone. They change between two steps and never during one. */
async function tellOptions({ store, call }: WorkContext, work: SplitWork): Promise<void> {
  const options = store.options()!;
  if (work.options !== undefined && equalOptions(work.options, options)) return;
  for (const { object } of work.targets) await call(object, "configure", options);
  work.options = options;
  store.setWork(work);
}

/** Copies one page and remembers that; whether there was nothing after it. */
async function copyPage(context: WorkContext, work: SplitWork): Promise<boolean> {
  const { store, call } = context;
  await context.giveWay();
  const { row, removal } = work.cursor;
  const page = await call(work.source.object, "copyPage", row, removal, context.pageDocuments);
  await Promise.all(
    work.targets.map(async (target) => {
      const part = partOf(page, target);
      if (part.documents.length + part.removed.length > 0) await call(target.object, "adopt", part);
    }),
  );
  work.cursor = { row: page.row, removal: page.removal };
  work.documents += page.documents.length;
  if (page.row >= work.start_row) work.behind += 1;
  work.failures = 0;
  store.setWork(work);
  return page.end;
}

/** What of a page lies on one shard. */
export function partOf(page: CopyPage, { lo, hi }: ShardRange): CopyPage {
  const holds = (id: string) => {
    const hash = hashOf(id);
    return lo <= hash && hash < hi;
  };
  return {
    ...page,
    documents: page.documents.filter(({ document }) => holds(document.id)),
    removed: page.removed.filter(({ id }) => holds(id)),
  };
}

/** The rest, while nothing is written, and the swap. The counts must add up: a copy that lost or
 *  doubled something is never put to use. */
async function finish(context: WorkContext, work: SplitWork): Promise<boolean> {
  const { store } = context;
  while (!(await copyPage(context, work)));
  await checkCounts(context, work);
  store.transaction(() => {
    store.setMap(replaced(store.map(), work.source, work.targets));
    store.retire(work.source.object);
    store.setWork(null);
  });
  return true;
}

/** Throws where the copy does not hold as much as its source. */
async function checkCounts({ call }: WorkContext, { source, targets }: SplitWork): Promise<void> {
  for (let count = 1; ; count++) {
    const before = await call(source.object, "counts");
    const copies = await Promise.all(targets.map(({ object }) => call(object, "counts")));
    const copied = totalOf(copies);
    if (copied.documents === before.documents && copied.passages === before.passages) return;
    // What expires between two counts is in one of them: then all are counted again.
    const after = await call(source.object, "counts");
    const expired = after.documents < before.documents;
    const said = `a split of ${before.documents} documents has ${copied.documents}`;
    assert(expired && count < COUNTS_MAX, said);
  }
}

/** Gives a split up: the new objects go, and the shard stays as it is. That it is given up is kept
 *  first: the call that ends the copy may be lost to its caller and arrive all the same, and a
 *  split that went on then would miss removals. */
export async function abandonSplit(context: WorkContext, work: SplitWork): Promise<void> {
  const { store, call } = context;
  const copy = copyOf(context, work);
  store.setWork({ ...work, phase: "abandon" });
  await call(work.source.object, "endCopy", copy);
  store.transaction(() => {
    for (const { object } of work.targets) store.retire(object);
    store.setWork(null);
  });
}
