/** The Durable Object classes, and each once more with bounds that a test can reach. */
import { CacheObject } from "../../src/ledger/cache-object.ts";
import { LedgerObject } from "../../src/ledger/ledger-object.ts";
import { QuotaObject } from "../../src/ledger/quota-object.ts";
import { ReplayObject } from "../../src/ledger/replay-object.ts";
import { TraceObject } from "../../src/ledger/trace-object.ts";
import { UsageObject } from "../../src/ledger/usage-object.ts";
import { WORK_RETRY_MS } from "../../src/limits.ts";
import type { ShardStub } from "../../src/memory/memory-node.ts";
import { MemoryObject } from "../../src/memory/memory-object.ts";
import type { NamespaceBounds } from "../../src/memory/namespace.ts";
import { NamespaceStore } from "../../src/memory/namespace-store.ts";
import type { Work } from "../../src/memory/work.ts";
import { RouterObject } from "../../src/router/router-object.ts";
import { VectorizeDouble } from "../support/vectorize-double.ts";

export { LedgerObject, MemoryObject, QuotaObject, RouterObject, UsageObject };

export class SmallMemory extends MemoryObject {
  protected override get settings() {
    return { indexBytesMax: 1_000_000 };
  }

  protected override get bounds(): NamespaceBounds {
    return { ...super.bounds, shardsMax: 1 };
  }
}

/** An object of it holds little, and nothing splits it but a write that needs room. */
export class TightMemory extends MemoryObject {
  protected override get settings() {
    return { indexBytesMax: 2_000_000 };
  }

  protected override get objects(): DurableObjectNamespace {
    return (this.env as unknown as { TIGHT_MEMORY: DurableObjectNamespace }).TIGHT_MEMORY;
  }
}

/** When one of its calls of another object breaks off: the n-th, before or after that did its
 *  part. */
export interface Fault {
  call: number;
  after: boolean;
}

/** Splits early, copies in small pages and seals small segments. Its alarm does nothing: the test
 *  takes the steps. */
export class SteppedMemory extends MemoryObject {
  fault: Fault | null = null;
  /** Objects that do not answer. */
  readonly silent = new Set<string>();
  #calls = 0;
  #restedMs = 0;

  protected override get bounds(): NamespaceBounds {
    return { ...super.bounds, passagesSplit: 40, pageDocuments: 3, partDocuments: 3, stepPages: 1 };
  }

  protected override get settings() {
    return { sealPassages: 8, segmentPassagesMax: 40, mergeFan: 3 };
  }

  protected override get objects(): DurableObjectNamespace {
    return (this.env as unknown as { STEPPED_MEMORY: DurableObjectNamespace }).STEPPED_MEMORY;
  }

  override async alarm(): Promise<void> {}

  protected override now(): number {
    return super.now() + this.#restedMs;
  }

  /** What the alarm would do, at the time that it would. */
  async tick(): Promise<void> {
    const failures = NamespaceStore.find(this.ctx.storage)?.work()?.failures ?? 0;
    if (failures > 0) this.#restedMs += WORK_RETRY_MS;
    await super.alarm();
  }

  work(): Work | null {
    return this.namespace().store.work();
  }

  /** Whether nothing is under way and nothing is to be destroyed. */
  isIdle(): boolean {
    return this.work() === null && this.namespace().store.retired().length === 0;
  }

  /** How many calls of other objects there were. */
  calls(): number {
    return this.#calls;
  }

  protected override shardStub(object: string): ShardStub {
    const stub = super.shardStub(object);
    const through =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (this.silent.has(object)) throw new Error(`${object} does not answer`);
        const n = ++this.#calls;
        const fails = this.fault?.call === n;
        if (fails && !this.fault!.after) throw new Error("the call broke off before");
        const result = await call(...args);
        if (fails) throw new Error("the call broke off after");
        return result;
      };
    return {
      shardCall: through((...args) => stub.shardCall(...args)),
      shardGather: through((...args) => stub.shardGather(...args)),
    };
  }
}

/** Vectorize indexes, by the namespace that they were made for: they outlive its objects. */
const doubles = new Map<string, VectorizeDouble>();

/** Keeps its vectors in an index of its own, which the test processes. */
export class TieredMemory extends SteppedMemory {
  protected override get objects(): DurableObjectNamespace {
    return (this.env as unknown as { TIERED_MEMORY: DurableObjectNamespace }).TIERED_MEMORY;
  }

  protected override now(): number {
    return this.double.nowMs;
  }

  get double(): VectorizeDouble {
    const name = this.ctx.id.name!.split("/").slice(0, 2).join("/");
    const double = doubles.get(name) ?? new VectorizeDouble(384);
    doubles.set(name, double);
    return double;
  }

  protected override get vectorize() {
    return this.double;
  }
}

export class SmallLedger extends LedgerObject {
  protected override get keysMax(): number {
    return 2;
  }

  protected override get namespacesMax(): number {
    return 2;
  }
}

/** Its clock stands at the beginning of Unix time. */
export class PastLedger extends LedgerObject {
  protected override now(): number {
    return 0;
  }
}

/** Its clock is the test's; after an eviction it stands at its beginning again. */
export class ClockedQuota extends QuotaObject {
  #nowMs = Date.UTC(2026, 10, 29, 12);

  protected override now(): number {
    return this.#nowMs;
  }

  setNow(unixMs: number): void {
    this.#nowMs = unixMs;
  }
}

/** Remembers ten outcomes, 8,000 bytes of them and for a thousand ms, and calibrates by itself
 *  from 20 labels on and with each 10 more. */
export class SmallRouter extends RouterObject {
  nowMs = 10_000;

  protected override now(): number {
    return this.nowMs;
  }

  protected override get ringBounds() {
    return { outcomes: 10, bytes: 8_000, ms: 1_000 };
  }

  protected override get autoCalibration() {
    return { labelsMin: 20, labelsStep: 10 };
  }
}

/** Holds little, by the test's clock. */
export class SmallReplays extends ReplayObject {
  #nowMs = Date.UTC(2026, 10, 29);

  protected override now(): number {
    return this.#nowMs;
  }

  protected override get bounds() {
    return { entries: 5, bytes: 1_000 };
  }

  passMs(ms: number): void {
    this.#nowMs += ms;
  }
}

/** Holds few answers, by the test's clock. */
export class SmallCache extends CacheObject {
  #nowMs = Date.UTC(2026, 10, 29);

  protected override now(): number {
    return this.#nowMs;
  }

  protected override get bounds() {
    return { ...super.bounds, answers: { entries: 4, bytes: 1_000 } };
  }

  passMs(ms: number): void {
    this.#nowMs += ms;
  }
}

/** Keeps few traces, by the test's clock. */
export class SmallTraces extends TraceObject {
  #nowMs = Date.UTC(2026, 10, 29);

  protected override now(): number {
    return this.#nowMs;
  }

  protected override get bounds() {
    return { traces: 5, bytes: 20_000, ms: 60_000 };
  }

  passMs(ms: number): void {
    this.#nowMs += ms;
  }

  async ring(): Promise<void> {
    await this.alarm();
  }
}

export default {
  fetch: () => new Response("the tests call the objects directly", { status: 404 }),
};
