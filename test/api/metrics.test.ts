import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { METRIC_NAMESPACES_MAX } from "../../src/limits.ts";
import { FAMILIES, tellGrowth } from "../../src/pipeline/metric-families.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { startApi } from "./fake-service.ts";
import { TRACE } from "./fake-traces.ts";

type Api = ReturnType<typeof startApi>;

async function scrape({ call }: Api, query = "") {
  const response = await call(`/admin/metrics${query}`);
  expect(response.status).toBe(200);
  return parsePrometheus(await response.text());
}

function growthOf(trace: typeof TRACE, stages: [string, number][]): [string, number][] {
  const grown: [string, number][] = [];
  const spans = stages.map(([name, duration_ms]) => ({ name, duration_ms }));
  tellGrowth(trace, spans, (key, by) => grown.push([key, by]));
  return grown;
}

/** As the tenant's object adds them up. */
function count(api: Api, ...grown: [string, number][][]): void {
  const sums = new Map<string, number>();
  for (const [key, by] of grown.flat()) sums.set(key, (sums.get(key) ?? 0) + by);
  api.service.traceAdmin.counters = [...sums];
}

it("every family is valid, and every one that a request can make is there", async () => {
  const api = startApi();
  const failed = { ...TRACE, error: "backend_timeout", status: 504, cache: "exact" };
  const stages: [string, number][] = [
    ["retrieve", 12],
    ["retrieve", 8],
  ];
  count(api, growthOf(TRACE, stages), growthOf(failed, []));
  const families = await scrape(api, "?memory=true");
  expect([...families.keys()]).toEqual(
    expect.arrayContaining(Object.keys(FAMILIES).map((name) => `brink_tenant_${name}`)),
  );
  expect(families.get("brink_tenant_stage_seconds")!.samples).toEqual([
    { name: "brink_tenant_stage_seconds_sum", labels: { stage: "retrieve" }, value: 0.02 },
    { name: "brink_tenant_stage_seconds_count", labels: { stage: "retrieve" }, value: 2 },
  ]);
  expect(families.get("brink_memory_documents")!.type).toBe("gauge");
});

it("each family stands on the page of figures", async () => {
  const api = startApi();
  const alarmed = { ...(await api.service.routerAdmin.drift({} as never)) };
  alarmed.difficulty = { ...alarmed.difficulty, distance: 0.1, bound: 0.2 };
  const attempts = { answered: 1, failed: 0, timed_out: 0, rate_limited: 0, refused: 0 };
  const backend = { name: "main", attempts: { ...attempts, abandoned: 0 }, circuit: "closed" };
  const counts = { broken: 0, firstTokenMs: 1, promptTokens: 1, completionTokens: 1 };
  const metrics = api.service.metrics();
  Object.assign(api.service.routerAdmin, { drift: async () => alarmed });
  Object.assign(api.service, {
    metrics: () => ({ ...metrics, backends: [{ ...backend, ...counts, inFlight: 0, waiting: 0 }] }),
  });
  count(api, growthOf({ ...TRACE, error: "internal", cache: "hit" }, [["read", 1]]));
  const page = readFileSync("docs/watching.md", "utf8");
  const families = [...(await scrape(api, "?memory=true")).keys()];
  expect(families.length).toBeGreaterThan(40);
  expect(families.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

it("so many namespaces are asked for their sizes, and all are counted", async () => {
  for (const more of [0, 1]) {
    const api = startApi();
    const [docs] = await api.service.memoryAdmin.listNamespaces({} as never);
    const stats = await api.service.memoryAdmin.stats({} as never, "docs");
    const all = Array.from({ length: METRIC_NAMESPACES_MAX + more }, (_, i) => `n${i}`);
    const asked: string[] = [];
    Object.assign(api.service.memoryAdmin, {
      listNamespaces: async () => all.map((name) => ({ ...docs, name })),
      stats: async (_: unknown, name: string) => {
        asked.push(name);
        return stats;
      },
    });
    const families = await scrape(api, "?memory=true");
    expect(families.get("brink_memory_namespaces")!.samples[0]!.value).toBe(all.length);
    const told = families
      .get("brink_memory_passages")!
      .samples.map(({ labels }) => labels.namespace);
    expect(told).toEqual(all.slice(0, METRIC_NAMESPACES_MAX));
    expect(asked).toEqual(told);
  }
});

it("a histogram counts each value once, at its bound and beyond all", async () => {
  const api = startApi();
  const at = (duration_ms: number) => growthOf({ ...TRACE, duration_ms }, []);
  count(api, at(5), at(5.01), at(30_000), at(30_001));
  const { samples } = (await scrape(api)).get("brink_tenant_request_duration_seconds")!;
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"));
  const counts = Object.fromEntries(buckets.map(({ labels, value }) => [labels.le, value]));
  expect(counts).toMatchObject({ "0.005": 1, "0.01": 2, "10": 2, "30": 3, "+Inf": 4 });
});

it("labels are escaped, and counts of another version's families are left out", async () => {
  const api = startApi();
  const engine = 'backend:a"b\\c\nd';
  count(api, growthOf({ ...TRACE, engine }, []), [
    ["unknown_total\nx", 1],
    ["errors_total\nx", 1],
  ]);
  const families = await scrape(api);
  const [sample] = families.get("brink_tenant_requests_total")!.samples;
  expect(sample!.labels.engine).toBe('backend:a"b\\c d');
  expect(families.has("brink_tenant_unknown_total")).toBe(false);
  expect(families.has("brink_tenant_errors_total")).toBe(false);
});

it("what cannot be read is left out and told, and the rest is there", async () => {
  const api = startApi();
  api.service.traceAdmin.series = () => Promise.reject(new Error("Network connection lost."));
  const families = await scrape(api);
  expect(families.get("brink_metrics_parts_failed")!.samples[0]!.value).toBe(1);
  expect(families.has("brink_tenant_requests_total")).toBe(false);
  expect(families.get("brink_linear_memory_bytes")!.samples[0]!.value).toBe(65_536);
});

it("the isolate's own figures, which are of all tenants, are the operator's alone", async () => {
  const api = startApi();
  expect(await api.outcome("/admin/metrics?memory=yes")).toEqual([400, "invalid_request"]);
  const own = await scrape(api);
  expect(own.get("brink_traces_total")!.samples).toContainEqual({
    ...{ name: "brink_traces_total", labels: { result: "sampled_out" }, value: 1 },
  });
  const { sha256Hex } = await import("../../src/pipeline/digest.ts");
  const other = { tenant: "other", scopes: ["admin" as const] };
  api.service.callers.set(sha256Hex("theirs"), {
    ...other,
    ...{ namespaces: null, default_namespace: null },
  });
  const response = await api.call("/admin/metrics", { key: "theirs" });
  const theirs = parsePrometheus(await response.text());
  expect(theirs.has("brink_requests_total")).toBe(false);
  expect(theirs.has("brink_traces_total")).toBe(false);
});
