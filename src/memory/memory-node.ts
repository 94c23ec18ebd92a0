/** What every object of the memory does, root or shard: it knows who it is, holds a shard's tables,
 *  reaches other objects and has one alarm for all that is due. */
import { DurableObject } from "cloudflare:workers";
import { type NumberVariable, readIsolateBytes } from "../env-number.ts";
import { assert } from "../errors.ts";
import {
  ALARM_MS_MAX,
  COPY_PAGE_DOCUMENTS,
  COPY_STEP_PAGES,
  ISOLATE_INDEX_BYTES_MAX,
  SHARD_PASSAGES_SPLIT,
  SHARD_RESIDENT_BYTES_SPLIT,
  SHARDS_MAX,
  SNAPSHOT_PAGE_DOCUMENTS,
  WORK_RETRY_MS,
} from "../limits.ts";
import { logEvent } from "../log-event.ts";
import kernels from "../model/kernels-module.ts";
import {
  type Gathered,
  type GatherNode,
  gather,
  type Leaf,
  type Question,
  type SearchedShard,
} from "./gather.ts";
import { Jobs } from "./jobs.ts";
import { isMigrated } from "./migrations.ts";
import { Namespace, type NamespaceBounds } from "./namespace.ts";
import { NamespaceStore } from "./namespace-store.ts";
import { ownShard } from "./own-shard.ts";
import { Shard } from "./shard.ts";
import { evenRanges, HASHES } from "./shard-map.ts";
import type { ShardCall, ShardMethod, ShardMethods } from "./shard-port.ts";
import type { ShardSettings } from "./shard-settings.ts";
import { ShardTier } from "./shard-tier.ts";
import { MemoryStore, noNamespace } from "./store.ts";
import { tieredCandidates } from "./tier-search.ts";
import type { VectorizeBinding } from "./vectorize.ts";

/** The bindings that the memory needs. */
export interface MemoryEnv {
  MEMORY: DurableObjectNamespace;
  /** Where snapshots go; none are made without it. */
  SNAPSHOTS?: R2Bucket;
  /** Where vectors are searched besides; see ShardTier. */
  VECTORIZE?: Vectorize;
  /** What models and indexes may take of an isolate, in MB, where that is not what Cloudflare
   *  gives: on one machine all objects share an isolate. */
  BRINK_ISOLATE_MEMORY_MB?: NumberVariable;
}

/** What a root calls of a shard's object. */
export interface ShardStub {
  shardCall(root: string, method: ShardMethod, args: unknown[]): Promise<never>;
  shardGather(
    root: string,
    object: string,
    leaves: Leaf[],
    question: Question,
    deadlineMs: number,
  ): Promise<Gathered>;
}

