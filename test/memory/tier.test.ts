/** Namespaces whose vectors lie in a Vectorize index too: they find what others find. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { TIER_SYNC_MS, WORK_RETRY_MS } from "../../src/limits.ts";
import { ShardTier } from "../../src/memory/shard-tier.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import type { VectorizeDouble } from "../support/vectorize-double.ts";
import { hitsOf, type Memory, prepared, store } from "./documents.ts";
import { asking, expectSame, randomFrom, someDocument } from "./random-documents.ts";
import type { TieredMemory } from "./worker.ts";

type Tiered = DurableObjectStub<TieredMemory>;

/** A namespace with the tier and a twin without. */
async function pairOf(name: string, rest: Partial<NamespaceOptions> = {}) {
  const tiered = env.TIERED_MEMORY.getByName(name);
  const twin = env.MEMORY.getByName(`${name}-twin`) as Memory;
  await tiered.configure({ ...NAMESPACE_DEFAULTS, ...rest, vector_tier: "vectorize" });
  await twin.configure({ ...NAMESPACE_DEFAULTS, ...rest });
  return { tiered, memory: tiered as unknown as Memory, twin };
}

function inDouble<T>(tiered: Tiered, work: (double: VectorizeDouble) => T): Promise<T> {
  return runInDurableObject(tiered, (object) => work((object as unknown as TieredMemory).double));
}

/** Runs the alarm of an object, at its due time, as often as named; the index takes all up before
 *  each. */
async function sync(tiered: Tiered, times = 2): Promise<void> {
  for (let i = 0; i < times; i++) {
    await inDouble(tiered, (double) => {
      double.process();
      double.nowMs += TIER_SYNC_MS + WORK_RETRY_MS;
    });
    await tiered.tick();
  }
}

function journal(tiered: Tiered): Promise<number> {
  return runInDurableObject(
    tiered,
    (_, { storage }) => storage.sql.exec("SELECT 1 FROM tier_writes").toArray().length,
  );
}

const held = (tiered: Tiered) =>
  inDouble(tiered, async (double) => (await double.describe()).vectorCount);

const stagesOf = async (memory: Memory, rest = {}) =>
  Object.keys((await memory.search(asking("garden key", rest))).stages_ms);

it("finds what a namespace without it finds: unsent, sent, taken up and settled", async () => {
  const { tiered, memory, twin } = await pairOf("tier/equal");
  const random = randomFrom(3);
  for (let step = 0; step < 20; step++) {
    const documents = Array.from({ length: 2 }, () => someDocument(random, 24));
    for (const each of [memory, twin]) await store(each, documents);
    if (random(3) === 0) {
      const id = `document ${random(24)}`;
      expect(await memory.remove([id])).toBe(await twin.remove([id]));
    }
    if (random(4) === 0) await evictDurableObject(tiered);
    if (random(2) === 0) await sync(tiered, 1);
    await expectTheSame(memory, twin);
  }
  await sync(tiered, 3);
  expect(await journal(tiered)).toBe(0);
  await expectTheSame(memory, twin);
  expect(await held(tiered)).toBe((await twin.stats()).passages);
});

/** Estimates are the tier's own and are not compared. */
async function expectTheSame(memory: Memory, twin: Memory): Promise<void> {
  await expectSame(memory, twin, ["bm25"]);
  for (const mode of ["hybrid", "vector"] as const)
    for (const filter of [null, { year: { gte: 2022 } }]) {
      const request = asking("the landlord's garden key", { mode, filter, explain: false });
      expect(await hitsOf(memory, request)).toEqual(await hitsOf(twin, request));
    }
}

it("is asked without a filter by passages alone, and says so", async () => {
  const { memory } = await pairOf("tier/asked");
  await store(memory, [prepared("a", "the garden key"), prepared("b", "the lease")]);
  for (const mode of ["hybrid", "vector"] as const)
    expect(await stagesOf(memory, { mode })).toContain("shard_tier");
  for (const rest of [
    { mode: "bm25" },
    { filter: { year: 2020 } },
    { group_by_document: true },
    { diversity: { lambda: 0.5, pool: 101 } },
  ])
    expect(await stagesOf(memory, rest)).not.toContain("shard_tier");
});

it("goes by the object's codes while the index is down, and sends what waited later", async () => {
  const { tiered, memory, twin } = await pairOf("tier/down");
  const random = randomFrom(5);
  const documents = Array.from({ length: 12 }, () => someDocument(random, 40));
  await inDouble(tiered, (double) => {
    double.down = true;
  });
  for (const each of [memory, twin]) await store(each, documents);
  await sync(tiered);
  expect(await stagesOf(memory)).toContain("shard_tier_failed");
  await expectSame(memory, twin);
  const { passages } = await twin.stats();
  expect(await journal(tiered)).toBeGreaterThanOrEqual(passages);
  await inDouble(tiered, (double) => {
    double.down = false;
  });
  await sync(tiered, 3);
  expect([await held(tiered), await journal(tiered)]).toEqual([passages, 0]);
  expect(await stagesOf(memory)).toContain("shard_tier");
});

it("a removed passage never comes back, though the index holds it still", async () => {
  const { tiered, memory } = await pairOf("tier/removed");
  await store(memory, [prepared("a", "the garden key"), prepared("b", "the lease")]);
  await sync(tiered, 3);
  await memory.remove(["a"]);
  await store(memory, [prepared("b", "the garden key of the other house")]);
  const found = async () => {
    const hits = await hitsOf(memory, asking("the garden key", { mode: "vector" }));
    return hits.map(({ document_id, text }) => [document_id, text]);
  };
  const now = [["b", "the garden key of the other house"]];
  expect(await found()).toEqual(now);
  expect(await held(tiered)).toBe(2);
  await tiered.tick();
  await evictDurableObject(tiered); // sent, not yet taken up
  expect(await found()).toEqual(now);
  await sync(tiered, 3);
  expect(await found()).toEqual(now);
  expect([await held(tiered), await journal(tiered)]).toEqual([1, 0]);
});

