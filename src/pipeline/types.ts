/** What the API asks of the pipeline and what it gets back. */
import type { Filter } from "../../index/filter.ts";
import type { BackendFigures } from "../engine/backend-state.ts";
import type { BackendAttempt, ChatMessage, EnginePiece } from "../engine/engine.ts";
import type { ErrorCode } from "../errors.ts";
import type { Admission } from "../ledger/quota-types.ts";
import type { KeyRecord, Scope } from "../ledger/types.ts";
import type {
  ContentType,
  Metadata,
  NamespaceOptions,
  SearchMode,
  SearchReply,
  SearchRequest,
} from "../memory/types.ts";
import type { SwitchCost } from "../router/conversation.ts";
import type { StoredModel } from "../store/model-store.ts";
import type { CacheTotals } from "./cache-log.ts";
import type { CacheAdmin, CacheReport, CacheStatus, CacheWish } from "./cache-types.ts";
import type { KeyAdmin } from "./keys-types.ts";
import type { FeedbackReply, FeedbackRequest, RouterAdmin } from "./learning-types.ts";
import type { MemoryAdmin } from "./memory-types.ts";
import type { Note, NoteAdmin } from "./notes-types.ts";
import type { Replays } from "./replays.ts";
import type { TraceAdmin } from "./trace-admin.ts";
import type { TraceTotals } from "./trace-log.ts";
import type { UsageTotals } from "./usage-log.ts";

/** Who is calling: a key's tenant, scopes and reach. */
export interface Caller {
  tenant: string;
  scopes: Scope[];
  /** Namespaces it may read; null for all of its tenant's. */
  namespaces: string[] | null;
  default_namespace: string | null;
  /** Absent for the fixed keys, which have no limits. */
  key?: KeyRecord;
}

/** Whether the caller may do what needs this scope. */
export function mayDo({ scopes }: Pick<Caller, "scopes">, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes("admin");
}

/** How passages are found. What is left out is not asked for; see SearchRequest. */
export interface MemoryChoice
  extends Pick<
    SearchRequest,
    | "fusion"
    | "cosine_weight"
    | "recency"
    | "diversity"
    | "neighbours"
    | "group_by_document"
    | "partial"
  > {
  namespace: string;
  k: number;
  mode: SearchMode;
  filter: Filter | null;
  rerank?: RerankChoice;
  /** A second search led by the first one's best hit. */
  iterative?: { hops: number };
}

/** The best `depth` hits, by a model's id; null: an ONNX reranker where there is one, or else the
 *  reader. */
export interface RerankChoice {
  model: string | null;
  depth: number;
}

export interface AnswerRequest {
  caller: Caller;
  messages: ChatMessage[];
  /** `auto`, `edge`, `backend`, or an id from GET /v1/models. */
  model: string;
  /** Takes the place of `auto`, for tests. */
  route?: "edge" | "backend";
  /** The caller's own name of the conversation that the request goes on. */
  conversation?: string;
  /** null: answer without memory. */
  memory: MemoryChoice | null;
  /** OpenAI parameters beyond model, messages, stream and memory. */
  parameters: Record<string, unknown>;
  stream: boolean;
  /** As the reply's header x-brink-trace. */
  trace_id: string;
  /** Whether the report shows the features behind the difficulty, and what each contributes. */
  explain: boolean;
  /** As EngineRequest's. */
  hedgeMs?: number | null;
  /** What the request says of the cache, if anything. */
  cache?: CacheWish;
  signal: AbortSignal;
}

export interface Citation {
  /** The n of the text's [n] that means this passage. */
  mark: number;
  document_id: string;
  passage_id: string;
  title: string | null;
  /** An exact substring of the document's submitted text. */
  quote: string;
  score: number;
  /** Whether it is a note, and the quote its answer; a document of the namespace otherwise. */
  note?: true;
}

/** The `brink` field of a reply. */
export interface BrinkReport {
  route: "edge" | "backend";
  /** The route that was wanted but could not be taken. */
  wanted?: "backend";
  engine: string;
  answer: string | null;
  /** P(the edge answer is not good enough), 0..1; null where nothing was scored. */
  difficulty: number | null;
  /** The same as far as it was known before anything was read; absent where that was not asked. */
  difficulty_before?: number;
  /** Where no memory was consulted: P(an engine at the edge does worse than the backend), 0..1, by
   *  the prompt alone. */
  difficulty_prior?: number;
  reason: string;
  citations: Citation[];
  timings_ms: Record<string, number>;
  /** Where more than one backend was asked, or one more than once. */
  attempts?: BackendAttempt[];
  /** With `explain`: what the difficulty was computed from. */
  features?: Record<string, number>;
  /** With `explain`: what each feature and `bias` add to the logit of the stage that gave the
   *  difficulty. */
  contributions?: Record<string, number>;
  /** With `explain`: what the reader would cut out if it had to, also where it abstained. The score
   *  is the span's logit over that of "no answer". */
  best_span?: { text: string; passage_id: string; score: number; turned_down: boolean };
  /** Where the answer was given before. */
  cache?: CacheReport;
  /** Another engine answered the conversation's last turn. */
  switched?: true;
  switch_cost?: SwitchCost;
  /** The note that gave the answer, and how its question is like the one that was asked. */
  note?: Pick<
    Note,
    "id" | "question" | "kind" | "learned_by" | "learned_at" | "engine" | "trace_id" | "sources"
  > & { how: string; cosine: number };
}

