/** A search over a namespace, however many shards it has: statistics, candidates, fusion, decay,
 *  diversity, and the passages to show. Pure but for what it asks of the shards. */
import { weigh } from "../../index/bm25.ts";
import { type DiverseChoice, diversify } from "../../index/diversity.ts";
import { type Fusing, fuse, orderBy, RRF_K } from "../../index/fuse.ts";
import { decayFactor, decayScore } from "../../index/recency.ts";
import { countQueryTerms } from "../../index/terms.ts";
import {
  BM25_DEPTH,
  DIVERSITY_POOL_MAX,
  SEARCH_DEPTH_MAX,
  TIER_TOP_K_MAX,
  VECTOR_DEPTH,
} from "../limits.ts";
import { type Chosen, explainHit, type Ranking } from "./explain.ts";
import type {
  CandidateList,
  CandidateRequest,
  CorpusStatistics,
  Gatherer,
  ShownPassage,
} from "./shard-types.ts";
import type { NamespaceOptions, SearchHit, SearchOutcome, SearchRequest } from "./types.ts";

export interface SearchClock {
  /** Unix ms, what ages are counted from. */
  now(): number;
  /** A steady clock for stages, in ms. */
  ms(): number;
}

const CLOCK: SearchClock = { now: () => Date.now(), ms: () => performance.now() };

/** A candidate that will be shown. */
interface Shown {
  at: number;
  passage: ShownPassage;
  chosen: Chosen | null;
}

/** The best k hits. Ties go to the lower (document row, passage). A filter applies before anything
 *  is ranked; decay and diversity to the candidates only, that is, to the best of each list. With
 *  bm25_unit "document" a document is found once, by its best passage. Throws what shards throw:
 *  `invalid_request` for a vector of the wrong size. */
export async function search(
  gatherer: Gatherer,
  options: NamespaceOptions,
  request: SearchRequest,
  clock: SearchClock = CLOCK,
): Promise<SearchOutcome> {
  const stages = new Stages(clock);
  const query = await stages.time("terms", () => queryTerms(request));
  const statistics = await stages.time("statistics", () => gatherStatistics(gatherer, query));
  const asked: CandidateRequest = {
    mode: request.mode,
    terms: query,
    vector: request.mode === "bm25" ? null : request.vector,
    filter: request.filter,
    ...depthsFor(request),
    tier: sureOfTier(options, request),
    statistics,
    explain: request.explain,
    times: request.recency != null,
  };
  const list = await stages.time("candidates", () => gatherCandidates(gatherer, request, asked));
  for (const [stage, ms] of Object.entries(list.timings_ms)) stages.ms[`shard_${stage}`] = ms;
  const ranking = await stages.time("fuse", () => {
    return rank(options, request, query, statistics, list, clock.now());
  });
  const order = orderOf(ranking);
  const shown = await stages.time("show", () => show(gatherer, ranking, order));
  const hits = await stages.time("explain", () => shown.map((one) => hitOf(ranking, one)));
  if ((request.neighbours ?? 0) > 0) markOverlaps(hits);
  return { hits, stages_ms: stages.total() };
}

/** How long each stage took. */
class Stages {
  readonly ms: Record<string, number> = {};
  readonly #clock: SearchClock;
  readonly #startMs: number;

  constructor(clock: SearchClock) {
    this.#clock = clock;
    this.#startMs = clock.ms();
  }

  async time<T>(stage: string, work: () => T | Promise<T>): Promise<T> {
    const startMs = this.#clock.ms();
    const result = await work();
    this.ms[stage] = this.#clock.ms() - startMs;
    return result;
  }

