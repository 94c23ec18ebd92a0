import { createHash } from "node:crypto";
import { expect, it, vi } from "vitest";
import { KeyReply, KeysReply, KeyUsageReply, TenantUsageReply } from "../../src/api/schema/keys.ts";
import { ServiceError } from "../../src/errors.ts";
import type { KeyRecord } from "../../src/ledger/types.ts";
import { BODY_BYTES_MAX } from "../../src/limits.ts";
import { KEY } from "./fake-keys.ts";
import { DEPLOYED, startApi } from "./fake-service.ts";

const hash = (key: string) => createHash("sha256").update(key).digest("hex");
const PATH = "/admin/keys/k1";

/** An api that knows the key `mine`. */
function withKey(changes: Partial<KeyRecord> = {}, config = DEPLOYED) {
  const api = startApi({ ...config, adminKeySha256: hash("operator") });
  const key = { ...KEY, ...changes };
  const { tenant, scopes, namespaces, default_namespace } = key;
  api.service.callers.set(hash("mine"), { tenant, scopes, namespaces, default_namespace, key });
  const use = (path: string, options: object = {}) =>
    api.outcome(path, { key: "mine", ...options });
  return { ...api, use };
}

it("a key is made with scopes, limits and an end; the old spelling means the same", async () => {
  const { call, service } = startApi();
  const made = await call("/admin/keys", {
    json: {
      name: "web",
      scopes: ["memory:write", "inference"],
      namespaces: ["docs"],
      expires_at: "2030-01-01T00:00:00Z",
      requests_per_minute: 60,
      budget_usd: 2.5,
      budget_period: "day",
    },
  });
  expect(made.status).toBe(201);
  expect(await made.json()).toMatchObject({ key: "brink-new", name: "web", role: "inference" });
  const request = {
    name: "web",
    scopes: ["inference", "memory:write"],
    tenant: null,
    namespaces: ["docs"],
    default_namespace: null,
    expires_at: Date.UTC(2030, 0),
    requests_per_minute: 60,
    tokens_per_minute: null,
    budget_usd: 2.5,
    budget_period: "day",
    disabled: false,
  };
  expect(service.calls.at(-1)![2]).toEqual(request);
  await call("/admin/keys", { json: { role: "inference", permissions: ["memory:write"] } });
  expect(service.calls.at(-1)![2]).toMatchObject({ scopes: ["inference", "memory:write"] });
  await call("/admin/keys", { json: {} });
  expect(service.calls.at(-1)![2]).toMatchObject({ scopes: ["inference"], budget_usd: null });
});

it.each([
  { role: "root" },
  { role: "admin", namespaces: ["docs"] },
  { scopes: ["admin:read"], namespaces: ["docs"] },
  { scopes: [] },
  { scopes: ["everything"] },
  { scopes: ["inference"], role: "admin" },
  { namespaces: [] },
  { namespaces: ["docs"], default_namespace: "other" },
  { tenant: "a/b" },
  { scope: "x" },
  { permissions: ["all"] },
  { requests_per_minute: 0 },
  { requests_per_minute: 1.5 },
  { tokens_per_minute: -1 },
  { budget_usd: -0.01 },
  { budget_usd: 1e9 },
  { budget_period: "week" },
  { expires_at: "tomorrow" },
])("a key with %j is refused", async (json) => {
  expect(await startApi().outcome("/admin/keys", { json })).toEqual([400, "invalid_request"]);
});

it("a change names what changes: null lifts a limit, what is left out stays", async () => {
  const { call, outcome, service } = startApi();
  const patch = (json: unknown) => call(PATH, { method: "PATCH", json });
  expect(KeyReply.parse(await (await patch({ budget_usd: null, disabled: true })).json())).toEqual({
    ...KEY,
    role: "inference",
    budget_usd: null,
    disabled: true,
  });
  expect(service.calls.at(-1)!.slice(2)).toEqual(["k1", { budget_usd: null, disabled: true }]);
  await patch({ expires_at: 2_000_000_000, scopes: ["admin", "admin"], budget_period: null });
  expect(service.calls.at(-1)![3]).toEqual({ expires_at: 2e12, scopes: ["admin"] });
  for (const json of [{}, { tenant: "x" }, { id: "x" }, { budget_usd: "5" }, []])
    expect(await outcome(PATH, { method: "PATCH", json })).toEqual([400, "invalid_request"]);
});

