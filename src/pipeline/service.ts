/** The service behind the HTTP layer: one request's view of the bindings. */
import { type BackendPool, poolOf } from "../engine/backend-pool.ts";
import { GeneratorEngine } from "../engine/generator.ts";
import { OnnxModels } from "../engine/onnx.ts";
import type { Config, Env } from "../env.ts";
import { pricesOf as backendPrices } from "../env-backends.ts";
import type { Admission } from "../ledger/quota-types.ts";
import { GENERATOR_CONTEXT_DEFAULT, MODEL_NAME_PATTERN, SEARCH_MS_MAX } from "../limits.ts";
import type { SearchReply } from "../memory/types.ts";
import { linearMemoryBytes } from "../model/linear-memory.ts";
import type { Recording } from "../router/router-types.ts";
import { ModelStore } from "../store/model-store.ts";
import { answer } from "./answer.ts";
import { type CacheDeps, openCache } from "./cache.ts";
import { TenantCache } from "./cache-admin.ts";
import { engineFacts } from "./cache-engines.ts";
import { cacheTotals } from "./cache-log.ts";
import { CachePolicies } from "./cache-policy.ts";
import { SharedConversations } from "./conversations.ts";
import { takeFeedback } from "./feedback.ts";
import { toUnitVector } from "./ingest.ts";
import { TenantKeys } from "./keys-admin.ts";
import type { KeyAdmin } from "./keys-types.ts";
import type { FeedbackReply, FeedbackRequest, RouterAdmin } from "./learning-types.ts";
import { reachLedger } from "./ledger-call.ts";
import { NamespaceAdmin } from "./memory-admin.ts";
import { Meter, type MeterDeps } from "./meter.ts";
import { OperatorModels } from "./model-admin.ts";
import { listModels } from "./model-list.ts";
import { ENCODER_ID, encoderKernels, loadModels, type Models } from "./models.ts";
import { NamespaceNotes } from "./notes-admin.ts";
import { answerNotes } from "./notes-answer.ts";
import type { NoteDeps } from "./notes-find.ts";
import { NotePolicies } from "./notes-policy.ts";
import type { NoteAdmin } from "./notes-types.ts";
import { type Objects, objectsOf } from "./objects.ts";
import type { Answered } from "./observe.ts";
import { outcomeLog } from "./outcome-log.ts";
import { preloadDocs } from "./preload.ts";
import { questionOf } from "./question.ts";
import { type RecordDeps, recordAnswer } from "./record.ts";
import { Replays } from "./replays.ts";
import { rerank } from "./rerank.ts";
import { retrieve, scoreHits } from "./retrieve.ts";
import { TenantRouter } from "./router-admin.ts";
import { pricesOf, RouterStates } from "./router-state.ts";
import { rungEngines } from "./rungs.ts";
import { countTokens, embedInSteps } from "./steps.ts";
import { Trace } from "./trace.ts";
import { TenantTraces, type TraceAdmin } from "./trace-admin.ts";
import { traceLog } from "./trace-log.ts";
import type * as types from "./types.ts";
import { usageLog } from "./usage-log.ts";
import { within } from "./within.ts";

export class BrinkService implements types.Service {
  readonly #env: Env;
  readonly #objects: Objects;
  readonly #config: Config;
  readonly #keepAlive: (work: Promise<unknown>) => void;
  readonly #trace: Trace;
  readonly #backend: BackendPool | null;
  /** Of the one request that this service is made for; null until it is admitted. */
  #meter: Meter | null = null;

  constructor(
    env: Env,
    config: Config,
    keepAlive: (work: Promise<unknown>) => void,
    trace = new Trace(),
  ) {
    this.#env = env;
    this.#objects = objectsOf(env);
    this.#config = config;
    this.#keepAlive = keepAlive;
    this.#trace = trace;
    this.#backend = poolOf(config.backends, env.AI ?? null);
  }

  // Parts hold nothing of their own, and most requests want few of them: each is made when asked
  // for.

