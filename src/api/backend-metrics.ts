/** The figures of backends as Prometheus text. */
import type { BackendFigures } from "../engine/backend-state.ts";
import { block, type Sample } from "./prometheus.ts";

/** One block a metric, in the text format 0.0.4; empty where there are no backends. Counters are
 *  since the isolate began. */
export function describeBackends(backends: readonly BackendFigures[]): string {
  if (backends.length === 0) return "";
  const each = (value: (figures: BackendFigures) => number): Sample[] =>
    backends.map((figures) => [{ backend: figures.name }, value(figures)]);
  const attempts = backends.flatMap(({ name, attempts }) =>
    Object.entries(attempts).map(([outcome, n]): Sample => [{ backend: name, outcome }, n]),
  );
  const tokens = backends.flatMap(({ name, promptTokens, completionTokens }): Sample[] => [
    [{ backend: name, kind: "prompt" }, promptTokens],
    [{ backend: name, kind: "completion" }, completionTokens],
  ]);
  const open = { closed: 0, half_open: 1, open: 2 };
  return [
    block("brink_backend_attempts_total", "counter", "Attempts by how they ended.", attempts),
    block(
      "brink_backend_broken_total",
      "counter",
      "Answers that broke off.",
      each(({ broken }) => broken),
    ),
    block(
      "brink_backend_first_token_seconds_total",
      "counter",
      "Time to the first token of the attempts that were answered.",
      each(({ firstTokenMs }) => firstTokenMs / 1_000),
    ),
    block("brink_backend_tokens_total", "counter", "Tokens that the backend counted.", tokens),
    block(
      "brink_backend_circuit",
      "gauge",
      "0 closed, 1 half-open, 2 open.",
      each(({ circuit }) => open[circuit]),
    ),
    block(
      "brink_backend_in_flight",
      "gauge",
      "Requests under way.",
      each(({ inFlight }) => inFlight),
    ),
    block(
      "brink_backend_waiting",
      "gauge",
      "Requests that wait for a place.",
      each(({ waiting }) => waiting),
    ),
  ].join("");
}
