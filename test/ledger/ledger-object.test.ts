import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import type { NewKey } from "../../src/ledger/types.ts";
import { SETTING_BYTES_MAX } from "../../src/limits.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";

const OPTIONS = NAMESPACE_DEFAULTS;

function key(id: string, rest: Partial<NewKey> = {}): NewKey {
  const digit = id.charCodeAt(0).toString(16).padStart(2, "0");
  return {
    id,
    hash: digit.repeat(32),
    name: null,
    tenant: "t",
    role: "inference",
    namespaces: null,
    default_namespace: null,
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

it("settings belong to a tenant and replace each other", async () => {
  const ledger = env.LEDGER.getByName("settings");
  expect(await ledger.getSetting("t", "router")).toBeNull();
  await ledger.putSetting("t", "router", '{"max_risk":0.2}');
  await ledger.putSetting("t", "router", '{"max_risk":0.3}');
  expect(await ledger.getSetting("t", "router")).toBe('{"max_risk":0.3}');
  expect(await ledger.getSetting("u", "router")).toBeNull();
  const large = "é".repeat(SETTING_BYTES_MAX / 2 + 1);
  expect(await codeFrom(ledger.putSetting("t", "router", large))).toBe("invalid_request");
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