/** An answer under way. `route` and `difficulty` are known before the first piece (they go into
 *  headers); `report()` is complete once `pieces` is exhausted. Nothing has been sent to the
 *  client before `answer()` resolves, so a backend that fails until then was already fallen back
 *  from. */
export interface AnswerStream {
  model: string;
  route: "edge" | "backend";
  difficulty: number | null;
  /** Set where another engine was to answer, or the notes to be asked, and failed: the next time
   *  they may not. */
  standIn?: true;
  pieces: AsyncIterable<EnginePiece>;
  /** Absent where no answer was looked for. */
  cache?: Exclude<CacheStatus, "bypass">;
  report(): BrinkReport;
}

/** A document as a content owner sent it, parsed but not yet chunked or embedded. */
export interface SubmittedDocument {
  /** null: the pipeline derives one from the content, so that the same content is the same id. */
  id: string | null;
  text: string;
  title: string | null;
  metadata: Metadata;
  /** Unix time in ms, or null for never. */
  expires_at: number | null;
  /** When what it tells happened, Unix ms; null: when it is first stored. */
  time: number | null;
  content_type: ContentType;
  /** The version it must replace; 0: there must be none of this id; null: any. */
  if_version: number | null;
  /** A precomputed vector of the whole document, f32 [dim], finite; its size and norm are the
   *  pipeline's to check, since the API does not know the encoder's dim. */
  embedding: Float32Array | null;
}

export interface IngestOutcome {
  upserted: number;
  unchanged: number;
  passages: number;
  /** The documents that are stored now as they were submitted, in no promised order; `index` is
   *  the place in the submitted list. */
  documents: { index: number; id: string; version: number; unchanged: boolean }[];
  /** One a refused document. */
  errors: { index: number; code: ErrorCode; message: string }[];
}

/** What POST /v1/memory/search asks for; `MemoryChoice` plus what only a search has. */
export interface MemoryQuery extends MemoryChoice {
  query: string;
  /** A precomputed query vector, f32-able [dim]; null: the encoder makes one. */
  embedding: number[] | null;
  explain: boolean;
}

export interface Embeddings {
  /** f32 [dim], one a text, in the texts' order; unit-length unless an ONNX model's manifest says
   *  otherwise. */
  vectors: Float32Array[];
  /** Tokens read, the two markers of each text included. */
  tokens: number;
  model: string;
}

export interface RerankRequest {
  /** brink-reranker, Brink's own encoder, or an ONNX reranker or encoder; null: brink-reranker. */
  model: string | null;
  query: string;
  documents: string[];
}

export interface Reranking {
  model: string;
  /** Every document by its place in the request, best first; the score is 0..1 by a reranker, and
   *  a cosine, -1..1, by an encoder. */
  results: { index: number; score: number }[];
  tokens: number;
}

export interface Classification {
  labels: string[];
  /** 0..1, [texts, labels]. */
  scores: number[][];
  tokens: number;
}

export interface NamespaceInfo extends NamespaceOptions {
  name: string;
  /** Unix time in ms. */
  created_at: number;
}

export interface ModelInfo {
  id: string;
  kind: "edge" | "backend" | "encoder" | "reranker" | "classifier" | "router" | "generator";
  /** Unix time in ms, where it is known. */
  created_at?: number;
  /** Of a model that is loaded: which variant of each kernel was picked. */
  kernels?: Record<string, string>;
}

export interface ModelList {
  models: ModelInfo[];
  /** Why there may be others: the failure of what knows of them; null where these are all. */
  away: unknown;
}

/** A model file on its way in. */
export interface UploadInfo {
  upload_id: string;
  name: string;
  bytes: number;
  sha256: string;
  /** Bytes of every part but the last. */
  part_bytes: number;
  /** Numbers, from 1, of the parts that are there. */
  parts: number[];
  /** Unix time in ms; each part moves it on. */
  expires_at: number;
}

