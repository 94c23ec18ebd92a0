import { createHash } from "node:crypto";
import { expect, it, vi } from "vitest";
import type { Caller } from "../../src/pipeline/types.ts";
import { DEPLOYED, startApi } from "./fake-service.ts";

const hash = (key: string) => createHash("sha256").update(key).digest("hex");
const CALLER: Caller = {
  tenant: "acme",
  scopes: ["inference"],
  namespaces: ["docs"],
  default_namespace: null,
};
const CHAT = { messages: [{ role: "user", content: "hi" }] };

it("no key is missing_key, a wrong one invalid_key, wherever it is sent", async () => {
  const { outcome } = startApi();
  for (const path of ["/v1/models", "/v1/nowhere", "/admin/keys"]) {
    expect(await outcome(path, { key: null })).toEqual([401, "missing_key"]);
    expect(await outcome(path, { key: "wrong" })).toEqual([401, "invalid_key"]);
    expect(await outcome(path, { key: "x".repeat(5_000) })).toEqual([401, "invalid_key"]);
  }
  const headers = { authorization: "Basic YTpi" };
  expect(await outcome("/v1/models", { key: null, headers })).toEqual([401, "missing_key"]);
});

it("the fixed keys work locally only", async () => {
  const local = startApi();
  expect(await local.outcome("/v1/models", { key: "brink-dev" })).toEqual([200, null]);
  expect(await local.outcome("/admin/keys", { key: "brink-admin" })).toEqual([200, null]);
  const deployed = startApi({ ...DEPLOYED, adminKeySha256: hash("other") });
  for (const key of ["brink-dev", "brink-admin"])
    expect(await deployed.outcome("/v1/models", { key })).toEqual([401, "invalid_key"]);
});

it("a deployment without keys refuses every call and says what to set", async () => {
  const { call } = startApi(DEPLOYED);
  for (const key of [null, "any"]) {
    const response = await call("/v1/models", { key });
    expect(response.status).toBe(401);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe("no_keys_configured");
    expect(error.message).toContain("wrangler secret put BRINK_ADMIN_KEY_SHA256");
  }
});

it("the operator's secret is an admin key of the tenant default", async () => {
  const { call, service } = startApi({ ...DEPLOYED, adminKeySha256: hash("operator") });
  expect((await call("/admin/keys", { key: "operator" })).status).toBe(200);
  expect(service.calls.at(-1)).toEqual([
    "list",
    { tenant: "default", scopes: ["admin"], namespaces: null, default_namespace: null },
  ]);
});

it("an inference key is forbidden on every admin path", async () => {
  const { outcome } = startApi();
  for (const path of ["/admin/keys", "/admin/router", "/admin/namespaces/docs/stats", "/admin/x"])
    expect(await outcome(path, { key: "brink-dev" })).toEqual([403, "forbidden"]);
});

it("a key reaches its own namespaces only, and its tenant goes with every call", async () => {
  const { outcome, service } = startApi(DEPLOYED);
  service.callers.set(hash("mine"), CALLER);
  const search = (namespace: string) =>
    outcome("/v1/memory/search", { key: "mine", json: { namespace, query: "x" } });
  expect(await search("docs")).toEqual([200, null]);
  expect(service.calls.at(-1)![1]).toEqual(CALLER);
  expect(await search("secret")).toEqual([403, "namespace_forbidden"]);
  const json = { ...CHAT, memory: { namespace: "secret" } };
  expect(await outcome("/v1/chat/completions", { key: "mine", json })).toEqual([
    403,
    "namespace_forbidden",
  ]);
});

it("a found key is remembered for a while, an unknown one is not", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const { outcome, service } = startApi({ ...DEPLOYED, adminKeySha256: hash("operator") });
    const lookups = () => service.calls.filter(([name]) => name === "findCaller").length;
    expect(await outcome("/v1/models", { key: "mine" })).toEqual([401, "invalid_key"]);
    service.callers.set(hash("mine"), CALLER);
    for (let i = 0; i < 3; i++)
      expect(await outcome("/v1/models", { key: "mine" })).toEqual([200, null]);
    expect(lookups()).toBe(2);
    service.callers.clear();
    vi.setSystemTime(Date.now() + 30_000);
    expect(await outcome("/v1/models", { key: "mine" })).toEqual([401, "invalid_key"]);
  } finally {
    vi.useRealTimers();
  }
});
