/** A service of the admin endpoints that the command line calls, over real HTTP on loopback. It
 *  stores documents in a map and can be told to fail. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeRouter } from "./fake-router.ts";

interface Job {
  id: string;
  name: string | null;
  state: "open" | "finished";
  lines: number;
  upserted: number;
  unchanged: number;
  passages: number;
  error_count: number;
  errors: { line: number; code: string; message: string }[];
}

interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

type Text = Record<string, unknown> & { id?: string; text?: string };

const refuse = (status: number, code: string, message: string): Reply => {
  return { status, body: { error: { message, code, type: "x", param: null } } };
};

export class FakeBrink {
  url = "";
  readonly router = new FakeRouter();
  /** Of every reply, as each of Brink's has it; none where another service is played. */
  trace: { "x-brink-trace"?: string } = { "x-brink-trace": "0".repeat(32) };
  readonly namespaces = new Map<string, Map<string, Text>>();
  readonly jobs = new Map<string, Job>();
  /** `METHOD path` of every call, with its query. */
  readonly calls: string[] = [];
  /** Bodies of the calls for which there was a canned reply. */
  readonly bodies: string[] = [];
  /** Replies to give instead, by `METHOD path`, first come first served. */
  readonly canned = new Map<string, Reply[]>();
  /** What is done to the next part of a job: nothing is taken and the service is busy; it is taken
   *  but the connection breaks. */
  trouble: ("busy" | "lost")[] = [];
  private readonly server: Server = createServer((request, response) => {
    void this.answer(request).then(({ status, body, headers }) => {
      if (status === 0) return void response.destroy();
      const text = typeof body === "string" ? body : JSON.stringify(body);
      if (headers?.["content-length"] !== undefined) {
        // Promises more than it sends.
        response.writeHead(status, { ...this.trace, ...headers });
        return void response.write(text, () => response.destroy());
      }
      const all = { "content-type": "application/json", ...this.trace, ...headers };
      response.writeHead(status, all).end(text);
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private async answer(request: IncomingMessage): Promise<Reply> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString();
    const call = `${request.method} ${request.url}`;
    this.calls.push(call);
    if (request.headers.authorization !== "Bearer brink-admin")
      return refuse(401, "invalid_key", "the key is unknown");
    const canned = this.canned.get(call)?.shift();
    if (canned !== undefined) {
      this.bodies.push(body);
      return canned;
    }
    const url = new URL(request.url!, this.url);
    const method = request.method!;
    return this.router.route(method, url, body, request.headers) ?? this.route(method, url, body);
  }

  private route(method: string, url: URL, body: string): Reply {
    const [, , , ns = "", rest = "", id = "", verb = ""] = url.pathname
      .split("/")
      .map(decodeURIComponent);
    if (method === "PUT" && rest === "") {
      this.namespaces.set(ns, this.namespaces.get(ns) ?? new Map());
      return { status: 200, body: { name: ns, created_at: 1, k1: 1.5 } };
    }
    const documents = this.namespaces.get(ns);
    if (documents === undefined) return refuse(404, "namespace_not_found", `no namespace "${ns}"`);
    if (rest === "export") {
      const lines = [...documents.values()].map((document) => `${JSON.stringify(document)}\n`);
      return { status: 200, body: lines.join("") };
    }
    if (rest !== "jobs") return refuse(404, "not_found", url.pathname);
    if (id === "" && method === "POST") return { status: 201, body: this.newJob(JSON.parse(body)) };
    if (id === "") return { status: 200, body: { jobs: [...this.jobs.values()] } };
    const job = this.jobs.get(id);
    if (job === undefined) return refuse(404, "job_not_found", "no such job");
    if (method === "DELETE") this.jobs.delete(id);
    if (verb === "finish") job.state = "finished";
    if (verb !== "lines") return { status: 200, body: job };
    return this.takeLines(job, documents, Number(url.searchParams.get("from")), body);
  }

  private newJob({ name }: { name: string | null }): Job {
    const counts = { lines: 0, upserted: 0, unchanged: 0, passages: 0, error_count: 0, errors: [] };
    const job: Job = { id: `job-${this.jobs.size + 1}`, name, state: "open", ...counts };
    this.jobs.set(job.id, job);
    return job;
  }

  private takeLines(job: Job, documents: Map<string, Text>, from: number, body: string): Reply {
    const trouble = this.trouble.shift();
    const headers = { "retry-after": "0" };
    if (trouble === "busy") return { ...refuse(503, "memory_busy", "too much waits"), headers };
    if (from > job.lines) return refuse(409, "conflict", "lines are missing");
    const lines = body
      .split("\n")
      .slice(0, -1)
      .slice(job.lines - from);
    for (const line of lines) this.takeLine(job, documents, line);
    return trouble === "lost" ? { status: 0, body: null } : { status: 200, body: job };
  }

  private takeLine(job: Job, documents: Map<string, Text>, line: string): void {
    const at = job.lines++;
    try {
      const document = JSON.parse(line) as Text;
      if (!document.text) throw new TypeError("text: may not be empty");
      const id = document.id ?? `doc-${documents.size}`;
      if (JSON.stringify(documents.get(id)) === line) job.unchanged++;
      else {
        documents.set(id, document);
        job.upserted++;
        job.passages++;
      }
    } catch (error) {
      const code = error instanceof TypeError ? "invalid_request" : "invalid_json";
      job.error_count++;
      job.errors.push({ line: at, code, message: (error as Error).message });
    }
  }
}
