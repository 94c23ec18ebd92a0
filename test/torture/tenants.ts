/** Two tenants on one service: one has things of every kind, the other drives every operation of
 *  /openapi.json with their ids, names, cursors and traces. Nothing of the first may show in a
 *  reply to the second, or be changed by it. What is tried comes from the document and from what
 *  the first tenant's own replies name, so a new endpoint is covered the day it appears. */
import { createHash } from "node:crypto";
import { mulberry32 } from "../../eval/random.ts";
import { LOCAL_ADMIN_KEY } from "../../scripts/service.ts";
import { type ApiDocument, type Operation, readDocument } from "./api-document.ts";
import { EXAMPLES } from "./api-examples.ts";
import { fuzzApi, type Known, learn, NAMESPACES, newKnown, placesOf } from "./api-fuzz.ts";

export interface TenantsOptions {
  url: string;
  seed: number;
  /** Of the part that draws its requests; whichever comes first. */
  requestsMax: number;
  msMax: number;
  say?(line: string): void;
}

export interface TenantsTally {
  /** Requests by the second tenant. */
  requests: number;
  operations: number;
  /** "METHOD path" of operations with an id that were tried with one of the first tenant's. */
  tried: Set<string>;
  /** Places, cursors and names of the first tenant's. */
  known: number;
  /** Reads of the first tenant that were the same before and after. */
  unchanged: number;
  faults: string[];
}

/** Fields of requests whose text nobody looks anything up by: the mark goes there. */
const FREE_TEXT = /^(text|content|title|note|input|instructions|correction|answer|query|speaker)$/;
const ROUNDS = 3;

interface Tenant {
  name: string;
  key: string;
}

interface Reply {
  status: number;
  trace: string;
  text: string;
}

/** Throws where the service cannot be reached, or refuses to make the tenants. */
export async function crossTenants(options: TenantsOptions): Promise<TenantsTally> {
  const response = await fetch(`${options.url}/openapi.json`);
  const run = new Crossing(readDocument(await response.json()), options);
  await run.all();
  return run.tally;
}

class Crossing {
  readonly tally: TenantsTally;
  readonly #options: TenantsOptions;
  readonly #document: ApiDocument;
  readonly #mark: string;
  readonly #known: Known = newKnown();
  readonly #random: () => number;
  readonly #traces: string[] = [];

  constructor(document: ApiDocument, options: TenantsOptions) {
    this.#document = document;
    this.#options = options;
    this.#random = mulberry32(options.seed);
    this.#mark = `zanzibar${createHash("sha256").update(`${options.seed}`).digest("hex")}`;
    const operations = document.operations.length;
    const counts = { requests: 0, operations, known: 0, unchanged: 0 };
    this.tally = { ...counts, tried: new Set(), faults: [] };
  }

  async all(): Promise<void> {
    const { say } = this.#options;
    const owner = await this.#newTenant("owner");
    const other = await this.#newTenant("other");
    await this.#furnish(owner, this.#mark);
    await this.#furnish(other, "nothing");
    await this.#explore(owner);
    this.tally.known = this.#known.places.length + this.#traces.length;
    say?.(`${this.tally.known} places and traces of the owner's are known`);
    const before = await this.#readAll(owner);
    await this.#tryEach(other);
    say?.(`${this.tally.tried.size} operations tried with the owner's ids`);
    await this.#fuzz(other);
    await this.#compare(owner, before);
  }