it("keys are listed with their use, shown, rotated and revoked", async () => {
  const { call, outcome, service } = startApi();
  const { keys } = KeysReply.parse(await (await call("/admin/keys")).json());
  expect(keys.map(({ usage }) => usage?.cost_usd ?? null)).toEqual([0.0015, null]);
  expect(KeyReply.parse(await (await call(PATH)).json())).toMatchObject({ id: "k1" });
  expect(await outcome("/admin/keys/nobody")).toEqual([404, "not_found"]);
  const rotate = (json?: unknown) => call(`${PATH}/rotate`, { method: "POST", json });
  expect(await (await rotate()).json()).toMatchObject({ key: "brink-rotated", id: "k1" });
  await rotate({ grace_seconds: 60 });
  expect(service.calls.at(-1)!.slice(2)).toEqual(["k1", 60_000]);
  expect(await outcome(PATH, { method: "DELETE" })).toEqual([200, null]);
});

it("a key's use is told by the day, with what is left of its budget", async () => {
  const { call, outcome, service } = startApi();
  const usage = KeyUsageReply.parse(await (await call(`${PATH}/usage?days=7`)).json());
  expect(usage.days).toMatchObject([{ day: "2026-11-29", requests: 3, cost_usd: 0.0015 }]);
  expect(usage.budget).toMatchObject({ spent_usd: 1.5, held_usd: 0.5, remaining_usd: 3 });
  expect(service.calls.at(-1)!.slice(2)).toEqual(["k1", 7]);
  expect(TenantUsageReply.parse(await (await call("/admin/usage")).json()).keys).toHaveLength(1);
  for (const days of ["0", "93", "x"])
    expect(await outcome(`/admin/usage?days=${days}`)).toEqual([400, "invalid_request"]);
});

it("an expired and a disabled key are refused, though they are remembered", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000 });
  try {
    const { use } = withKey({ expires_at: 5_000 });
    expect(await use("/v1/models")).toEqual([200, null]);
    vi.setSystemTime(5_000);
    expect(await use("/v1/models")).toEqual([401, "invalid_key"]);
    expect(await withKey({ disabled: true }).use("/v1/models")).toEqual([401, "invalid_key"]);
  } finally {
    vi.useRealTimers();
  }
});

it("admin:read may look at everything and change nothing", async () => {
  const { call, use } = withKey({ scopes: ["admin:read"] });
  for (const path of ["/admin/keys", "/admin/namespaces", "/v1/models"])
    expect(await use(path)).toEqual([200, null]);
  expect((await call("/admin/keys", { method: "HEAD", key: "mine" })).status).toBe(200);
  expect(await use("/admin/keys", { json: {} })).toEqual([403, "forbidden"]);
  expect(await use(PATH, { method: "DELETE" })).toEqual([403, "forbidden"]);
  const json = { namespace: "docs", query: "x" };
  expect(await use("/v1/memory/search", { json })).toEqual([403, "forbidden"]);
});

it("a changed key is asked for again at once by the isolate that changed it", async () => {
  const { outcome, use, service } = withKey();
  expect(await use("/v1/models")).toEqual([200, null]);
  service.callers.clear();
  expect(await use("/v1/models")).toEqual([200, null]);
  await outcome(PATH, { method: "DELETE", key: "operator" });
  expect(await use("/v1/models")).toEqual([401, "invalid_key"]);
});

