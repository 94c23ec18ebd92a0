/** Reads figures in Prometheus' text format. */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The samples of a text in the format 0.0.4, as the service writes it; what is no sample is
 *  skipped. */
export function readSamples(text: string): Sample[] {
  return text.split("\n").flatMap((line): Sample[] => {
    const parts = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/i.exec(line);
    if (parts === null) return [];
    const labels = Array.from(
      (parts[2] ?? "").matchAll(/\b([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"/gi),
      ([, name, value]) => [name!, unescaped(value!)],
    );
    return [{ name: parts[1]!, labels: Object.fromEntries(labels), value: Number(parts[3]) }];
  });
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
}
