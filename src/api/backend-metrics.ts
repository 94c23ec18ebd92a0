/** The figures of backends as Prometheus text. */
import type { BackendFigures } from "../engine/backend-state.ts";

type Sample = [labels: Record<string, string>, value: number];

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
    block("attempts_total", "counter", "Attempts by how they ended.", attempts),
    block(
      "broken_total",
      "counter",
      "Answers that broke off.",
      each(({ broken }) => broken),
    ),
    block(
      "first_token_seconds_total",
      "counter",
      "Time to the first token of the attempts that were answered.",
      each(({ firstTokenMs }) => firstTokenMs / 1_000),
    ),
    block("tokens_total", "counter", "Tokens that the backend counted.", tokens),
    block(
      "circuit",
      "gauge",
      "0 closed, 1 half-open, 2 open.",
      each(({ circuit }) => open[circuit]),
    ),
    block(
      "in_flight",
      "gauge",
      "Requests under way.",
      each(({ inFlight }) => inFlight),
    ),
    block(
      "waiting",
      "gauge",
      "Requests that wait for a place.",
      each(({ waiting }) => waiting),
    ),
  ].join("");
}

function block(name: string, type: string, help: string, samples: Sample[]): string {
  const full = `brink_backend_${name}`;
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${full}{${pairs.join(",")}} ${value}\n`;
  });
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
