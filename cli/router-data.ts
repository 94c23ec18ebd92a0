/** The operator's labelled questions: CSV, JSONL, or SQuAD's JSON. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { type SquadFile, squadQuestions } from "../eval/squad.ts";
import { CommandError, UsageError, type Values } from "./command.ts";
import { readCsv } from "./csv.ts";
import { decode, lineItems } from "./ingest-item.ts";
import {
  CLI_JSON_BYTES_MAX,
  CLI_LABEL_CHARS_MAX,
  CLI_LABEL_FAULTS_SHOWN,
  CLI_LABELS_MAX,
} from "./limits.ts";
import { oneLine } from "./table.ts";

/** What is known of the right answer: the answers that would do (none: the memory has no answer),
 *  or how somebody judged the one that the edge gave then. */
export type Label = { answers: string[] } | { right: boolean; trace_id: string };

export interface LabelledQuestion {
  /** `file:line`, as errors name it. */
  source: string;
  question: string;
  namespace: string | null;
  /** Questions on the same thing: they are held out together. */
  group: string | null;
  label: Label;
}

export interface LabelledData {
  /** The file's own name. */
  name: string;
  questions: LabelledQuestion[];
  /** Lines that were left out. */
  refused: number;
}

/** Options of the commands that read such a file. */
export const DATA_OPTIONS = {
  data: { type: "string", value: "FILE", help: "labelled questions: .csv, .jsonl, SQuAD's .json" },
  namespace: { type: "string", value: "NS", help: "where to look, for lines that name none" },
  "skip-faulty": { type: "boolean", help: "leave out lines that cannot be used" },
} as const;

/** What help says of the file. */
export const DATA_HELP =
  "A line of FILE has `question` and `answers` (JSONL: a list; CSV: parted by |, or a JSON\n" +
  "list; [] where memory has no answer) or one `answer`. Or it has `trace_id` and `right`:\n" +
  "whether the edge's answer of that call was. `namespace` says where to look, and lines of\n" +
  "one `group` are held out together. An answer is right when its token F1 is at least 0.5.";

/** Reads the file that --data names. Throws CommandError for what cannot be read, and for faulty
 *  lines unless --skip-faulty leaves them out; the first are told on stderr either way. */
export async function readLabelled(values: Values): Promise<LabelledData> {
  const path = values.data;
  if (typeof path !== "string") throw new UsageError("say which labelled questions: --data FILE");
  const about = await stat(path).catch(() => null);
  if (!about?.isFile()) throw new CommandError(`${path} is no file`);
  const namespace = values.namespace === undefined ? null : String(values.namespace);
  const questions: LabelledQuestion[] = [];
  const judged = new Set<string>();
  let refused = 0;
  for await (const { source, fields, fault } of readable(path, records(path, about.size))) {
    const why = fault ?? refuse(fields!) ?? refuseAgain(fields!, judged);
    if (why !== null) {
      refused++;
      if (refused <= CLI_LABEL_FAULTS_SHOWN) console.error(oneLine(`${source}: ${why}`));
      continue;
    }
    if (questions.length === CLI_LABELS_MAX)
      throw new CommandError(`${path} has more than ${CLI_LABELS_MAX} questions: take a sample`);
    questions.push(toQuestion(source, fields!, namespace));
  }
  if (refused > 0 && !values["skip-faulty"])
    throw new CommandError(
      `${refused} lines of ${path} cannot be used: mend them, or leave them out with --skip-faulty`,
    );
  if (questions.length === 0) throw new CommandError(`${path} has no labelled questions`);
  return { name: basename(path), questions, refused };
}

const LINE_FEED = 10;

/** Fields by name, as the file has them: text only where it is CSV. */
type Fields = Record<string, unknown>;

interface FileRecord {
  source: string;
  /** Null where there is a fault. */
  fields: Fields | null;
  fault: string | null;
}

/** As they come. Throws CommandError where the system does not let the file be read. */
async function* readable<T>(path: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof CommandError || code === undefined) throw error;
    throw new CommandError(`${path} cannot be read: ${message}`);
  }
}

function records(path: string, bytes: number): AsyncIterable<FileRecord> {
  const kind = extname(path).toLowerCase();
  if (kind === ".csv" || kind === ".tsv") return csvRecords(path);
  if (kind === ".jsonl" || kind === ".ndjson") return lineRecords(path);
  if (kind === ".json") return squadRecords(path, bytes);
  throw new CommandError(`${path}: name it .csv, .jsonl or .json, after what it holds`);
}

async function* csvRecords(path: string): AsyncGenerator<FileRecord> {
  let header: string[] | null = null;
  for await (const { line, fields, fault } of readCsv(textOf(path), CLI_LABEL_CHARS_MAX)) {
    const source = `${basename(path)}:${line}`;
    if (header === null) {
      header = fields.map((name) => name.trim().toLowerCase());
      checkHeader(path, header, fault);
      continue;
    }
    const counts = `it has ${fields.length} fields, the header ${header.length}`;
    const why = fault ?? (fields.length === header.length ? null : counts);
    const named = Object.fromEntries(header.map((name, i) => [name, fields[i]]));
    yield { source, fields: why === null ? named : null, fault: why };
  }
}

/** That are read; others may stand beside them. */
const COLUMNS = ["question", "answers", "answer", "namespace", "group", "right", "trace_id"];