  async #newTenant(name: string): Promise<Tenant> {
    const body = { tenant: `${name}-${this.#options.seed}`, scopes: ["admin"], name };
    const { status, text } = await this.#send(LOCAL_ADMIN_KEY, "POST", "/admin/keys", body);
    if (status >= 300) throw new Error(`no key for ${name}: ${status} ${text}`);
    return { name, key: JSON.parse(text).key };
  }

  /** Things of every kind, by the examples of every operation that has one, marked. */
  async #furnish(tenant: Tenant, mark: string): Promise<void> {
    for (const namespace of NAMESPACES)
      await this.#send(tenant.key, "PUT", `/admin/namespaces/${namespace}`, {});
    for (const [name, bodies] of Object.entries(EXAMPLES)) {
      const [method, path] = name.split(" ") as [string, string];
      for (const body of bodies) {
        const at = path.replace("{ns}", NAMESPACES[0]!).replace("{id}", "d1");
        const sent = withMark(body, mark, path.startsWith("/v1/") ? NAMESPACES[0]! : null);
        const { trace, status } = await this.#send(tenant.key, method, at, sent);
        if (mark === this.#mark && status < 300) this.#traces.push(trace);
      }
    }
    for (const { method, path, requestBody } of this.#document.operations)
      if (method === "POST" && requestBody === undefined && path.includes("{ns}"))
        await this.#send(tenant.key, method, path.replace("{ns}", NAMESPACES[1]!));
    await this.#teach(tenant, mark);
  }

  /** A note, and a correction that waits. */
  async #teach({ key }: Tenant, mark: string): Promise<void> {
    const namespace = NAMESPACES[0]!;
    const policy = { notes: "rated" };
    await this.#send(key, "PUT", `/admin/namespaces/${namespace}/note-policy`, policy);
    const ask = (content: string) => {
      const messages = [{ role: "user", content: `${content} ${mark}?` }];
      const body = { model: "backend", messages, memory: { namespace } };
      return this.#send(key, "POST", "/v1/chat/completions", body);
    };
    const { trace: good } = await ask("Who keeps the lighthouse");
    const { trace: bad } = await ask("What does the heron eat");
    const rate = (body: object) => this.#send(key, "POST", "/v1/feedback", body);
    await rate({ trace_id: good, rating: "good" });
    await rate({ trace_id: bad, rating: "bad", correction: `Frogs, says ${mark}.` });
    if (mark === this.#mark) this.#traces.push(good, bad);
  }

  /** Every GET, with what the ones before it named. */
  async #explore({ key }: Tenant): Promise<void> {
    for (let round = 0; round < ROUNDS; round++)
      for (const path of this.#readable()) {
        const { status, text } = await this.#send(key, "GET", path);
        if (status < 300)
          learn(this.#known, path, text, (below) => Math.floor(this.#random() * below));
      }
    this.#known.places = [...new Set(this.#known.places)];
  }

  /** The paths of GET operations, filled with what is known. */
  #readable(): string[] {
    return this.#document.operations
      .filter(({ method, path }) => method === "GET" && !SHARED.has(path))
      .flatMap((operation) => this.#places(operation));
  }

  #places({ path }: Operation): string[] {
    const fill = (one: string) =>
      NAMESPACES.map((namespace) => one.replace("{ns}", namespace)).filter(
        (filled, i, all) => all.indexOf(filled) === i && !filled.includes("{"),
      );
    const known = placesOf(path, this.#known.places);
    return known.length > 0 ? known.flatMap(fill) : fill(path);
  }

  /** What each read gives the owner, where two reads give the same. */
  async #readAll({ key }: Tenant): Promise<Map<string, string>> {
    const reads = new Map<string, string>();
    for (const path of this.#readable().filter((one) => !UPKEEP.test(one))) {
      const first = await this.#send(key, "GET", path);
      const second = await this.#send(key, "GET", path);
      if (first.text === second.text && first.status === second.status)
        reads.set(path, `${first.status} ${first.text}`);
    }
    return reads;
  }

  async #compare({ key }: Tenant, before: ReadonlyMap<string, string>): Promise<void> {
    for (const [path, was] of before) {
      const { status, text } = await this.#send(key, "GET", path);
      if (`${status} ${text}` === was) this.tally.unchanged += 1;
      else this.#fault(`GET ${path} changed for its owner`, `${was}\n  now ${status} ${text}`);
    }
  }

  /** Every operation on every place of the owner's. The other tenant has namespaces of the same
   *  names, so that nothing but the tenant tells the places apart. */
  async #tryEach({ key }: Tenant): Promise<void> {
    for (const operation of this.#document.operations) {
      const { method, path } = operation;
      const example = EXAMPLES[`${method} ${path}`]?.[0];
      for (const place of placesOf(path, this.#known.places)) {
        const reply = await this.#send(key, method, place, example ?? bodyOf(operation));
        this.#judge(`${method} ${place}`, reply);
        this.tally.tried.add(`${method} ${path}`);
        if (reply.status < 300 && !OWN_TOO.test(place))
          this.#fault(`${method} ${place}`, `${reply.status} ${reply.text}`);
      }
    }
    for (const trace_id of this.#traces) {
      const body = { trace_id, rating: "good" };
      const reply = await this.#send(key, "POST", "/v1/feedback", body);
      this.#judge("POST /v1/feedback", reply);
      if (reply.status !== 404)
        this.#fault(`POST /v1/feedback ${trace_id}`, `${reply.status} ${reply.text}`);
    }
  }

  /** As the API's fuzzer does, with the owner's places in the place of one's own. */
  async #fuzz({ key }: Tenant): Promise<void> {
    const { url, seed, requestsMax, msMax, say } = this.#options;
    const inspect = (
      { method, path }: { method: string; path: string },
      _: number,
      text: string,
    ) => (text.includes(this.#mark) ? `shows the owner's text: ${method} ${path}` : null);
    const known = { places: [...this.#known.places], values: new Map(this.#known.values) };
    const tally = await fuzzApi({ url, seed, requestsMax, msMax, say, key, known, inspect });
    this.tally.requests += tally.requests;
    this.tally.faults.push(...tally.faults);
  }

  #judge(what: string, { status, text }: Reply): void {
    if (text.includes(this.#mark)) this.#fault(`${what} shows the owner's text`, text);
    if (status >= 500 && status !== 503) this.#fault(what, `${status} ${text}`);
  }

  #fault(what: string, detail: string): void {
    this.tally.faults.push(`${what}: ${detail.slice(0, 1_000)}`);
  }

  async #send(key: string, method: string, path: string, body?: object): Promise<Reply> {
    if (key !== LOCAL_ADMIN_KEY) this.tally.requests += 1;
    const response = await fetch(this.#options.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(method === "GET" || body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const trace = response.headers.get("x-brink-trace") ?? "";
    return { status: response.status, trace, text: await response.text() };
  }
}

/** What is the same for all, or counts the service as a whole. */
const SHARED = new Set(["/healthz", "/openapi.json", "/admin/metrics", "/v1/models"]);

/** Bytes and segments: the storage's own upkeep goes on after a write. */
const UPKEEP = /\/stats$/;

/** Both tenants have documents of these ids in namespaces of the same name. */
const OWN_TOO = /\/documents\/d1($|\/)/;

/** The least that a body may be: a request without it would be refused before it is looked at. */
function bodyOf({ requestBody }: Operation): object | undefined {
  return requestBody === undefined ? undefined : {};
}

/** The example with the mark in its free texts, and in memory's namespace where it has one. */
function withMark(value: unknown, mark: string, namespace: string | null): object {
  const visit = (inner: unknown, field: string): unknown => {
    if (typeof inner === "string") return FREE_TEXT.test(field) ? `${inner} ${mark}` : inner;
    if (Array.isArray(inner)) return inner.map((one) => visit(one, field));
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([name, one]) => [name, visit(one, name)]));
  };
  const marked = visit(value, "") as Record<string, unknown>;
  if (namespace === null) return marked;
  if ("messages" in marked || typeof marked.input === "string")
    return "memory" in marked ? marked : { memory: { namespace }, ...marked };
  return "query" in marked && !("documents" in marked) ? { namespace, ...marked } : marked;
}
