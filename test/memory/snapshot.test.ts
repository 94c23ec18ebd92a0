import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import {
  FORGET_INTERVAL_MS,
  SNAPSHOT_PASSES_MAX,
  SNAPSHOTS_MAX,
  WORK_FAILURES_MAX,
  WORK_RETRY_MS,
} from "../../src/limits.ts";
import { manifestKey } from "../../src/memory/snapshot-format.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { type Memory, prepared, store } from "./documents.ts";
import {
  expectSame,
  listed,
  pair,
  randomFrom,
  type Stepped,
  settle,
  someDocument,
} from "./random-documents.ts";
import type { TieredMemory } from "./worker.ts";

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

/** A namespace of some shards with documents, and its twin. */
async function filled(name: string, shards: number) {
  const made = await pair(name, { shards });
  const random = randomFrom(shards + 40);
  const documents = Array.from({ length: 4 + 8 * shards }, () => someDocument(random, 60));
  for (const memory of [made.memory, made.twin]) await store(memory, documents);
  return { ...made, random };
}

async function snapshotOf(stepped: Stepped): Promise<string> {
  const id = await (stepped as unknown as Memory).snapshot();
  await settle(stepped);
  return id;
}

const keysUnder = async (prefix: string) => {
  const { objects } = await env.SNAPSHOTS.list({ prefix });
  return objects.map(({ key }) => key);
};

it.each([1, 3])(
  "restoring a snapshot of %i shards brings back documents, order and options",
  async (shards) => {
    const name = `snapshot/back-${shards}`;
    const { stepped, memory, twin, random } = await filled(name, shards);
    await memory.configure({ ...NAMESPACE_DEFAULTS, shards, k1: 1.2, cosine_weight: 0.5 });
    await twin.configure({ ...NAMESPACE_DEFAULTS, k1: 1.2, cosine_weight: 0.5 });
    const options = await memory.options();
    const id = await snapshotOf(stepped);
    await memory.configure({ ...options, k1: 2, cosine_weight: 0.9 });
    for (let i = 0; i < 5; i++) await store(memory, [someDocument(random, 60)]);
    await memory.remove(["document 1", "document 2", "document 3"]);
    await memory.restore(id);
    expect(await codeFrom(store(memory, [prepared("late", "rent")]))).toBe("memory_busy");
    await settle(stepped);
    expect(await memory.options()).toEqual(options);
    await expectSame(memory, twin);
    const after = someDocument(random, 60);
    for (const each of [memory, twin]) await store(each, [after]);
    await expectSame(memory, twin);
    expect((await memory.snapshots()).last_restore).toMatchObject({ state: "done", id });
  },
);

it("other options are memory_busy while a restore goes on that would replace them", async () => {
  const { stepped, memory } = await filled("snapshot/options", 1);
  const options = await memory.options();
  const id = await snapshotOf(stepped);
  await memory.configure({ ...options, k1: 2 });
  await memory.restore(id);
  expect(await codeFrom(memory.configure({ ...options, k1: 1 }))).toBe("memory_busy");
  await memory.configure({ ...options, k1: 2 }); // those that hold
  await settle(stepped);
  expect(await memory.options()).toEqual(options);
  await memory.configure({ ...options, k1: 1 });
  expect((await memory.options()).k1).toBe(1);
});

it("a snapshot holds what was written until it ended, less what was removed", async () => {
  const { stepped, memory, twin, random } = await filled("snapshot/online", 2);
  const id = await memory.snapshot();
  for (let i = 0; i < 100 && !(await stepped.isIdle()); i++) {
    await evictDurableObject(stepped);
    await stepped.tick();
    if (i >= 12) continue;
    const documents = [someDocument(random, 60), someDocument(random, 60)];
    for (const each of [memory, twin]) {
      await store(each, documents);
      await each.remove([`document ${i}`]);
    }
  }
  const before = await listed(memory);
  await memory.removeWhere({ year: { gte: 0 } });
  expect(await listed(memory)).toEqual([]);
  await memory.restore(id);
  for (let i = 0; i < 100 && !(await stepped.isIdle()); i++) {
    await evictDurableObject(stepped);
    await stepped.tick();
  }
  expect(await listed(memory)).toEqual(before);
  await expectSame(memory, twin);
});

it("a snapshot exists only once its manifest does, and a deleted one leaves nothing", async () => {
  const { stepped, memory } = await filled("snapshot/manifest", 1);
  const id = await memory.snapshot();
  await stepped.tick();
  await stepped.tick();
  expect((await keysUnder("memory/snapshot%2Fmanifest/parts/")).length).toBeGreaterThan(0);
  expect(await memory.snapshots()).toMatchObject({ snapshots: [], work: { kind: "snapshot", id } });
  expect(await codeFrom(memory.restore(id))).toBe("snapshot_not_found");
  await settle(stepped);
  const { snapshots, last_snapshot } = await memory.snapshots();
  const { documents, passages } = await memory.stats();
  expect(snapshots).toMatchObject([{ id, documents, passages }]);
  expect(last_snapshot).toMatchObject({ state: "done", id });
  await memory.deleteSnapshot(id);
  expect((await memory.snapshots()).snapshots).toEqual([]);
  expect(await keysUnder("memory/snapshot%2Fmanifest/")).toEqual([]);
  expect(await codeFrom(memory.deleteSnapshot(id))).toBe("snapshot_not_found");
});

