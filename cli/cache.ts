/** `brink cache`: show, set, clear. */
import type { CacheChanges, CacheState } from "../src/pipeline/cache-types.ts";
import { connect } from "./client.ts";
import { type Command, numberOf, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { showBytes } from "./progress.ts";
import { countOfAnswers, table } from "./table.ts";

/** What takes a field back that was set. */
const INHERITED = "default";

export const cacheShow: Command = {
  name: "cache show",
  args: "[NS]",
  summary: "Show which answers are given again, and how many are kept.",
  description: "Of a namespace, or without one of the tenant.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const state = (await connect(values).call("GET", cachePath(positionals))) as CacheState;
    if (!values.json) console.log(describe(state));
    return state;
  },
};

export const cacheSet: Command = {
  name: "cache set",
  args: "[NS]",
  summary: "Say which answers are given again: what is named changes, the rest stays.",
  description:
    "Of a namespace, or without one of the tenant. The value `default` takes back what was set:\n" +
    "a namespace then follows the tenant, the tenant the defaults. The same request gets again,\n" +
    "with --exact `asked`, what a request asked to keep; with `repeatable` also what was not\n" +
    "sampled; with `all` every answer; with `off` none.",
  options: {
    exact: {
      type: "string",
      value: "WHICH",
      choices: ["off", "asked", "repeatable", "all", INHERITED],
      help: "to the same request: off, asked, repeatable or all",
    },
    semantic: {
      type: "string",
      value: "on|off",
      choices: ["on", "off", INHERITED],
      help: "also to a question that asks the same in other words",
    },
    "cosine-min": {
      type: "string",
      value: "N",
      help: "how alike such questions' embeddings must be, .5 to 1",
    },
    "ttl-s": { type: "string", value: "N", help: "how many seconds an answer is kept" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const changes = changesOf(values);
    const path = cachePath(positionals);
    const state = (await connect(values).call("PUT", path, changes)) as CacheState;
    if (!values.json) console.log(describe(state));
    return state;
  },
};

export const cacheClear: Command = {
  name: "cache clear",
  args: "[NS]",
  summary: "Forget the answers that are kept.",
  description: "Of a namespace, or without one all of the tenant's.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const reply = (await connect(values).call("DELETE", cachePath(positionals))) as {
      purged: number;
    };
    if (!values.json) console.log(`forgot ${countOfAnswers(reply.purged)}`);
    return reply;
  },
};

function cachePath([namespace, ...more]: string[]): string {
  if (more.length > 0) throw new UsageError("name one namespace, or none for the tenant");
  return namespace === undefined ? "/admin/cache" : `${namespacePath(namespace)}/cache`;
}

function changesOf(values: Values): CacheChanges {
  const changes: Record<string, unknown> = {};
  const change = (field: keyof CacheChanges, option: string, read: (text: string) => unknown) => {
    const text = values[option];
    if (typeof text === "string") changes[field] = text === INHERITED ? null : read(text);
  };
  const number = (option: string) => (text: string) => numberOf(option, text, INHERITED);
  change("exact", "exact", (text) => text);
  change("semantic", "semantic", (text) => text === "on");
  change("cosine_min", "cosine-min", number("cosine-min"));
  change("ttl_s", "ttl-s", number("ttl-s"));
  if (Object.keys(changes).length === 0)
    throw new UsageError("name what changes: --exact, --semantic, --cosine-min or --ttl-s");
  return changes as CacheChanges;
}

function describe({ policy, own, answers, questions, bytes }: CacheState): string {
  const fields = Object.entries(policy) as [keyof typeof policy, unknown][];
  const rows = fields.map(([field, value]) => [
    field,
    typeof value === "boolean" ? (value ? "on" : "off") : String(value),
    own.includes(field) ? "set here" : INHERITED,
  ]);
  const found = questions > 0 ? `, ${questions} of them found in other words too` : "";
  return `${table(rows)}\n${countOfAnswers(answers)} kept${found}, ${showBytes(bytes)}`;
}
