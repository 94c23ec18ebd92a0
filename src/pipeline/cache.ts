/** Answers that are given again: what `answer.ts` calls before it does anything, and of what it
 *  did. No answer fails for want of the cache. */
import { cutText } from "../../index/cut.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { READER_ID } from "../engine/reader.ts";
import { codeOf, loggedOf } from "../errors.ts";
import type { CacheObject } from "../ledger/cache-object.ts";
import { CACHE_ANSWER_CHARS_MAX, CACHE_CANDIDATES, CACHE_MS_MAX, CACHE_SLICES } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import type { Outcome } from "../router/outcome.ts";
import type { ActiveRouter, Recording } from "../router/router-types.ts";
import { type CacheKeys, cacheKeys, isBounded, isRepeatable } from "./cache-key.ts";
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
    const asked = { deps, request, policy, takes };
    const look = await deps.trace.time("cache", () => within(CACHE_MS_MAX, () => lookUp(asked)));
    return new OpenedCache(asked, look, look.found && replayFound(asked, look, look.found));
  }, BYPASS);
}

/** A request that may get its answer here. */
interface Asked {
  deps: CacheDeps;
  request: AnswerRequest;
  policy: CachePolicy;
  /** Whether sampled answers are taken too. */
  takes: "all" | "repeatable";
}

/** What the first look into the cache shows. */
interface Look {
  keys: CacheKeys;
  /** Null where it does not matter. */
  router: ActiveRouter | null;
  /** As `versionOf` has it. */
  version: string | null;
  /** Whether a kept answer is wanted. */
  reads: boolean;
  found: Found | null;
}

/** A kept answer, and how it comes to be this request's. */
interface Found {
  id: string;
  body: Uint8Array;
  how: Pick<CacheReport, "status" | "question" | "how" | "cosine">;
}

/** An answer on its way into the cache. */
interface Entry {
  answer: KeptAnswer;
  /** As it was when the cache was opened. */
  version: string;
  sampled: boolean;
  edgeAnswer: string | null;
}

/** Null: no answers are taken. */
function takesOf(request: AnswerRequest, { exact }: CachePolicy): Asked["takes"] | null {
  const wished = request.cache !== undefined;
  if (exact === "off" || (exact === "asked" && !wished)) return null;
  if (exact === "all" || wished) return "all";
  const mayBeRead = request.memory !== null && asksRouter(request);
  return isRepeatable(request.parameters) || mayBeRead ? "repeatable" : null;
}

/** Whether the reader may answer, or the router says who does. */
function asksRouter({ model, route }: AnswerRequest): boolean {
  return ["auto", "edge", READER_ID].includes(route ?? model);
}

/** One round trip: the memory's version and the answer are asked for together. Changes nothing: one
 *  that took too long ends while the answer is made anew, and that is the one that counts. */
async function lookUp(asked: Asked): Promise<Look> {
  const { deps, request } = asked;
  const router = asksRouter(request) ? await deps.router(request.caller.tenant) : null;
  const routing = router?.revision ?? null;
  const keys = cacheKeys(request, { engines: deps.engines, routing });
  const { id } = keys;
  // What is compared with a backend is a sample of all questions, also of those asked again.
  const sampled = router !== null && deps.draw < router.shadow_rate;
  const reads = request.cache !== "refresh" && !sampled;
  const [version, kept] = await Promise.all([
    versionOf(deps, request),
    reads ? objectOf(asked, id).find(id) : null,
  ]);
  const holds = kept !== null && kept.version === version && isTaken(asked, kept);
  const found = holds ? { id, body: kept.body, how: { status: "hit" as const } } : null;
  return { keys, router, version, reads, found };
}

/** The kept answer as this request's, which is counted and recorded. */
function replayFound(
  { deps, request }: Asked,
  { router }: Look,
  { id, body, how }: Found,
): AnswerStream {
  const answer = openAnswer(body);
  const { outcome, usage } = answer;
  const { prompt_tokens = 0, completion_tokens = 0 } = usage ?? {};
  const usd = usage && deps.costOf(outcome.engine, usage);
  cacheTotals[how.status === "hit" ? "hits" : "semantic"] += 1;
  cacheTotals.prompt_tokens_saved += prompt_tokens;
  cacheTotals.completion_tokens_saved += completion_tokens;
  cacheTotals.usd_saved += usd ?? 0;
  const saved = { prompt_tokens, completion_tokens, usd };
  const { trace_id, at: answered_at } = outcome;
  const { trace_id: now, conversation = null } = request;
  const again = { ...outcome, trace_id: now, at: Date.now(), conversation, cache: id };
  deps.record(request.caller.tenant, recordingOf({ ...again, cost_usd: 0 }, router));
  const { trace } = deps;
  Object.assign(trace, { cache: how.status, model: answer.model });
  return replay(answer, { ...how, trace_id, answered_at, saved }, trace.timingsMs);
}

/** For drift a question that is asked again is one more: labels are of a sample of all that is
 *  asked, and what the cache leaves of that is another selection. */
function recordingOf(outcome: Outcome, router: ActiveRouter | null): Recording {
  const { asked, difficulty, difficulty_before } = outcome;
  const judged = difficulty ?? difficulty_before ?? null;
  if (router === null || asked !== "auto" || judged === null)
    return { outcome, revision: -1, routed: false, sample: null };
  const { threshold, model, revision } = router;
  // One that left unread knows neither; the answer's key has the revision.
  const about = difficulty === null ? { threshold, weights_version: model.version } : {};
  return { outcome: { ...outcome, ...about }, revision, routed: true, sample: null };
}

