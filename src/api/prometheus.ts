/** Prometheus' text format 0.0.4.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */

export type Sample = [labels: Record<string, string>, value: number];

/** A family's help and type, then its samples; empty where it has none. `suffix` names a part of a
 *  histogram or a summary. */
export function block(
  name: string,
  type: "counter" | "gauge" | "histogram" | "summary",
  help: string,
  samples: readonly (readonly [...Sample, suffix?: string])[],
): string {
  if (samples.length === 0) return "";
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const lines = samples.map(([labels, value, suffix = ""]) => {
    return `${name}${suffix}${labelText(labels)} ${numberText(value)}\n`;
  });
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}
