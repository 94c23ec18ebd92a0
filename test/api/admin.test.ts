import { expect, it } from "vitest";
import { NamespaceReply } from "../../src/api/schema/admin-namespaces.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { startApi } from "./fake-service.ts";

const NS = "/admin/namespaces/docs";

it("namespaces are made with options, without a body too", async () => {
  const { call, outcome, service } = startApi();
  const put = (json?: unknown) => call(NS, { method: "PUT", json });
  const made = NamespaceReply.parse(await (await put()).json());
  expect(made).toEqual({ ...NAMESPACE_DEFAULTS, name: "docs", created_at: 1 });
  const options = {
    bm25_unit: "document",
    bm25_variant: "bm25plus",
    k1: 1.2,
    b: 0.5,
    delta: 1,
    fusion: "rrf",
    cosine_weight: 0.5,
    near_duplicates: "link",
    shards: 2,
    forget: { max_age_days: 30, max_documents: 1_000 },
    archive_after_days: 90,
    vector_tier: "vectorize",
  };
  expect(NamespaceReply.parse(await (await put(options)).json())).toMatchObject(options);
  const nulls = Object.fromEntries(Object.keys(options).map((name) => [name, null]));
  await put(nulls);
  await put({ forget: { max_age_days: 0.5, max_documents: null } });
  expect(service.calls.map((args) => args[3])).toEqual([
    {},
    options,
    { forget: null, archive_after_days: null },
    { forget: { max_age_days: 0.5 } },
  ]);
  expect(await outcome("/admin/namespaces")).toEqual([200, null]);
  expect(await outcome("/admin/namespaces/nowhere")).toEqual([404, "namespace_not_found"]);
  expect(await outcome(NS, { method: "DELETE" })).toEqual([200, null]);
  expect(await outcome(`${NS}/stats`)).toEqual([200, null]);
  expect(await outcome(`${NS}/compact`, { method: "POST" })).toEqual([200, null]);
});

it.each([
  { b: 2 },
  { k1: -1 },
  { k1: 11 },
  { delta: -0.1 },
  { bm25_unit: "word" },
  { bm25_variant: "okapi" },
  { fusion: "sum" },
  { cosine_weight: 1.1 },
  { near_duplicates: true },
  { shards: 0 },
  { shards: 1.5 },
  { shards: 43 },
  { forget: {} },
  { forget: { max_age_days: 0 } },
  { forget: { max_documents: 0 } },
  { forget: { max_age_days: 1, older: 2 } },
  { archive_after_days: 0 },
  { archive_after_days: 36_526 },
  { vector_tier: "r2" },
  { language: "en" },
  [],
])("a namespace with %j is refused", async (json) => {
  expect(await startApi().outcome(NS, { method: "PUT", json })).toEqual([400, "invalid_request"]);
});

it("metrics are Prometheus text", async () => {
  const { call } = startApi();
  const response = await call("/admin/metrics");
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  const text = await response.text();
  expect(text).toContain("\nbrink_linear_memory_bytes 65536\n");
  expect(text).toContain('\nbrink_tokens_total{kind="completion"} 8\n');
  expect(text).toContain("\nbrink_cost_usd_total 0.5\n");
  expect(text).toContain('\nbrink_router_drift_alarm{test="difficulty"} 1\n');
  expect(text).toContain('\nbrink_router_drift_alarm{test="risk"} 0\n');
});