  total(): Record<string, number> {
    return { ...this.ms, total: this.#clock.ms() - this.#startMs };
  }
}

function queryTerms({ mode, query, terms }: SearchRequest): CandidateRequest["terms"] {
  return mode === "vector" ? [] : (terms ?? countQueryTerms(query));
}

async function gatherStatistics(
  gatherer: Gatherer,
  query: CandidateRequest["terms"],
): Promise<CorpusStatistics> {
  if (query.length === 0) return { units: 0, lengthSum: 0, df: [] };
  return gatherer.statistics(query.map(({ term }) => term));
}

/** From how many of the best the hits are chosen: diversity needs more than it shows. */
function chosenFrom({ k, diversity }: SearchRequest): number {
  return Math.max(k, Math.min(diversity?.pool ?? 0, DIVERSITY_POOL_MAX));
}

/** Deep enough for what will be chosen from. */
function depthsFor(request: SearchRequest) {
  const wanted = chosenFrom(request);
  return {
    bm25Depth: Math.max(BM25_DEPTH, wanted),
    vectorDepth: Math.max(VECTOR_DEPTH, wanted),
  };
}

/** How many passages a vector tier must be sure of; null where the search goes by codes: the tier
 *  knows no filter, and lists so few passages that they may be of too few documents. */
function sureOfTier(options: NamespaceOptions, request: SearchRequest): number | null {
  const { mode, filter, group_by_document } = request;
  const byPassage = options.bm25_unit === "passage" && !group_by_document;
  const wanted = chosenFrom(request);
  const may = options.vector_tier === "vectorize" && mode !== "bm25" && filter === null;
  return may && byPassage && wanted <= TIER_TOP_K_MAX ? wanted : null;
}

/** Candidates, from deeper lists where one hit a document needs more documents and there may be
 *  more: at most four times. */
async function gatherCandidates(
  gatherer: Gatherer,
  request: SearchRequest,
  asked: CandidateRequest,
): Promise<CandidateList> {
  const wanted = chosenFrom(request);
  for (let { bm25Depth, vectorDepth } = asked; ; bm25Depth *= 2, vectorDepth *= 2) {
    const list = await gatherer.candidates({ ...asked, bm25Depth, vectorDepth });
    const enough = !request.group_by_document || new Set(list.row).size >= wanted;
    const more = list.row.length >= Math.min(bm25Depth, vectorDepth);
    if (enough || !more || vectorDepth >= SEARCH_DEPTH_MAX) return list;
  }
}

function rank(
  options: NamespaceOptions,
  request: SearchRequest,
  terms: Ranking["terms"],
  statistics: CorpusStatistics,
  list: CandidateList,
  now: number,
): Ranking {
  const how = fusingOf(options, request, terms, statistics);
  const fused = fuse(list, how);
  const { recency } = request;
  const factors = recency
    ? list.time.map((time) => decayFactor(now - time, recency.half_life_days))
    : null;
  const scores =
    factors === null
      ? fused.scores
      : fused.scores.map((score, i) => decayScore(score, factors[i]!));
  return { request, options, terms, statistics, list, how, fused, factors, scores, now };
}

function fusingOf(
  options: NamespaceOptions,
  { mode, fusion, cosine_weight }: SearchRequest,
  terms: Ranking["terms"],
  statistics: CorpusStatistics,
): Fusing {
  if (mode === "bm25") return { kind: "bm25" };
  if (mode === "vector") return { kind: "cosine" };
  if ((fusion ?? options.fusion) === "rrf") return { kind: "rrf", k: RRF_K };
  const { bm25_variant: variant, k1, b, delta } = options;
  const query = terms.map(({ qtf }, id) => ({ id, qtf }));
  const { base } = weigh(query, statistics, { variant, k1, b, delta });
  const cosineWeight = cosine_weight ?? options.cosine_weight;
  return { kind: "convex", cosineWeight, bm25Least: base };
}

/** Candidates that may be shown, best first. */
function orderOf({ request, list, fused, factors, scores }: Ranking): number[] {
  const order = Array.from(factors === null ? fused.order : orderBy(list, scores));
  if (!request.group_by_document) return order;
  const documents = new Set<number>();
  return order.filter((at) => {
    const row = list.row[at]!;
    return !documents.has(row) && documents.add(row);
  });
}

async function show(
  gatherer: Gatherer,
  ranking: Ranking,
  order: readonly number[],
): Promise<Shown[]> {
  const { request, list } = ranking;
  const { diversity, vectors = false, neighbours = 0, k } = request;
  if (!diversity) {
    const best = order.slice(0, k);
    const passages = await fetchPassages(gatherer, list, best, vectors, neighbours);
    return present(best.map((at, i) => ({ at, passage: passages[i]!, chosen: null })));
  }
  const pool = order.slice(0, chosenFrom(request));
  const seen = await fetchPassages(gatherer, list, pool, true, 0);
  const there = present(pool.map((at, i) => ({ at, passage: seen[i]!, chosen: null })));
  const chosen = choose(ranking, pool, there);
  if (neighbours === 0) return chosen;
  const places = chosen.map(({ at }) => at);
  const joined = await fetchPassages(gatherer, list, places, vectors, neighbours);
  return present(chosen.map((one, i) => ({ ...one, passage: joined[i]! })));
}

/** Those whose passage was not removed since it was ranked. */
function present(wanted: (Omit<Shown, "passage"> & { passage: ShownPassage | null })[]): Shown[] {
  return wanted.filter((one): one is Shown => one.passage !== null);
}

/** Of the pool, in order of choice. Relevance is the score, on the cosine's scale: as it is in mode
 *  `vector`, else relative to the best one's. */
function choose({ request, scores }: Ranking, pool: number[], there: Shown[]): Shown[] {
  const { mode, diversity, k } = request;
  const best = there.length === 0 ? 0 : Math.max(...there.map(({ at }) => scores[at]!));
  const scale = mode === "vector" || best <= 0 ? 1 : best;
  const relevance = there.map(({ at }) => scores[at]! / scale);
  const vectors = there.map(({ passage }) => passage.vector);
  const choices = diversify(relevance, vectors, k, diversity!.lambda);
  return choices.map((choice: DiverseChoice) => {
    const { at, passage } = there[choice.item]!;
    const nearest = choice.nearest === null ? null : idOf(there[choice.nearest]!.passage);
    const rank = pool.indexOf(at) + 1;
    return { at, passage, chosen: { rank, relevance: relevance[choice.item]!, choice, nearest } };
  });
}

/** The passages of candidates, in their order; one question a shard. */
async function fetchPassages(
  gatherer: Gatherer,
  { shard, passage }: CandidateList,
  places: readonly number[],
  vectors: boolean,
  neighbours: number,
): Promise<(ShownPassage | null)[]> {
  const byShard = Map.groupBy(places.keys(), (i) => shard[places[i]!]!);
  const wanted = Array.from(byShard, ([shard, group]) => {
    const passages = group.map((i) => passage[places[i]!]!);
    return { shard, request: { passages, vectors, neighbours } };
  });
  if (wanted.length === 0) return [];
  const flat = await gatherer.show(wanted);
  const found: (ShownPassage | null)[] = places.map(() => null);
  for (const [n, i] of [...byShard.values()].flat().entries()) found[i] = flat[n]!;
  return found;
}

function idOf({ document_id, seq }: ShownPassage): string {
  return `${document_id}#${seq}`;
}

function hitOf(ranking: Ranking, { at, passage: shown, chosen }: Shown): SearchHit {
  const { request, list, scores } = ranking;
  const { passage: _, seq, vector, ...rest } = shown;
  const hit: SearchHit = {
    ...rest,
    passage_id: idOf(shown),
    score: scores[at]!,
    bm25: request.mode === "vector" ? null : list.bm25[at]!,
    cosine: request.mode === "bm25" ? null : list.cosine[at]!,
  };
  if (request.vectors) hit.vector = vector;
  if (request.explain) hit.explain = explainHit(ranking, at, shown, chosen);
  return hit;
}

/** Hits stay apart where joined neighbours make their texts overlap, but say so: in each the others
 *  of the list whose texts overlap its own. */
export function markOverlaps(hits: readonly SearchHit[]): void {
  for (const hit of hits) {
    const others = hits.filter((other) => other !== hit && overlap(hit, other));
    hit.overlaps = others.map(({ passage_id }) => passage_id);
  }
}

function overlap(a: SearchHit, b: SearchHit): boolean {
  return a.document_id === b.document_id && a.start < b.end && b.start < a.end;
}
