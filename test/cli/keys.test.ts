/** Keys from the command line, against a service over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  keysCreate,
  keysLimits,
  keysList,
  keysRevoke,
  keysRotate,
  keysUsage,
} from "../../cli/keys.ts";
import { showKey, showKeyUsage, showListedKey } from "../../src/api/schema/keys.ts";
import { FakeKeys, KEY } from "../api/fake-keys.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const CALLER = { tenant: "default", scopes: [], namespaces: null, default_namespace: null };
const keys = new FakeKeys(() => {});
const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);
const url = () => ({ url: service.url });
const sent = () => JSON.parse(service.bodies.at(-1)!);

it("a key is made of the options, and its text stands alone on a line", async () => {
  reply("POST /admin/keys", { ...showKey(KEY), key: "brink-new" });
  const values = { ...url(), scopes: "inference, memory:write", rpm: "60", budget: "2.5" };
  const { out, said } = await runCommand(keysCreate, [], { ...values, period: "day" });
  expect(out).toBe("brink-new");
  expect(said).toContain("key k1 of tenant default");
  expect(sent()).toEqual({
    scopes: ["inference", "memory:write"],
    requests_per_minute: 60,
    budget_usd: 2.5,
    budget_period: "day",
  });
  await expect(runCommand(keysCreate, [], { ...url(), rpm: "many" })).rejects.toThrow("--rpm");
  await expect(runCommand(keysCreate, ["x"], url())).rejects.toThrow("nothing beside");
});

it("a key that asks is told to have no default namespace, in a remark of its own", async () => {
  const create = async (made: object, values: object = {}) => {
    reply("POST /admin/keys", { ...showKey({ ...KEY, ...made }), key: "brink-new" });
    const { out, said } = await runCommand(keysCreate, [], { ...url(), ...values });
    return [out, said.includes("must name memory.namespace")];
  };
  expect(await create({ namespaces: ["docs"] })).toEqual(["brink-new", true]);
  expect(await create({})).toEqual(["brink-new", true]);
  expect(await create({ default_namespace: "docs" })).toEqual(["brink-new", false]);
  expect(await create({ scopes: ["admin:read"] })).toEqual(["brink-new", false]);
  expect(await create({}, { json: true })).toEqual(["", false]);
});

it("another tenant's key comes with a remark of who tends it, and of how to be that", async () => {
  const create = async (scopes: string[], values: object) => {
    reply("POST /admin/keys", { ...showKey({ ...KEY, tenant: "acme" }), scopes, key: "brink-new" });
    const { out, said } = await runCommand(keysCreate, [], { ...url(), ...values });
    return [out, /keys of tenant acme are .* its own admin keys alone:\n(.*)/.exec(said)?.[1]];
  };
  const make = "npx brink keys create --tenant acme --scopes admin makes one";
  expect(await create(["inference"], { tenant: "acme" })).toEqual(["brink-new", make]);
  expect(await create(["admin"], { tenant: "acme" })).toEqual(["brink-new", "this is one"]);
  expect(await create(["inference"], {})).toEqual(["brink-new", undefined]);
  expect(await create(["inference"], { tenant: "acme", json: true })).toEqual(["", undefined]);
});

it("the list says what each key may read, and which have expired", async () => {
  const listed = [
    { ...KEY, namespaces: ["docs", "hr"], default_namespace: "hr", expires_at: 0, usage: null },
    { ...KEY, id: "k2", expires_at: Date.now() + 60_000, usage: null },
  ];
  reply("GET /admin/keys", { keys: listed.map(showListedKey) });
  const { out } = await runCommand(keysList, [], url());
  expect(out).toMatch(/^id +name +scopes +namespaces +limits /);
  expect(out).toMatch(/^k1 .* docs hr, default hr +USD 5 a month, expired 1970-01-01 00:00 /m);
  expect(out).toMatch(/^k2 .* all +USD 5 a month, until 2/m);
});

it("keys are listed with their limits and use", async () => {
  reply("GET /admin/keys", { keys: (await keys.list(CALLER)).map(showListedKey) });
  const { out } = await runCommand(keysList, [], url());
  expect(out).toMatch(/k1 .* USD 5 a month .* 3 .* 0\.001500 .* 2026-11-29/);
  expect(out).toMatch(/k2 .* 0 .* -$/m);
});

it("limits are set and lifted, and what is not named is not sent", async () => {
  reply("PATCH /admin/keys/k1", showKey({ ...KEY, budget_usd: null, disabled: true }));
  const values = { ...url(), budget: "none", namespaces: "all", expires: "never", disable: true };
  const { out } = await runCommand(keysLimits, ["k1"], values);
  expect(out).toContain("k1  inference  disabled");
  const lifted = { budget_usd: null, namespaces: null, expires_at: null };
  expect(sent()).toEqual({ ...lifted, disabled: true });
  await expect(runCommand(keysLimits, ["k1"], url())).rejects.toThrow("what is to change");
  await expect(runCommand(keysLimits, [], url())).rejects.toThrow("name one key");
});

it("use is told by the day, with the budget's state; without an id the tenant's", async () => {
  const usage = showKeyUsage(await keys.usage(CALLER, "k1", 7));
  reply("GET /admin/keys/k1/usage?days=7", usage);
  const { out } = await runCommand(keysUsage, ["k1"], { ...url(), days: "7" });
  expect(out).toMatch(/2026-11-29 +3 +1 +20 +10 +0\.001500/);
  expect(out).toContain("of USD 5 a month, 1.500000 are spent, 0.500000 held and 3.000000 left");
  reply("GET /admin/usage?days=30", { tenant: "default", days: [], keys: [] });
  expect((await runCommand(keysUsage, [], url())).out).toBe("nothing in 30 days");
});

it("a key is rotated, with the old text's grace, and revoked", async () => {
  reply("POST /admin/keys/k1/rotate", { ...showKey(KEY), key: "brink-rotated" });
  const { out } = await runCommand(keysRotate, ["k1"], { ...url(), grace: "60" });
  expect([out, sent()]).toEqual(["brink-rotated", { grace_seconds: 60 }]);
  reply("DELETE /admin/keys/k1", { id: "k1", deleted: true });
  expect((await runCommand(keysRevoke, ["k1"], url())).out).toBe("revoked k1");
});