/** A model file that is announced. */
export interface ModelFile {
  bytes: number;
  /** 64 lower-case hexadecimal digits. */
  sha256: string;
  /** What an ONNX model has beside: its manifest, unchecked, and how many of the file's bytes, the
   *  first, are its tokenizer.json; null for a decoder in GGUF. */
  onnx: { manifest: unknown; tokenizer_bytes: number } | null;
}

/** The operator's tending of the generator's and the ONNX models. Every method throws `forbidden`
 *  for the keys of other tenants, and `generator_not_configured` where the deployment has no store;
 *  those that name an upload throw `not_found` where none such is open under that name. */
export interface ModelAdmin {
  list(caller: Caller): Promise<StoredModel[]>;
  /** Throws `model_not_found`. */
  remove(caller: Caller, name: string): Promise<void>;
  /** Opens an upload, or finds the open one of the same bytes under the same name. Throws
   *  `conflict` for a reserved name, one that a model of the other format has, too many models and
   *  too many uploads; for an ONNX model `invalid_request` for its manifest, `model_too_large`, and
   *  `model_unavailable` where no Worker would run it. */
  createUpload(caller: Caller, name: string, file: ModelFile): Promise<UploadInfo>;
  getUpload(caller: Caller, name: string, id: string): Promise<UploadInfo>;
  /** Throws `invalid_request` for a part of the wrong size. */
  putPart(caller: Caller, name: string, id: string, part: number, bytes: Uint8Array): Promise<void>;
  /** Throws `conflict` while parts are missing, and `invalid_request` or `model_too_large`, with
   *  the upload dropped, for a file that is not what was announced or that cannot be loaded; and
   *  `model_unavailable`, with the upload kept, where the ONNX Worker failed. */
  complete(caller: Caller, name: string, id: string): Promise<StoredModel>;
  removeUpload(caller: Caller, name: string, id: string): Promise<void>;
}

export interface Metrics {
  /** Linear memory of every WebAssembly instance of the isolate. */
  linearMemoryBytes: number;
  usage: UsageTotals;
  /** What became of the traces of the isolate's requests, of all tenants. */
  traces: TraceTotals;
  cache: CacheTotals;
  /** What the isolate has seen of each backend. */
  backends: BackendFigures[];
}

/** Everything the HTTP layer asks for. Arguments are parsed and within limits.ts; the caller is
 *  authenticated, may use the endpoint, and may reach the namespace it names. What remains is
 *  the service's: whether things exist, and that nothing leaves `caller.tenant`.
 *
 *  Every method that names a namespace throws `namespace_not_found` where the caller's tenant has
 *  none of that name, and `starting` while the service cannot answer yet. */
export interface Service {
  readonly memoryAdmin: MemoryAdmin;
  readonly modelAdmin: ModelAdmin;
  readonly noteAdmin: NoteAdmin;
  readonly keyAdmin: KeyAdmin;
  readonly traceAdmin: TraceAdmin;
  readonly cacheAdmin: CacheAdmin;
  /** Counts a request of about so many tokens against the rates of the caller's key; null where it
   *  has none. What the request then uses is counted to it. Throws `ledger_unavailable`. */
  admit(caller: Caller, tokens: number): Promise<Admission | null>;
  readonly routerAdmin: RouterAdmin;
  /** Resolves before anything was sent to the client. Throws `model_not_found`,
   *  `unsupported_parameter`, `backend_not_configured`, `backend_unavailable`,
   *  `backend_timeout`, `backend_busy`. */
  answer(request: AnswerRequest): Promise<AnswerStream>;
  /** With `model` null by Brink's own encoder. This and the next two throw `model_not_found`,
   *  `model_too_large`, `model_unavailable` and `invalid_model_file`. */
  embed(texts: string[], model: string | null): Promise<Embeddings>;
  rerank(request: RerankRequest): Promise<Reranking>;
  classify(model: string, texts: string[]): Promise<Classification>;
  /** Throws `invalid_request` with param `embedding` for a vector of the wrong size. */
  search(caller: Caller, query: MemoryQuery): Promise<SearchReply & { took_ms: number }>;

  /** The caller whose key has this SHA-256 (hex), or null. Throws `ledger_unavailable`. */
  findCaller(keyHash: string): Promise<Caller | null>;
  /** Whether any key was ever created and not revoked. */
  hasKeys(): Promise<boolean>;

  /** Throws `not_found` for an answer that is not remembered or was not the caller's to see. */
  feedback(caller: Caller, request: FeedbackRequest): Promise<FeedbackReply>;

  /** What a request's `model` may name. */
  models(): Promise<ModelList>;
  /** What this isolate can tell of itself. */
  metrics(): Metrics;
  /** Writes by their idempotency keys. */
  readonly replays: Pick<Replays, "begin">;
  /** Not ready: `detail` says what is still being done. */
  health(): Promise<{ ready: boolean; detail: string }>;
}
