/** A Service of fixed answers, for tests of what the HTTP layer reads and writes. It records its
 *  calls. The real one is tested by test/service, over `wrangler dev`. */
import { createApp } from "../../src/api/app.ts";
import type { ApiConfig } from "../../src/api/context.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import { NAMESPACE_DEFAULTS, type SearchHit } from "../../src/memory/types.ts";
import type {
  AnswerRequest,
  AnswerStream,
  BrinkReport,
  Caller,
  ModelAdmin,
  RerankRequest,
  Service,
  SubmittedDocument,
  UploadInfo,
} from "../../src/pipeline/types.ts";

export const REPORT: BrinkReport = {
  route: "edge",
  engine: "brink-reader",
  answer: "3 May",
  difficulty: 0.12345,
  reason: "the edge is sure enough",
  citations: [
    {
      mark: 1,
      document_id: "d1",
      passage_id: "d1#0",
      title: null,
      quote: "ends on 3 May",
      score: 0.9,
    },
  ],
  timings_ms: { retrieve: 1.5 },
};

export const HIT: SearchHit = {
  document_id: "d1",
  passage_id: "d1#0",
  score: 0.9,
  text: "The lease ends on 3 May.",
  title: null,
  metadata: { language: "en" },
  start: 0,
  end: 24,
  bm25: 2.5,
  cosine: 0.8,
};

const PIECES: EnginePiece[] = [
  { text: "It ends " },
  { text: "on 3 May." },
  {
    text: "",
    finish_reason: "stop",
    usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 },
  },
];

const NAMESPACE = { name: "docs", ...NAMESPACE_DEFAULTS, created_at: 1 };
const STATS = {
  documents: 1,
  passages: 1,
  terms: 4,
  avgdl: 4,
  sqlite_bytes: 4096,
  resident_bytes: 100,
};
const STORED = {
  id: "d1",
  title: null,
  metadata: {},
  expires_at: null,
  passages: 1,
  updated_at: 2,
  time: 2,
  content_type: "text/plain" as const,
  version: 1,
};
const KEY = {
  id: "k1",
  name: null,
  tenant: "default",
  role: "inference" as const,
  namespaces: null,
  default_namespace: null,
  created_at: 3,
};

const STORED_MODEL = {
  name: "tiny",
  kind: "generator" as const,
  file: "f1",
  bytes: 9,
  sha256: "0".repeat(64),
  architecture: "llama",
  tokenizer_bytes: 0,
  created_at: 4,
};

class FakeModelAdmin implements ModelAdmin {
  readonly #service: FakeService;

  constructor(service: FakeService) {
    this.#service = service;
  }

  #log<T>(result: T, ...call: [string, ...unknown[]]): Promise<T> {
    this.#service.calls.push(call);
    return Promise.resolve(result);
  }

  list(...args: unknown[]) {
    return this.#log([STORED_MODEL], "list", ...args);
  }

  remove(...args: unknown[]) {
    return this.#log(undefined, "remove", ...args);
  }

  createUpload(...args: Parameters<ModelAdmin["createUpload"]>) {
    return this.#log(uploadOf(args[1], "u1"), "createUpload", ...args);
  }

  getUpload(...args: Parameters<ModelAdmin["getUpload"]>) {
    return this.#log(uploadOf(args[1], args[2]), "getUpload", ...args);
  }

  putPart(...args: Parameters<ModelAdmin["putPart"]>) {
    return this.#log(undefined, "putPart", ...args);
  }

  complete(...args: Parameters<ModelAdmin["complete"]>) {
    return this.#log({ ...STORED_MODEL, name: args[1] }, "complete", ...args);
  }

  removeUpload(...args: Parameters<ModelAdmin["removeUpload"]>) {
    return this.#log(undefined, "removeUpload", ...args);
  }
}

function uploadOf(name: string, upload_id: string): UploadInfo {
  const { bytes, sha256 } = STORED_MODEL;
  return { upload_id, name, bytes, sha256, part_bytes: 8, parts: [1], expires_at: 5 };
}

export type Overrides = Partial<Service>;

