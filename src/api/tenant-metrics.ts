/** A tenant's counters, of all isolates together, as Prometheus text. */
import { FAMILIES, type Family } from "../pipeline/metric-families.ts";
import { block, type Sample } from "./prometheus.ts";

const PREFIX = "brink_tenant_";

/** What the tenant's object has counted, by its keys. Those of families that this version does not
 *  know are left out. */
export function describeSeries(series: readonly [string, number][]): string {
  const byFamily = Map.groupBy(
    series.map(([key, value]) => ({ parts: key.split("\n"), value })),
    ({ parts }) => parts[0]!,
  );
  const known = Object.entries(FAMILIES).map(([name, family]: [string, Family]) => {
    const rows = byFamily.get(name) ?? [];
    const samples = rows.filter(({ parts }) => parts.length === partsOf(family));
    const shown =
      family.type === "counter"
        ? samples.map(({ parts, value }): Sample => [labelsOf(family, parts), value])
        : describeParts(family, samples);
    return block(PREFIX + name, family.type, family.help, shown);
  });
  const dropped = byFamily.get("series_dropped_total")?.[0]?.value ?? 0;
  const help = "Counts that were dropped, the tenant having too many series.";
  const last = block(`${PREFIX}series_dropped_total`, "counter", help, [[{}, dropped]]);
  return known.join("") + last;
}

interface Row {
  parts: string[];
  value: number;
}

/** The family, its labels, and for all but counters which part of it. */
function partsOf({ type, labels }: Family): number {
  return 1 + labels.length + (type === "counter" ? 0 : 1);
}

function labelsOf({ labels }: Family, [, ...values]: string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, i) => [label, values[i]!]));
}

/** Buckets, which are kept apart, are summed up to what each bound has below it. */
function describeParts(family: Family, rows: Row[]): [...Sample, string][] {
  const sets = Map.groupBy(rows, ({ parts }) => parts.slice(0, -1).join("\n"));
  return Array.from(sets.values()).flatMap((set): [...Sample, string][] => {
    const labels = labelsOf(family, set[0]!.parts);
    const parts = new Map(set.map(({ parts, value }) => [parts.at(-1)!, value]));
    const of = (part: string) => parts.get(part) ?? 0;
    let below = 0;
    const buckets = (family.buckets ?? []).map((bound, i): [...Sample, string] => {
      below += of(String(i));
      return [{ ...labels, le: String(bound) }, below, "_bucket"];
    });
    const all: [...Sample, string][] =
      family.buckets === undefined
        ? []
        : [...buckets, [{ ...labels, le: "+Inf" }, of("count"), "_bucket"]];
    return [...all, [labels, of("sum"), "_sum"], [labels, of("count"), "_count"]];
  });
}
