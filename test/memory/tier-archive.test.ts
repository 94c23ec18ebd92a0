/** Archived passages in a vector tier's journal: an object that wakes reads them by their
 *  codebook. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import {
  cosineOf,
  dequantizeVector,
  type QuantizedVector,
  quantizeQuery,
  quantizeVector,
} from "../../index/vectors.ts";
import { ARCHIVE_VECTORS_MIN, TIER_SYNC_MS } from "../../src/limits.ts";
import { Shard } from "../../src/memory/shard.ts";
import { ShardTier } from "../../src/memory/shard-tier.ts";
import { NAMESPACE_DEFAULTS, type PreparedPassage } from "../../src/memory/types.ts";
import kernels from "../../src/model/kernels-module.ts";
import { VectorizeDouble } from "../support/vectorize-double.ts";
import { passage, prepared } from "./documents.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Few enough dimensions that a training takes no time. */
const DIM = 32;
const COUNT = ARCHIVE_VECTORS_MIN;

function vectorOf(n: number): QuantizedVector {
  const next = mulberry32(n);
  return quantizeVector(Float32Array.from({ length: DIM }, () => next() - 0.5));
}

function documentOf(n: number) {
  const text = `the heron number ${n}`;
  return prepared(`d${n}`, text, { passages: [passage(0, text.length, vectorOf(n))] });
}

interface Tested {
  shard: Shard;
  index: VectorizeDouble;
  /** Another shard over the same tables, as when the object woke. */
  reopen(): Shard;
}

/** A shard whose cold vectors are archived and whose vectors lie in an index too. */
function withShard<T>(name: string, test: (tested: Tested) => Promise<T>): Promise<T> {
  const stub = env.MEMORY.getByName(`tier-archive/${name}`);
  return runInDurableObject(stub, (_, { storage }) => {
    const index = new VectorizeDouble(DIM);
    const now = () => index.nowMs;
    const host = { sql: storage.sql, index, kernels, name: () => name, now };
    const settings = { sealPassages: 500, mergeFan: 100, now, tier: () => new ShardTier(host) };
    const reopen = () => new Shard(storage, kernels, settings);
    const shard = reopen();
    const options = { archive_after_days: 1, vector_tier: "vectorize" as const };
    shard.configure({ ...NAMESPACE_DEFAULTS, ...options });
    return test({ shard, index, reopen });
  });
}

/** Stores documents, has the index take all of them up, and archives them. */
async function fill({ shard, index }: Tested): Promise<void> {
  const rows = Array.from({ length: COUNT }, (_, i) => i + 1);
  shard.apply(
    rows.map((row) => ({ kind: "upsert", row, document: documentOf(row), if_version: null })),
  );
  await settle(shard, index);
  index.nowMs += 2 * DAY_MS;
  for (let step = 0; shard.stats().archived_passages < COUNT; step++) {
    expect(step).toBeLessThan(100);
    shard.maintain();
  }
}

/** Syncs until nothing waits. */
async function settle(shard: Shard, index: VectorizeDouble): Promise<void> {
  for (let step = 0; shard.tier!.dueAt() !== null; step++) {
    expect(step).toBeLessThan(20);
    await shard.tier!.sync();
    index.process();
    index.nowMs += TIER_SYNC_MS;
  }
}

const nearestTo = (shard: Shard, vector: QuantizedVector) =>
  shard.tier!.nearest(dequantizeVector(vector), 10, (row) => shard.holds(row));

/** Whether the archived passage `row` of a document waits, is found, is sent and goes, the object
 *  waking before each. */
async function expectWorks({ index, reopen }: Tested, id: string, document: number, row: number) {
  const [copied] = reopen().copyPage(document - 1, 0, 1).documents;
  const [{ vector, codebook }] = copied!.document.passages as [PreparedPassage];
  expect([copied!.document.id, codebook]).toEqual([id, expect.any(Number)]);
  const exact = cosineOf(quantizeQuery(dequantizeVector(vector)), vector);
  expect((await nearestTo(reopen(), vector))![0]).toEqual({ row, score: exact });
  await settle(reopen(), index);
  const [taken] = (await nearestTo(reopen(), vector))!;
  expect(taken!.row).toBe(row);
  expect(taken!.score).toBeCloseTo(exact, 5);
  reopen().apply([{ kind: "remove", id, if_version: null }]);
  const left = (await nearestTo(reopen(), vector))!.map((near) => near.row);
  expect([left.length >= 10, left.includes(row)]).toEqual([true, false]);
}

it("a patched document whose passage is archived is sent by an object that woke", async () => {
  await withShard("patched", async (tested) => {
    await fill(tested);
    const { shard, reopen } = tested;
    const patch = { metadata: { seen: true } };
    shard.apply([{ kind: "patch", row: 5_000, id: "d1", patch, if_version: null }]);
    reopen().apply([{ kind: "remove", id: "d2", if_version: null }]);
    await expectWorks(tested, "d1", 5_000, COUNT + 1);
  });
});

it("archived passages of a copy are, too", async () => {
  const pages = await withShard("source", async (tested) => {
    await fill(tested);
    return [tested.shard.copyPage(0, 0, 1_000), tested.shard.copyPage(1_000, 0, 1_000)];
  });
  await withShard("copy", async (tested) => {
    for (const page of pages) tested.shard.adopt(page);
    await expectWorks(tested, "d1", 1, 1);
  });
});
