/** GET /admin/metrics -> 200, Prometheus text: the tenant's counters, of all isolates; its router;
 *  where that is asked for its namespaces' sizes; and for the operator this isolate's own figures,
 *  which are of all tenants together. */
import { METRIC_NAMESPACES_MAX, METRICS_MS_MAX } from "../limits.ts";
import { OPERATOR_TENANT } from "../pipeline/operator.ts";
import type { TraceTotals } from "../pipeline/trace-log.ts";
import { NANOS_PER_USD } from "../pipeline/usage.ts";
import type { UsageTotals } from "../pipeline/usage-log.ts";
import { within } from "../pipeline/within.ts";
import { describeBackends } from "./backend-metrics.ts";
import { describeCache } from "./cache-metrics.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { block, type Sample } from "./prometheus.ts";
import { parse, z } from "./schema/common.ts";
import { NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";
import { describeSeries } from "./tenant-metrics.ts";

export const adminMetrics = newApi();

const MetricsQuery = z.object({
  memory: z.enum(["true", "false"]).default("false").openapi({
    description: "Whether each namespace is asked for its size, which wakes its object.",
  }),
});

endpoint(
  adminMetrics,
  {
    method: "get",
    path: "/admin/metrics",
    summary: "Show the tenant's figures as Prometheus text",
    description: "The operator's key sees those of the isolate that answers too.",
    security: NEEDS_ADMIN_KEY,
    request: { query: MetricsQuery },
    responses: replies(200, "Prometheus text format 0.0.4", z.string(), "text/plain"),
  },
  async (c) => {
    const { memory } = parse(MetricsQuery, c.req.query());
    const service = c.get("service");
    const caller = c.get("caller");
    // Figures are most wanted when something is amiss: what cannot be asked is left out.
    const parts = await Promise.allSettled([
      soon(() => service.traceAdmin.series(caller).then(describeSeries)),
      soon(() => describeRouter(c)),
      memory === "true" ? describeMemory(c) : "",
      caller.tenant === OPERATOR_TENANT ? describeIsolate(c) : "",
    ]);
    const failed = parts.filter(({ status }) => status === "rejected").length;
    const help = "Parts of these figures that could not be read.";
    const text = parts.map((part) => (part.status === "fulfilled" ? part.value : "")).join("");
    const end = block("brink_metrics_parts_failed", "gauge", help, [[{}, failed]]);
    return c.body(text + end, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  },
);

const soon = (part: () => Promise<string>) => within(METRICS_MS_MAX, part);

async function describeRouter({ var: { service, caller } }: ApiContext): Promise<string> {
  const { difficulty, risk, feedback } = await service.routerAdmin.drift(caller);
  const alarms = Object.entries({ difficulty, risk, feedback }).map(
    ([test, { alarm }]): Sample => [{ test }, Number(alarm)],
  );
  const evidence = Object.entries({ risk, feedback }).map(
    ([test, { log_evidence }]): Sample => [{ test }, log_evidence],
  );
  const { distance, bound, questions } = difficulty;
  const known = (value: number | null): Sample[] => (value === null ? [] : [[{}, value]]);
  return [
    block("brink_router_drift_alarm", "gauge", "Whether the drift test alarms, 0 or 1.", alarms),
    block(
      "brink_router_drift_distance",
      "gauge",
      "How far the last window's difficulties are from the calibration's.",
      known(distance),
    ),
    block(
      "brink_router_drift_distance_alarm",
      "gauge",
      "The distance from which on the test alarms.",
      known(bound),
    ),
    block(
      "brink_router_drift_questions",
      "gauge",
      "Questions of the window that is being filled.",
      [[{}, questions]],
    ),
    block(
      "brink_router_drift_log_evidence",
      "gauge",
      "Evidence that answers are wrong more often than was promised, as a logarithm.",
      evidence,
    ),
  ].join("");
}

/** The first METRIC_NAMESPACES_MAX by name. One that does not answer is left out. */
async function describeMemory({ var: { service, caller } }: ApiContext): Promise<string> {
  const all = await service.memoryAdmin.listNamespaces(caller);
  const asked = all.slice(0, METRIC_NAMESPACES_MAX);
  const stats = await Promise.allSettled(
    asked.map(({ name }) => service.memoryAdmin.stats(caller, name)),
  );
  const samples = (value: (of: Stats) => number): Sample[] =>
    asked.flatMap(({ name: namespace }, i) => {
      const told = stats[i]!;
      return told.status === "fulfilled" ? [[{ namespace }, value(told.value)] as Sample] : [];
    });
  const gauge = (name: string, help: string, value: (of: Stats) => number) =>
    block(`brink_memory_${name}`, "gauge", help, samples(value));
  return [
    block("brink_memory_namespaces", "gauge", "Namespaces of the tenant.", [[{}, all.length]]),
    gauge("documents", "Documents of a namespace.", (of) => of.documents),
    gauge("passages", "Passages of a namespace.", (of) => of.passages),
    gauge("stored_bytes", "What its objects have on disk.", (of) => of.sqlite_bytes),
    gauge("resident_bytes", "What its loaded indexes hold.", (of) => of.resident_bytes),
    gauge("shards", "Objects that a namespace is spread over.", (of) => of.shards.length),
  ].join("");
}

type Stats = Awaited<ReturnType<ApiContext["var"]["service"]["memoryAdmin"]["stats"]>>;

/** Since the isolate began; another scrape may meet another isolate. */
function describeIsolate({ var: { service } }: ApiContext): string {
  const { linearMemoryBytes, usage, cache, traces, backends } = service.metrics();
  const help = "Linear memory of the isolate's WebAssembly.";
  return (
    block("brink_linear_memory_bytes", "gauge", help, [[{}, linearMemoryBytes]]) +
    describeUsage(usage) +
    describeCache(cache) +
    describeTraces(traces) +
    describeBackends(backends)
  );
}

function describeUsage(usage: UsageTotals): string {
  const { requests, refused, prompt_tokens, completion_tokens, nanos } = usage;
  const counter = (name: string, help: string, samples: Sample[]) =>
    block(`brink_${name}`, "counter", help, samples);
  return [
    counter("requests_total", "Requests with a key, the refused included.", [[{}, requests]]),
    counter("requests_refused_total", "Refused by a rate or a budget.", [[{}, refused]]),
    counter("tokens_total", "Tokens of prompts and answers.", [
      [{ kind: "prompt" }, prompt_tokens],
      [{ kind: "completion" }, completion_tokens],
    ]),
    counter("cost_usd_total", "What answers cost, in USD.", [[{}, nanos / NANOS_PER_USD]]),
    counter(
      "ledger_failures_total",
      "Calls of the ledger of keys and limits that failed or took too long.",
      [[{}, usage.ledger_failures]],
    ),
    counter(
      "ledger_allowed_total",
      "Requests let through without their limits, the ledger being unreachable.",
      [[{}, usage.ledger_allowed]],
    ),
  ].join("");
}

function describeTraces({ traces, spans }: TraceTotals): string {
  const results = (counts: Record<string, number>) =>
    Object.entries(counts).map(([result, n]): Sample => [{ result }, n]);
  return [
    block("brink_traces_total", "counter", "What became of traces.", results(traces)),
    block(
      "brink_exported_spans_total",
      "counter",
      "What became of the spans for the collector.",
      results(spans),
    ),
  ].join("");
}
