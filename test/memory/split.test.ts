/** Splits of a live namespace: whatever happens during one, the namespace finds what one that was
 *  never split finds. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { COPY_CATCH_UP_PAGES } from "../../src/limits.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { hitsOf, type Memory, prepared, store } from "./documents.ts";
import {
  asking,
  expectSame,
  pair,
  randomFrom,
  type Stepped,
  settle,
  someDocument,
} from "./random-documents.ts";
import type { Fault, SteppedMemory } from "./worker.ts";

it.each(["passage", "document"] as const)(
  "a namespace that splits while it is written to and searched is as one never split, units %ss",
  async (bm25_unit) => {
    const { stepped, memory, twin } = await pair(`split/online-${bm25_unit}`, { bm25_unit });
    const random = randomFrom(7);
    for (let step = 0; step < 90; step++) {
      const documents = Array.from({ length: 1 + random(3) }, () => someDocument(random, 120));
      await store(memory, documents);
      await store(twin, documents);
      if (random(4) === 0) {
        const ids = [`document ${random(120)}`, `document ${random(120)}`];
        expect(await memory.remove(ids)).toBe(await twin.remove(ids));
      }
      if (random(5) === 0) await evictDurableObject(stepped);
      await stepped.tick();
      if (step % 6 === 0) await expectSame(memory, twin);
    }
    await settle(stepped);
    await expectSame(memory, twin);
    const { shards } = await memory.stats();
    expect(shards.length).toBeGreaterThan(3);
    expect(shards.every(({ object }) => object?.startsWith(`split/online-${bm25_unit}/g`))).toBe(
      true,
    );
  },
);

it("eight shards, two levels of the tree, find what one finds", async () => {
  for (const shards of [8, 20]) {
    const { memory, twin } = await pair(`split/tree-${shards}`, { shards });
    const random = randomFrom(shards);
    const documents = Array.from({ length: 200 }, () => someDocument(random, 300));
    await store(memory, documents);
    await store(twin, documents);
    await expectSame(memory, twin);
    expect((await memory.stats()).shards).toHaveLength(shards);
  }
});

/** Fills a namespace of one shard, begins its split, and returns what it must go on finding. */
async function splitting(name: string, shards = 1) {
  const made = await pair(name, { shards });
  const random = randomFrom(11);
  const documents = Array.from({ length: 5 }, () => someDocument(random, 40));
  for (const memory of [made.memory, made.twin]) await store(memory, documents);
  await made.memory.split();
  return { ...made, random };
}

it("a split goes on after its root is evicted between any two steps", async () => {
  const { stepped, memory, twin, random } = await splitting("split/evicted");
  const phases = new Set<string | undefined>();
  for (let i = 0; i < 100; i++) {
    const { work } = await memory.stats();
    phases.add(work?.phase);
    if (work === null) break;
    await evictDurableObject(stepped);
    await stepped.tick();
    const documents = [someDocument(random, 40)];
    for (const each of [memory, twin]) await store(each, documents);
    await expectSame(memory, twin);
  }
  expect(phases).toEqual(new Set(["prepare", "copy", undefined]));
  await settle(stepped);
  await expectSame(memory, twin);
});

it.each([0, 1, 2])(
  "options changed after %i steps of a split hold for its shards",
  async (steps) => {
    const { stepped, memory, twin, random } = await splitting(`split/options-${steps}`);
    for (let i = 0; i < steps; i++) await stepped.tick();
    expect((await stepped.work())?.kind).toBe("split");
    for (const each of [memory, twin])
      await each.configure({ ...NAMESPACE_DEFAULTS, k1: 0.1, b: 0 });
    await settle(stepped);
    expect((await memory.stats()).shards).toHaveLength(2);
    await expectSame(memory, twin);
    await evictDurableObject(stepped);
    const documents = [someDocument(random, 40), someDocument(random, 40)];
    for (const each of [memory, twin]) await store(each, documents);
    await expectSame(memory, twin);
  },
);

async function setFault(stepped: Stepped, fault: Fault | null): Promise<void> {
  await runInDurableObject(stepped, (object) => {
    const instance = object as unknown as SteppedMemory;
    instance.fault = fault === null ? null : { ...fault, call: instance.calls() + fault.call };
  });
}

/** Every call of another object that a split makes breaks off once, before and after it did its
 *  part; then the root forgets all that it has in memory. */
it.each([1, 2])("a split survives the loss of any one call, from %i shards", async (shards) => {
  for (const after of [false, true])
    for (let call = 1; ; call++) {
      const name = `split/fault-${shards}-${after}-${call}`;
      const { stepped, memory, twin, random } = await splitting(name, shards);
      await setFault(stepped, { call, after });
      let met = false;
      for (let i = 0; i < 40 && !met; i++) {
        if ((await stepped.work()) === null) break;
        await stepped.tick();
        met = ((await stepped.work())?.failures ?? 0) > 0;
      }
      await setFault(stepped, null);
      await evictDurableObject(stepped);
      const documents = [someDocument(random, 40), someDocument(random, 40)];
      for (const each of [memory, twin]) await store(each, documents);
      await settle(stepped);
      await expectSame(memory, twin, ["hybrid"]);
      expect((await memory.stats()).shards).toHaveLength(shards + 1);
      if (!met) break;
    }
});

/** A document of 2,000 words that no other has: about 100 KB of an index. */
function bulky(i: number) {
  const words = Array.from({ length: 2_000 }, (_, n) => `w${(i * 2_000 + n).toString(36)}`);
  return prepared(`bulky ${i}`, words.join(" "));
}

it("a shard that is full is split before a write that needs room is refused", async () => {
  const memory = env.TIGHT_MEMORY.getByName("split/tight") as unknown as Memory;
  await memory.configure(NAMESPACE_DEFAULTS);
  for (let i = 0; i < 40; i += 4)
    await store(
      memory,
      [0, 1, 2, 3].map((n) => bulky(i + n)),
    );
  const { documents, shards } = await memory.stats();
  expect(documents).toBe(40);
  expect(shards.length).toBeGreaterThan(1);
  for (const shard of shards) expect(shard.documents).toBeLessThan(40);
  for (const i of [0, 17, 39]) {
    const query = `w${(i * 2_000 + 5).toString(36)}`;
    const hits = await hitsOf(memory, asking(query, { mode: "bm25" }));
    expect(hits.map((hit) => hit.document_id)).toEqual([`bulky ${i}`]);
  }
});

it("a split that writes outrun has them wait after so many pages, and ends", async () => {
  const { stepped, memory, twin } = await splitting("split/outrun");
  const behind: number[] = [];
  const late: ReturnType<typeof prepared>[] = [];
  for (let i = 0; i < 2 * COPY_CATCH_UP_PAGES; i++) {
    const work = await stepped.work();
    if (work?.kind !== "split") break;
    behind.push(work.behind);
    const documents = [0, 1, 2, 3].map((n) => prepared(`late ${i}-${n}`, "rent"));
    await store(memory, documents);
    late.push(...documents);
    await stepped.tick();
  }
  await store(twin, late);
  expect(behind.filter((pages) => pages > 0)).toEqual(
    Array.from({ length: COPY_CATCH_UP_PAGES }, (_, i) => i + 1),
  );
  expect((await memory.stats()).shards).toHaveLength(2);
  await expectSame(memory, twin, ["bm25"]);
});