  get memoryAdmin(): NamespaceAdmin {
    return new NamespaceAdmin({
      trace: this.#trace,
      memory: ({ tenant }, namespace) => this.#objects.memory(tenant, namespace),
      ledger: this.#objects.ledger,
      encoder: async () => (await this.#models()).encoder,
      forgetOutcomes: async (tenant, namespace) => {
        await this.#settleOutcomes(tenant);
        return Promise.all([
          this.#objects.router(tenant).forget(namespace),
          this.#objects.traces(tenant).forget(namespace),
        ]);
      },
      forgetCache: (tenant, namespace) => this.cacheAdmin.forget(tenant, namespace),
    });
  }

  get keyAdmin(): KeyAdmin {
    return new TenantKeys({
      ledger: this.#objects.ledger,
      quota: this.#objects.quota,
      recorder: this.#objects.usage,
    });
  }

  get traceAdmin(): TraceAdmin {
    return new TenantTraces(this.#objects.traces);
  }

  get cacheAdmin(): TenantCache {
    const { cacheSlice, ledger } = this.#objects;
    return new TenantCache(cacheSlice, this.#cachePolicies, ledger);
  }

  get replays(): Replays {
    return new Replays(this.#objects.replays);
  }

  get noteAdmin(): NoteAdmin {
    return new NamespaceNotes(this.#notes, this.#notePolicies, this.#objects.ledger);
  }

  get routerAdmin(): RouterAdmin {
    return new TenantRouter(
      this.#objects.router,
      this.#routers,
      pricesOf(this.#config.prices),
      rungEngines(this.#config),
      (tenant) => this.#settleOutcomes(tenant),
    );
  }

  get modelAdmin(): types.ModelAdmin {
    const context = this.#config.generator?.context ?? GENERATOR_CONTEXT_DEFAULT;
    return new OperatorModels(this.#store, this.#objects.ledger(), context, this.#onnx);
  }

  get #onnx(): OnnxModels {
    return new OnnxModels(this.#env.ONNX ?? null);
  }

  get #store(): ModelStore | null {
    return this.#env.MODELS === undefined ? null : new ModelStore(this.#env.MODELS);
  }

  get #cachePolicies(): CachePolicies {
    return new CachePolicies(this.#objects.ledger);
  }

  get #routers(): RouterStates {
    const rungs = rungEngines(this.#config).map(({ engine }) => engine);
    return new RouterStates(this.#objects.router, this.#config.prices, rungs);
  }

  get #notePolicies(): NotePolicies {
    return new NotePolicies(this.#objects.ledger);
  }

  get #notes(): NoteDeps {
    return {
      memory: this.#objects.memory,
      policies: this.#notePolicies,
      embed: (text) => this.#queryVector(text, null),
      now: () => Date.now(),
      keepAlive: this.#keepAlive,
    };
  }

  async answer(request: types.AnswerRequest): Promise<types.AnswerStream> {
    const meter = this.#meter ?? new Meter(this.#meterDeps(), request.caller);
    const draw = Math.random();
    const notes = this.#notes;
    let vector: Promise<Float32Array> | null = null;
    const embed = () => {
      vector ??= this.#queryVector(questionOf(request.messages), null);
      return vector;
    };
    const deps = {
      models: () => this.#models(),
      search: async (query: types.MemoryQuery) =>
        (await this.#search(request.caller, query, embed)).hits,
      notes: answerNotes(notes, embed),
      trace: this.#trace,
      observe: (answered: Answered) => {
        this.#trace.answered = answered;
        this.#keepAlive(recordAnswer(this.#recordDeps({ draw, notes }), answered));
      },
      backend: meter.engine(this.#backend),
      findBackend: (id: string) => meter.engine(this.#backend?.only(id) ?? null),
      conversations: new SharedConversations(this.#keepAlive),
      pricesOf: (engine: string) => pricesOf(backendPrices(this.#config.backends, engine)),
      generator: meter.engine(this.#defaultGenerator()),
      findGenerator: async (model: string) => meter.engine(await this.#findGenerator(model)),
      router: () => this.#routers.read(request.caller.tenant),
      openCache: () => openCache(this.#cacheDeps({ embed, draw }), request),
    };
    const stream = await meter.own(await answer(deps, request));
    this.#trace.firstTokenMs = this.#trace.now(); // a stream resolves with its first piece
    this.#trace.reply = stream;
    return stream;
  }

  #cacheDeps(of: Pick<CacheDeps, "embed" | "draw">): CacheDeps {
    return {
      ...of,
      ...engineFacts(this.#config),
      policies: this.#cachePolicies,
      notes: this.#notePolicies,
      memory: this.#objects.memory,
      object: this.#objects.cacheSlice,
      router: (tenant) => this.#routers.read(tenant),
      record: (...told) => this.#record(...told),
      keepAlive: this.#keepAlive,
      trace: this.#trace,
    };
  }

  #recordDeps(of: Pick<RecordDeps, "draw" | "notes">): RecordDeps {
    const generator = this.#defaultGenerator();
    return {
      ...of,
      rungs: rungEngines(this.#config).map(({ engine }) =>
        engine === generator?.id ? generator : this.#backend!.only(engine)!,
      ),
      router: this.#objects.router,
      record: (...told) => this.#record(...told),
      backend: this.#backend,
      pricesOf: (engine) => backendPrices(this.#config.backends, engine),
      active: (tenant) => this.#routers.read(tenant),
      models: () => this.#models(),
    };
  }

  #record(...told: [tenant: string, recording: Recording]): void {
    outcomeLog.note(...told, { router: this.#objects.router, keepAlive: this.#keepAlive });
  }

  /** What this isolate's answers were is known to the tenant's router. */
  #settleOutcomes(tenant: string): Promise<void> {
    return outcomeLog.flush(tenant, this.#objects.router);
  }

  async feedback(caller: types.Caller, request: FeedbackRequest): Promise<FeedbackReply> {
    await this.#settleOutcomes(caller.tenant);
    const { router } = this.#objects;
    const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
    const forget = (tenant: string, id: string) => this.cacheAdmin.remove(tenant, id);
    return takeFeedback({ router, notes: this.#notes, forget, pause }, caller, request);
  }

  async embed(texts: string[], model: string | null): Promise<types.Embeddings> {
    if (model !== null && model !== ENCODER_ID)
      return this.#used({ ...(await this.#onnx.embed(model, texts)), model });
    const { encoder } = await this.#models();
    const tokens = await countTokens(encoder, texts);
    const vectors = await embedInSteps(encoder, texts);
    return this.#used({ vectors, tokens, model: ENCODER_ID });
  }

  async rerank(request: types.RerankRequest): Promise<types.Reranking> {
    const models = () => this.#models();
    const deps = { models, encoderId: ENCODER_ID, onnx: this.#onnx };
    return this.#used(await rerank(request, deps));
  }

  async classify(model: string, texts: string[]): Promise<types.Classification> {
    return this.#used(await this.#onnx.classify(model, texts));
  }

  /** Counts what was read. */
  #used<R extends { tokens: number; model?: string }>(reply: R): R {
    this.#trace.model = reply.model ?? this.#trace.model;
    this.#meter?.used({ prompt_tokens: reply.tokens, completion_tokens: 0 }, 0);
    return reply;
  }

  async search(caller: types.Caller, query: types.MemoryQuery) {
    const startMs = performance.now();
    this.#trace.namespace = query.namespace;
    const reply = await this.#trace.span("retrieve", () => this.#search(caller, query));
    return { ...reply, took_ms: Math.round((performance.now() - startMs) * 10) / 10 };
  }

  #search(
    caller: types.Caller,
    query: types.MemoryQuery,
    embed = () => this.#queryVector(query.query, query.embedding),
  ): Promise<SearchReply> {
    const memory = this.#objects.memory(caller.tenant, query.namespace);
    const reader = async () => (await this.#models()).reader;
    const reranker = async () => (await this.#models()).reranker;
    const models = { onnx: this.#onnx, reader, reranker };
    return retrieve(
      {
        trace: this.#trace,
        search: (request) => within(SEARCH_MS_MAX, () => memory.search(request)),
        embed,
        score: (choice, text, hits) => scoreHits(choice, text, hits, models),
      },
      query,
    );
  }

  async #queryVector(query: string, embedding: number[] | null): Promise<Float32Array> {
    const { encoder } = await this.#models();
    return embedding === null ? encoder.embed([query])[0]! : toUnitVector(embedding, encoder.dim);
  }

  async admit(caller: types.Caller, tokens: number): Promise<Admission | null> {
    this.#meter = new Meter(this.#meterDeps(), caller);
    return this.#meter.admit(tokens);
  }

  async findCaller(keyHash: string): Promise<types.Caller | null> {
    const key = await reachLedger(() => this.#objects.ledger().findKey(keyHash));
    if (key === null) return null;
    const { tenant, scopes, namespaces, default_namespace } = key;
    return { tenant, scopes, namespaces, default_namespace, key };
  }

  hasKeys(): Promise<boolean> {
    return reachLedger(() => this.#objects.ledger().hasKeys());
  }

  models(): Promise<types.ModelList> {
    const { GENERATOR: generator } = this.#env;
    const store = this.#store;
    const decoders = store === null || generator === undefined ? null : { store, generator };
    const kernels = encoderKernels();
    return listModels({ kernels, onnx: this.#onnx, backend: this.#backend, decoders });
  }

  #defaultGenerator(): GeneratorEngine | null {
    const { generator } = this.#config;
    if (generator === null || generator.model === null) return null;
    return new GeneratorEngine(this.#env.GENERATOR!, generator.model, generator.context);
  }

  async #findGenerator(model: string): Promise<GeneratorEngine | null> {
    const { generator } = this.#config;
    if (generator === null || !MODEL_NAME_PATTERN.test(model)) return null;
    if ((await this.#store!.find(model))?.kind !== "generator") return null;
    return new GeneratorEngine(this.#env.GENERATOR!, model, generator.context);
  }

  metrics(): types.Metrics {
    const members = this.#backend?.members ?? [];
    const backends = members.map(({ name, state }) => state.figures(name));
    return {
      linearMemoryBytes: linearMemoryBytes(),
      usage: usageLog.totals,
      cache: cacheTotals,
      traces: traceLog.totals,
      backends,
    };
  }

  async health(): Promise<{ ready: boolean; detail: string }> {
    if (!this.#config.local) return { ready: true, detail: "ok" };
    const { state, detail } = await preloadDocs(this.#env.ASSETS, this, this.#config.preload);
    return { ready: state === "done", detail };
  }

  #models(): Promise<Models> {
    return loadModels(this.#env.ASSETS, this.#keepAlive);
  }

  #meterDeps(): MeterDeps {
    return {
      prices: this.#config,
      unreachable: this.#config.ledgerUnreachable,
      quota: this.#objects.quota,
      recorder: this.#objects.usage,
      keepAlive: this.#keepAlive,
      trace: this.#trace,
    };
  }
}
