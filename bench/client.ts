/** A client of the running service over kept connections, for timing: the least that HTTP takes. */
import { Agent, request } from "node:http";
import { LOCAL_ADMIN_KEY } from "../scripts/service.ts";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";

export interface ServiceHit {
  document_id: string;
  score: number;
}

/** The service answered, and refused. */
export class Refusal extends Error {
  readonly status: number;
  /** The service's own code, such as `conflict`. */
  readonly code: string;

  constructor(call: string, status: number, text: string) {
    super(`${call}: ${status} ${text.slice(0, 500)}`);
    this.status = status;
    this.code = /"code":"(\w+)"/.exec(text)?.[1] ?? "";
  }
}

export class BenchClient {
  readonly #url: string;
  readonly #agent: Agent;

  /** `connections`: how many calls may be under way; more of them wait. */
  constructor(url: string, connections = 2) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** The reply's JSON. Throws a Refusal for any status but 2xx. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return JSON.parse(await this.send(method, path, text, JSON_TYPE)) as T;
  }

  /** Stores documents of a namespace, one JSON document a line. Throws when one is refused. */
  async ingest(namespace: string, lines: string): Promise<void> {
    const path = `/admin/namespaces/${namespace}/documents`;
    const reply = JSON.parse(await this.send("POST", path, lines, NDJSON_TYPE));
    if (reply.errors.length > 0) throw new Error(`refused: ${JSON.stringify(reply.errors[0])}`);
  }

  async search(namespace: string, query: object): Promise<ServiceHit[]> {
    const body = { namespace, ...query };
    return (await this.call<{ hits: ServiceHit[] }>("POST", "/v1/memory/search", body)).hits;
  }

  send(method: string, path: string, body: string, type: string): Promise<string> {
    const bytes = Buffer.from(body);
    const headers = {
      authorization: `Bearer ${LOCAL_ADMIN_KEY}`,
      "content-type": type,
      "content-length": bytes.length,
    };
    return new Promise((done, fail) => {
      const call = request(this.#url + path, { method, agent: this.#agent, headers }, (reply) => {
        const parts: Buffer[] = [];
        reply.on("data", (part: Buffer) => parts.push(part));
        reply.on("error", fail);
        reply.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const status = reply.statusCode ?? 0;
          if (status >= 200 && status < 300) done(text);
          else fail(new Refusal(`${method} ${path}`, status, text));
        });
      });
      call.on("error", fail);
      call.end(bytes);
    });
  }

  /** Closes the kept connections. */
  close(): void {
    this.#agent.destroy();
  }
}

/** A vector as the service takes it: base64 of little-endian f32. */
export function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
