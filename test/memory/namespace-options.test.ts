/** Options that no shard takes: they are refused before anything is kept. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import type { ShardCall } from "../../src/memory/shard-port.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "../../src/memory/types.ts";
import { type MemoryAccess, NamespaceAdmin } from "../../src/pipeline/memory-admin.ts";
import { type Memory, prepared, store } from "./documents.ts";
import { listed, pair, type Stepped } from "./random-documents.ts";

const LINKING: NamespaceOptions = { ...NAMESPACE_DEFAULTS, near_duplicates: "link" };
const BY_DOCUMENT: NamespaceOptions = { ...NAMESPACE_DEFAULTS, bm25_unit: "document" };
const NEITHER: NamespaceOptions = { ...LINKING, bm25_unit: "document" };

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

/** Writes, reads and long work go on. */
async function expectServes(stepped: Stepped, ids: readonly string[]): Promise<void> {
  const memory = stepped as unknown as Memory;
  await evictDurableObject(stepped);
  await store(memory, [prepared("later", "birch")]);
  await memory.split();
  for (let i = 0; i < 20 && !(await stepped.isIdle()); i++) await stepped.tick();
  expect((await listed(memory)).map(({ id }) => id)).toEqual([...ids, "later"]);
  expect((await memory.stats()).shards).toHaveLength(2);
}

it("documents that are units are not linked, and the namespace stays as it was", async () => {
  const { stepped, memory } = await pair("options/documents", BY_DOCUMENT);
  await store(memory, [prepared("a", "amber")]);
  expect(await codeFrom(memory.configure(NEITHER))).toBe("invalid_request");
  expect(await memory.options()).toEqual(BY_DOCUMENT);
  await expectServes(stepped, ["a"]);
});

it("an empty namespace that links does not lose its tables to units that cannot be", async () => {
  const { stepped, memory } = await pair("options/empty", LINKING);
  expect(await codeFrom(memory.configure(NEITHER))).toBe("invalid_request");
  expect(await memory.options()).toEqual(LINKING);
  expect(await memory.stats()).toMatchObject({ documents: 0 });
  await expectServes(stepped, []);
});

it.each([
  ["the same", LINKING],
  ["other", BY_DOCUMENT],
] as const)(
  "a root whose tables are gone has them again once it gets %s options",
  async (_, options) => {
    const { stepped, memory } = await pair(`options/lost-${options.bm25_unit}`, LINKING);
    await runInDurableObject(stepped, async (object) => {
      await (object as unknown as { call: ShardCall }).call(null, "destroy");
    });
    await evictDurableObject(stepped);
    expect(await codeFrom(memory.stats())).toBe("namespace_not_found");
    await memory.configure(options);
    expect(await memory.options()).toEqual(options);
    await expectServes(stepped, []);
  },
);

it("a namespace that kept options no shard takes serves again with others", async () => {
  const { stepped, memory } = await pair("options/kept", BY_DOCUMENT);
  await store(memory, [prepared("a", "amber")]);
  await runInDurableObject(stepped, (_, { storage }) => {
    for (const [name, value] of Object.entries({ options: NEITHER, options_pending: true })) {
      const put = "INSERT OR REPLACE INTO namespace (name, value) VALUES (?, ?)";
      storage.sql.exec(put, name, JSON.stringify(value));
    }
  });
  await memory.configure(BY_DOCUMENT);
  await expectServes(stepped, ["a"]);
});

it("a namespace that is refused is not listed", async () => {
  const caller = { tenant: "refused", scopes: [], namespaces: null, default_namespace: null };
  const ledger = env.LEDGER.getByName("refused");
  const admin = new NamespaceAdmin({
    memory: (_, name) => env.MEMORY.getByName(`refused/${name}`),
    ledger: () => ledger,
  } as Partial<MemoryAccess> as MemoryAccess);
  const neither = { near_duplicates: "link", bm25_unit: "document" } as const;
  expect(await codeFrom(admin.putNamespace(caller, "docs", neither))).toBe("invalid_request");
  expect(await ledger.listNamespaces("refused")).toEqual([]);
  await admin.putNamespace(caller, "docs", { near_duplicates: "link" });
  const units = { bm25_unit: "document" } as const;
  expect(await codeFrom(admin.putNamespace(caller, "docs", units))).toBe("invalid_request");
  expect(await admin.getNamespace(caller, "docs")).toMatchObject({
    ...{ near_duplicates: "link", bm25_unit: "passage" },
  });
});
