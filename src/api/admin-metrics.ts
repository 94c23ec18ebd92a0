/** GET /admin/metrics -> 200: figures of the isolate that answers and of the tenant's router, as
 *  Prometheus text. */
import { OPERATOR_TENANT } from "../pipeline/operator.ts";
import { NANOS_PER_USD } from "../pipeline/usage.ts";
import type { UsageTotals } from "../pipeline/usage-log.ts";
import { describeBackends } from "./backend-metrics.ts";
import { endpoint, newApi } from "./context.ts";
import { z } from "./schema/common.ts";
import { NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminMetrics = newApi();

endpoint(
  adminMetrics,
  {
    method: "get",
    path: "/admin/metrics",
    summary: "Show figures of this isolate and of the router, as Prometheus text",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "Prometheus text format 0.0.4", z.string(), "text/plain"),
  },
  async (c) => {
    const { linearMemoryBytes, usage, backends } = c.var.service.metrics();
    const { difficulty, risk, feedback } = await c.var.service.routerAdmin.drift(c.var.caller);
    const operator = c.var.caller.tenant === OPERATOR_TENANT;
    const text = `# HELP brink_linear_memory_bytes Linear memory of the isolate's WebAssembly.
# TYPE brink_linear_memory_bytes gauge
brink_linear_memory_bytes ${linearMemoryBytes}
# HELP brink_router_drift_alarm Whether the router's drift test alarms, 0 or 1.
# TYPE brink_router_drift_alarm gauge
brink_router_drift_alarm{test="difficulty"} ${Number(difficulty.alarm)}
brink_router_drift_alarm{test="risk"} ${Number(risk.alarm)}
brink_router_drift_alarm{test="feedback"} ${Number(feedback.alarm)}
${operator ? describeUsage(usage) + describeBackends(backends) : ""}`;
    return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  },
);

/** Counters since the isolate began, of all tenants together, which only the operator may see. */
function describeUsage(usage: UsageTotals): string {
  const { requests, refused, prompt_tokens, completion_tokens, nanos } = usage;
  const counters: [string, string, Record<string, number>][] = [
    ["requests_total", "Requests with a key, the refused included.", { "": requests }],
    ["requests_refused_total", "Refused by a rate or a budget.", { "": refused }],
    [
      "tokens_total",
      "Tokens of prompts and answers.",
      { '{kind="prompt"}': prompt_tokens, '{kind="completion"}': completion_tokens },
    ],
    ["cost_usd_total", "What answers cost, in USD.", { "": nanos / NANOS_PER_USD }],
    [
      "ledger_failures_total",
      "Calls of the ledger of keys and limits that failed or took too long.",
      { "": usage.ledger_failures },
    ],
    [
      "ledger_allowed_total",
      "Requests let through without their limits, the ledger being unreachable.",
      { "": usage.ledger_allowed },
    ],
  ];
  return counters
    .map(([name, help, values]) => {
      const lines = Object.entries(values).map(([labels, n]) => `brink_${name}${labels} ${n}\n`);
      return `# HELP brink_${name} ${help}\n# TYPE brink_${name} counter\n${lines.join("")}`;
    })
    .join("");
}