export class FakeService implements Service {
  readonly modelAdmin = new FakeModelAdmin(this);
  /** Method names with their arguments, in order. */
  calls: [string, ...unknown[]][] = [];
  /** By SHA-256 of the key. */
  callers = new Map<string, Caller>();
  pieces: () => AsyncIterable<EnginePiece> = async function* () {
    yield* PIECES;
  };

  #log<T>(result: T, ...call: [string, ...unknown[]]): Promise<T> {
    this.calls.push(call);
    return Promise.resolve(result);
  }

  async answer(request: AnswerRequest): Promise<AnswerStream> {
    this.calls.push(["answer", request]);
    if (!["auto", "edge", "backend"].includes(request.model))
      throw new ServiceError("model_not_found", `no model "${request.model}"`, { param: "model" });
    this.#knows(request.memory?.namespace ?? "docs");
    return {
      model: "brink-reader",
      route: "edge",
      difficulty: REPORT.difficulty,
      pieces: this.pieces(),
      report: () => REPORT,
    };
  }

  embed(texts: string[], model: string | null) {
    if (model !== null && model !== "encoder")
      throw new ServiceError("model_not_found", "no such model", { param: "model" });
    const vectors = texts.map(() => Float32Array.of(0.6, 0, 0.8, 0));
    return this.#log(
      { vectors, tokens: 3 * texts.length, model: "encoder" },
      "embed",
      texts,
      model,
    );
  }

  rerank(request: RerankRequest) {
    const results = request.documents.map((_, index) => ({ index, score: 0.9 - index / 10 }));
    const reply = { model: request.model ?? "encoder", results, tokens: 7 };
    return this.#log(reply, "rerank", request);
  }

  classify(model: string, texts: string[]) {
    const reply = { labels: ["good", "bad"], scores: texts.map(() => [0.25, 0.75]), tokens: 5 };
    return this.#log(reply, "classify", model, texts);
  }

  async search(...args: Parameters<Service["search"]>) {
    this.#knows(args[1].namespace);
    const explain = { bm25_terms: [], bm25_rank: 1, vector_rank: null, fusion: "rrf" };
    const hit = args[1].explain ? { ...HIT, explain } : HIT;
    return this.#log({ hits: [hit], took_ms: 1.5 }, "search", ...args);
  }

  async ingest(caller: Caller, namespace: string, documents: SubmittedDocument[]) {
    this.#knows(namespace);
    const errors = documents.flatMap(({ text }, index) =>
      text === "too much"
        ? [{ index, code: "memory_full" as const, message: "the memory is full" }]
        : [],
    );
    const upserted = documents.length - errors.length;
    const outcome = { upserted, unchanged: 0, passages: upserted, errors };
    return this.#log(outcome, "ingest", caller, namespace, documents);
  }

  async getDocument(...args: Parameters<Service["getDocument"]>) {
    if (args[2] === "absent") throw new ServiceError("document_not_found", "no such document");
    return this.#log({ ...STORED, id: args[2], text: "hello" }, "getDocument", ...args);
  }

  listDocuments(...args: Parameters<Service["listDocuments"]>) {
    return this.#log({ documents: [STORED], cursor: "next" }, "listDocuments", ...args);
  }

  deleteDocument(...args: Parameters<Service["deleteDocument"]>) {
    return this.#log(undefined, "deleteDocument", ...args);
  }

  deleteWhere(...args: Parameters<Service["deleteWhere"]>) {
    return this.#log({ deleted: 2 }, "deleteWhere", ...args);
  }

  /** Three pages, the middle one empty. */
  exportPage(...args: Parameters<Service["exportPage"]>) {
    const page = Number(args[2] ?? "0");
    const document = {
      id: `d${page}`,
      text: "a\nb",
      title: null,
      metadata: {},
      expires_at: null,
      embedding: null,
    };
    const documents = page === 1 ? [] : [document];
    const cursor = page === 2 ? null : String(page + 1);
    return this.#log({ documents, cursor }, "exportPage", ...args);
  }

  stats(...args: Parameters<Service["stats"]>) {
    return this.#log(STATS, "stats", ...args);
  }

  compact(...args: Parameters<Service["compact"]>) {
    return this.#log(STATS, "compact", ...args);
  }

  putNamespace(...args: Parameters<Service["putNamespace"]>) {
    return this.#log({ ...NAMESPACE, name: args[1], ...args[2] }, "putNamespace", ...args);
  }

  getNamespace(...args: Parameters<Service["getNamespace"]>) {
    this.#knows(args[1]);
    return this.#log(NAMESPACE, "getNamespace", ...args);
  }

  listNamespaces(...args: Parameters<Service["listNamespaces"]>) {
    return this.#log([NAMESPACE], "listNamespaces", ...args);
  }

  deleteNamespace(...args: Parameters<Service["deleteNamespace"]>) {
    return this.#log(undefined, "deleteNamespace", ...args);
  }

  createKey(...args: Parameters<Service["createKey"]>) {
    const tenant = args[1].tenant ?? "default";
    return this.#log({ ...KEY, ...args[1], tenant, key: "brink-new" }, "createKey", ...args);
  }

  listKeys(...args: Parameters<Service["listKeys"]>) {
    return this.#log([KEY], "listKeys", ...args);
  }

  revokeKey(...args: Parameters<Service["revokeKey"]>) {
    return this.#log(undefined, "revokeKey", ...args);
  }

  findCaller(keyHash: string) {
    return this.#log(this.callers.get(keyHash) ?? null, "findCaller", keyHash);
  }

  hasKeys() {
    return this.#log(this.callers.size > 0, "hasKeys");
  }

  getRouter(...args: Parameters<Service["getRouter"]>) {
    const state = { target: { max_risk: 0.2 }, threshold: 0.4, weights_version: "w1" };
    return this.#log(state, "getRouter", ...args);
  }

  putRouter(...args: Parameters<Service["putRouter"]>) {
    const state = { target: args[1], threshold: 0.4, weights_version: "w1" };
    return this.#log(state, "putRouter", ...args);
  }

  async models() {
    const kernels = { gemm_i8: "plain", chosen_by: "timing", precision: "fast" };
    return [
      { id: "brink-reader", kind: "edge" as const },
      { id: "encoder", kind: "encoder" as const, kernels },
      { id: "backend:org/big", kind: "backend" as const },
    ];
  }

  async generatorModels() {
    const kernels = { gemv_q4: "relaxed" };
    return [{ id: "tiny", kind: "generator" as const, created_at: 5_500, kernels }];
  }

  metrics() {
    return { linearMemoryBytes: 65_536 };
  }

  health() {
    return Promise.resolve({ ready: true, detail: "ok" });
  }

  #knows(namespace: string): void {
    if (namespace !== "docs")
      throw new ServiceError("namespace_not_found", `no namespace "${namespace}"`);
  }
}

export const LOCAL: ApiConfig = { local: true, adminKeySha256: null, allowedOrigins: "*" };
export const DEPLOYED: ApiConfig = { local: false, adminKeySha256: null, allowedOrigins: [] };

export interface Call {
  method?: string;
  /** Default brink-admin; null for none. */
  key?: string | null;
  /** Sent as JSON; `raw` is sent as it is. */
  json?: unknown;
  raw?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** The app over a fake service, and a client for it. */
export function startApi(config: ApiConfig = LOCAL) {
  const service = new FakeService();
  const app = createApp(() => ({ service, config }));
  const call = async (path: string, options: Call = {}): Promise<Response> => {
    const { key = "brink-admin", json, raw, headers = {}, signal } = options;
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const method = options.method ?? (body === undefined ? "GET" : "POST");
    const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
    const init = { method, body, headers: { ...authorization, ...headers }, signal };
    return app.request(path, init as RequestInit, {});
  };
  /** Status and error code, or null as the code of a success. */
  const outcome = async (path: string, options: Call = {}): Promise<[number, string | null]> => {
    const response = await call(path, options);
    const body = (await response.json()) as { error?: { code: string } };
    return [response.status, body.error?.code ?? null];
  };
  return { app, service, call, outcome };
}
