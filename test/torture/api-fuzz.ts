/** Drives every operation of a running service's /openapi.json with requests that its schemas allow
 *  and with such that they nearly allow: no reply may be a 5xx, break the schema of its status, or
 *  fail to come. */
import { mulberry32 } from "../../eval/random.ts";
import { LOCAL_ADMIN_KEY } from "../../scripts/service.ts";
import {
  type ApiDocument,
  type Operation,
  ReplyCheck,
  readDocument,
  type Schema,
} from "./api-document.ts";
import { EXAMPLE_LINE, EXAMPLES } from "./api-examples.ts";
import { Values } from "./api-values.ts";

const REPLY_MS_MAX = 60_000;
/** Values seen in replies that are kept to be sent again, by their field. */
const SEEN_MAX = 200;
const FAULTS_MAX = 40;
/** Requests whose schema allows them. */
const VALID_SHARE = 0.5;
/** Requests that are wrong as HTTP and not as JSON. */
const BROKEN_SHARE = 0.1;

const FURNISH_EVERY = 50;

export const NAMESPACES = ["fuzz-a", "fuzz-b", "docs"];
const MODELS = ["auto", "auto", "edge", "backend", "brink-reader", "all-MiniLM-L6-v2", "nothing"];

export interface FuzzOptions {
  url: string;
  seed: number;
  /** Whichever comes first. */
  requestsMax: number;
  msMax: number;
  say?(line: string): void;
  /** Of an administrator; the local one where absent. */
  key?: string;
  /** Places and values of somebody else, which are tried as one's own are. */
  known?: Known;
  /** What else is wrong with a reply; null: nothing. */
  inspect?(sent: Sent, status: number, text: string): string | null;
}

/** What replies have named, to be sent again. */
export interface Known {
  /** Paths of things that were there. */
  places: string[];
  /** Cursors and names, by their field. */
  values: Map<string, string[]>;
}

export function newKnown(): Known {
  return { places: [], values: new Map() };
}

export interface FuzzTally {
  requests: number;
  /** Replies by status. */
  statuses: Record<string, number>;
  /** "METHOD path" of every operation that gave a success at least once. */
  succeeded: Set<string>;
  operations: number;
  /** What was wrong with a reply, with its request, FAULTS_MAX at most. */
  faults: string[];
}

export interface Sent {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: BodyInit | undefined;
}

/** Throws when the service cannot be reached at all. */
export async function fuzzApi(options: FuzzOptions): Promise<FuzzTally> {
  const response = await fetch(`${options.url}/openapi.json`);
  const document = readDocument(await response.json());
  const fuzzer = new Fuzzer(document, options);
  await fuzzer.run();
  return fuzzer.tally;
}

class Fuzzer {
  readonly tally: FuzzTally;
  readonly #options: FuzzOptions;
  readonly #document: ApiDocument;
  readonly #check: ReplyCheck;
  readonly #values: Values;
  readonly #known: Known;
  #operation: Operation | null = null;

  constructor(document: ApiDocument, options: FuzzOptions) {
    this.#document = document;
    this.#options = options;
    this.#check = new ReplyCheck(document);
    const random = mulberry32(options.seed);
    this.#known = options.known ?? newKnown();
    this.#values = new Values(random, document.schemas, (field) => this.#valuesOf(field));
    const operations = document.operations.length;
    this.tally = { requests: 0, statuses: {}, succeeded: new Set(), operations, faults: [] };
  }

  async run(): Promise<void> {
    const { requestsMax, msMax, say } = this.#options;
    const endMs = Date.now() + msMax;
    while (this.tally.requests < requestsMax && Date.now() < endMs) {
      if (this.tally.requests % FURNISH_EVERY === 0) await this.#furnish();
      this.#operation = this.#values.pick(this.#document.operations);
      await this.#try(this.#operation);
      if (this.tally.requests % 500 === 0) say?.(`${this.tally.requests} requests`);
      if (this.tally.faults.length >= FAULTS_MAX) return;
    }
  }