it("a snapshot that is called off leaves no parts, and the next one is whole", async () => {
  const { stepped, memory, twin } = await filled("snapshot/off", 2);
  await memory.snapshot();
  for (let i = 0; i < 4; i++) await stepped.tick();
  expect(await codeFrom(memory.split())).toBe("conflict");
  expect(await memory.cancelWork()).toBe(true);
  expect(await keysUnder("memory/snapshot%2Foff/")).toEqual([]);
  const id = await snapshotOf(stepped);
  await memory.removeWhere({ year: { gte: 0 } });
  await memory.restore(id);
  await settle(stepped);
  await expectSame(memory, twin);
});

it("one that was being given up when its object ended does not end without parts", async () => {
  const { stepped, memory } = await filled("snapshot/given-up", 2);
  await memory.snapshot();
  for (let i = 0; i < 4; i++) await stepped.tick();
  await runInDurableObject(stepped, (_, { storage }) => {
    const [{ value }] = storage.sql
      .exec("SELECT value FROM namespace WHERE name = 'work'")
      .toArray() as [{ value: string }];
    const work = JSON.stringify({ ...JSON.parse(value), phase: "abandon" });
    storage.sql.exec("UPDATE namespace SET value = ? WHERE name = 'work'", work);
  });
  const [first] = await keysUnder("memory/snapshot%2Fgiven-up/");
  await env.SNAPSHOTS.delete(first!);
  await evictDurableObject(stepped);
  await settle(stepped);
  const { snapshots, work, last_snapshot } = await memory.snapshots();
  expect({ snapshots, work }).toEqual({ snapshots: [], work: null });
  expect(last_snapshot).toMatchObject({ state: "failed", error: { code: "conflict" } });
  expect(await keysUnder("memory/snapshot%2Fgiven-up/")).toEqual([]);
});

it("work begun before its copies had a number goes on to its end", async () => {
  const { stepped, memory, twin } = await filled("snapshot/unnumbered", 1);
  const withoutNumber = () =>
    runInDurableObject(stepped, (_, { storage }) => {
      const remove =
        "UPDATE namespace SET value = json_remove(value, '$.copy') WHERE name = 'work'";
      storage.sql.exec(remove);
    });
  for (const begin of [() => memory.snapshot(), () => memory.split()]) {
    await begin();
    for (let i = 0; i < 3; i++) {
      await withoutNumber();
      await evictDurableObject(stepped);
      await stepped.tick();
      const [copied] = await listed(memory); // but for the first time, before anything is
      for (const each of [memory, twin]) await each.remove([copied!.id]);
    }
    await settle(stepped);
    await expectSame(memory, twin);
  }
  const { snapshots } = await memory.snapshots();
  expect((await memory.stats()).shards).toHaveLength(2);
  await memory.restore(snapshots[0]!.id);
  await settle(stepped);
  expect((await memory.snapshots()).last_restore).toMatchObject({ state: "done" });
});

it("damage of any kind is snapshot_damaged, and nothing changes", async () => {
  const { stepped, memory, twin } = await filled("snapshot/damaged", 1);
  const id = await snapshotOf(stepped);
  const keys = await keysUnder("memory/snapshot%2Fdamaged/");
  const whole = new Map<string, Uint8Array>();
  for (const key of keys)
    whole.set(key, new Uint8Array(await (await env.SNAPSHOTS.get(key))!.arrayBuffer()));
  const part = keys.find((key) => key.includes("/parts/"))!;
  const manifest = keys.find((key) => key.includes("/manifests/"))!;
  const flipped = (key: string) => whole.get(key)!.map((byte, i) => (i === 100 ? byte ^ 1 : byte));
  const refusals = async () => {
    try {
      await memory.restore(id);
    } catch (error) {
      return codeOf(error);
    }
    await settle(stepped);
    return (await memory.snapshots()).last_restore!.error?.code;
  };
  await env.SNAPSHOTS.put(part, flipped(part));
  expect(await refusals()).toBe("snapshot_damaged");
  await env.SNAPSHOTS.put(part, whole.get(part)!.slice(1));
  expect(await refusals()).toBe("snapshot_damaged");
  await env.SNAPSHOTS.delete(part);
  expect(await refusals()).toBe("snapshot_damaged");
  await env.SNAPSHOTS.put(part, whole.get(part)!);
  await env.SNAPSHOTS.put(manifest, flipped(manifest));
  expect(await refusals()).toBe("snapshot_damaged");
  await expectSame(memory, twin);
  await env.SNAPSHOTS.put(manifest, whole.get(manifest)!);
  await memory.restore(id);
  await settle(stepped);
  await expectSame(memory, twin);
});