/** Throws CommandError for a header that no line could be used with. */
function checkHeader(path: string, header: string[], fault: string | null): void {
  const has = (name: string) => header.includes(name);
  const twice = header.find((name, i) => COLUMNS.includes(name) && header.indexOf(name) !== i);
  if (twice !== undefined) throw new CommandError(`${path}: two columns are named ${twice}`);
  const labelled = has("answers") || has("answer") || (has("right") && has("trace_id"));
  if (fault === null && labelled && (has("question") || has("trace_id"))) return;
  throw new CommandError(
    `${path}: the first line names the columns, question and answers (or right and trace_id) ` +
      `among them; it names ${header.map((name) => JSON.stringify(name.slice(0, 40))).join(", ")}`,
  );
}

/** Decoded a line at a time, so that the line with another encoding's bytes can be named. */
async function* textOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let line = 1;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>)
      for (let at = 0; at < chunk.length; ) {
        const end = chunk.indexOf(LINE_FEED, at);
        const next = end === -1 ? chunk.length : end + 1;
        yield decoder.decode(chunk.subarray(at, next), { stream: true });
        if (end !== -1) line++;
        at = next;
      }
    yield decoder.decode();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandError(`${path}:${line} is not UTF-8: save the file as "CSV UTF-8"`);
  }
}

async function* lineRecords(path: string): AsyncGenerator<FileRecord> {
  const lines = lineItems(basename(path), createReadStream(path), CLI_LABEL_CHARS_MAX);
  for await (const { source, line, fault } of lines) {
    if (line === null) yield { source, fields: null, fault };
    else yield lineRecord(source, line);
  }
}

function lineRecord(source: string, line: string): FileRecord {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return { source, fields: value as Fields, fault: null };
    return { source, fields: null, fault: "it is no JSON object" };
  } catch (error) {
    return { source, fields: null, fault: `it is not JSON: ${(error as Error).message}` };
  }
}

async function* squadRecords(path: string, bytes: number): AsyncGenerator<FileRecord> {
  if (bytes > CLI_JSON_BYTES_MAX)
    throw new CommandError(`${path} has ${bytes} bytes, the limit is ${CLI_JSON_BYTES_MAX}`);
  let read: ReturnType<typeof squadQuestions>;
  try {
    read = squadQuestions(JSON.parse(decode(await readFile(path))) as SquadFile);
  } catch (error) {
    const why = (error as Error).message;
    throw new CommandError(`${path} is not laid out as SQuAD's files are (${why}): make it JSONL`);
  }
  for (const { id, article, question, answers } of read)
    yield {
      source: `${basename(path)} ${id}`,
      fields: { question, answers, group: article },
      fault: null,
    };
}

/** Why the fields cannot be used, or null. */
function refuse(fields: Fields): string | null {
  const { question, trace_id } = fields;
  const judged = present(fields.right);
  if (judged && readBoolean(fields.right) === null) return "right: it is true or false";
  if (judged && !isText(trace_id)) return "trace_id: right needs the call that was judged";
  if (!judged && !isText(question)) return "question: it needs a text";
  if (!judged && answersOf(fields) === null)
    return "answers: it needs a list of texts ([] where the memory has no answer), or right";
  for (const name of ["namespace", "group"])
    if (present(fields[name]) && !isText(fields[name])) return `${name}: it is a text`;
  return null;
}

/** Why a line is refused that judges a call of those `judged` once more, or null: counted twice, it
 *  would make a bound surer than its labels are. */
function refuseAgain({ right, trace_id }: Fields, judged: Set<string>): string | null {
  if (!present(right)) return null;
  const call = String(trace_id).trim();
  if (judged.has(call)) return "trace_id: a line above judges the same call";
  judged.add(call);
  return null;
}

/** Of fields that were not refused. */
function toQuestion(source: string, fields: Fields, namespace: string | null): LabelledQuestion {
  const text = (name: string) => (isText(fields[name]) ? (fields[name] as string).trim() : null);
  const label = present(fields.right)
    ? { right: readBoolean(fields.right)!, trace_id: text("trace_id")! }
    : { answers: answersOf(fields)! };
  return {
    source,
    question: text("question") ?? "",
    namespace: text("namespace") ?? namespace,
    group: text("group"),
    label,
  };
}

/** Null: there are none that could be read. */
function answersOf({ answers, answer }: Fields): string[] | null {
  const given = present(answers) ? answers : present(answer) ? [answer] : null;
  const list = typeof given === "string" ? splitAnswers(given) : given;
  if (!Array.isArray(list) || !list.every((one) => typeof one === "string")) return null;
  const texts = list.map((one) => one.trim()).filter((one) => one !== "");
  return texts.length === 0 && list.length > 0 ? null : texts;
}

function splitAnswers(text: string): unknown {
  if (!text.trim().startsWith("[")) return text.split("|");
  try {
    return JSON.parse(text);
  } catch {
    return text.split("|"); // an answer may well begin with a bracket
  }
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "yes", "1"].map((word) => [word, true] as const),
  ...["false", "no", "0"].map((word) => [word, false] as const),
]);

function readBoolean(value: unknown): boolean | null {
  return BOOLEANS.get(String(value).trim().toLowerCase()) ?? null;
}

/** CSV cannot leave a field out, so an empty one is as good as none. */
function present(value: unknown): boolean {
  return value != null && value !== "";
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}
