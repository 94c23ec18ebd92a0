/** `brink notes`: list, approve, remove, policy. */
import type { NotePage, NotePolicy, NoteView } from "../src/pipeline/notes-types.ts";
import { connect } from "./client.ts";
import { type Command, numberOf, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { oneName } from "./namespaces.ts";
import { paragraph, showTime, table, terminalWidth } from "./table.ts";

const ANSWER_LINES = 4;

export const notesList: Command = {
  name: "notes list",
  args: "NS",
  summary: "List what a namespace's memory learned, the longest unused first.",
  options: {
    pending: { type: "boolean", help: "those that wait for approval instead" },
    cursor: { type: "string", value: "TEXT", help: "the next page, as the last one named it" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const query = new URLSearchParams({ state: values.pending ? "pending" : "active" });
    if (values.cursor !== undefined) query.set("cursor", String(values.cursor));
    const path = `${namespacePath(oneName(positionals))}/notes?${query}`;
    const page = (await connect(values).call("GET", path)) as NotePage;
    if (values.json) return page;
    console.log(page.notes.length === 0 ? "no notes" : page.notes.map(describe).join("\n\n"));
    if (page.cursor !== null) console.log(`\nmore: --cursor ${page.cursor}`);
    return page;
  },
};

function describe(note: NoteView): string {
  const { id, kind, learned_by, question, answer, stale, expires_at, engine } = note;
  const state = stale ? ", stale" : "";
  const until = showTime(expires_at);
  const from = `${kind} by ${learned_by}, from ${engine}, until ${until}${state}`;
  const width = terminalWidth();
  const asked = paragraph(question, width, "  ", ANSWER_LINES);
  return `${id}  ${from}\n${asked}\n${paragraph(answer, width, "    ", ANSWER_LINES)}`;
}

export const notesApprove: Command = {
  name: "notes approve",
  args: "NS ID",
  summary: "Have a note answer: one that waits, or one whose documents changed.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const [path] = notePath(positionals);
    const body = { state: "active", confirm: true };
    const note = (await connect(values).call("PATCH", path, body)) as NoteView;
    if (!values.json) console.log(`${note.id} answers`);
    return note;
  },
};

export const notesRemove: Command = {
  name: "notes remove",
  args: "NS ID",
  summary: "Remove a note.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const [path, id] = notePath(positionals);
    const reply = await connect(values).call("DELETE", path);
    if (!values.json) console.log(`removed ${id}`);
    return reply;
  },
};

export const notesPolicy: Command = {
  name: "notes policy",
  args: "NS",
  summary: "Show what becomes a note, or set it: what is named changes.",
  description:
    "With `off` nothing does, and no note answers; with `rated` a backend's answer that was\n" +
    "rated good, and a correction; with `agreed` also what engines agree on.",
  options: {
    notes: {
      type: "string",
      value: "WHICH",
      choices: ["off", "rated", "agreed"],
      help: "what becomes one: off, rated or agreed",
    },
    "ttl-days": { type: "string", value: "N", help: "how long a note lives, 365 at most" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const path = `${namespacePath(oneName(positionals))}/note-policy`;
    const { notes, "ttl-days": days } = values;
    const changes = {
      ...(notes === undefined ? {} : { notes }),
      ...(days === undefined ? {} : { ttl_days: numberOf("ttl-days", String(days)) }),
    };
    const client = connect(values);
    const changed = Object.keys(changes).length > 0;
    const reply = await (changed ? client.call("PUT", path, changes) : client.call("GET", path));
    const policy = reply as NotePolicy;
    if (!values.json) console.log(table(Object.entries(policy).map(([k, v]) => [k, String(v)])));
    return policy;
  },
};

function notePath([namespace, id, ...more]: string[]): [string, string] {
  if (namespace === undefined || id === undefined || more.length > 0)
    throw new UsageError("name a namespace and a note");
  return [`${namespacePath(namespace)}/notes/${encodeURIComponent(id)}`, id];
}