function objectOf({ deps, request }: Asked, hash: string): CachePort {
  return deps.object(request.caller.tenant, sliceOf(hash));
}

function isTaken({ takes }: Asked, { sampled }: { sampled: boolean }): boolean {
  return !sampled || takes === "all";
}

class OpenedCache implements AnswerCache {
  readonly #asked: Asked;
  readonly #look: Look;
  readonly hit: AnswerStream | null;
  #outcome: Outcome | null = null;

  constructor(asked: Asked, look: Look, hit: AnswerStream | null) {
    this.#asked = asked;
    this.#look = look;
    this.hit = hit;
  }

  async like(question: string, edgeAnswer: string | null): Promise<AnswerStream | null> {
    const { keys, version, reads } = this.#look;
    const { scope } = keys;
    if (!this.#asked.policy.semantic || scope === null || version === null || !reads) return null;
    return unless(async () => {
      const find = () => this.#findLike(scope, version, question, edgeAnswer);
      const found = await within(CACHE_MS_MAX, find);
      return found && replayFound(this.#asked, this.#look, found);
    }, null);
  }

  /** Changes nothing, as `lookUp`. */
  async #findLike(
    scope: string,
    version: string,
    question: string,
    edgeAnswer: string | null,
  ): Promise<Found | null> {
    const { deps, policy } = this.#asked;
    const bounds = { k: CACHE_CANDIDATES, cosineMin: policy.cosine_min };
    const vector = await deps.embed();
    const near = await objectOf(this.#asked, scope).near(scope, version, vector, bounds);
    for (const candidate of near.filter((one) => isTaken(this.#asked, one))) {
      const { id, question: answered, cosine } = candidate;
      const how = likenessOf(question, edgeAnswer, candidate);
      const kept = how && (await objectOf(this.#asked, id).find(id));
      if (!kept || kept.version !== version) continue;
      return { id, body: kept.body, how: { status: "semantic", question: answered, how, cosine } };
    }
    return null;
  }

  keeping(stream: AnswerStream, edgeAnswer: string | null): Keeping {
    const { version, reads } = this.#look;
    const { deps, request } = this.#asked;
    const cache = reads ? "miss" : "refresh";
    if (cache === "miss") cacheTotals.misses += 1;
    if (version === null) return { cache, taps: [] };
    const keep = (answer: Omit<KeptAnswer, "outcome">) => {
      const outcome = this.#outcome;
      const { engine } = answer.report;
      const sampled = engine !== READER_ID && !isRepeatable(request.parameters);
      const taken = isTaken(this.#asked, { sampled });
      if (outcome === null || !taken || stream.standIn || !isWanted(answer.report)) return;
      if (isCut(answer) && !isBounded(request.parameters)) return;
      const entry = { answer: { ...answer, outcome }, version, sampled, edgeAnswer };
      deps.keepAlive(unless(() => this.#store(entry), undefined));
    };
    return { cache, taps: [recorded(stream, keep)] };
  }

  named(outcome: Outcome): Outcome {
    this.#outcome = { ...outcome, cache: this.#look.keys.id };
    return this.#outcome;
  }

  async #store({ answer, version, sampled, edgeAnswer }: Entry): Promise<void> {
    const { deps, request, policy } = this.#asked;
    const { id, scope } = this.#look.keys;
    const body = sealAnswer(answer);
    // What was found while a write came in is of neither version.
    if (body === null || (await versionOf(deps, request)) !== version) return;
    const at = Date.now();
    const expires_at = Math.min(at + policy.ttl_s * 1000, await this.#firstExpiry(answer));
    if (expires_at <= at) return;
    const namespace = request.memory?.namespace ?? "";
    const common = { id, namespace, version, sampled, at, expires_at };
    await objectOf(this.#asked, id).put({ ...common, body });
    cacheTotals.stored += 1;
    const { question, text } = answer.outcome;
    const whole = answer.outcome.whole === true && question !== "";
    if (!policy.semantic || scope === null || !whole) return;
    const { qs: vector } = quantizeVector(await deps.embed());
    const said = cutText(answer.report.answer ?? text, CACHE_ANSWER_CHARS_MAX);
    const asked = { question, edge_answer: edgeAnswer, answer: said, scope, vector };
    await objectOf(this.#asked, scope).putQuestion({ ...common, ...asked });
  }

  /** When the first of the documents that were found expires, Unix ms. */
  async #firstExpiry({ outcome }: KeptAnswer): Promise<number> {
    const ids = [...new Set(outcome.passages.map(({ document_id }) => document_id))];
    const { deps, request } = this.#asked;
    const { caller, memory } = request;
    if (memory === null || ids.length === 0) return NEVER;
    const found = await deps.memory(caller.tenant, memory.namespace).find(ids);
    return Math.min(...found.map((one) => (one === null ? 0 : (one.expires_at ?? NEVER))));
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

/** Whether it ended at a bound of its length. Where that is not the request's own it may be of the
 *  key's budget, which is nothing to others that ask the same. */
function isCut({ pieces }: Pick<KeptAnswer, "pieces">): boolean {
  return pieces.some(({ finish_reason }) => finish_reason === "length");
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
    logEvent("cache not used", loggedOf(error));
    return otherwise;
  }
}