it("a namespace sees no snapshot of another, whatever their names share", async () => {
  const { stepped, memory } = await filled("snapshot/tenant", 1);
  const id = await snapshotOf(stepped);
  for (const name of ["snapshot/tenant2", "snapshot/ten", "other/tenant", "snapshot/tenant-b"]) {
    const other = env.STEPPED_MEMORY.getByName(name) as unknown as Memory;
    await other.configure(NAMESPACE_DEFAULTS);
    expect((await other.snapshots()).snapshots).toEqual([]);
    for (const foreign of [id, `../tenant/${id}`, `../../snapshot%2Ftenant/manifests/${id}`]) {
      expect(await codeFrom(other.restore(foreign))).toBe("snapshot_not_found");
      expect(await codeFrom(other.deleteSnapshot(foreign))).toBe("snapshot_not_found");
    }
  }
  expect((await memory.snapshots()).snapshots).toHaveLength(1);
});

it("a snapshot that writes outrun has them wait after so many passes, and is whole", async () => {
  const { stepped, memory, twin } = await filled("snapshot/outrun", 1);
  const id = await memory.snapshot();
  const passes: [string, number][] = [];
  for (let i = 0; i < 200; i++) {
    const work = await stepped.work();
    if (work?.kind !== "snapshot") break;
    const seen: [string, number] = [work.phase, work.passes];
    if (String(passes.at(-1)) !== String(seen)) passes.push(seen);
    if (work.phase === "seal") break;
    const documents = [0, 1, 2, 3].map((n) => prepared(`late ${i}-${n}`, "rent"));
    for (const each of [memory, twin]) await store(each, documents);
    await stepped.tick();
  }
  const copied = Array.from({ length: SNAPSHOT_PASSES_MAX }, (_, n) => ["copy", n]);
  expect(passes).toEqual([["prepare", 0], ...copied, ["seal", SNAPSHOT_PASSES_MAX]]);
  await settle(stepped);
  await memory.removeWhere({});
  await memory.restore(id);
  await settle(stepped);
  await expectSame(memory, twin, ["bm25"]);
});

it("a namespace has so many snapshots, and another only once one is deleted", async () => {
  const { stepped, memory } = await filled("snapshot/many", 1);
  const first = await snapshotOf(stepped);
  const keyOf = (id: string) => manifestKey("snapshot/many", id);
  const of = await env.SNAPSHOTS.get(keyOf(first));
  const manifest = await of!.text();
  for (let n = 2; n < SNAPSHOTS_MAX; n++) {
    const customMetadata = { ...of!.customMetadata, id: `copy-${n}` };
    await env.SNAPSHOTS.put(keyOf(`copy-${n}`), manifest, { customMetadata });
  }
  const last = await snapshotOf(stepped);
  expect((await memory.snapshots()).snapshots).toHaveLength(SNAPSHOTS_MAX);
  expect(await codeFrom(memory.snapshot())).toBe("conflict");
  await memory.deleteSnapshot(last);
  expect(await snapshotOf(stepped)).not.toBe(last);
  expect((await memory.snapshots()).snapshots).toHaveLength(SNAPSHOTS_MAX);
});

it("a restore that fails rests, whatever else is due, and outlives a short outage", async () => {
  const stub = env.TIERED_MEMORY.getByName("snapshot/outage"); // for its clock
  const [memory, stepped] = [stub as unknown as Memory, stub as unknown as Stepped];
  await memory.configure({ ...NAMESPACE_DEFAULTS, forget: { max_documents: 100 } });
  await store(memory, [prepared("a", "amber"), prepared("b", "birch")]);
  const id = await snapshotOf(stepped);
  await memory.restore(id);
  const within = <T>(test: (object: TieredMemory, storage: DurableObjectStorage) => T) =>
    runInDurableObject(stub, (object, { storage }) =>
      test(object as unknown as TieredMemory, storage),
    );
  /** Whether the alarm of a step comes once its rest is over. */
  const rests = async () => {
    await within((_, storage) => storage.deleteAlarm());
    await stepped.tick();
    return within(
      async (object, storage) => (await storage.getAlarm()) === object.double.nowMs + WORK_RETRY_MS,
    );
  };
  await within((object) => {
    object.double.nowMs += 2 * FORGET_INTERVAL_MS; // to forget is overdue
    const work = object.work();
    if (work?.kind !== "restore") return expect.unreachable();
    for (const { object: name } of work.targets) object.silent.add(name!);
  });
  for (let i = 0; i <= WORK_FAILURES_MAX; i++) expect(await rests()).toBe(true);
  expect(await stepped.work()).toMatchObject({ kind: "restore", failures: 1 });
  await within((object) => {
    object.double.nowMs += WORK_RETRY_MS;
  });
  expect(await rests()).toBe(true);
  expect(await stepped.work()).toMatchObject({ failures: 2 });
  await within((object) => {
    object.double.nowMs += WORK_RETRY_MS;
    object.silent.clear();
  });
  await settle(stepped);
  expect((await memory.snapshots()).last_restore).toMatchObject({ state: "done", id });
});
