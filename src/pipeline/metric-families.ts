/** The time series that each tenant has, and how a request counts in them. Their keys are lines of
 *  the family's name, its labels' values, and for a histogram which of its parts. */
import type { TraceSpan, TraceSummary } from "../ledger/trace-types.ts";
import type { Grow } from "./trace-log.ts";

export interface Family {
  help: string;
  type: "counter" | "histogram" | "summary";
  labels: readonly string[];
  /** Upper bounds, ascending; +Inf goes without saying. */
  buckets?: readonly number[];
}

/** From an answer out of a cache to a backend's long one. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const FAMILIES = {
  requests_total: {
    help: "Requests by endpoint, route, engine and HTTP status.",
    type: "counter",
    labels: ["endpoint", "route", "engine", "status"],
  },
  errors_total: {
    help: "Requests that failed, by their error's code.",
    type: "counter",
    labels: ["endpoint", "code"],
  },
  request_duration_seconds: {
    help: "From the request to the last byte of its reply.",
    type: "histogram",
    labels: ["endpoint", "route"],
    buckets: SECONDS,
  },
  first_token_seconds: {
    help: "From the request to the answer's first token.",
    type: "histogram",
    labels: ["route"],
    buckets: SECONDS,
  },
  stage_seconds: {
    help: "Time of the stages of requests.",
    type: "summary",
    labels: ["stage"],
  },
  tokens_total: {
    help: "Tokens of prompts and answers.",
    type: "counter",
    labels: ["engine", "kind"],
  },
  cost_usd_total: {
    help: "What answers cost, as far as prices are known.",
    type: "counter",
    labels: ["engine"],
  },
  cached_total: {
    help: "Replies that a cache gave.",
    type: "counter",
    labels: ["cache"],
  },
  difficulty: {
    help: "Difficulty of the questions that were scored.",
    type: "histogram",
    labels: ["route"],
    buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

/** Tells `grow` how much each series grew with a request; `stages` are its spans' names and ms.
 *  Calls back instead of giving a list: this is done for every request. */
export function tellGrowth(
  summary: TraceSummary,
  stages: readonly Pick<TraceSpan, "name" | "duration_ms">[],
  grow: Grow,
): void {
  const { endpoint, status, error, duration_ms, first_token_ms, tokens, difficulty } = summary;
  const route = summary.route ?? "none";
  const engine = summary.engine ?? summary.model ?? "none";
  grow(keyOf("requests_total", endpoint, route, engine, `${status}`), 1);
  observe(grow, "request_duration_seconds", keyOf(endpoint, route), duration_ms / 1_000);
  if (error !== null) grow(keyOf("errors_total", endpoint, error), 1);
  if (first_token_ms !== null)
    observe(grow, "first_token_seconds", keyOf(route), first_token_ms / 1_000);
  for (const stage of stages)
    observe(grow, "stage_seconds", keyOf(stage.name), stage.duration_ms / 1_000);
  if (tokens !== null) {
    grow(keyOf("tokens_total", engine, "prompt"), tokens.prompt);
    grow(keyOf("tokens_total", engine, "completion"), tokens.completion);
  }
  const { cost_micro_usd, cache } = summary;
  if (cost_micro_usd !== null && cost_micro_usd > 0)
    grow(keyOf("cost_usd_total", engine), cost_micro_usd / 1e6);
  if (cache !== null) grow(keyOf("cached_total", cache), 1);
  if (difficulty !== null) observe(grow, "difficulty", keyOf(route), difficulty);
}

/** The bucket that the value falls in, the sum and the count. A bucket holds its own alone; they
 *  are summed up when they are shown. */
function observe(grow: Grow, name: FamilyName, labels: string, value: number): void {
  const { buckets }: Family = FAMILIES[name];
  const key = `${name}\n${labels}\n`;
  grow(`${key}sum`, value);
  grow(`${key}count`, 1);
  if (buckets === undefined) return;
  const at = buckets.findIndex((bound) => value <= bound);
  grow(key + (at < 0 ? buckets.length : at), 1);
}

function keyOf(...parts: string[]): string {
  return parts.some((part) => part.includes("\n"))
    ? parts.map((part) => part.replaceAll("\n", " ")).join("\n")
    : parts.join("\n");
}
