import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { MIGRATIONS } from "../../src/ledger/ledger-object.ts";
import type { NewKey } from "../../src/ledger/types.ts";
import { OLD_HASHES_MAX, SETTING_BYTES_MAX } from "../../src/limits.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";

const OPTIONS = NAMESPACE_DEFAULTS;

function key(id: string, rest: Partial<NewKey> = {}): NewKey {
  const digit = id.charCodeAt(0).toString(16).padStart(2, "0");
  return {
    id,
    hash: digit.repeat(32),
    name: null,
    tenant: "t",
    scopes: ["inference"],
    namespaces: null,
    default_namespace: null,
    expires_at: null,
    disabled: false,
    requests_per_minute: null,
    tokens_per_minute: null,
    budget_usd: null,
    budget_period: "month",
    created_at: id.charCodeAt(0),
    ...rest,
  };
}

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

it("a key is found by its hash until it is revoked, after an eviction too", async () => {
  const ledger = env.LEDGER.getByName("keys");
  expect(await ledger.hasKeys()).toBe(false);
  const { hash, ...record } = key("a", { namespaces: ["docs"], default_namespace: "docs" });
  expect(await ledger.createKey({ hash, ...record })).toEqual(record);
  await evictDurableObject(ledger);
  expect(await ledger.findKey(hash)).toEqual(record);
  expect(await ledger.hasKeys()).toBe(true);
  expect(await ledger.revokeKey("other tenant", "a")).toBe(false);
  expect(await ledger.revokeKey("t", "a")).toBe(true);
  expect(await ledger.findKey(hash)).toBeNull();
  expect(await ledger.hasKeys()).toBe(false);
});

it("keys are listed oldest first and only to their tenant", async () => {
  const ledger = env.LEDGER.getByName("lists");
  for (const id of ["c", "a"]) await ledger.createKey(key(id));
  await ledger.createKey(key("b", { tenant: "u" }));
  expect((await ledger.listKeys("t")).map(({ id }) => id)).toEqual(["a", "c"]);
  expect((await ledger.listKeys("u")).map(({ id }) => id)).toEqual(["b"]);
});

it("a taken hash or id is a conflict, a key that is no hash is refused", async () => {
  const ledger = env.LEDGER.getByName("taken");
  await ledger.createKey(key("a"));
  expect(await codeFrom(ledger.createKey(key("a")))).toBe("conflict");
  expect(await codeFrom(ledger.createKey(key("b", { hash: key("a").hash })))).toBe("conflict");
  expect(await codeFrom(ledger.createKey(key("c", { hash: "brink-dev" })))).toBe("invalid_request");
});

it("a namespace is made once and keeps its age when its options change", async () => {
  const ledger = env.LEDGER.getByName("namespaces");
  const record = await ledger.putNamespace("t", "docs", OPTIONS);
  expect(record).toMatchObject({ tenant: "t", name: "docs", options: OPTIONS });
  expect(await ledger.putNamespace("t", "docs", { ...OPTIONS })).toEqual(record);
  const changed = { ...OPTIONS, k1: 1.2 };
  const { created_at } = record;
  expect(await ledger.putNamespace("t", "docs", changed)).toMatchObject({ created_at });
  expect(await ledger.getNamespace("t", "docs")).toEqual({ ...record, options: changed });
  await ledger.putNamespace("t", "archive", OPTIONS);
  await ledger.putNamespace("u", "docs", { ...OPTIONS, b: 0.4 });
  await evictDurableObject(ledger);
  expect((await ledger.listNamespaces("t")).map(({ name }) => name)).toEqual(["archive", "docs"]);
  expect(await ledger.deleteNamespace("t", "docs")).toBe(true);
  expect(await ledger.deleteNamespace("t", "docs")).toBe(false);
  expect(await ledger.getNamespace("t", "docs")).toBeNull();
  expect(await ledger.getNamespace("u", "docs")).toMatchObject({ options: { b: 0.4 } });
});

it("settings belong to a tenant, and what changes them at once is all kept", async () => {
  const ledger = env.LEDGER.getByName("settings");
  const patch = (value: unknown) => ledger.patchSetting("t", "cache", JSON.stringify(value));
  expect(await ledger.getSetting("t", "cache")).toBeNull();
  expect(await patch({ a: { b: 1, c: [1, 2], d: null } })).toBe('{"a":{"b":1,"c":[1,2]}}');
  const changes = [{ a: { b: null } }, { a: { c: [3] } }, { e: { f: 1 } }, { ["__proto__"]: 2 }];
  await Promise.all(changes.map(patch));
  const kept = '{"a":{"c":[3]},"e":{"f":1},"__proto__":2}';
  expect(await ledger.getSetting("t", "cache")).toBe(kept);
  expect(await ledger.getSetting("u", "cache")).toBeNull();
  const large = { a: "é".repeat(SETTING_BYTES_MAX / 2) };
  expect(await codeFrom(patch(large))).toBe("invalid_request");
  expect(await ledger.getSetting("t", "cache")).toBe(kept);
  expect(await patch(null)).toBeNull();
  expect(await ledger.getSetting("t", "cache")).toBeNull();
});

it("a tenant at its limit of keys or namespaces is refused more; another is not", async () => {
  const ledger = env.SMALL_LEDGER.getByName("limits");
  for (const id of ["a", "b"]) await ledger.createKey(key(id));
  for (const name of ["a", "b"]) await ledger.putNamespace("t", name, OPTIONS);
  expect(await codeFrom(ledger.createKey(key("c")))).toBe("invalid_request");
  expect(await codeFrom(ledger.putNamespace("t", "c", OPTIONS))).toBe("invalid_request");
  await ledger.createKey(key("c", { tenant: "u" }));
  await ledger.putNamespace("u", "c", OPTIONS);
  await ledger.putNamespace("t", "a", OPTIONS);
});

