/** A namespace as its root sees it: the map of shards, the order of writes, and what goes on beside
 *  requests. Documents lie on shards by the hash of their id. */
import type { Filter } from "../../index/filter.ts";
import { ServiceError } from "../errors.ts";
import { COPY_REST_MS, SHARD_FANOUT, WORK_RETRY_MS, WRITES_WAITING_MAX } from "../limits.ts";
import { forget } from "./forget.ts";
import {
  dimOf,
  failed,
  idOf,
  type NewChange,
  refused,
  wrongDimension,
} from "./namespace-changes.ts";
import { checkOptions, equalOptions } from "./namespace-options.ts";
import type { NamespaceStore } from "./namespace-store.ts";
import { evenRanges, HASHES, hashOf, routed, shardOf } from "./shard-map.ts";
import { pooled, type ShardCall, settledPool, totalOf } from "./shard-port.ts";
import type { Change, ChangeOutcome, ShardRange } from "./shard-types.ts";
import { beginSplit } from "./split.ts";
import { type FoundDocument, noNamespace } from "./store.ts";
import type { NamespaceOptions } from "./types.ts";
import { checkTier, type WorkContext } from "./work.ts";
import { WorkRunner } from "./work-runner.ts";
import { WriteLock } from "./write-lock.ts";

/** Bounds of a namespace; tests lower them. */
export interface NamespaceBounds {
  shardsMax: number;
  /** A shard with this many passages, or this many bytes in memory, is split. */
  passagesSplit: number;
  residentBytesSplit: number;
  pageDocuments: number;
  partDocuments: number;
  stepPages: number;
}

export interface NamespaceHost {
  store: NamespaceStore;
  call: ShardCall;
  now(): number;
  /** Has the alarm run soon. */
  wake(): Promise<void>;
  bounds: NamespaceBounds;
  bucket: R2Bucket | null;
  /** Whether there is a vector tier. */
  tiered: boolean;
}

/** What a change of would have to move documents, or count them anew. */
const FIXED = ["bm25_unit", "shards", "vector_tier"] as const;

/** How many full shards one call splits: a call's passages are few beside what one holds. */
const ROOM_ROUNDS_MAX = 8;

/** How many passages a shard takes between two looks at its size, as a share of the bound. */
const SIZE_CHECK_SHARE = 1 / 32;

export class Namespace {
  readonly store: NamespaceStore;
  readonly context: WorkContext;
  readonly work: WorkRunner;
  readonly writes = new WriteLock(WRITES_WAITING_MAX);
  /** Steps of work run one at a time. Whoever holds both took this one first. */
  readonly #steps = new WriteLock(WRITES_WAITING_MAX);
  readonly #host: NamespaceHost;
  readonly #call: ShardCall;
  /** Maps that requests under way read by. */
  readonly #reading = new Set<readonly ShardRange[]>();
  /** Passages stored on each shard since its size was looked at. */
  readonly #unchecked = new Map<string | null, number>();