export class MemoryNode extends DurableObject<MemoryEnv> {
  #shard: Shard | null = null;
  #namespace: Namespace | null = null;
  readonly #own: ShardMethods = ownShard({
    sql: this.ctx.storage.sql,
    shard: () => this.#ownShard(),
    changed: () => this.#scheduleOwn(),
    create: async (options) => {
      await this.#destroyOwn();
      this.#ownShard().configure(options);
    },
    destroy: () => this.#destroyOwn(),
  });

  /** Bounds of the object's shard that are not the usual ones. A test lowers some. */
  protected get settings(): Partial<ShardSettings> {
    return {};
  }

  /** A test lowers them. */
  protected get bounds(): NamespaceBounds {
    return {
      shardsMax: SHARDS_MAX,
      passagesSplit: SHARD_PASSAGES_SPLIT,
      residentBytesSplit: SHARD_RESIDENT_BYTES_SPLIT,
      pageDocuments: COPY_PAGE_DOCUMENTS,
      partDocuments: SNAPSHOT_PAGE_DOCUMENTS,
      stepPages: COPY_STEP_PAGES,
    };
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** The index of `vector_tier` "vectorize"; null: none is bound. A test has its own. */
  protected get vectorize(): VectorizeBinding | null {
    return this.env.VECTORIZE ?? null;
  }

  /** Where the namespace's other objects are made. */
  protected get objects(): DurableObjectNamespace {
    return this.env.MEMORY;
  }

  /** The namespace of which this object is the root. Throws `namespace_not_found`, and leaves no
   *  tables behind. */
  protected namespace(): Namespace {
    if (this.#namespace === null) {
      const store = NamespaceStore.find(this.ctx.storage) ?? this.#takeOver();
      const isRoot = store?.role()?.kind === "root" && store.options() !== null;
      if (store === null || !isRoot) throw noNamespace();
      this.#namespace = this.#namespaceOf(store);
    }
    if (this.#namespace.store.options() === null || this.#namespace.store.destroying)
      throw noNamespace();
    return this.#namespace;
  }

  /** The same where nobody has made it yet. */
  protected makeNamespace(): Namespace {
    const store =
      NamespaceStore.find(this.ctx.storage) ??
      this.#takeOver() ??
      NamespaceStore.make(this.ctx.storage);
    const role = store.role();
    if (role?.kind === "shard" || store.destroying) throw noNamespace();
    if (role === null) {
      store.setRole({ kind: "root" });
      store.setName(this.#nameGiven());
    }
    this.#namespace ??= this.#namespaceOf(store);
    return this.#namespace;
  }

  protected jobs(): Jobs {
    return new Jobs(this.namespace().store.sql, () => this.now());
  }

  /** Runs a method on any shard of the namespace. */
  protected readonly call: ShardCall = async (object, method, ...args) => {
    if (object === null) return (this.#own[method] as (...a: unknown[]) => never)(...args);
    return this.shardStub(object).shardCall(this.#rootName(), method, args);
  };

  /** This object as a node of the tree: `object` is its name, or null for a root. */
  protected gatherNode(object: string | null): GatherNode {
    return {
      object,
      shard: () => searched(this.#ownShard()),
      ask: (other, leaves, question, deadlineMs) =>
        this.shardStub(other).shardGather(this.#rootName(), other, leaves, question, deadlineMs),
    };
  }

  /** For the root of this shard alone. */
  async shardCall(root: string, method: ShardMethod, args: unknown[]): Promise<unknown> {
    if (method === "create") this.#becomeShard(root);
    else if (method === "destroy" && NamespaceStore.find(this.ctx.storage) === null) return null;
    this.#assertShardOf(root);
    const result = await (this.#own[method] as (...a: unknown[]) => unknown)(...args);
    if (method === "create") this.#becomeShard(root);
    return result;
  }

  /** For the root of this shard and its other shards: see gather. */
  shardGather(
    root: string,
    object: string,
    leaves: Leaf[],
    question: Question,
    deadlineMs: number,
  ): Promise<Gathered> {
    this.#assertShardOf(root);
    return gather(this.gatherNode(object), leaves, question, deadlineMs);
  }

  /** Has the alarm run at once. */
  protected async wake(): Promise<void> {
    await this.#scheduleAt(this.now());
  }

  /** Nothing, where nobody has made it. */
  protected async destroyNamespace(): Promise<void> {
    const store = NamespaceStore.find(this.ctx.storage) ?? this.#takeOver();
    if (store === null) return;
    if (store.role()?.kind !== "root") throw noNamespace();
    this.#namespace ??= this.#namespaceOf(store);
    const namespace = this.#namespace;
    try {
      await namespace.destroy();
    } catch (error) {
      if (this.#namespace === namespace) throw error;
      return; // another call was first
    }
    this.#namespace = null;
    this.#shard = null;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  /** Does what is due, a bounded piece of each, and sets itself for what is due next. */
  override async alarm(): Promise<void> {
    let namespace: Namespace | null = null;
    try {
      const store = NamespaceStore.find(this.ctx.storage);
      if (store?.destroying) return await this.destroyNamespace();
      if (isMigrated(this.ctx.storage)) {
        this.#ownShard().maintain();
        await this.#ownShard().tier?.sync();
      }
      await this.#scheduleOwn();
      if (store?.role()?.kind !== "root" || store.options() === null) return;
      namespace = this.namespace();
      const next = await namespace.tend();
      if (next !== null) await this.#scheduleAt(next);
    } catch (error) {
      if (namespace !== null && this.#namespace !== namespace) return; // it was destroyed meanwhile
      // The runtime drops an alarm that goes on throwing; this one comes again until it succeeds.
      logEvent("alarm of a memory failed", String(error));
      await this.#scheduleAt(this.now() + WORK_RETRY_MS);
    }
  }

  #namespaceOf(store: NamespaceStore): Namespace {
    return new Namespace({
      store,
      call: this.call,
      now: () => this.now(),
      wake: () => this.wake(),
      bounds: this.bounds,
      bucket: this.env.SNAPSHOTS ?? null,
      tiered: this.vectorize !== null,
    });
  }

  /** A namespace from before there were shards: its tables become the only one's. */
  #takeOver(): NamespaceStore | null {
    const { storage } = this.ctx;
    if (!isMigrated(storage)) return null;
    const tables = new MemoryStore(storage.sql);
    const options = tables.options();
    if (options === null) return null;
    const { lastRow } = this.#ownShard();
    return storage.transactionSync(() => {
      const store = NamespaceStore.make(storage);
      store.setRole({ kind: "root" });
      store.setName(this.#nameGiven());
      store.setOptions(this.#ownShard().options());
      store.setMap(evenRanges(0, HASHES, [null]));
      store.setNextRow(lastRow + 1);
      store.setDim(tables.numbers().dim || null);
      return store;
    });
  }

  #ownShard(): Shard {
    this.#shard ??= new Shard(this.ctx.storage, kernels, {
      isolateBytesMax: isolateBytesMax(this.env),
      now: () => this.now(),
      tier: () => this.#tier(),
      ...this.settings,
    });
    return this.#shard;
  }

  #tier(): ShardTier {
    return new ShardTier({
      sql: this.ctx.storage.sql,
      index: this.vectorize,
      kernels,
      name: () => this.#nameGiven(),
      now: () => this.now(),
    });
  }

  /** A root keeps what is not its shard's; a shard's object has nothing else. */
  async #destroyOwn(): Promise<void> {
    const tables = isMigrated(this.ctx.storage) ? new MemoryStore(this.ctx.storage.sql) : null;
    if (tables?.options()?.vector_tier === "vectorize") await this.#ownShard().tier?.clear();
    this.#shard?.destroy();
    const isRoot = NamespaceStore.find(this.ctx.storage)?.role()?.kind === "root";
    if (isRoot && this.#shard === null) this.#ownShard().destroy();
    this.#shard = null;
    if (isRoot) return;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  #becomeShard(root: string): void {
    const store = NamespaceStore.make(this.ctx.storage);
    const role = store.role();
    assert(role === null || (role.kind === "shard" && role.root === root), "no shard of that root");
    store.setRole({ kind: "shard", root });
  }

  #assertShardOf(root: string): void {
    const role = NamespaceStore.find(this.ctx.storage)?.role();
    assert(role?.kind === "shard" && role.root === root, `the object is no shard of ${root}`);
  }

  #rootName(): string {
    const store = NamespaceStore.find(this.ctx.storage)!;
    const role = store.role()!;
    return role.kind === "root" ? store.name() : role.root;
  }

  #nameGiven(): string {
    const { name } = this.ctx.id;
    assert(name !== undefined, "a memory object is reached by its name");
    return name;
  }

  /** A shard's object. A test has it fail. */
  protected shardStub(object: string): ShardStub {
    return this.objects.getByName(object) as unknown as ShardStub;
  }

  /** Sets the alarm for what is due next in the own tables. */
  async #scheduleOwn(): Promise<void> {
    if (!isMigrated(this.ctx.storage)) return;
    const shard = this.#ownShard();
    for (const next of [shard.dueAt(), shard.tier?.dueAt() ?? null])
      if (next !== null) await this.#scheduleAt(next);
  }

  /** What is due after any alarm has the last there is: an alarm looks anew at what is due. */
  async #scheduleAt(at: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || at < set) await this.ctx.storage.setAlarm(Math.min(at, ALARM_MS_MAX));
  }
}

function searched(shard: Shard): SearchedShard {
  return {
    statistics: (terms) => shard.statistics(terms),
    candidates: (request) => tieredCandidates(shard, request),
    show: (request) => shard.show(request),
  };
}

function isolateBytesMax({ BRINK_ISOLATE_MEMORY_MB }: MemoryEnv): number {
  return readIsolateBytes(BRINK_ISOLATE_MEMORY_MB) ?? ISOLATE_INDEX_BYTES_MAX;
}