it("a key is changed, and another tenant's is not", async () => {
  const ledger = env.LEDGER.getByName("changed");
  const { hash, ...record } = key("a");
  await ledger.createKey({ hash, ...record });
  const changes = { budget_usd: 5, disabled: true };
  expect(await ledger.updateKey("other tenant", "a", changes)).toBeNull();
  expect(await ledger.updateKey("t", "a", changes)).toEqual({ ...record, ...changes });
  expect(await ledger.getKey("t", "a")).toEqual({ ...record, ...changes });
  expect(await ledger.findKey(hash)).toEqual({ ...record, ...changes });
});

it("a rotated key's old text works for its grace; a rotation without one ends all", async () => {
  const ledger = env.LEDGER.getByName("rotated");
  const [first, second, third] = ["aa", "bb", "cc"].map((two) => two.repeat(32)) as [
    string,
    string,
    string,
  ];
  await ledger.createKey(key("a", { hash: first }));
  expect(await ledger.rotateKey("t", "no such key", second, 0)).toBeNull();
  expect(await ledger.rotateKey("t", "a", second, 60_000)).toMatchObject({ id: "a" });
  for (const hash of [first, second])
    expect(await ledger.findKey(hash)).toMatchObject({ id: "a", tenant: "t" });
  expect(await codeFrom(ledger.rotateKey("t", "a", first, 0))).toBe("conflict");
  await ledger.rotateKey("t", "a", third, 0);
  for (const hash of [first, second]) expect(await ledger.findKey(hash)).toBeNull();
  expect(await ledger.findKey(third)).toMatchObject({ id: "a" });
  await ledger.rotateKey("t", "a", first, 60_000);
  await runInDurableObject(ledger, (_, { storage: { sql } }) => {
    sql.exec("UPDATE old_hashes SET until = ?", Date.now());
  });
  expect(await ledger.findKey(third)).toBeNull();
});

it("of the texts that a key had, the last OLD_HASHES_MAX may still work", async () => {
  const ledger = env.LEDGER.getByName("rotated often");
  const hashes = Array.from({ length: OLD_HASHES_MAX + 2 }, (_, i) => `${10 + i}`.repeat(32));
  await ledger.createKey(key("a", { hash: hashes[0]! }));
  for (const [i, hash] of hashes.slice(1).entries())
    await ledger.rotateKey("t", "a", hash, 60_000 + i);
  const found = await Promise.all(hashes.map((hash) => ledger.findKey(hash)));
  expect(found.map((one) => one !== null)).toEqual([false, ...hashes.slice(1).map(() => true)]);
});

it("the text that a key had last has its grace, also where others have longer ones", async () => {
  const ledger = env.LEDGER.getByName("rotated shortly");
  const hashes = Array.from({ length: OLD_HASHES_MAX + 2 }, (_, i) => `${10 + i}`.repeat(32));
  await ledger.createKey(key("a", { hash: hashes[0]! }));
  for (const [i, hash] of hashes.slice(1).entries())
    await ledger.rotateKey("t", "a", hash, i === OLD_HASHES_MAX ? 30_000 : 60_000 + i);
  const found = await Promise.all(hashes.map((hash) => ledger.findKey(hash)));
  expect(found.map((one) => one !== null)).toEqual([false, ...hashes.slice(1).map(() => true)]);
});

/** Keys as they were stored by the first two schemas. */
const OLD_KEYS = [
  { id: "admin", role: "admin" },
  { id: "reader", role: "inference" },
  { id: "writer", role: "inference", permissions: ["memory:write"] },
  { id: "none", role: "inference", permissions: [] },
].map((rest) => ({
  name: "old",
  tenant: "t",
  namespaces: ["docs"],
  default_namespace: null,
  created_at: 1,
  ...rest,
}));

it.each([1, 2])("keys that schema %i stored work after the migration", async (version) => {
  const ledger = env.LEDGER.getByName(`schema ${version}`);
  await runInDurableObject(ledger, (_, { storage: { sql } }) => {
    for (const table of ["keys", "namespaces", "settings", "uploads", "upload_parts"])
      sql.exec(`DROP TABLE IF EXISTS ${table}`);
    sql.exec("DROP TABLE old_hashes");
    for (const step of MIGRATIONS.slice(0, version)) sql.exec(step);
    sql.exec("UPDATE meta SET value = ? WHERE name = 'schema'", version);
    for (const [i, record] of OLD_KEYS.entries()) {
      const insert = "INSERT INTO keys (hash, id, tenant, record) VALUES (?, ?, 't', ?)";
      sql.exec(insert, `${i}`.repeat(64), record.id, JSON.stringify(record));
    }
  });
  await evictDurableObject(ledger);
  const found = await Promise.all(OLD_KEYS.map((_, i) => ledger.findKey(`${i}`.repeat(64))));
  expect(found.map((record) => record!.scopes)).toEqual([
    ["admin"],
    ["inference"],
    ["inference", "memory:write"],
    ["inference"],
  ]);
  for (const [i, record] of found.entries()) {
    const { role: _, permissions: __, ...kept } = OLD_KEYS[i] as Record<string, unknown>;
    const { hash: ___, ...fresh } = key("a");
    expect(record).toEqual({ ...fresh, ...kept, scopes: record!.scopes });
  }
  expect(await ledger.updateKey("t", "reader", { budget_usd: 1 })).toMatchObject({ budget_usd: 1 });
  expect(await ledger.rotateKey("t", "reader", "f".repeat(64), 1_000)).toMatchObject({
    id: "reader",
  });
});
