/** Answers that are given again: what `answer.ts` calls before it does anything, and of what it
 *  did. No answer fails for want of the cache. */
import { quantizeVector } from "../../index/vectors.ts";
import { READER_ID } from "../engine/reader.ts";
import { codeOf } from "../errors.ts";
import type { CacheObject } from "../ledger/cache-object.ts";
import { CACHE_ANSWER_CHARS_MAX, CACHE_CANDIDATES, CACHE_MS_MAX, CACHE_SLICES } from "../limits.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import type { Outcome } from "../router/outcome.ts";
import type { ActiveRouter, Recording } from "../router/router-types.ts";
import { type CacheKeys, cacheKeys, isRepeatable } from "./cache-key.ts";
import { cacheTotals } from "./cache-log.ts";
import { likenessOf } from "./cache-match.ts";
import type { CachePolicies } from "./cache-policy.ts";
import { type KeptAnswer, openAnswer, recorded, replay, sealAnswer } from "./cache-replay.ts";
import type { CachePolicy, CacheReport } from "./cache-types.ts";
import { NOTE_ID } from "./notes.ts";
import type { NotePolicies } from "./notes-policy.ts";
import { noteMemories } from "./notes-store.ts";
import type { Tap } from "./tap.ts";
import type { Trace } from "./trace.ts";
import type { AnswerRequest, AnswerStream, BrinkReport } from "./types.ts";
import { within } from "./within.ts";

type CachePort = Pick<
  DurableObjectStub<CacheObject>,
  "find" | "near" | "put" | "putQuestion" | "remove"
>;

export interface CacheDeps {
  policies: Pick<CachePolicies, "read">;
  notes: Pick<NotePolicies, "read">;
  object: (tenant: string, slice: number) => CachePort;
  memory: (
    tenant: string,
    name: string,
  ) => Pick<DurableObjectStub<MemoryObject>, "contentVersion" | "find">;
  router: (tenant: string) => Promise<ActiveRouter>;
  /** Uniform over [0, 1): what decides whether the answer is compared with a backend's. */
  draw: number;
  /** The configured engines, by what tells them apart. */
  engines: unknown;
  /** In USD; null where the engine's prices are not known. */
  costOf: (engine: string, usage: NonNullable<KeptAnswer["usage"]>) => number | null;
  /** Takes what an answer was that was given again. */
  record: (tenant: string, recording: Recording) => void;
  /** The question's embedding, which the search for passages shares. */
  embed: () => Promise<Float32Array>;
  keepAlive: (work: Promise<unknown>) => void;
  trace: Trace;
}

/** The object, of CACHE_SLICES, on which what has this hash lies. */
export function sliceOf(hash: string): number {
  return Number.parseInt(hash.slice(0, 2), 16) % CACHE_SLICES;
}

/** What the cache has to do with one answer. */
export interface AnswerCache {
  /** The same answer as before, or null. */
  hit: AnswerStream | null;
  /** The answer to a question of the same sense, where that is asked for; or null. `edgeAnswer` is
   *  what the reader found, or null. */
  like(question: string, edgeAnswer: string | null): Promise<AnswerStream | null>;
  /** What the reply says of the cache, and what keeps the stream once it is out whole; neither
   *  where the cache is passed by. `edgeAnswer` as for `like`. */
  keeping(stream: AnswerStream, edgeAnswer: string | null): Keeping;
  /** Tells of the outcome of what is kept, before the stream's end; the outcome with the name by
   *  which the cache knows the answer. */
  named(outcome: Outcome): Outcome;
}

export interface Keeping extends Pick<AnswerStream, "cache"> {
  taps: Tap[];
}

const NEVER = Number.POSITIVE_INFINITY;

const BYPASS: AnswerCache = {
  hit: null,
  like: async () => null,
  keeping: () => ({ taps: [] }),
  named: (outcome) => outcome,
};

/** Looks for the answer. Where neither the policy nor the request wants the cache, and where all
 *  that could come is sampled, nothing is asked. */
export async function openCache(deps: CacheDeps, request: AnswerRequest): Promise<AnswerCache> {
  if (request.cache === "off" || request.memory?.partial) return BYPASS;
  return unless(async () => {
    const { caller, memory } = request;
    const policy = await deps.policies.read(caller.tenant, memory?.namespace ?? null);
    const takes = takesOf(request, policy);
    if (takes === null) return BYPASS;
    const opened = new OpenedCache(deps, request, policy, takes);
    await deps.trace.time("cache", () => within(CACHE_MS_MAX, () => opened.look()));
    return opened;
  }, BYPASS);
}

