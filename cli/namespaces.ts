/** `brink namespaces`: list, create, delete, stats. */
import type { MemoryStats, WorkStatus } from "../src/memory/types.ts";
import { connect } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { showBytes } from "./progress.ts";
import { oneLine, showTime, table } from "./table.ts";

interface Namespace {
  name: string;
  created_at: number;
  [option: string]: unknown;
}

/** The one namespace that is named. Throws UsageError. */
export function oneName([name, ...more]: string[]): string {
  if (name === undefined || more.length > 0) throw new UsageError("name one namespace");
  return name;
}

export const namespacesList: Command = {
  name: "namespaces list",
  args: "",
  summary: "List the namespaces.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const reply = (await connect(values).call("GET", "/admin/namespaces")) as {
      namespaces: Namespace[];
    };
    if (values.json) return reply;
    if (reply.namespaces.length === 0)
      console.log("no namespaces: npx brink namespaces create NS makes one");
    else
      console.log(
        table(reply.namespaces.map(({ name, created_at }) => [name, showTime(created_at)])),
      );
    return reply;
  },
};

export const namespacesCreate: Command = {
  name: "namespaces create",
  args: "NS",
  summary: "Make a namespace, or change the options of one.",
  description:
    "Options are those of PUT /admin/namespaces/{ns}; what is not named stays as it is, and\n" +
    "bm25_unit, shards and vector_tier are fixed once the namespace has documents.",
  options: {
    options: { type: "string", value: "JSON", help: 'such as \'{"k1": 1.2, "shards": 4}\'' },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const name = oneName(positionals);
    const options = parseObject("options", String(values.options ?? "{}"));
    const reply = (await connect(values).call("PUT", namespacePath(name), options)) as Namespace;
    if (!values.json) {
      const { name: _, created_at, ...rest } = reply;
      console.log(table(Object.entries(rest).map(([key, value]) => [key, JSON.stringify(value)])));
    }
    return reply;
  },
};

export const namespacesDelete: Command = {
  name: "namespaces delete",
  args: "NS --yes",
  summary: "Delete a namespace with all its documents.",
  options: {
    yes: { type: "boolean", help: "do it: nothing brings the documents back" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const name = oneName(positionals);
    const client = connect(values);
    if (!values.yes) {
      const { documents } = (await client.call(
        "GET",
        `${namespacePath(name)}/stats`,
      )) as MemoryStats;
      throw new CommandError(`this deletes ${name} with its ${documents} documents: add --yes`);
    }
    const reply = await client.call("DELETE", namespacePath(name));
    if (!values.json) console.log(`deleted ${name}`);
    return reply;
  },
};

export const namespacesStats: Command = {
  name: "namespaces stats",
  args: "NS",
  summary: "Count what a namespace holds, and show what it works on.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const name = oneName(positionals);
    const stats = (await connect(values).call(
      "GET",
      `${namespacePath(name)}/stats`,
    )) as MemoryStats;
    if (!values.json) console.log(describeStats(stats));
    return stats;
  },
};

/** What a namespace holds, by shards where there are several, and what it works on. */
export function describeStats(stats: MemoryStats): string {
  const { documents, passages, archived_passages, lost_vectors, terms, avgdl, shards, work } =
    stats;
  const lines = [
    table([
      ["documents", documents],
      ["passages", passages],
      ...(archived_passages > 0 ? [["archived passages", archived_passages]] : []),
      ...(lost_vectors > 0 ? [["lost vectors", lost_vectors]] : []),
      ["terms", terms],
      ["terms a unit", Number(avgdl.toFixed(1))],
    ]),
    `${showBytes(stats.sqlite_bytes)} stored, ${showBytes(stats.resident_bytes)} in memory`,
  ];
  if (shards.length > 1)
    lines.push(
      table([
        ["shard", "documents", "passages", "stored", "in memory", "segments", "tombstones"],
        ...shards.map((shard) => [
          shard.object ?? "(its own)",
          shard.documents,
          shard.passages,
          showBytes(shard.sqlite_bytes),
          showBytes(shard.resident_bytes),
          shard.segments,
          shard.tombstones,
        ]),
      ]),
    );
  if (work !== null) lines.push(describeWork(work));
  return lines.join("\n");
}

/** One line on long work that runs. */
export function describeWork({ kind, phase, documents, error }: WorkStatus): string {
  const trouble = error === null ? "" : `; it is tried again after: ${oneLine(error)}`;
  return `a ${kind} runs (${phase}): ${documents} documents${trouble}`;
}

/** An option's JSON object. Throws UsageError. */
export function parseObject(option: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Told below, as any other value is.
  }
  throw new UsageError(`--${option} is a JSON object, not ${text}`);
}