  /** Namespaces with something in them: what was made may be gone. */
  async #furnish(): Promise<void> {
    for (const namespace of NAMESPACES.slice(0, 2)) {
      const path = `/admin/namespaces/${namespace}`;
      await this.#send({ ...this.#frame("PUT", path), body: "{}" });
      const documents = Array.from({ length: 5 }, (_, i) => {
        return { id: `d${i}`, text: `${this.#values.text()}.`, metadata: { n: i } };
      });
      const body = JSON.stringify({ documents });
      await this.#send({ ...this.#frame("POST", `${path}/documents`), body });
    }
  }

  async #try(operation: Operation): Promise<void> {
    const sent = this.#request(operation);
    this.tally.requests += 1;
    let fault: string | null;
    try {
      const { status, headers, text } = await this.#send(sent);
      this.tally.statuses[status] = (this.tally.statuses[status] ?? 0) + 1;
      fault = this.#faultOf(operation, sent, status, headers, text);
      if (status < 300) this.tally.succeeded.add(`${operation.method} ${operation.path}`);
      fault ??= this.#options.inspect?.(sent, status, text) ?? null;
      if (status < 300) learn(this.#known, sent.path, text, (below) => this.#values.integer(below));
    } catch (error) {
      fault = `does not come: ${error}`;
    }
    if (fault !== null) this.tally.faults.push(`${describe(sent)}: the reply ${fault}`);
  }

  #faultOf(
    operation: Operation,
    { method, path }: Sent,
    status: number,
    headers: Headers,
    text: string,
  ): string | null {
    // A path of two slashes or with dots is another path, which may well be a page.
    if (method === operation.method && samePath(operation, path))
      return this.#check.fault(operation, status, headers, text);
    return status >= 500 ? `is a ${status}` : null;
  }

  #request(operation: Operation): Sent {
    const values = this.#values;
    const valid = values.chance(VALID_SHARE);
    const sent = this.#frame(operation.method, this.#path(operation, valid));
    for (const { name, schema } of operation.parameters.filter((one) => one.in === "header"))
      if (values.chance(0.2)) sent.headers[name] = this.#header(schema, name, valid);
    const contents = Object.entries(operation.requestBody?.content ?? {});
    if (contents.length > 0) {
      const [type, { schema }] = values.pick(contents);
      sent.headers["content-type"] = type;
      sent.body = this.#body(type, () => {
        const value = this.#value(operation, type, schema);
        return valid ? value : values.mutated(value);
      });
    }
    return values.chance(BROKEN_SHARE) ? this.#broken(sent) : sent;
  }

  /** Of characters that a header can carry. */
  #header(schema: Schema, name: string, valid: boolean): string {
    const text = valid ? String(this.#values.of(schema, name)) : this.#values.oddText();
    return text.replaceAll(/[^\x20-\x7e]/g, "");
  }

  #frame(method: string, path: string): Sent {
    const headers = {
      authorization: `Bearer ${this.#options.key ?? LOCAL_ADMIN_KEY}`,
      "content-type": "application/json",
    };
    return { method, path, headers, body: undefined };
  }

  #path({ path, parameters }: Operation, valid: boolean): string {
    const values = this.#values;
    const place = this.#place(path).replace(/\{(\w+)\}/g, (_, name: string) => {
      const parameter = parameters.find((one) => one.name === name && one.in === "path");
      const value = values.of(parameter?.schema ?? { type: "string" }, name);
      const text = valid || values.chance(0.7) ? String(value) : values.oddText();
      return encodeURIComponent(text.toWellFormed() || "x");
    });
    const query = parameters
      .filter((parameter) => parameter.in === "query" && values.chance(0.4))
      .map(({ name, schema }) => {
        const value = valid ? values.of(schema, name) : values.mutated(values.of(schema, name));
        return `${name}=${encodeURIComponent(String(value).toWellFormed())}`;
      });
    return query.length === 0 ? place : `${place}?${query.join("&")}`;
  }

  /** The path with the place of something that is there, where it has an id and one is known. */
  #place(path: string): string {
    if (this.#values.chance(0.3)) return path;
    const places = placesOf(path, this.#known.places);
    return places.length === 0 ? path : this.#values.pick(places);
  }

  /** From the schema, or an example with a field or two from the schema. */
  #value(operation: Operation, type: string, schema: Schema): unknown {
    const values = this.#values;
    const name = `${operation.method} ${operation.path}`;
    const examples = type.endsWith("ndjson") ? [EXAMPLE_LINE] : (EXAMPLES[name] ?? []);
    if (examples.length === 0 || values.chance(0.3)) return values.of(schema);
    const example = values.pick(examples);
    return { ...example, ...values.someOf(schema, values.integer(3)) };
  }

  #body(type: string, value: () => unknown): BodyInit {
    if (type === "application/octet-stream") return new Uint8Array(this.#values.integer(64));
    if (type !== "application/x-ndjson") return JSON.stringify(value());
    const lines = Array.from({ length: this.#values.integer(4) }, () => JSON.stringify(value()));
    return lines.join("\n");
  }

  /** Wrong before it is read as JSON. */
  #broken(sent: Sent): Sent {
    const values = this.#values;
    const text = typeof sent.body === "string" ? sent.body : "";
    const headers = (more: Record<string, string>) => {
      return { ...sent, headers: { ...sent.headers, ...more } };
    };
    const ways: (() => Sent)[] = [
      () => ({
        ...sent,
        method: values.pick(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
      }),
      () => ({ ...sent, path: values.pick([`${sent.path}/`, `/${sent.path}`, `${sent.path}/x`]) }),
      () => ({ ...sent, path: sent.path.replace(/[^/]+$/, "%ff%fe") }),
      () => ({ ...sent, body: text.slice(0, values.integer(text.length + 1)) }),
      () => ({ ...sent, body: Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d) }),
      () => ({ ...sent, body: `${text}${text}` }),
      () => headers({ "content-type": values.pick(["text/csv", "", "multipart/form-data; x"]) }),
      () => headers({ "content-encoding": values.pick(["gzip", "br", "x"]) }),
      () => headers({ authorization: values.pick(["", "Bearer", "Bearer x", "Basic eDp5"]) }),
      () => headers({ "idempotency-key": values.pick(["k", "k2", " ", "x".repeat(300)]) }),
      () => ({ ...headers({ "idempotency-key": values.text().slice(0, 5) }), body: "" }),
      () => headers({ origin: "https://a.test", accept: "text/html", range: "bytes=0-1" }),
    ];
    const broken = values.pick(ways)();
    return ["GET", "HEAD"].includes(broken.method) ? { ...broken, body: undefined } : broken;
  }

  async #send({ method, path, headers, body }: Sent) {
    const bodiless = method === "GET" || method === "HEAD";
    const response = await fetch(this.#options.url + path, {
      method,
      headers,
      body: bodiless ? undefined : body,
      redirect: "manual",
      signal: AbortSignal.timeout(REPLY_MS_MAX),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  }

  #valuesOf(field: string): readonly unknown[] {
    // Deleting what the others use would leave them little to find.
    if (field === "ns" && this.#deletesNamespace()) return ["fuzz-c", "fuzz-c", "fuzz-b"];
    if (field === "ns" || field === "namespace" || field === "default_namespace") return NAMESPACES;
    if (field === "model") return MODELS;
    if (field === "part") return ["1", "2"];
    return this.#known.values.get(field) ?? [];
  }

  #deletesNamespace(): boolean {
    return this.#operation?.method === "DELETE" && this.#operation.path.endsWith("{ns}");
  }
}

