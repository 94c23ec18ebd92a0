/** Reads Prometheus' text format 0.0.4 and throws for what a scraper would refuse or could not use:
 *  a sample without its family's HELP and TYPE right before, a family or a series twice, a label
 *  that is not escaped, a bucket below the one before it. The grammar:
 *  https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details */
export interface MetricFamily {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const SUFFIXES: Record<string, string[]> = {
  ...{ counter: [""], gauge: [""] },
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["_sum", "_count"],
};

export function parsePrometheus(text: string): Map<string, MetricFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, MetricFamily>();
  const seen = new Set<string>();
  let open: [string, MetricFamily] | null = null;
  let helped: [string, string] | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (helped !== null) throw new Error(`no TYPE after the HELP of ${helped[0]}`);
      if (families.has(name!)) throw new Error(`${name} is there twice`);
      helped = [name!, rest!];
    } else if (kind === "TYPE") {
      if (helped?.[0] !== name) throw new Error(`no HELP right before the TYPE of ${name}`);
      if (!Object.hasOwn(SUFFIXES, rest!)) throw new Error(`no type: ${rest}`);
      open = [name!, { type: rest!, help: helped![1], samples: [] }];
      families.set(...open);
      helped = null;
    } else {
      if (open === null || helped !== null) throw new Error(`a sample out of its family: ${line}`);
      const sample = readSample(line, open);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(key)) throw new Error(`the series ${key} is there twice`);
      seen.add(key);
      open[1].samples.push(sample);
    }
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function readSample(line: string, [family, { type }]: [string, MetricFamily]) {
  const [, name, labelText = "", number] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  if (!SUFFIXES[type]!.includes(name.slice(family.length)) || !name.startsWith(family))
    throw new Error(`${name} is no part of the ${type} ${family}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? [];
    if (label === undefined) throw new Error(`no labels: ${labelText}`);
    labels[label] = value!.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char));
  }
  const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
  if (Number.isNaN(value) && number !== "NaN") throw new Error(`no number: ${line}`);
  return { name, labels, value };
}

function checkFamily(name: string, { type, samples }: MetricFamily): void {
  if (type === "counter" && !name.endsWith("_total")) throw new Error(`${name} is no _total`);
  if (samples.length === 0) throw new Error(`${name} has no samples`);
  if (type !== "histogram") return;
  const sets = Map.groupBy(samples, ({ labels: { le: _, ...own } }) => JSON.stringify(own));
  for (const set of sets.values()) {
    const buckets = set.filter((sample) => sample.name.endsWith("_bucket"));
    const bounds = buckets.map(({ labels }) => Number(labels.le!.replace("+Inf", "Infinity")));
    const count = set.find((sample) => sample.name.endsWith("_count"))?.value;
    const rising = (numbers: number[], least: number) =>
      numbers.every((n, i) => i === 0 || n - numbers[i - 1]! >= least);
    if (!rising(bounds, Number.MIN_VALUE)) throw new Error(`${name}: bounds do not ascend`);
    if (
      !rising(
        buckets.map(({ value }) => value),
        0,
      )
    )
      throw new Error(`${name} is not cumulative`);
    if (buckets.at(-1)?.labels.le !== "+Inf" || buckets.at(-1)?.value !== count)
      throw new Error(`${name}: the bucket +Inf is not the count`);
    if (!set.some((sample) => sample.name.endsWith("_sum"))) throw new Error(`${name} has no sum`);
  }
}
