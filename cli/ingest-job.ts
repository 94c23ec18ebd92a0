/** A job of the service: lines sent in parts, which go on where they broke off. */
import { LINE_ERRORS_KEPT_MAX } from "../src/limits.ts";
import type { Job } from "../src/memory/jobs.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command.ts";
import type { Item } from "./ingest-item.ts";
import { CLI_PART_BYTES, CLI_PART_LINES_MAX } from "./limits.ts";

export interface ItemError {
  source: string;
  /** Of the service; null: the command line itself found it. */
  code: string | null;
  message: string;
}

/** Where a namespace's endpoints are. */
export function namespacePath(namespace: string): string {
  return `/admin/namespaces/${encodeURIComponent(namespace)}`;
}

/** The open job of this name; null: none. */
export async function findJob(
  client: Client,
  namespace: string,
  name: string,
): Promise<Job | null> {
  const path = `${namespacePath(namespace)}/jobs`;
  const { jobs } = (await client.call("GET", path)) as { jobs: Omit<Job, "errors">[] };
  const found = jobs.find((job) => job.state === "open" && job.name === name);
  return found === undefined ? null : readJob(client, namespace, found.id);
}

export async function readJob(client: Client, namespace: string, id: string): Promise<Job> {
  const path = `${namespacePath(namespace)}/jobs/${encodeURIComponent(id)}`;
  return (await client.call("GET", path)) as Job;
}

export async function createJob(
  client: Client,
  namespace: string,
  name: string | null,
): Promise<Job> {
  return (await client.call("POST", `${namespacePath(namespace)}/jobs`, { name })) as Job;
}

/** Sends a job's items in order. Those that it has taken before are passed over. */
export class JobSender {
  /** The job as the service last told. */
  job: Job;
  /** What was refused since this sender began, as far as reasons are kept. */
  readonly errors: ItemError[] = [];
  private readonly client: Client;
  private readonly path: string;
  private readonly tell: (error: ItemError) => void;
  private readonly skip: number;
  private position = 0;
  private faults = 0;
  private part: { sources: string[]; lines: string[]; bytes: number };

  /** `tell` gets every refusal that has a reason, as it comes. */
  constructor(client: Client, namespace: string, job: Job, tell: (error: ItemError) => void) {
    this.client = client;
    this.path = `${namespacePath(namespace)}/jobs/${encodeURIComponent(job.id)}`;
    this.job = job;
    this.tell = tell;
    this.skip = job.lines;
    this.part = { sources: [], lines: [], bytes: 0 };
  }

  /** Refused items: those of the job, and those that were not sent. */
  get errorCount(): number {
    return this.job.error_count + this.faults;
  }

  async add(item: Item): Promise<void> {
    if (item.line === null) {
      this.faults++;
      this.refuse({ source: item.source, code: null, message: item.fault! });
      return;
    }
    if (this.position < this.skip) {
      this.position++;
      return;
    }
    this.part.sources.push(item.source);
    this.part.lines.push(item.line);
    this.part.bytes += Buffer.byteLength(item.line) + 1;
    if (this.part.bytes >= CLI_PART_BYTES || this.part.lines.length >= CLI_PART_LINES_MAX)
      await this.flush();
  }

  /** Sends the rest and finishes the job. Throws where the job has taken more lines than there
   *  were: it is another one's. */
  async finish(): Promise<void> {
    await this.flush();
    if (this.position < this.skip)
      throw new CommandError(
        `job ${this.job.id} has taken ${this.skip} documents, here are ${this.position}: ` +
          "it is of other files; --restart begins anew",
      );
    this.job = (await this.client.call("POST", `${this.path}/finish`)) as Job;
  }

  /** Forgets the job, of which nobody could go on. */
  async forget(): Promise<void> {
    await this.client.call("DELETE", this.path);
  }

  private async flush(): Promise<void> {
    const { sources, lines } = this.part;
    if (lines.length === 0) return;
    this.part = { sources: [], lines: [], bytes: 0 };
    const from = this.position;
    const body = lines.map((line) => `${line}\n`).join("");
    this.job = (await this.client.sendLines(`${this.path}/lines?from=${from}`, body)) as Job;
    this.position += lines.length;
    if (this.job.lines !== this.position)
      throw new CommandError(
        `job ${this.job.id} is at line ${this.job.lines} and not ${this.position}: ` +
          "somebody else sends to it",
      );
    for (const { line, code, message } of this.job.errors)
      if (line >= from) this.refuse({ source: sources[line - from]!, code, message });
  }

  private refuse(error: ItemError): void {
    if (this.errors.length < LINE_ERRORS_KEPT_MAX) {
      this.errors.push(error);
      this.tell(error);
    }
  }
}
