/** A Service of fixed answers, for tests of what the HTTP layer reads and writes. It records its
 *  calls. The real one is tested by test/service, over `wrangler dev`. */
import { createApp } from "../../src/api/app.ts";
import type { ApiConfig } from "../../src/api/context.ts";
import type { EnginePiece } from "../../src/engine/engine.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Admission } from "../../src/ledger/quota-types.ts";
import type { StoredReply } from "../../src/ledger/replay-object.ts";
import type { HitExplanation, SearchHit } from "../../src/memory/types.ts";
import type { Begun, IdempotentWrite } from "../../src/pipeline/replays.ts";
import type {
  AnswerRequest,
  AnswerStream,
  BrinkReport,
  Caller,
  ModelAdmin,
  RerankRequest,
  Service,
  UploadInfo,
} from "../../src/pipeline/types.ts";
import { FakeCache } from "./fake-cache.ts";
import { FakeKeys } from "./fake-keys.ts";
import { FakeMemory, knows } from "./fake-memory.ts";
import { FakeNotes } from "./fake-notes.ts";
import { FakeRouter } from "./fake-router.ts";
import { FakeTraces } from "./fake-traces.ts";

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
  digest: "ab".repeat(32),
  bm25: 2.5,
  cosine: 0.8,
};

const EXPLANATION: HitExplanation = {
  bm25_terms: [{ term: "leas", qtf: 1, df: 1, idf: 0.5, tf: 1, contribution: 2.5 }],
  length: 4,
  avgdl: 4,
  estimate: 0.79,
  bm25_rank: 1,
  vector_rank: null,
  fusion: "1 / (60 + 1)",
  fused: 1 / 61,
  recency: null,
  diversity: null,
  filter: [],
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

/** Remembers whole requests by their secret, as the real one does, but in the open. */
export class FakeReplays {
  readonly entries = new Map<string, { fingerprint: string; reply: StoredReply | null }>();

  async begin({ secret, fingerprint }: IdempotentWrite): Promise<Begun> {
    const known = this.entries.get(secret);
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return { state: "other" };
      return known.reply === null ? { state: "running" } : { state: "done", reply: known.reply };
    }
    this.entries.set(secret, { fingerprint, reply: null });
    return {
      finish: async (reply) => void this.entries.set(secret, { fingerprint, reply }),
      release: async () => void this.entries.delete(secret),
    };
  }
}

export type Overrides = Partial<Service>;

export class FakeService implements Service {
  readonly memoryAdmin = new FakeMemory((...call) => this.calls.push(call));
  readonly modelAdmin = new FakeModelAdmin(this);
  readonly noteAdmin = new FakeNotes((...call) => this.calls.push(call));
  readonly traceAdmin = new FakeTraces((...call) => this.calls.push(call));
  readonly keyAdmin = new FakeKeys((...call) => this.calls.push(call));
  readonly routerAdmin = new FakeRouter((...call) => this.calls.push(call));
  /** Method names with their arguments, in order. */
  calls: [string, ...unknown[]][] = [];
  /** By SHA-256 of the key. */
  callers = new Map<string, Caller>();
  /** What the rates of every key say. */
  admission: Admission | null = null;
  /** Who asked to be admitted, and with how many tokens. */
  admitted: Parameters<Service["admit"]>[] = [];
  /** Of searches. */
  partial: { shards: number; missing: number } | null = null;
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
    knows(request.memory?.namespace ?? "docs");
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
    const reply = { model: request.model ?? "brink-reranker", results, tokens: 7 };
    return this.#log(reply, "rerank", request);
  }

  classify(model: string, texts: string[]) {
    const reply = { labels: ["good", "bad"], scores: texts.map(() => [0.25, 0.75]), tokens: 5 };
    return this.#log(reply, "classify", model, texts);
  }

  async search(...args: Parameters<Service["search"]>) {
    knows(args[1].namespace);
    const hit = args[1].explain ? { ...HIT, explain: EXPLANATION } : HIT;
    const reply = { hits: [hit], took_ms: 1.5, stages_ms: { total: 1.25 }, partial: this.partial };
    return this.#log(reply, "search", ...args);
  }

  async admit(...args: Parameters<Service["admit"]>) {
    this.admitted.push(args);
    return this.admission;
  }

  findCaller(keyHash: string) {
    return this.#log(this.callers.get(keyHash) ?? null, "findCaller", keyHash);
  }

  hasKeys() {
    return this.#log(this.callers.size > 0, "hasKeys");
  }

  feedback(...args: Parameters<Service["feedback"]>) {
    return this.#log({ recorded: true as const, learned: null }, "feedback", ...args);
  }

  /** Why the service does not know all models, if it does not. */
  modelsAway: unknown = null;

  async models() {
    const kernels = { gemm_i8: "plain", chosen_by: "timing", precision: "fast" };
    const loaded = { gemv_q4: "relaxed" };
    const models = [
      { id: "brink-reader", kind: "edge" as const },
      { id: "encoder", kind: "encoder" as const, kernels },
      { id: "backend:org/big", kind: "backend" as const },
      { id: "tiny", kind: "generator" as const, created_at: 5_500, kernels: loaded },
    ];
    return { models, away: this.modelsAway };
  }

  readonly replays = new FakeReplays();
  readonly cacheAdmin = new FakeCache((...call) => this.calls.push(call));

  metrics() {
    const counts = { requests: 9, refused: 2, prompt_tokens: 70, completion_tokens: 8, nanos: 5e8 };
    const usage = { ...counts, ledger_failures: 1, ledger_allowed: 0 };
    const traces = {
      traces: { kept: 5, sampled_out: 1, dropped: 0, failed: 0 },
      spans: { exported: 12, dropped: 0, failed: 3 },
    };
    const cache = {
      ...{ hits: 4, semantic: 1, misses: 3, stored: 2, failures: 0 },
      ...{ prompt_tokens_saved: 50, completion_tokens_saved: 6, usd_saved: 0.25 },
    };
    return { linearMemoryBytes: 65_536, usage, cache, traces, backends: [] };
  }

  health() {
    return Promise.resolve({ ready: true, detail: "ok" });
  }
}

export const DEPLOYED: ApiConfig = {
  local: false,
  adminKeySha256: null,
  allowedOrigins: [],
  ledgerUnreachable: "deny",
};
export const LOCAL: ApiConfig = { ...DEPLOYED, local: true, allowedOrigins: "*" };

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
  /** What was to go on without the client. */
  const kept: Promise<unknown>[] = [];
  const app = createApp(() => ({ service, config, keepAlive: (work) => kept.push(work) }));
  const call = async (path: string, options: Call = {}): Promise<Response> => {
    const { key = "brink-admin", json, raw, headers = {}, signal } = options;
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const method = options.method ?? (body === undefined ? "GET" : "POST");
    const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
    const init = {
      method,
      body,
      headers: { ...authorization, ...headers },
      signal,
      duplex: "half",
    };
    return app.request(path, init as RequestInit, {});
  };
  /** Status and error code, or null as the code of a success. */
  const outcome = async (path: string, options: Call = {}): Promise<[number, string | null]> => {
    const response = await call(path, options);
    const body = (await response.json()) as { error?: { code: string } };
    return [response.status, body.error?.code ?? null];
  };
  return { app, service, kept, call, outcome };
}