/** The paths of things that are there, where an operation's path has an id; none elsewhere. */
export function placesOf(path: string, known: readonly string[]): string[] {
  const end = /^.*\{(?:upload_)?id\}/.exec(path)?.[0];
  if (end === undefined) return [];
  const pattern = new RegExp(`^${end.replace(/\{\w+\}/g, "[^/]+")}$`);
  return known
    .filter((place) => pattern.test(place))
    .map((place) => place + path.slice(end.length));
}

/** Keeps what a reply names for later requests: places of things by their ids, cursors and names;
 *  in the place of one by chance where they are too many. */
export function learn(
  { places, values }: Known,
  path: string,
  text: string,
  integer: (below: number) => number,
): void {
  const keep = (kept: string[], value: string) => {
    if (kept.length >= SEEN_MAX) kept.splice(integer(SEEN_MAX), 1);
    kept.push(value);
  };
  const under = path.split("?")[0]!;
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [field, inner] of Object.entries(value)) {
      if (typeof inner !== "string" || inner === "" || inner.length > 300) visit(inner);
      else if (field === "id" || field === "upload_id")
        keep(places, `${under}/${encodeURIComponent(inner.toWellFormed())}`);
      else if (["cursor", "name"].includes(field)) {
        if (!values.has(field)) values.set(field, []);
        keep(values.get(field)!, inner);
      }
    }
  };
  if (text.length >= 100_000) return;
  try {
    visit(JSON.parse(text));
  } catch {
    // An export, or an event stream: its ids are met elsewhere.
  }
}

/** Whether a request's path is still one of the operation's. */
function samePath({ path }: Operation, sent: string): boolean {
  const pattern = path.replace(/\{\w+\}/g, "(?!\\.{1,2}(/|$))[^/]+");
  return new RegExp(`^${pattern}$`).test(sent.split("?")[0]!.replaceAll(/%2e/gi, "."));
}

function describe({ method, path, headers, body }: Sent): string {
  const text = typeof body === "string" ? body : body === undefined ? "" : "(bytes)";
  const { authorization: _, ...shown } = headers;
  return `${method} ${path} ${JSON.stringify(shown)} ${text.slice(0, 1_500)}`;
}
