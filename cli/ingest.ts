/** `brink ingest`: files, folders and pages into a namespace, as one job of the service. */

import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import { cutText } from "../index/cut.ts";
import { DOCUMENT_LINE_BYTES_MAX, JOB_NAME_CHARS_MAX } from "../src/limits.ts";
import type { Job } from "../src/memory/jobs.ts";
import { type Client, connect, ReplyError } from "./client.ts";
import {
  type Command,
  CommandError,
  countOf,
  SERVICE_OPTIONS,
  UsageError,
  type Values,
} from "./command.ts";
import { type FileKind, fileItems, findFiles, type SourceFile } from "./ingest-files.ts";
import { type Item, lineItems } from "./ingest-item.ts";
import {
  createJob,
  findJob,
  type ItemError,
  JobSender,
  namespacePath,
  readJob,
} from "./ingest-job.ts";
import { addressOf, type CrawlNotes, type CrawlOptions, webItems } from "./ingest-web.ts";
import {
  CLI_DEPTH_MAX,
  CLI_PAGE_PAUSE_MS,
  CLI_PAGE_PAUSE_MS_MAX,
  CLI_PAGES_DEFAULT,
  CLI_PAGES_MAX,
} from "./limits.ts";
import { type Progress, startCounter, startProgress } from "./progress.ts";
import { oneLine } from "./table.ts";

const TYPES: Record<string, FileKind> = {
  text: "text/plain",
  markdown: "text/markdown",
  html: "text/html",
  json: "json",
  ndjson: "lines",
};

export interface IngestResult {
  job: string;
  namespace: string;
  upserted: number;
  unchanged: number;
  passages: number;
  error_count: number;
  /** The first 1,000 of this call. */
  errors: ItemError[];
  /** Addresses that pages linked to beyond --max-pages. */
  links_left_out: number;
  /** Why no links of a page that was named were followed. */
  remarks: string[];
}

export const ingest: Command = {
  name: "ingest",
  args: "FILE|DIR|URL|-... --namespace NS",
  summary: "Load documents from files, folders and web pages.",
  description:
    "NDJSON (.ndjson, .jsonl) and JSON hold documents as the API takes them; a .md, .html or\n" +
    ".txt file is a document, its id the path below the folder that was named. Folders are\n" +
    "read whole, but for hidden files and node_modules. A page is a document, its id the\n" +
    "address; --depth follows its links on the same origin, as robots.txt allows. JSON and\n" +
    "NDJSON there hold documents only at the address that is named: linked ones are left out.\n" +
    "- reads NDJSON from stdin. What was stored before and has not changed is left alone.\n" +
    "After a break, the same call goes on where the files' job broke off. Refused documents\n" +
    "are told with file and line, and the exit status is then 1.",
  options: {
    namespace: { type: "string", value: "NS", help: "where the documents go" },
    create: { type: "boolean", help: "make the namespace if there is none" },
    type: {
      type: "string",
      value: "TYPE",
      choices: Object.keys(TYPES),
      help: "text, markdown, html, json or ndjson: for other names",
    },
    prefix: { type: "string", value: "TEXT", help: "before the ids of files and pages" },
    depth: { type: "string", value: "N", help: "follow links so many pages deep (0)" },
    "max-pages": { type: "string", value: "N", help: `pages at most (${CLI_PAGES_DEFAULT})` },
    pause: { type: "string", value: "MS", help: `between two pages (${CLI_PAGE_PAUSE_MS})` },
    resume: { type: "string", value: "JOB", help: "go on with this job" },
    restart: { type: "boolean", help: "do not go on with an earlier job" },
    ...SERVICE_OPTIONS,
  },
  async run(names, values) {
    const namespace = values.namespace;
    if (names.length === 0) throw new UsageError("name a file, a folder or a URL");
    if (typeof namespace !== "string") throw new UsageError("say where to: --namespace NS");
    const silent = values.json === true;
    const sources = await openSources(names, values);
    const client = connect(values);
    if (values.create) await client.call("PUT", namespacePath(namespace), {});
    const job = await openJob(client, namespace, sources, values);
    if (job.lines > 0 && !silent)
      console.error(`going on with job ${job.id}: ${job.lines} documents were taken`);
    const progress = sources.files
      ? startProgress("ingest", sources.bytes, silent)
      : startCounter("ingest", "documents", silent);
    const tell = (error: ItemError) => progress.log(describeError(error));
    const sender = new JobSender(client, namespace, job, silent ? () => {} : tell);
    await send(sender, sources, progress);
    const result = resultOf(namespace, sender, sources);
    if (!silent) summarize(result, sources);
    return result;
  },
  exitCode: (result) => ((result as IngestResult).error_count > 0 ? 1 : 0),
};

interface Sources {
  items: AsyncIterable<Item>;
  /** Of the files' names, sizes and times: what a job that goes on must be of. Null: pages or stdin
   *  are among the sources, and nobody can go on with those. */
  fingerprint: string | null;
  /** Whether all are files, of which the sizes are known. */
  files: boolean;
  bytes: number;
  label: string;
  /** Files in folders that are of no kind that is read. */
  others: number;
  pagesMax: number;
  /** Of the pages; whole once all items were read. */
  notes: CrawlNotes;
}