const ADMITTED = {
  refused: null,
  retry_after_ms: 0,
  requests: { limit: 60, remaining: 59, reset_ms: 61_000 },
  tokens: { limit: 1_000, remaining: 700, reset_ms: 1_500 },
  second: 7,
};
const WORK: [string, unknown][] = [
  ["/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] }],
  ["/v1/embeddings", { input: "x" }],
  ["/v1/rerank", { query: "x", documents: ["y"] }],
  ["/v1/classify", { model: "m", input: "x" }],
  ["/v1/memory/search", { namespace: "docs", query: "x" }],
];

it.each(WORK)("%s is counted before it works, and tells what is left", async (path, json) => {
  const { call, service } = startApi();
  service.admission = ADMITTED;
  const response = await call(path, { json, headers: { "content-length": "400" } });
  expect(response.status).toBe(200);
  expect(service.admitted.map(([, tokens]) => tokens)).toEqual([path.includes("chat") ? 356 : 100]);
  const left = Object.fromEntries(response.headers);
  expect(left).toMatchObject({
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "61s",
    "x-ratelimit-remaining-tokens": "700",
    "x-ratelimit-reset-tokens": "1.5s",
  });
});

it.each(WORK)("%s is not worked on once a rate refuses it", async (path, json) => {
  const { call, service } = startApi();
  service.admission = { ...ADMITTED, refused: "tokens", retry_after_ms: 1_200 };
  const response = await call(path, { json });
  expect(response.status).toBe(429);
  expect(await response.json()).toMatchObject({ error: { code: "rate_limited" } });
  expect(response.headers.get("retry-after")).toBe("2");
  expect(response.headers.get("retry-after-ms")).toBe("1200");
  expect(response.headers.get("x-ratelimit-limit-tokens")).toBe("1000");
  expect(service.calls).toEqual([]);
});

it("a body that tells no length is counted by the one that it has", async () => {
  const { call, service } = startApi();
  const sent = (bytes: Uint8Array) => ({
    raw: new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(),
  });
  const input = JSON.stringify({ input: "x".repeat(388) });
  const taken = await call("/v1/embeddings", sent(new TextEncoder().encode(input)));
  expect(taken.status).toBe(200);
  expect(service.calls).toHaveLength(1);
  const refused = await call("/v1/embeddings", sent(new Uint8Array(BODY_BYTES_MAX + 1)));
  expect(refused.status).toBe(413);
  const tokens = service.admitted.map(([, tokens]) => tokens);
  expect(tokens).toEqual([100, BODY_BYTES_MAX / 4]);
});

it("a list is not counted", async () => {
  const { call, service } = startApi();
  await call("/v1/models");
  expect(service.admitted).toEqual([]);
});

it("a used up budget is told so that clients do not try again", async () => {
  const { call, service } = startApi();
  service.answer = () =>
    Promise.reject(new ServiceError("insufficient_quota", "the budget is used up"));
  const response = await call("/v1/chat/completions", { json: WORK[0]![1] });
  expect([response.status, response.headers.get("x-should-retry")]).toEqual([429, "false"]);
  expect(await response.json()).toMatchObject({
    error: { code: "insufficient_quota", type: "insufficient_quota" },
  });
});

it.each(["deny", "allow"] as const)(
  "with %s, a key that was found counts for so long while the ledger is away",
  async (choice) => {
    const api = withKey({}, { ...DEPLOYED, ledgerUnreachable: choice });
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
    try {
      expect(await api.use("/v1/models")).toEqual([200, null]);
      const away = new ServiceError("ledger_unavailable", "the ledger cannot be reached");
      api.service.findCaller = () => Promise.reject(away);
      expect(await api.use("/v1/models")).toEqual([200, null]);
      vi.setSystemTime(40_000);
      const allowed = choice === "allow";
      expect(await api.use("/v1/models")).toEqual(
        allowed ? [200, null] : [503, "ledger_unavailable"],
      );
      const unknown = await api.call("/v1/models", { key: "never-seen" });
      expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "1"]);
      vi.setSystemTime(3_600_000);
      expect(await api.use("/v1/models")).toEqual([503, "ledger_unavailable"]);
    } finally {
      vi.useRealTimers();
    }
  },
);
