import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { prepared } from "./documents.ts";

const upsertOf = (id: string, text: string) => [{ document: prepared(id, text), if_version: null }];

it("every change of content makes the version greater, and nothing else does", async () => {
  const memory = env.MEMORY.getByName("t/version");
  await memory.configure(NAMESPACE_DEFAULTS);
  let last = await memory.contentVersion();
  expect(last % 2).toBe(0);
  const moved = async () => {
    const version = await memory.contentVersion();
    const greater = version > last && version % 2 === 0;
    last = version;
    return greater;
  };
  await memory.upsert(upsertOf("a", "the lease ends on 3 May"));
  expect(await moved()).toBe(true);
  await memory.patch("a", { metadata: { kind: "lease" } }, null);
  expect(await moved()).toBe(true);
  await memory.search({
    ...{ query: "lease", vector: null, k: 1, mode: "bm25", filter: null, explain: false },
  });
  await memory.compact();
  await memory.find(["a"]);
  expect(await moved()).toBe(false);
  await memory.removeWhere({ kind: "public" });
  await memory.remove(["a"]);
  expect(await moved()).toBe(true);
  await memory.configure({ ...NAMESPACE_DEFAULTS, k1: 1.1 });
  expect(await moved()).toBe(true);
  await evictDurableObject(memory);
  expect(await memory.contentVersion()).toBe(last);
  await memory.destroy();
  await memory.configure(NAMESPACE_DEFAULTS);
  expect(await moved()).toBe(true);
});

it("the version is odd while a change is under way, and another one after a crash", async () => {
  const memory = env.MEMORY.getByName("t/crash");
  await memory.configure(NAMESPACE_DEFAULTS);
  const before = await memory.contentVersion();
  await runInDurableObject(memory, async (object) => {
    const { store } = (object as unknown as { namespace(): { store: Store } }).namespace();
    let during = 0;
    await store.changing(async () => {
      during = store.contentVersion();
    });
    expect(during % 2).toBe(1);
    expect(store.contentVersion()).toBe(during + 1);
    store.beginChange();
  });
  await evictDurableObject(memory);
  const after = await memory.contentVersion();
  expect(after % 2).toBe(0);
  expect(after).toBeGreaterThan(before + 2);
});

interface Store {
  contentVersion(): number;
  changing(work: () => Promise<void>): Promise<void>;
  beginChange(): void;
}