/** Whether sampled answers are taken too; null: none are. */
function takesOf(request: AnswerRequest, { exact }: CachePolicy): "all" | "repeatable" | null {
  const wished = request.cache !== undefined;
  if (exact === "off" || (exact === "asked" && !wished)) return null;
  if (exact === "all" || request.cache === "on") return "all";
  const mayBeRead = request.memory !== null && asksRouter(request);
  return isRepeatable(request.parameters) || mayBeRead ? "repeatable" : null;
}

/** Whether the reader may answer, or the router says who does. */
function asksRouter({ model, route }: AnswerRequest): boolean {
  return ["auto", "edge", READER_ID].includes(route ?? model);
}

class OpenedCache implements AnswerCache {
  readonly #deps: CacheDeps;
  readonly #request: AnswerRequest;
  readonly #policy: CachePolicy;
  readonly #takes: "all" | "repeatable";
  hit: AnswerStream | null = null;
  #keys!: CacheKeys;
  #version: string | null = null;
  #reads = true;
  #outcome: Outcome | null = null;

  constructor(
    deps: CacheDeps,
    request: AnswerRequest,
    policy: CachePolicy,
    takes: "all" | "repeatable",
  ) {
    this.#deps = deps;
    this.#request = request;
    this.#policy = policy;
    this.#takes = takes;
  }

