/** Namespaces of several objects: what callers see of them, and who may call whom. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { ALARM_MS_MAX, JOBS_MAX } from "../../src/limits.ts";
import { isolateIndexes } from "../../src/memory/budget.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { hitsOf, type Memory, passage, prepared, store } from "./documents.ts";
import {
  asking,
  expectSame,
  listed,
  pair,
  randomFrom,
  settle,
  someDocument,
} from "./random-documents.ts";
import type { SteppedMemory } from "./worker.ts";

const DAY_MS = 86_400_000;

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

it("a shard's object refuses every call but its own root's, and a root is no shard", async () => {
  const { memory } = await pair("roles/a", { shards: 2 });
  await pair("roles/b", { shards: 2 });
  await store(memory, [prepared("a", "amber")]);
  const child = env.STEPPED_MEMORY.getByName("roles/a/g1-0") as unknown as Memory;
  expect(await codeFrom(child.stats())).toBe("namespace_not_found");
  expect(await codeFrom(child.search(asking("amber")))).toBe("namespace_not_found");
  expect(await codeFrom(child.configure(NAMESPACE_DEFAULTS))).toBe("namespace_not_found");
  expect(await codeFrom(child.destroy())).toBe("namespace_not_found");
  for (const method of ["stats", "create", "destroy"] as const)
    await expect(async () =>
      child.shardCall("roles/b", method, [NAMESPACE_DEFAULTS]),
    ).rejects.toThrow("shard of");
  for (const method of ["stats", "create", "destroy"] as const)
    await expect(async () =>
      memory.shardCall("roles/b", method, [NAMESPACE_DEFAULTS]),
    ).rejects.toThrow("shard of");
  expect((await hitsOf(memory, asking("amber"))).map((hit) => hit.document_id)).toEqual(["a"]);
});

it("a shard that does not answer fails a search, or is missing from a partial one", async () => {
  const { stepped, memory } = await pair("partial/eight", { shards: 8 });
  const random = randomFrom(5);
  await store(
    memory,
    Array.from({ length: 60 }, () => someDocument(random, 90)),
  );
  const whole = await memory.search(asking("garden"));
  expect(whole.partial).toBeNull();
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.add("partial/eight/g1-2");
  });
  expect(await codeFrom(memory.search(asking("garden")))).toBe("shard_unavailable");
  const some = await memory.search(asking("garden", { k: 100, partial: true }));
  expect(some.partial).toEqual({ shards: 8, missing: 1 });
  const all = (await listed(memory).catch(() => [])).length;
  expect(all).toBe(0); // a list is never partial
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.clear();
  });
  const again = await memory.search(asking("garden"));
  expect(again.hits).toEqual(whole.hits);
});

it("a write whose shard does not answer is refused, and the others are stored", async () => {
  const { stepped, memory } = await pair("partial/write", { shards: 2 });
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.add("partial/write/g1-1");
  });
  const changes = Array.from({ length: 20 }, (_, i) => {
    return { document: prepared(`document ${i}`, "amber"), if_version: null };
  });
  const outcomes = await memory.upsert(changes);
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.clear();
  });
  const stored = new Set((await listed(memory)).map(({ id }) => id));
  expect(stored.size).toBeGreaterThan(4);
  for (const { id, status, error } of outcomes) {
    expect(status).toBe(stored.has(id) ? "stored" : "refused");
    expect(error?.code ?? null).toBe(stored.has(id) ? null : "shard_unavailable");
  }
});

it("versions, patches and lookups reach the shard that has the document", async () => {
  const { memory } = await pair("versions/n", { shards: 3 });
  await store(memory, [
    prepared("a", "amber", { metadata: { x: 1, y: 2 } }),
    prepared("b", "birch"),
  ]);
  const stale = await memory.upsert([{ document: prepared("a", "cedar"), if_version: 0 }]);
  expect(stale[0]).toMatchObject({ status: "refused", error: { code: "version_conflict" } });
  expect(await memory.patch("a", { metadata: { x: null, z: 3 } }, 1)).toMatchObject({
    status: "stored",
    version: 2,
  });
  expect(await memory.get("a")).toMatchObject({ metadata: { y: 2, z: 3 }, version: 2 });
  expect(await memory.patch("nobody", { metadata: {} }, null)).toMatchObject({ status: "missing" });
  expect((await memory.find(["b", "nobody", "a"])).map((found) => found?.version ?? null)).toEqual([
    1,
    null,
    2,
  ]);
  expect((await listed(memory)).map(({ id }) => id)).toEqual(["b", "a"]);
});

it("one dimension holds for all shards", async () => {
  const { memory } = await pair("versions/dimension", { shards: 3 });
  await store(memory, [prepared("a", "amber")]);
  const vector = { qs: new Int8Array(8).fill(1), scale: 0.35 };
  const other = (id: string) => prepared(id, "amber", { passages: [passage(0, 5, vector)] });
  const outcomes = await memory.upsert(
    ["b", "c", "d", "e"].map((id) => ({ document: other(id), if_version: null })),
  );
  for (const { error } of outcomes) expect(error?.code).toBe("invalid_request");
  expect(await codeFrom(memory.search(asking("amber", { vector: new Float32Array(8) })))).toBe(
    "invalid_request",
  );
});

it("options that may change reach every shard, also when one of them was away", async () => {
  const { stepped, memory, twin } = await pair("options/spread", { shards: 3 });
  const random = randomFrom(6);
  const documents = Array.from({ length: 30 }, () => someDocument(random, 90));
  for (const each of [memory, twin]) await store(each, documents);
  const changed = { ...NAMESPACE_DEFAULTS, k1: 0.9, b: 0.4 };
  await twin.configure(changed);
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.add("options/spread/g1-1");
  });
  await expect(async () => memory.configure({ ...changed, shards: 3 })).rejects.toThrow("answer");
  await evictDurableObject(stepped);
  await stepped.tick();
  await expectSame(memory, twin);
  expect(await codeFrom(memory.configure({ ...changed, shards: 4 }))).toBe("conflict");
  expect(await codeFrom(memory.configure({ ...changed, shards: 3, bm25_unit: "document" }))).toBe(
    "conflict",
  );
});

it("a destroyed namespace takes its shards along, also after one was away", async () => {
  const { stepped, memory } = await pair("destroyed/n", { shards: 3 });
  await store(memory, [prepared("a", "amber"), prepared("b", "birch"), prepared("c", "cedar")]);
  await runInDurableObject(stepped, (object) => {
    (object as unknown as SteppedMemory).silent.add("destroyed/n/g1-1");
  });
  await expect(async () => memory.destroy()).rejects.toThrow("answer");
  expect(await codeFrom(memory.stats())).toBe("namespace_not_found");
  await evictDurableObject(stepped);
  await stepped.tick();
  for (const name of ["destroyed/n", "destroyed/n/g1-0", "destroyed/n/g1-1", "destroyed/n/g1-2"]) {
    const tables = await runInDurableObject(env.STEPPED_MEMORY.getByName(name), (_, { storage }) =>
      storage.sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")
        .toArray(),
    );
    expect(tables).toEqual([]);
  }
  await memory.configure({ ...NAMESPACE_DEFAULTS, shards: 3 });
  expect(await memory.stats()).toMatchObject({ documents: 0 });
});

it.each([1, 3])("what is too old or too much is forgotten, from %i shards", async (shards) => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000 * DAY_MS });
  try {
    const forget = { max_age_days: 100, max_documents: 6 };
    const { stepped, memory } = await pair(`forget/${shards}`, { shards, forget });
    const ages = [120, 5, 99, 101, 30, 80, 60, 1, 3, 2];
    await store(
      memory,
      ages.map((age) => prepared(`${age}`, "amber", { time: (1_000 - age) * DAY_MS })),
    );
    await stepped.tick();
    const ids = async () => (await listed(memory)).map(({ id }) => Number(id));
    expect(await ids()).toEqual([5, 30, 60, 1, 3, 2]);
    vi.setSystemTime(1_041 * DAY_MS);
    await stepped.tick();
    expect(await ids()).toEqual([5, 30, 1, 3, 2]);
    const hits = await hitsOf(memory, asking("amber"));
    expect(hits.map((hit) => Number(hit.document_id)).sort()).toEqual([1, 2, 3, 30, 5]);
    await memory.configure({ ...NAMESPACE_DEFAULTS, shards, forget: null });
    vi.setSystemTime(2_000 * DAY_MS);
    await stepped.tick();
    expect(await ids()).toEqual([5, 30, 1, 3, 2]);
  } finally {
    vi.useRealTimers();
  }
});

it.each([1, 3])("looking for what is too much loads no index, of %i shards", async (shards) => {
  const forget = { max_documents: 2 };
  const { stepped, memory } = await pair(`forget/unloaded-${shards}`, { shards, forget });
  await store(memory, [prepared("a", "amber"), prepared("b", "birch")]);
  const others = Array.from({ length: shards - 1 }, (_, i) => `forget/unloaded-3/g1-${i}`);
  for (const object of [stepped, ...others.map((name) => env.STEPPED_MEMORY.getByName(name))])
    await evictDurableObject(object);
  const loaded = vi.spyOn(isolateIndexes, "use");
  try {
    await stepped.tick();
    expect(loaded).not.toHaveBeenCalled();
    expect(await hitsOf(memory, asking("amber"))).toHaveLength(2);
    expect(loaded).toHaveBeenCalled();
  } finally {
    loaded.mockRestore();
  }
});

it("the oldest are forgotten however far ahead their times are", async () => {
  const { stepped, memory } = await pair("forget/far", { forget: { max_documents: 1 } });
  const times = [Number.MAX_SAFE_INTEGER, 2 ** 60, 1e300, 2 ** 53];
  await store(
    memory,
    times.map((time, i) => prepared(`${i}`, "amber", { time })),
  );
  await stepped.tick();
  expect((await listed(memory)).map(({ id }) => id)).toEqual(["2"]);
});

it.each([Date.parse("9999-12-31T23:59:59Z"), 1.8e18])(
  "what expires at %d, beyond any alarm, holds up neither writes nor long work",
  async (expires_at) => {
    const { stepped, memory } = await pair(`expiry/${expires_at}`);
    await store(memory, [prepared("far", "amber", { expires_at }), prepared("ever", "amber")]);
    await evictDurableObject(stepped);
    const patched = await memory.patch("ever", { metadata: { year: 1 } }, null);
    expect(patched).toMatchObject({ status: "stored", version: 2, error: null });
    await runInDurableObject(stepped, async (_, { storage }) => {
      expect(await storage.getAlarm()).toBe(ALARM_MS_MAX);
    });
    const id = await memory.snapshot();
    await settle(stepped, 12);
    expect((await memory.snapshots()).last_snapshot).toMatchObject({ state: "done", id });
    expect((await listed(memory)).map((one) => one.expires_at)).toEqual([expires_at, null]);
  },
);

it("a job keeps its place, its counts and its first errors, and outlives its object", async () => {
  const { stepped, memory } = await pair("jobs/n");
  const { id } = await memory.createJob("file.ndjson");
  const error = { line: 1, code: "invalid_json" as const, message: "no JSON" };
  const step = {
    ...{ lines: 3, bytes: 300, upserted: 2, unchanged: 0, passages: 5, error_count: 1 },
    errors: [error],
  };
  await memory.advanceJob(id, 0, step);
  expect(await codeFrom(Promise.resolve(memory.advanceJob(id, 0, step)))).toBe("conflict");
  await evictDurableObject(stepped);
  expect(await memory.advanceJob(id, 3, { ...step, error_count: 0, errors: [] })).toMatchObject({
    ...{ name: "file.ndjson", state: "open", lines: 6, bytes: 600, upserted: 4, passages: 10 },
    ...{ error_count: 1, errors: [error] },
  });
  expect(await memory.finishJob(id)).toMatchObject({ state: "finished" });
  expect(await codeFrom(Promise.resolve(memory.advanceJob(id, 6, step)))).toBe("conflict");
  expect(await memory.listJobs()).toMatchObject([{ id, lines: 6 }]);
  expect((await memory.listJobs())[0]).not.toHaveProperty("errors");
  for (let i = 0; i < JOBS_MAX; i++) await memory.createJob(null);
  expect(await codeFrom(Promise.resolve(memory.getJob(id)))).toBe("job_not_found");
  expect(await codeFrom(Promise.resolve(memory.createJob(null)))).toBe("conflict");
  await settle(stepped);
});
