/** The policies of caches and of notes on a real ledger. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { assert, codeOf } from "../../src/errors.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { CachePolicies, noCachePolicy } from "../../src/pipeline/cache-policy.ts";
import { NotePolicies, noNotePolicy } from "../../src/pipeline/notes-policy.ts";

/** A tenant with a ledger of its own, in which `stored` was put, and some namespaces. */
async function start(tenant: string, stored: Record<string, string> = {}) {
  const ledger = env.LEDGER.getByName(`policies of ${tenant}`);
  await runInDurableObject(ledger, (_, { storage: { sql } }) => {
    for (const [name, value] of Object.entries(stored))
      sql.exec("INSERT INTO settings VALUES (?, ?, ?)", tenant, name, value);
  });
  for (const name of ["gone", "a", "b", "docs"])
    await ledger.putNamespace(tenant, name, NAMESPACE_DEFAULTS);
  const caches = new CachePolicies(() => ledger);
  const notes = new NotePolicies(() => ledger);
  const settingOf = async (name: string) => JSON.parse((await ledger.getSetting(tenant, name))!);
  return { ledger, caches, notes, settingOf };
}

it("policies of caches that are set at the same time are all kept", async () => {
  const { caches, settingOf } = await start("several");
  await caches.write("several", "gone", { exact: "off" });
  await caches.write("several", "a", { exact: "all", ttl_s: 60 });
  await Promise.all([
    caches.write("several", null, { semantic: true }),
    caches.write("several", "a", { exact: "off" }),
    caches.write("several", "a", { ttl_s: null }),
    caches.reset("several", "gone"),
    caches.write("several", "b", { exact: "off" }),
  ]);
  expect(await settingOf("cache")).toEqual({
    tenant: { semantic: true },
    namespaces: { a: { exact: "off" }, b: { exact: "off" } },
  });
  expect(await caches.read("several", "a")).toMatchObject({ exact: "off", semantic: true });
});

it("a policy of notes stays while the namespace's first note is made", async () => {
  const { notes, settingOf } = await start("noted");
  const changed = { notes: "agreed", ttl_days: 5 } as const;
  await Promise.all([
    notes.write("noted", "docs", { notes: "agreed" }),
    notes.markMade("noted", "docs"),
    notes.write("noted", "docs", { ttl_days: 5 }),
  ]);
  expect(await settingOf("notes/docs")).toEqual({ ...changed, made: true });
  expect(await notes.read("noted", "docs")).toEqual({ ...changed, made: true });
  await notes.reset("noted", "docs");
  expect(await notes.read("noted", "docs")).toMatchObject({ notes: "rated", made: false });
});

it("both parts of a tenant's setting are stored whichever of them was set", async () => {
  const { caches, settingOf } = await start("either");
  await caches.write("either", "docs", { exact: "off" });
  expect(await settingOf("cache")).toEqual({ tenant: {}, namespaces: { docs: { exact: "off" } } });
  expect(await caches.look("either", null)).toMatchObject({ own: [] });
});

it("settings that were stored whole are changed in parts", async () => {
  const { caches, notes } = await start("older", {
    cache: '{"tenant":{"ttl_s":60},"namespaces":{"docs":{"exact":"off"}}}',
    "notes/docs": '{"notes":"off","ttl_days":7,"made":true}',
  });
  await caches.write("older", "docs", { semantic: true });
  const policy = { exact: "off", semantic: true, ttl_s: 60 };
  const own = ["exact", "semantic"];
  expect(await caches.look("older", "docs")).toMatchObject({ policy, own });
  const known = { notes: "rated", ttl_days: 7, made: true };
  expect(await notes.write("older", "docs", { notes: "rated" })).toEqual(known);
});

it("what is set while a namespace goes is gone with it, nothing is set afterwards", async () => {
  const { ledger, caches, notes } = await start("going");
  const set = () => [
    caches.write("going", "docs", { exact: "off" }),
    notes.write("going", "docs", { notes: "off" }),
    notes.markMade("going", "docs"),
  ];
  await caches.write("going", "a", { exact: "off" });
  await Promise.all([notes.reset("going", "docs"), caches.reset("going", "docs")]);
  await Promise.all(set()); // before the list forgets it
  await ledger.deleteNamespace("going", "docs", [noNotePolicy("docs"), noCachePolicy("docs")]);
  for (const one of await Promise.allSettled(set())) {
    assert(one.status === "rejected", "it was set");
    expect(codeOf(one.reason)).toBe("namespace_not_found");
  }
  expect(await ledger.getSetting("going", "notes/docs")).toBeNull();
  const kept = { tenant: {}, namespaces: { a: { exact: "off" } } };
  expect(JSON.parse((await ledger.getSetting("going", "cache"))!)).toEqual(kept);
  await caches.write("going", null, { semantic: true });
});