  /** One round trip: the memory's version and the answer are asked for together. */
  async look(): Promise<void> {
    const { tenant } = this.#request.caller;
    const router = asksRouter(this.#request) ? await this.#deps.router(tenant) : null;
    const routing = router?.revision ?? null;
    this.#keys = await cacheKeys(this.#request, { engines: this.#deps.engines, routing });
    const { id } = this.#keys;
    // What is compared with a backend is a sample of all questions, also of those asked again.
    const sampled = router !== null && this.#deps.draw < router.shadow_rate;
    this.#reads = this.#request.cache !== "refresh" && !sampled;
    const [version, found] = await Promise.all([
      versionOf(this.#deps, this.#request),
      this.#reads ? this.#object(id).find(id) : null,
    ]);
    this.#version = version;
    if (found !== null && found.version === version && this.#isTaken(found))
      this.hit = this.#replay(openAnswer(found.body), { status: "hit" }, id);
  }

  async like(question: string, edgeAnswer: string | null): Promise<AnswerStream | null> {
    const { scope } = this.#keys;
    const { semantic, cosine_min } = this.#policy;
    if (!semantic || scope === null || this.#version === null || !this.#reads) return null;
    const find = () => this.#findLike(scope, question, edgeAnswer, cosine_min);
    return unless(() => within(CACHE_MS_MAX, find), null);
  }

  async #findLike(scope: string, question: string, edgeAnswer: string | null, cosineMin: number) {
    const bounds = { k: CACHE_CANDIDATES, cosineMin };
    const vector = await this.#deps.embed();
    const near = await this.#object(scope).near(scope, this.#version!, vector, bounds);
    for (const candidate of near.filter((one) => this.#isTaken(one))) {
      const how = likenessOf(question, edgeAnswer, candidate);
      const found = how && (await this.#object(candidate.id).find(candidate.id));
      if (!found || found.version !== this.#version) continue;
      const { question: answered, cosine } = candidate;
      const likeness = { status: "semantic" as const, question: answered, how, cosine };
      return this.#replay(openAnswer(found.body), likeness, candidate.id);
    }
    return null;
  }

  keeping(stream: AnswerStream, edgeAnswer: string | null): Keeping {
    const cache = this.#reads ? "miss" : "refresh";
    if (cache === "miss") cacheTotals.misses += 1;
    if (this.#version === null) return { cache, taps: [] };
    const keep = (answer: Omit<KeptAnswer, "outcome">) => {
      const outcome = this.#outcome;
      const { engine } = answer.report;
      const sampled = engine !== READER_ID && !isRepeatable(this.#request.parameters);
      const taken = !sampled || this.#takes === "all";
      if (outcome === null || !taken || !isWanted(answer.report)) return;
      const kept = { ...answer, outcome };
      this.#deps.keepAlive(unless(() => this.#store(kept, sampled, edgeAnswer), undefined));
    };
    return { cache, taps: [recorded(stream, keep)] };
  }

  named(outcome: Outcome): Outcome {
    this.#outcome = { ...outcome, cache: this.#keys.id };
    return this.#outcome;
  }

  async #store(answer: KeptAnswer, sampled: boolean, edgeAnswer: string | null): Promise<void> {
    const { id, scope } = this.#keys;
    const version = this.#version!;
    const body = sealAnswer(answer);
    // What was found while a write came in is of neither version.
    if (body === null || (await versionOf(this.#deps, this.#request)) !== version) return;
    const at = Date.now();
    const expires_at = Math.min(at + this.#policy.ttl_s * 1000, await this.#firstExpiry(answer));
    if (expires_at <= at) return;
    const namespace = this.#request.memory?.namespace ?? "";
    const common = { id, namespace, version, sampled, at, expires_at };
    await this.#object(id).put({ ...common, body });
    cacheTotals.stored += 1;
    const { question, text } = answer.outcome;
    const whole = answer.outcome.whole === true && question !== "";
    if (!this.#policy.semantic || scope === null || !whole) return;
    const { qs: vector } = quantizeVector(await this.#deps.embed());
    const said = (answer.report.answer ?? text).slice(0, CACHE_ANSWER_CHARS_MAX);
    const asked = { question, edge_answer: edgeAnswer, answer: said, scope, vector };
    await this.#object(scope).putQuestion({ ...common, ...asked });
  }

  /** When the first of the documents that were found expires, Unix ms. */
  async #firstExpiry({ outcome }: KeptAnswer): Promise<number> {
    const ids = [...new Set(outcome.passages.map(({ document_id }) => document_id))];
    const { caller, memory } = this.#request;
    if (memory === null || ids.length === 0) return NEVER;
    const found = await this.#deps.memory(caller.tenant, memory.namespace).find(ids);
    return Math.min(...found.map((one) => (one === null ? 0 : (one.expires_at ?? NEVER))));
  }

  #isTaken({ sampled }: { sampled: boolean }): boolean {
    return !sampled || this.#takes === "all";
  }

  #object(hash: string): CachePort {
    return this.#deps.object(this.#request.caller.tenant, sliceOf(hash));
  }

  #replay(
    answer: KeptAnswer,
    how: Pick<CacheReport, "status" | "question" | "how" | "cosine">,
    id: string,
  ): AnswerStream {
    const { outcome, usage } = answer;
    const { prompt_tokens = 0, completion_tokens = 0 } = usage ?? {};
    const usd = usage && this.#deps.costOf(outcome.engine, usage);
    cacheTotals[how.status === "hit" ? "hits" : "semantic"] += 1;
    cacheTotals.prompt_tokens_saved += prompt_tokens;
    cacheTotals.completion_tokens_saved += completion_tokens;
    cacheTotals.usd_saved += usd ?? 0;
    const saved = { prompt_tokens, completion_tokens, usd };
    const { trace_id, at: answered_at } = outcome;
    const { trace_id: now, conversation = null } = this.#request;
    const again = { ...outcome, trace_id: now, at: Date.now(), conversation, cache: id };
    const told = { outcome: { ...again, cost_usd: 0 }, revision: -1 };
    this.#deps.record(this.#request.caller.tenant, { ...told, routed: false, sample: null });
    const { trace } = this.#deps;
    Object.assign(trace, { cache: how.status, model: answer.model });
    return replay(answer, { ...how, trace_id, answered_at, saved }, trace.timingsMs);
  }
}

/** Whether it is the answer that should come the next time too: not one for want of another engine,
 *  nor a note's, which says by itself when it was used. */
function isWanted({ wanted, engine, attempts = [] }: BrinkReport): boolean {
  if (wanted !== undefined || engine === NOTE_ID) return false;
  return attempts.every(({ backend, outcome }) => {
    return /^(answered|abandoned)$/.test(outcome) || engine === `backend:${backend}`;
  });
}

/** Of all that an answer is found in: the namespace's content, and its notes. Null while something
 *  changes; '' without memory. */
async function versionOf(deps: CacheDeps, { caller, memory }: AnswerRequest) {
  if (memory === null) return "";
  const { tenant } = caller;
  const { namespace } = memory;
  const policy = await deps.notes.read(tenant, namespace);
  const names = policy.made ? [namespace, noteMemories(namespace).active] : [namespace];
  const versions = await Promise.all(
    names.map((name) => deps.memory(tenant, name).contentVersion()),
  );
  if (versions.some((version) => version % 2 === 1)) return null;
  return [policy.notes, ...versions].join(" ");
}

async function unless<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === "namespace_not_found") return otherwise; // the answer says so itself
    cacheTotals.failures += 1;
    console.error(`cache: ${error instanceof Error ? error.message : error}`);
    return otherwise;
  }
}
