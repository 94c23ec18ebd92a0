/** `brink documents`: list, show, remove. */
import type { DocumentPage, StoredDocument } from "../src/memory/types.ts";
import { connect } from "./client.ts";
import { type Command, CommandError, countOf, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { CLI_DOCUMENTS_PAGE, CLI_DOCUMENTS_PAGE_MAX } from "./limits.ts";
import { oneName, parseObject } from "./namespaces.ts";
import { printable, showTime, table } from "./table.ts";

export const documentsList: Command = {
  name: "documents list",
  args: "NS",
  summary: "List a namespace's documents, without their texts.",
  options: {
    limit: { type: "string", value: "N", help: `how many (${CLI_DOCUMENTS_PAGE})` },
    cursor: { type: "string", value: "TEXT", help: "the next page, as the last one named it" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const limit = countOf(values, "limit", CLI_DOCUMENTS_PAGE, 1, CLI_DOCUMENTS_PAGE_MAX);
    const query = new URLSearchParams({ limit: String(limit) });
    if (values.cursor !== undefined) query.set("cursor", String(values.cursor));
    const path = `${namespacePath(oneName(positionals))}/documents?${query}`;
    const page = (await connect(values).call("GET", path)) as DocumentPage;
    if (values.json) return page;
    const head = ["id", "title", "version", "passages", "changed"];
    const rows = page.documents.map(({ id, title, version, passages, updated_at }) => [
      printable(id),
      printable(title ?? ""),
      version,
      passages,
      showTime(updated_at),
    ]);
    console.log(rows.length === 0 ? "no documents" : table([head, ...rows]));
    if (page.cursor !== null) console.log(`\nmore: --cursor ${page.cursor}`);
    return page;
  },
};

export const documentsShow: Command = {
  name: "documents show",
  args: "NS ID",
  summary: "Show a document: its text on stdout, what else is known of it on stderr.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const [path] = documentPath(positionals);
    const document = (await connect(values).call("GET", path)) as StoredDocument;
    if (values.json) return document;
    const { text, ...facts } = document;
    const rows = Object.entries(facts).map(([name, value]) => [name, showFact(name, value)]);
    console.error(`${table(rows)}\n`);
    console.log(printable(text));
    return document;
  },
};

function showFact(name: string, value: unknown): string {
  const isTime = name === "time" || name.endsWith("_at");
  if (isTime && typeof value === "number") return showTime(value);
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}

export const documentsRemove: Command = {
  name: "documents remove",
  args: "NS ID | NS --filter JSON --yes",
  summary: "Remove a document, or all that a filter matches.",
  description:
    "Notes that rest on them go stale. Snapshots still hold them: npx brink snapshot NS remove ID.",
  options: {
    filter: { type: "string", value: "JSON", help: 'on metadata, such as \'{"state": "draft"}\'' },
    yes: { type: "boolean", help: "with --filter: do it, nothing brings the documents back" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const client = connect(values);
    if (values.filter === undefined) {
      const [path, id] = documentPath(positionals);
      const reply = await client.call("DELETE", path);
      if (!values.json) console.log(`removed ${printable(id)}`);
      return reply;
    }
    if (positionals.length > 1) throw new UsageError("name a document or --filter, not both");
    const name = oneName(positionals);
    const filter = parseObject("filter", String(values.filter));
    if (!values.yes)
      throw new CommandError(`this removes every document of ${name} that it matches: add --yes`);
    const path = `${namespacePath(name)}/documents/delete`;
    const reply = (await client.call("POST", path, { filter })) as { deleted: number };
    if (!values.json) console.log(`removed ${reply.deleted} documents`);
    return reply;
  },
};

function documentPath([namespace, id, ...more]: string[]): [string, string] {
  if (namespace === undefined || id === undefined || more.length > 0)
    throw new UsageError("name a namespace and a document");
  return [`${namespacePath(namespace)}/documents/${encodeURIComponent(id)}`, id];
}
