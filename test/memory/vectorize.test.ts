import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { dequantizeVector, type QuantizedVector, quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../../src/errors.ts";
import { TIER_PENDING_MAX, TIER_RESEND_MS } from "../../src/limits.ts";
import {
  type PendingWrite,
  rowOfTierId,
  type TierJournal,
  tierId,
  tierNamespace,
} from "../../src/memory/vector-tier.ts";
import { VectorizeTier } from "../../src/memory/vectorize.ts";
import kernels from "../../src/model/kernels-module.ts";
import { VectorizeDouble } from "../support/vectorize-double.ts";

const DIM = 16;
const seed = 20261124;

/** A journal that outlives tiers, as an object's tables do. */
class Journal implements TierJournal {
  readonly writes = new Map<string, PendingWrite>();
  all = () => Array.from(this.writes.values(), (write) => ({ ...write }));
  put = (write: PendingWrite) => void this.writes.set(write.id, { ...write });
  delete = (id: string) => void this.writes.delete(id);
}

function vectorOf(n: number): QuantizedVector {
  const next = mulberry32(n + 1);
  return quantizeVector(Float32Array.from({ length: DIM }, () => next() - 0.5));
}

const queryOf = (n: number) => dequantizeVector(vectorOf(n));
const idOf = (n: number) => tierId(tierNamespace("tenant/ns"), n);

/** An index, the truth about what is stored, and a tier over both, which `restart` makes anew. */
function makeWorld(index = new VectorizeDouble(DIM), namespace = "tenant/ns") {
  const journal = new Journal();
  const stored = new Map<string, QuantizedVector>();
  const make = () =>
    new VectorizeTier(index, tierNamespace(namespace), DIM, kernels, journal, () => index.nowMs);
  const world = {
    index,
    journal,
    stored,
    tier: make(),
    restart: () => {
      world.tier = make();
    },
    upsert: (id: string, vector: QuantizedVector) => {
      stored.set(id, vector);
      world.tier.upsert(id, vector);
    },
    remove: (id: string) => {
      stored.delete(id);
      world.tier.remove(id);
    },
    find: async (query: Float32Array, k: number) =>
      (await world.query(query, k)).matches.map(({ id }) => id),
    query: (query: Float32Array, k: number) => world.tier.query(query, k, (id) => stored.has(id)),
  };
  return world;
}

/** The code with which a call fails; null where it does not. */
function outcomeOf(call: () => void) {
  try {
    call();
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

/** Sync until everything is seen: two rounds, since what is processed is noticed by the next. */
async function drain({ tier, index }: ReturnType<typeof makeWorld>): Promise<void> {
  await tier.sync();
  index.process();
  expect(await tier.sync()).toBe(0);
}

describe("ids", () => {
  it("of the longest name and the last row fit, and say which row they are of", () => {
    const id = tierId(tierNamespace("\u{1f600}".repeat(500)), Number.MAX_SAFE_INTEGER);
    expect(new TextEncoder().encode(id).length).toBeLessThanOrEqual(64);
    expect(rowOfTierId(id)).toBe(Number.MAX_SAFE_INTEGER);
    expect(rowOfTierId("something else")).toBeNull();
  });

  it("differ where the object or the row does", () => {
    const [one, two] = [tierNamespace("tenant/ns"), tierNamespace("tenant/ns/g1-0")];
    expect(new Set([tierId(one, 1), tierId(one, 11), tierId(two, 1)]).size).toBe(3);
  });
});

describe("a tier on Vectorize", () => {
  it("finds what was just written: unsent, sent, processed, and noticed", async () => {
    const world = makeWorld();
    for (let n = 0; n < 20; n++) world.upsert(idOf(n), vectorOf(n));
    const found = () => world.find(queryOf(7), 1);
    expect(await found()).toEqual([idOf(7)]);
    expect(await world.tier.sync()).toBe(20);
    expect(await found()).toEqual([idOf(7)]);
    world.index.process();
    expect(await found()).toEqual([idOf(7)]);
    expect(await world.tier.sync()).toBe(0);
    expect(world.journal.writes.size).toBe(0);
    expect(await found()).toEqual([idOf(7)]);
  });

  it("never finds again what was removed, however late the index hears of it", async () => {
    const world = makeWorld();
    world.upsert(idOf(1), vectorOf(1));
    world.upsert(idOf(2), vectorOf(2));
    await drain(world);
    world.remove(idOf(1));
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
    await world.tier.sync();
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
    await drain(world);
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
    expect((await world.index.describe()).vectorCount).toBe(1);
  });

  it("finds a replaced vector by its new values alone", async () => {
    const world = makeWorld();
    for (let n = 0; n < 9; n++) world.upsert(idOf(n), vectorOf(n));
    await drain(world);
    world.upsert(idOf(0), vectorOf(100));
    expect(await world.find(queryOf(100), 1)).toEqual([idOf(0)]);
    expect(await world.find(queryOf(0), 1)).not.toEqual([idOf(0)]);
    await drain(world);
    expect(await world.find(queryOf(100), 1)).toEqual([idOf(0)]);
    expect(await world.find(queryOf(0), 1)).not.toEqual([idOf(0)]);
  });

  it("is right where writes, processing and a sync come while a query is under way", async () => {
    const world = makeWorld();
    world.upsert(idOf(1), vectorOf(1));
    await world.tier.sync();
    // The query reads the index before the write is there; then it is, and forgotten here.
    world.index.duringQuery = async () => {
      world.index.duringQuery = null;
      world.index.process();
      expect(await world.tier.sync()).toBe(0);
      world.upsert(idOf(2), vectorOf(2));
    };
    expect((await world.find(queryOf(1), 5)).sort()).toEqual([idOf(1), idOf(2)].sort());
    world.index.duringQuery = () => {
      world.index.duringQuery = null;
      world.remove(idOf(1));
    };
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
  });

  it("sends a failed mutation again, also one of which only the reply was lost", async () => {
    for (const failing of ["before", "after"] as const) {
      const world = makeWorld();
      world.upsert(idOf(1), vectorOf(1));
      world.index.failing = failing;
      await expect(world.tier.sync()).rejects.toMatchObject({ code: "backend_unavailable" });
      expect(await world.find(queryOf(1), 1)).toEqual([idOf(1)]);
      await drain(world);
      expect(await world.find(queryOf(1), 1)).toEqual([idOf(1)]);
    }
  });

  it("does not find what the index took up after its removal", async () => {
    const world = makeWorld();
    world.upsert(idOf(1), vectorOf(1));
    await drain(world);
    world.remove(idOf(1));
    await drain(world);
    // As a lost request that arrives at last.
    await world.index.upsert([
      { id: idOf(1), values: queryOf(1), namespace: tierNamespace("tenant/ns") },
    ]);
    world.index.process();
    expect(await world.find(queryOf(1), 5)).toEqual([]);
  });

  it("keeps what waits over a restart, and its order", async () => {
    const world = makeWorld();
    world.upsert(idOf(1), vectorOf(1));
    world.upsert(idOf(2), vectorOf(2));
    await world.tier.sync();
    world.remove(idOf(1));
    world.restart();
    expect(world.tier.pending).toBe(2);
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
    world.index.process();
    world.restart();
    await drain(world);
    expect(await world.find(queryOf(1), 5)).toEqual([idOf(2)]);
    expect((await world.index.describe()).vectorCount).toBe(1);
  });

  it("tells namespaces of one index apart, and sees through another's mutations", async () => {
    const index = new VectorizeDouble(DIM);
    const [one, two] = [makeWorld(index, "tenant/one"), makeWorld(index, "tenant/two")];
    one.upsert(tierId(tierNamespace("tenant/one"), 1), vectorOf(1));
    await one.tier.sync();
    index.nowMs += 60_000;
    two.upsert(tierId(tierNamespace("tenant/two"), 1), vectorOf(1));
    await two.tier.sync();
    index.process();
    // The last mutation is the other's, a minute later.
    expect(await one.tier.sync()).toBe(0);
    expect(await one.find(queryOf(1), 5)).toEqual([tierId(tierNamespace("tenant/one"), 1)]);
    expect(await two.find(queryOf(1), 5)).toEqual([tierId(tierNamespace("tenant/two"), 1)]);
  });

  it("sends again what another's mutation hides for too long", async () => {
    const index = new VectorizeDouble(DIM);
    const [one, two] = [makeWorld(index, "tenant/one"), makeWorld(index, "tenant/two")];
    one.upsert(idOf(1), vectorOf(1));
    await one.tier.sync();
    two.upsert(idOf(2), vectorOf(2));
    await two.tier.sync();
    index.process();
    expect(await one.tier.sync()).toBe(1); // too close to tell
    index.nowMs += TIER_RESEND_MS + 1;
    expect(await one.tier.sync()).toBe(1);
    await drain(one);
  });

  it("stays within every limit of a call, at thousands of writes", async () => {
    const world = makeWorld();
    const count = 2_345;
    for (let n = 0; n < count; n++) world.upsert(idOf(n), vectorOf(n % 50));
    await drain(world);
    expect(world.index.calls.upsert).toBe(3);
    for (let n = 0; n < 250; n++) world.remove(idOf(n));
    expect((await world.find(queryOf(3), 50)).length).toBe(50);
    await drain(world);
    expect(world.index.calls.deleteByIds).toBe(3);
    expect((await world.index.describe()).vectorCount).toBe(count - 250);
  });

  it("says where removals that the index has not seen leave too few of its answer", async () => {
    const world = makeWorld();
    for (let n = 0; n < 150; n++) world.upsert(idOf(n), vectorOf(n));
    await drain(world);
    const nearest = await world.find(queryOf(0), 99);
    for (const id of nearest) world.remove(id);
    const result = await world.query(queryOf(0), 10);
    expect(result).toMatchObject({ complete: false });
    expect(result.matches.length).toBe(1);
    await drain(world);
    const later = await world.query(queryOf(0), 10);
    expect([later.complete, later.matches.length]).toEqual([true, 10]);
    expect((await world.query(queryOf(0), 100)).complete).toBe(true); // all 51 that there are
  });

  it("is busy where too many vectors wait, and takes removals and waiting ids still", () => {
    const world = makeWorld();
    const vector = vectorOf(1);
    for (let n = 0; n < TIER_PENDING_MAX; n++) world.tier.upsert(idOf(n), vector);
    expect(outcomeOf(() => world.tier.upsert(idOf(TIER_PENDING_MAX), vector))).toBe("memory_busy");
    expect(outcomeOf(() => world.tier.remove(idOf(TIER_PENDING_MAX)))).toBeNull();
    expect(outcomeOf(() => world.tier.upsert(idOf(5), vector))).toBeNull();
    expect(world.tier.pending).toBe(TIER_PENDING_MAX + 1);
    world.tier.remove(idOf(5));
    expect(outcomeOf(() => world.tier.upsert(idOf(TIER_PENDING_MAX + 1), vector))).toBeNull();
  });

  it("forgets what a failed transaction wrote, and waits for what it replaced", async () => {
    const world = makeWorld();
    world.upsert(idOf(1), vectorOf(1));
    world.upsert(idOf(2), vectorOf(2));
    const kept = world.journal.all();
    const failing = () => {
      world.tier.upsert(idOf(3), vectorOf(3));
      world.tier.upsert(idOf(1), vectorOf(9));
      world.tier.remove(idOf(2));
      world.tier.upsert(idOf(2), vectorOf(8));
      throw new Error("the transaction fails");
    };
    expect(() => world.tier.transaction(failing)).toThrow("fails");
    world.journal.writes.clear(); // as the tables do
    for (const write of kept) world.journal.put(write);
    expect(world.tier.pending).toBe(2);
    await drain(world);
    expect(world.journal.writes.size).toBe(0);
    expect(await world.find(queryOf(1), 1)).toEqual([idOf(1)]);
    expect(await world.find(queryOf(2), 1)).toEqual([idOf(2)]);
    expect((await world.index.describe()).vectorCount).toBe(2);
  });

  it("refuses a k, a dimension and an index that Vectorize does not take", async () => {
    const { tier } = makeWorld();
    const all = () => true;
    await expect(tier.query(queryOf(1), 101, all)).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(tier.query(new Float32Array(8), 1, all)).rejects.toMatchObject({
      code: "invalid_request",
    });
    const index = new VectorizeDouble(DIM);
    expect(() => new VectorizeTier(index, "ns", 1_537, kernels, new Journal())).toThrow(/1537/);
  });
});

it("after any run of writes, syncs, failures and restarts the best is found", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ upsert: fc.nat(11), values: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat(11) }) },
    { weight: 2, arbitrary: fc.constantFrom("sync", "restart", "fail before", "fail after") },
    { weight: 2, arbitrary: fc.record({ process: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ find: fc.nat(40) }) },
  );
  const run = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const world = makeWorld();
    for (const each of steps) {
      if (typeof each === "string") await takeStep(world, each);
      else if ("upsert" in each) world.upsert(idOf(each.upsert), vectorOf(each.values));
      else if ("remove" in each) world.remove(idOf(each.remove));
      else if ("process" in each) world.index.process(each.process);
      else {
        const found = await world.find(queryOf(each.find), 12);
        expect(found.sort()).toEqual([...world.stored.keys()].sort());
        const best = await world.find(queryOf(each.find), 1);
        const equal = [...world.stored].filter(
          ([, v]) => v.qs.join() === vectorOf(each.find).qs.join(),
        );
        if (equal.length > 0) expect(equal.map(([id]) => id)).toContain(best[0]);
      }
    }
    world.index.failing = null;
    await drain(world);
    expect((await world.index.describe()).vectorCount).toBe(world.stored.size);
  });
  await fc.assert(run, { seed, numRuns: 150 });
});

async function takeStep(world: ReturnType<typeof makeWorld>, step: string): Promise<void> {
  if (step === "restart") world.restart();
  else if (step === "fail before") world.index.failing = "before";
  else if (step === "fail after") world.index.failing = "after";
  else {
    const fails = world.index.failing !== null;
    const [result] = await Promise.allSettled([world.tier.sync()]);
    if (result.status === "rejected") expect(fails).toBe(true);
  }
}