it("a write that fails is not in the tier either", async () => {
  const { tiered, memory } = await pairOf("tier/failing");
  await store(memory, [prepared("a", "the garden key")]);
  const other = prepared("a", "the lease");
  // The table refuses the new passage once the old one is deleted, in the same transaction.
  const wrong = { ...other, passages: other.passages.map((each) => ({ ...each, start: null })) };
  const [outcome] = await memory.upsert([{ document: wrong as never, if_version: null }]);
  expect(outcome!.status).toBe("refused");
  expect(await journal(tiered)).toBe(1);
  await sync(tiered, 3);
  expect(await held(tiered)).toBe(1);
  const hits = await hitsOf(memory, asking("the lease", { mode: "vector" }));
  expect(hits.map(({ text }) => text)).toEqual(["the garden key"]);
});

it("shards each have their own part of it, and a split moves vectors along", async () => {
  const { tiered, memory, twin } = await pairOf("tier/split", { shards: 2 });
  const random = randomFrom(9);
  const documents = Array.from({ length: 20 }, () => someDocument(random, 60));
  for (const each of [memory, twin]) await store(each, documents);
  await expectTheSame(memory, twin);
  await tiered.split();
  for (let i = 0; i < 60 && !(await tiered.isIdle()); i++) await tiered.tick();
  const { shards, passages } = await memory.stats();
  expect(shards.length).toBe(3);
  await expectTheSame(memory, twin);
  for (const { object } of shards) await sync(env.TIERED_MEMORY.getByName(object!), 3);
  await expectTheSame(memory, twin);
  expect(await held(tiered)).toBe(passages);
});

it("a destroyed namespace leaves nothing in the index", async () => {
  const { tiered, memory } = await pairOf("tier/destroyed");
  await store(memory, [prepared("a", "the garden key\nthe lease"), prepared("b", "the rent")]);
  await sync(tiered, 3);
  await memory.remove(["b"]);
  expect(await held(tiered)).toBe(3);
  await inDouble(tiered, (double) => {
    double.down = true;
  });
  const refusal = await memory.destroy().then(() => null, codeOf);
  expect(refusal).toBe("backend_unavailable");
  await inDouble(tiered, (double) => {
    double.down = false;
  });
  await tiered.tick();
  await inDouble(tiered, (double) => double.process());
  expect(await held(tiered)).toBe(0);
});

function setDown(tiered: Tiered, down: boolean): Promise<void> {
  return inDouble(tiered, (double) => {
    double.down = down;
  });
}

it("nothing is sent between the deletions of an object's vectors", async () => {
  const { tiered, memory } = await pairOf("tier/clearing");
  await store(memory, [prepared("a", "the garden key\nthe lease")]);
  await runInDurableObject(tiered, async (object, { storage: { sql } }) => {
    const { double } = object as unknown as TieredMemory;
    const name = () => "tier/clearing";
    const tier = new ShardTier({ sql, index: double, kernels, name, now: () => double.nowMs });
    const due = [tier.dueAt()];
    double.duringDeletion = async () => {
      due.push(tier.dueAt());
      await tier.sync();
    };
    await tier.clear();
    double.process();
    expect(due).toEqual([double.nowMs, null]);
    expect((await double.describe()).vectorCount).toBe(0);
  });
});

it("a clearing that fails changes nothing: what is written later reaches the index", async () => {
  const { tiered, memory } = await pairOf("tier/clear-fails");
  await store(memory, [prepared("a", "the garden key")]);
  await memory.remove(["a"]);
  await setDown(tiered, true);
  const other = { ...NAMESPACE_DEFAULTS, bm25_unit: "document", vector_tier: "vectorize" } as const;
  const refusal = await memory.configure(other).then(() => null, codeOf);
  expect(refusal).toBe("backend_unavailable");
  await setDown(tiered, false);
  await store(memory, [prepared("b", "the lease\nthe rent")]);
  await evictDurableObject(tiered);
  await sync(tiered, 3);
  expect([await held(tiered), await journal(tiered)]).toEqual([2, 0]);
});

it("own tables that were to go and are made again stay", async () => {
  const { tiered, memory } = await pairOf("tier/again");
  await store(memory, [prepared("a", "the garden key"), prepared("b", "the lease")]);
  await tiered.split();
  await setDown(tiered, true);
  for (let i = 0; i < 60 && (await tiered.work()) !== null; i++) await tiered.tick();
  expect(await memory.stats()).toMatchObject({ work: null, retired: 1 });
  await setDown(tiered, false);
  await memory.removeWhere({});
  const other = { ...NAMESPACE_DEFAULTS, bm25_unit: "document", vector_tier: "vectorize" } as const;
  await memory.configure(other);
  await store(memory, [prepared("c", "the rent")]);
  await sync(tiered);
  expect((await memory.list(null, 10)).documents.map(({ id }) => id)).toEqual(["c"]);
  expect((await memory.stats()).retired).toBe(0);
});

it("is refused where the deployment has no index", async () => {
  const memory = env.MEMORY.getByName("tier/unbound");
  const made = memory.configure({ ...NAMESPACE_DEFAULTS, vector_tier: "vectorize" });
  const refusal = await made.then(() => null, codeOf);
  expect(refusal).toBe("vectorize_not_configured");
});