async function openSources(names: string[], values: Values): Promise<Sources> {
  const prefix = String(values.prefix ?? "");
  const type = values.type === undefined ? null : TYPES[String(values.type)];
  if (type === undefined) throw new UsageError(`--type is one of ${Object.keys(TYPES).join(", ")}`);
  const crawl: CrawlOptions = {
    depth: countOf(values, "depth", 0, 0, CLI_DEPTH_MAX),
    pagesMax: countOf(values, "max-pages", CLI_PAGES_DEFAULT, 1, CLI_PAGES_MAX),
    pauseMs: countOf(values, "pause", CLI_PAGE_PAUSE_MS, 0, CLI_PAGE_PAUSE_MS_MAX),
    prefix,
  };
  const readers: (() => AsyncIterable<Item>)[] = [];
  const files: SourceFile[] = [];
  const notes: CrawlNotes = { linksLeftOut: 0, remarks: [] };
  let others = 0;
  for (const name of names) {
    // It would be the folder in which the command is called.
    if (name === "") throw new UsageError("the name of a file, a folder or a URL is empty");
    if (/^https?:/i.test(name)) {
      if (addressOf(name, name) === null) throw new UsageError(`${name} is no address`);
      readers.push(() => webItems(name, crawl, notes));
    } else if (name === "-") {
      readers.push(() => lineItems("stdin", process.stdin, DOCUMENT_LINE_BYTES_MAX));
    } else {
      const found = await findFiles(resolve(name), type);
      others += found.others;
      files.push(...found.files);
      for (const file of found.files) readers.push(() => fileItems(file, prefix));
    }
  }
  if (readers.length === 0) throw new CommandError(`${names.join(", ")}: nothing that can be read`);
  refuseSameIds(files);
  const onlyFiles = readers.length === files.length;
  const parts = [prefix, ...files.map(({ name, bytes, modifiedMs }) => [name, bytes, modifiedMs])];
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
  return {
    items: inTurn(readers, files),
    fingerprint: onlyFiles ? digest : null,
    files: onlyFiles,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    label: names.map((name) => (onlyFiles ? basename(resolve(name)) : name)).join(" "),
    others,
    pagesMax: crawl.pagesMax,
    notes,
  };
}

/** Throws CommandError where two files would be one document: the last would win in silence. */
function refuseSameIds(files: readonly SourceFile[]): void {
  const paths = new Map<string, string>();
  for (const { name, path, kind } of files) {
    if (kind === "lines" || kind === "json") continue;
    const other = paths.get(name);
    if (other !== undefined && other !== path)
      throw new CommandError(
        oneLine(`${other} and ${path} would both have the id ${name}: `) +
          "ingest them in two calls, one with --prefix",
      );
    paths.set(name, path);
  }
}

/** What all readers give, one after the other, with the bytes of all that is done. */
async function* inTurn(
  readers: readonly (() => AsyncIterable<Item>)[],
  files: readonly SourceFile[],
): AsyncGenerator<Item> {
  let before = 0;
  for (const [i, open] of readers.entries()) {
    for await (const item of open()) yield { ...item, bytes: before + item.bytes };
    before += files[i]?.bytes ?? 0;
  }
}

/** The job to send to: the one that was named, the open one of just these files, or a new one. */
async function openJob(
  client: Client,
  namespace: string,
  sources: Sources,
  values: Values,
): Promise<Job> {
  const { fingerprint, label } = sources;
  try {
    if (typeof values.resume === "string") {
      if (fingerprint === null)
        throw new UsageError("--resume is for files: call again, what is stored is left alone");
      const job = await readJob(client, namespace, values.resume);
      if (job.state === "open") return job;
      throw new CommandError(`job ${job.id} is finished: there is nothing to go on with`);
    }
    const name =
      fingerprint === null
        ? cutText(label, JOB_NAME_CHARS_MAX)
        : `${cutText(label, JOB_NAME_CHARS_MAX - 17)} ${fingerprint}`;
    const open =
      fingerprint === null || values.restart ? null : await findJob(client, namespace, name);
    return open ?? (await createJob(client, namespace, name));
  } catch (error) {
    if (error instanceof ReplyError && error.code === "namespace_not_found")
      throw new ReplyError(`${error.message}: --create makes it`, error.status, error.code);
    throw error;
  }
}

async function send(sender: JobSender, sources: Sources, progress: Progress): Promise<void> {
  let done = 0;
  try {
    for await (const item of sources.items) {
      await sender.add(item);
      done++;
      progress.update(sources.files ? item.bytes : done);
    }
    await sender.finish();
  } catch (error) {
    progress.end();
    if (sources.fingerprint === null) await sender.forget().catch(() => {});
    else if (error instanceof ReplyError && error.passes)
      error.remedy = `the same call again goes on with ${sender.job.id}`;
    throw error;
  }
  progress.end();
}

function resultOf(namespace: string, sender: JobSender, { notes }: Sources): IngestResult {
  const { id, upserted, unchanged, passages } = sender.job;
  const { errorCount, errors } = sender;
  return {
    ...{ job: id, namespace, upserted, unchanged, passages, error_count: errorCount, errors },
    ...{ links_left_out: notes.linksLeftOut, remarks: notes.remarks },
  };
}

function describeError({ source, code, message }: ItemError): string {
  return oneLine(`${source}: ${message}${code === null ? "" : ` (${code})`}`);
}

function summarize(result: IngestResult, { others, pagesMax }: Sources): void {
  const { upserted, unchanged, passages, error_count, errors, namespace } = result;
  const { links_left_out, remarks } = result;
  for (const remark of remarks) console.error(oneLine(remark));
  const more = pagesMax < CLI_PAGES_MAX ? `--max-pages N goes beyond ${pagesMax}` : "name pages";
  if (links_left_out > 0) console.error(`${links_left_out} links were left out: ${more}`);
  if (others > 0) console.error(`${others} files of other kinds were left out`);
  if (error_count > errors.length)
    console.error(`${error_count - errors.length} more were refused, now or before`);
  console.log(
    `${namespace}: ${upserted} stored (${passages} passages), ${unchanged} unchanged, ` +
      `${error_count} refused`,
  );
}
