/** `brink namespaces`: jobs, compact, split, cancel: what runs in one, or is made to run. */
import type { Job } from "../src/memory/jobs.ts";
import type { MemoryStats } from "../src/memory/types.ts";
import { connect } from "./client.ts";
import { type Command, SERVICE_OPTIONS, type Values } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { describeStats, oneName } from "./namespaces.ts";
import { printable, showTime, table } from "./table.ts";

export const namespacesJobs: Command = {
  name: "namespaces jobs",
  args: "NS",
  summary: "List a namespace's ingests, the newest first.",
  description: "An open one goes on where it broke off: npx brink ingest, called again.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const path = `${namespacePath(oneName(positionals))}/jobs`;
    const reply = (await connect(values).call("GET", path)) as { jobs: Omit<Job, "errors">[] };
    if (values.json) return reply;
    const head = ["id", "name", "state", "lines", "stored", "unchanged", "refused", "last change"];
    const rows = reply.jobs.map((job) => [
      ...[job.id, printable(job.name ?? ""), job.state, job.lines, job.upserted],
      ...[job.unchanged, job.error_count, showTime(job.updated_at)],
    ]);
    console.log(rows.length === 0 ? "no jobs" : table([head, ...rows]));
    return reply;
  },
};

export const namespacesCompact: Command = {
  name: "namespaces compact",
  args: "NS",
  summary: "Drop what has expired and what is dead in the index.",
  description: "Nothing needs it: a namespace does so by itself, a little at a time.",
  options: {
    rebuild: { type: "boolean", help: "make the whole index anew from the documents" },
    ...SERVICE_OPTIONS,
  },
  run: (positionals, values) =>
    begin(positionals, values, values.rebuild ? "compact?rebuild=true" : "compact"),
};

export const namespacesSplit: Command = {
  name: "namespaces split",
  args: "NS",
  summary: "Begin to split a shard in two, as before a large load.",
  description: "One that is nearly full is split without being asked.",
  options: {
    shard: { type: "string", value: "NAME", help: "as stats names it (the one that holds most)" },
    ...SERVICE_OPTIONS,
  },
  run: (positionals, values) =>
    begin(positionals, values, "split", values.shard === undefined ? {} : { shard: values.shard }),
};

/** Calls for work, and shows the namespace as it then is. */
async function begin(
  positionals: string[],
  values: Values,
  verb: string,
  body?: object,
): Promise<MemoryStats> {
  const path = `${namespacePath(oneName(positionals))}/${verb}`;
  const stats = (await connect(values).call("POST", path, body)) as MemoryStats;
  if (!values.json) console.log(describeStats(stats));
  return stats;
}

export const namespacesCancel: Command = {
  name: "namespaces cancel",
  args: "NS",
  summary: "Call off the snapshot, restore or split that runs.",
  description: "All stays as it was before it began.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const path = `${namespacePath(oneName(positionals))}/work`;
    const reply = (await connect(values).call("DELETE", path)) as { cancelled: boolean };
    if (!values.json) console.log(reply.cancelled ? "called off" : "nothing runs");
    return reply;
  },
};