  constructor(host: NamespaceHost) {
    this.store = host.store;
    this.#host = host;
    this.#call = host.call;
    this.context = {
      store: host.store,
      call: host.call,
      writes: this.writes,
      objectName: (generation, i) => `${host.store.name()}/g${generation}-${i}`,
      now: () => host.now(),
      giveWay: () => scheduler.wait(COPY_REST_MS),
      pageDocuments: host.bounds.pageDocuments,
      partDocuments: host.bounds.partDocuments,
      stepPages: host.bounds.stepPages,
      shardsMax: host.bounds.shardsMax,
      bucket: host.bucket,
      tiered: host.tiered,
    };
    this.work = new WorkRunner(this.context, this.#steps);
  }

  /** Makes the namespace or changes its options. Throws `conflict` where documents are stored that
   *  a change of `bm25_unit`, `shards` or `vector_tier` would have to move, `invalid_request` for
   *  options that do not go together, `vectorize_not_configured` for a tier that the deployment
   *  lacks, `memory_busy` for other options while a snapshot is being restored. */
  async configure(options: NamespaceOptions): Promise<void> {
    await this.#steps.run(() =>
      this.writes.run(() => this.store.changing(() => this.#configure(options))),
    );
  }

  async #configure(options: NamespaceOptions): Promise<void> {
    const { store } = this;
    checkOptions(options);
    checkTier(this.context, options);
    // Without its tables there is nothing that the options hold for: the namespace is made anew.
    const known = store.lacksOwnTables() ? null : store.options();
    if (known !== null && !store.optionsPending && equalOptions(known, options)) return;
    this.#checkWritable(); // a restore that ends would replace these options
    const moved = known === null ? FIXED : FIXED.filter((name) => known[name] !== options[name]);
    if (moved.length > 0) {
      if (known !== null && (await this.#documents()) > 0)
        throw new ServiceError(
          "conflict",
          `${moved.join(", ")}: fixed once the namespace has documents`,
        );
      if (store.work() !== null) throw new ServiceError("conflict", "long work is under way");
      return this.#layOut(options);
    }
    store.transaction(() => {
      store.setOptions(options);
      store.optionsPending = true;
      store.setForgetAt(options.forget === null ? null : this.#host.now());
    });
    await this.#host.wake();
    await this.#spreadOptions();
  }

  async #documents(): Promise<number> {
    return totalOf(await this.each((object) => this.#call(object, "counts"))).documents;
  }

  /** Asks every shard of the map as it is now, a few at once; answers in the map's order. */
  each<T>(ask: (object: string | null) => Promise<T>): Promise<T[]> {
    return this.read((map) => eachOf(map, ask));
  }

  /** Of each id what is stored under it; null: nothing. */
  async find(map: readonly ShardRange[], ids: readonly string[]) {
    const found = new Array<FoundDocument | null>(ids.length).fill(null);
    const byShard = [...routed(map, ids, (id) => id)];
    await pooled(byShard, SHARD_FANOUT, async ([shard, items]) => {
      const asked = items.map(({ item }) => item);
      const answers = await this.#call(map[shard]!.object, "find", asked);
      for (const [i, { at }] of items.entries()) found[at] = answers[i]!;
    });
    return found;
  }

  /** Empty shards for new options; the shards before are destroyed. One shard is the root's own. */
  async #layOut(options: NamespaceOptions): Promise<void> {
    const { store } = this;
    const old = store.map();
    const own = options.shards === 1;
    const generation = own ? 0 : store.takeGeneration();
    const names = Array.from({ length: options.shards }, (_, i) =>
      own ? null : this.context.objectName(generation, i),
    );
    if (names.length > this.#host.bounds.shardsMax)
      throw new ServiceError(
        "invalid_request",
        `a namespace has at most ${this.#host.bounds.shardsMax} shards`,
        { param: "shards" },
      );
    // Until the map names them, the new objects are to be destroyed: a crash leaves none behind.
    store.transaction(() => {
      for (const name of names) if (name !== null) store.retire(name);
    });
    await pooled(names, SHARD_FANOUT, (name) => this.#call(name, "create", options));
    store.transaction(() => {
      for (const name of names) store.forgetRetired(name);
      for (const { object } of old) if (object !== null) store.retire(object);
      store.setMap(evenRanges(0, HASHES, names));
      store.setOptions(options);
      store.optionsPending = false;
      store.setDim(null);
      store.setForgetAt(options.forget === null ? null : this.#host.now());
    });
    if (options.forget !== null || store.retired().length > 0) await this.#host.wake();
  }

  /** Tells every shard the options, where one may not have heard of them. */
  async #spreadOptions(): Promise<void> {
    const options = this.store.options()!;
    await this.each((object) => this.#call(object, "configure", options));
    this.store.optionsPending = false;
  }

  /** Whether a request under way reads by a map that names the object. */
  isRead(object: string | null): boolean {
    return [...this.#reading].some((map) => map.some((range) => range.object === object));
  }

  /** Runs `work` on the map as it is now, whose objects outlive the work. */
  async read<T>(work: (map: readonly ShardRange[]) => Promise<T>): Promise<T> {
    const map = this.store.map();
    this.#reading.add(map);
    try {
      return await work(map);
    } finally {
      this.#reading.delete(map);
    }
  }

  /** Applies changes in their order, each for itself: what became of each, in that order. Where a
   *  shard is full, the split that makes room is finished first and those changes applied again. A
   *  change with `shard_unavailable` may or may not have been applied. Throws `memory_busy` where
   *  too many writes wait. */
  async apply(changes: readonly NewChange[]): Promise<ChangeOutcome[]> {
    const change = (some: readonly NewChange[]) =>
      this.writes.run(() => this.store.changing(() => this.#apply(some)));
    const outcomes = await change(changes);
    for (let round = 0; round < ROOM_ROUNDS_MAX; round++) {
      const full = outcomes.flatMap(({ error }, at) => (error?.code === "memory_full" ? [at] : []));
      if (full.length === 0 || !(await this.#makeRoom(changes[full[0]!]!))) break;
      const rest = full.map((at) => changes[at]!);
      // Others are stored already: what refuses the rest is its own outcome and not the call's.
      const again = await change(rest).catch((error) =>
        rest.map((each) => failed(idOf(each), error)),
      );
      for (const [i, at] of full.entries()) outcomes[at] = again[i]!;
    }
    return outcomes;
  }

  async #apply(changes: readonly NewChange[]): Promise<ChangeOutcome[]> {
    this.#checkWritable();
    if (this.store.optionsPending) await this.#spreadOptions();
    const outcomes = new Array<ChangeOutcome>(changes.length);
    const dim = this.store.dim() ?? dimOf(changes);
    const first = this.store.takeRows(changes.length);
    const accepted = changes.flatMap((change, at) => {
      const wrong = wrongDimension(change, dim);
      if (wrong === null) return [{ at, change: { ...change, row: first + at } as Change }];
      outcomes[at] = refused(idOf(change), "invalid_request", wrong);
      return [];
    });
    const map = this.store.map();
    const byShard = [...routed(map, accepted, ({ change }) => idOf(change))];
    const results = await settledPool(byShard, SHARD_FANOUT, ([shard, items]) =>
      this.#call(
        map[shard]!.object,
        "apply",
        items.map(({ item }) => item.change),
      ),
    );
    for (const [i, result] of results.entries())
      for (const [j, { item }] of byShard[i]![1].entries())
        outcomes[item.at] =
          result.status === "fulfilled"
            ? result.value[j]!
            : failed(idOf(item.change), result.reason);
    if (this.store.dim() === null && outcomes.some(({ passages }) => passages > 0))
      this.store.setDim(dim);
    await this.#watchSizes(map, byShard, outcomes);
    return outcomes;
  }

  /** Throws while nothing may be written. */
  #checkWritable(): void {
    if (this.store.work()?.kind === "restore")
      throw new ServiceError("memory_busy", "a snapshot is being restored: writes wait until then");
  }

  /** How many documents passed the filter and are gone. */
  async removeWhere(filter: Filter): Promise<number> {
    return this.writes.run(async () => {
      this.#checkWritable();
      const counts = await this.store.changing(() =>
        this.each((object) => this.#call(object, "removeWhere", filter)),
      );
      return counts.reduce((sum, n) => sum + n, 0);
    });
  }

  /** Looks at shards that took many passages since the last look, and begins a split where one is
   *  past its bound. */
  async #watchSizes(
    map: readonly ShardRange[],
    byShard: readonly [number, { item: { at: number } }[]][],
    outcomes: readonly ChangeOutcome[],
  ): Promise<void> {
    const { passagesSplit } = this.#host.bounds;
    for (const [shard, items] of byShard) {
      const { object } = map[shard]!;
      const added = items.reduce((sum, { item }) => sum + outcomes[item.at]!.passages, 0);
      const unchecked = (this.#unchecked.get(object) ?? passagesSplit) + added;
      this.#unchecked.set(object, unchecked);
      if (added === 0 || unchecked < passagesSplit * SIZE_CHECK_SHARE) continue;
      await this.#splitIfLarge(map[shard]!).catch(() => undefined); // the write itself succeeded
    }
  }

  async #splitIfLarge(range: ShardRange): Promise<void> {
    const { passagesSplit, residentBytesSplit, shardsMax } = this.#host.bounds;
    const stats = await this.#call(range.object, "stats");
    this.#unchecked.set(range.object, 0);
    if (stats.passages < passagesSplit && stats.resident_bytes < residentBytesSplit) return;
    this.#unchecked.delete(range.object);
    if (this.store.work() !== null || this.store.map().length >= shardsMax) return;
    beginSplit(this.context, range);
    await this.#host.wake();
  }

  /** Splits the shard that a change falls on, and waits for it; whether there is more room then. */
  async #makeRoom(change: NewChange): Promise<boolean> {
    const kind = this.store.work()?.kind ?? null;
    if (kind !== null && kind !== "split") return false;
    if (kind === null) {
      const map = this.store.map();
      if (map.length >= this.#host.bounds.shardsMax) return false;
      beginSplit(this.context, map[shardOf(map, hashOf(idOf(change)))]!);
      await this.#host.wake();
    }
    const before = this.store.map().length;
    while (this.store.work()?.kind === "split") if (!(await this.work.step())) return false;
    return this.store.map().length > before;
  }

  /** Splits the shard with the most passages, or that in an object. Throws `conflict` while other
   *  work runs. */
  split(object?: string | null): Promise<void> {
    return this.read(async (map) => {
      const counts = await pooled(map, SHARD_FANOUT, (range) => this.#call(range.object, "counts"));
      const passages = (at: number) => counts[at]!.passages;
      const asked = map.findIndex((range) => range.object === object);
      if (object !== undefined && asked < 0)
        throw new ServiceError("invalid_request", `no shard lies in ${object}`, { param: "shard" });
      const largest = map.reduce((best, _, at) => (passages(at) > passages(best) ? at : best), 0);
      beginSplit(this.context, map[object === undefined ? largest : asked]!);
      await this.#host.wake();
    });
  }

  /** What is due beside requests: a step of work, objects to destroy, options to spread, documents
   *  to forget. When to come again, Unix ms; null: not before something changes. */
  async tend(): Promise<number | null> {
    const { store } = this;
    const now = this.#host.now();
    const due: number[] = [];
    if (store.optionsPending) await this.writes.run(() => this.#spreadOptions(), true);
    if (store.work() !== null && this.work.retryAt <= now) await this.work.step();
    if (store.work() !== null) due.push(Math.max(now, this.work.retryAt));
    if (!(await this.#destroyRetired())) due.push(now + WORK_RETRY_MS);
    if (store.work()?.kind !== "restore") {
      if ((store.forgetAt() ?? Number.POSITIVE_INFINITY) <= now)
        store.setForgetAt(await forget(this.context, store.options()!));
      due.push(store.forgetAt() ?? Number.POSITIVE_INFINITY);
    }
    const next = Math.min(...due);
    return Number.isFinite(next) ? next : null;
  }

  /** Destroys what no map names any more and no request reads; whether nothing is left. */
  #destroyRetired(): Promise<boolean> {
    return this.#steps.run(async () => {
      const retired = this.store.retired();
      const unread = retired.filter((object) => !this.isRead(object));
      const results = await settledPool(unread, SHARD_FANOUT, async (object) => {
        await this.#call(object, "destroy");
        this.store.forgetRetired(object);
      });
      return (
        unread.length === retired.length && results.every(({ status }) => status === "fulfilled")
      );
    }, true);
  }

  /** Destroys every shard, once what is under way is over. From its beginning on everything else
   *  is refused; where an object does not answer it throws, and may be called again. Afterwards
   *  nothing that waited runs: the tables may be another namespace's by then. */
  async destroy(): Promise<void> {
    this.store.setDestroying();
    await this.#host.wake();
    await this.#steps.run(
      () =>
        this.writes.run(async () => {
          const work = this.store.work();
          const targets = work === null || work.kind === "snapshot" ? [] : work.targets;
          const named = [...this.store.map(), ...targets].map(({ object }) => object);
          const objects = new Set([...named, ...this.store.retired()]);
          await pooled([...objects], SHARD_FANOUT, (object) => this.#call(object, "destroy"));
          for (const lock of [this.#steps, this.writes]) lock.close(noNamespace());
        }, true),
      true,
    );
  }
}

/** Asks every shard of a map, a few at once; answers in the map's order. */
export function eachOf<T>(
  map: readonly ShardRange[],
  ask: (object: string | null) => Promise<T>,
): Promise<T[]> {
  return pooled(map, SHARD_FANOUT, ({ object }) => ask(object));
}
