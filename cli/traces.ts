/** `brink traces`: list, show. */
import type { TracePage, TraceRecord, TraceSummary } from "../src/ledger/trace-types.ts";
import { connect } from "./client.ts";
import { type Command, countOf, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { CLI_TRACES_PAGE, CLI_TRACES_PAGE_MAX } from "./limits.ts";
import { oneLine, paragraph, showTime, table, terminalWidth } from "./table.ts";
import { showMs, waterfall } from "./waterfall.ts";

const TEXT_LINES = 6;

export const tracesList: Command = {
  name: "traces list",
  args: "",
  summary: "List recent requests, the newest first.",
  options: {
    route: {
      type: "string",
      value: "ROUTE",
      choices: ["edge", "backend"],
      help: "those that it answered: edge or backend",
    },
    status: { type: "string", value: "CODE", help: "an HTTP status, or a class such as 5xx" },
    since: { type: "string", value: "TIME", help: "ISO 8601, or how long ago: 30m, 12h, 2d" },
    "min-ms": { type: "string", value: "MS", help: "those that took so long at least" },
    "key-id": { type: "string", value: "ID", help: "those of a key" },
    limit: { type: "string", value: "N", help: `how many (${CLI_TRACES_PAGE})` },
    cursor: { type: "string", value: "TEXT", help: "the next page, as the last one named it" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError("name nothing beside the options");
    const path = `/admin/traces?${queryOf(values, Date.now())}`;
    const page = (await connect(values).callAgain("GET", path)) as TracePage;
    if (values.json) return page;
    const head = ["trace", "time", "ms", "status", "request", "route", "engine", "hard"];
    const rows = page.traces.map(rowOf);
    console.log(rows.length === 0 ? "no traces" : table([head, ...rows]));
    if (page.cursor !== null) console.log(`\nmore: --cursor ${page.cursor}`);
    return page;
  },
};

function rowOf(trace: TraceSummary): (string | number)[] {
  const { trace_id, at, duration_ms, status, error, endpoint, route, engine, difficulty } = trace;
  return [
    ...[trace_id, showTime(at), Math.round(duration_ms)],
    error === null ? String(status) : `${status} ${error}`,
    endpoint,
    route ?? "",
    engine ?? "",
    difficulty === null ? "" : difficulty.toFixed(3),
  ];
}

function queryOf(values: Values, nowMs: number): URLSearchParams {
  const limit = countOf(values, "limit", CLI_TRACES_PAGE, 1, CLI_TRACES_PAGE_MAX);
  const query = new URLSearchParams({ limit: String(limit) });
  const named = { route: "route", status: "status", cursor: "cursor", key: "key-id" };
  for (const [name, option] of Object.entries(named))
    if (values[option] !== undefined) query.set(name, String(values[option]));
  if (values["min-ms"] !== undefined)
    query.set("min_ms", String(countOf(values, "min-ms", 0, 0, Number.MAX_SAFE_INTEGER)));
  if (values.since !== undefined) query.set("since", String(timeOf(String(values.since), nowMs)));
  return query;
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Unix ms. Throws UsageError. */
function timeOf(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const date = /^\d{4}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  const ms = unit === undefined ? date : nowMs - Number(count) * UNIT_MS[unit]!;
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new UsageError("--since is a time like 2026-11-29T18:00:00Z, or 30m, 12h, 2d");
}

export const tracesShow: Command = {
  name: "traces show",
  args: "ID",
  summary: "Show a request: its stages on a time line, its decision, its cost.",
  description: "ID is the reply's x-brink-trace.",
  options: SERVICE_OPTIONS,
  async run([id, ...more], values) {
    if (id === undefined || more.length > 0) throw new UsageError("name one trace");
    const path = `/admin/traces/${encodeURIComponent(id)}`;
    const trace = (await connect(values).callAgain("GET", path)) as TraceRecord;
    if (!values.json) console.log(describe(trace));
    return trace;
  },
};

function describe(trace: TraceRecord): string {
  const { trace_id, endpoint, at, status, error, duration_ms, key, namespace, parent } = trace;
  const end = error === null ? String(status) : `${status} ${error}`;
  const where = namespace === null ? "" : `, namespace ${namespace}`;
  const lines = [
    `${trace_id}  ${endpoint}  ${end}`,
    `${showTime(at)}, ${showMs(duration_ms)}, key ${key}${where}`,
    ...(parent === null ? [] : [`under the caller's trace ${parent.trace_id}`]),
    ...describeAnswer(trace),
  ];
  const parts = [lines.map(oneLine).join("\n"), waterfall(trace, terminalWidth())];
  if (trace.texts !== null) {
    const { question, answer } = trace.texts;
    const shown = [question, answer].map((text, i) =>
      paragraph(text, terminalWidth(), i === 0 ? "  " : "    ", TEXT_LINES),
    );
    parts.push(shown.join("\n"));
  }
  return parts.join("\n\n");
}

function describeAnswer(trace: TraceRecord): string[] {
  const { asked, engine, model, route, decision, tokens, cost_micro_usd, first_token_ms } = trace;
  const lines: string[] = [];
  if (engine !== null) {
    const by = model === null || model === engine ? engine : `${engine} (${model})`;
    lines.push(`${asked ?? "?"} -> ${route}: ${by}`);
  }
  if (decision !== null) lines.push(decision.reason);
  const facts = [
    ...(trace.cache === null ? [] : [`from the ${trace.cache} cache`]),
    ...(first_token_ms === null ? [] : [`first token after ${showMs(first_token_ms)}`]),
    ...(tokens === null ? [] : [`${tokens.prompt} + ${tokens.completion} tokens`]),
    ...(cost_micro_usd === null ? [] : [`USD ${(cost_micro_usd / 1e6).toFixed(6)}`]),
  ];
  return facts.length === 0 ? lines : [...lines, facts.join(", ")];
}
