/** Why a hit stands where it does: the numbers behind its rank, as arithmetic to redo. */
import { explainScore } from "../../index/bm25.ts";
import type { DiverseChoice } from "../../index/diversity.ts";
import { explainFilter } from "../../index/filter.ts";
import type { Fused, Fusing } from "../../index/fuse.ts";
import { DAY_MS } from "../../index/recency.ts";
import type { CandidateList, CorpusStatistics, ShownPassage } from "./shard-types.ts";
import type {
  ConditionExplanation,
  DiversityExplanation,
  HitExplanation,
  NamespaceOptions,
  SearchRequest,
  TermExplanation,
} from "./types.ts";

/** All that ranked one search. */
export interface Ranking {
  request: SearchRequest;
  options: NamespaceOptions;
  terms: { term: string; qtf: number }[];
  statistics: CorpusStatistics;
  list: CandidateList;
  how: Fusing;
  fused: Fused;
  /** By candidate: what its age leaves of its score; null without `recency`. */
  factors: Float64Array | null;
  /** By candidate, after decay. */
  scores: Float64Array;
  /** Unix ms. */
  now: number;
}

/** What diversity made of a hit; `nearest` is a passage's id. */
export interface Chosen {
  /** From 1. */
  rank: number;
  relevance: number;
  choice: DiverseChoice;
  nearest: string | null;
}

/** Of the candidate at place `at`, shown as `shown`. `list` must have been asked for with
 *  `explain`. */
export function explainHit(
  ranking: Ranking,
  at: number,
  shown: ShownPassage,
  chosen: Chosen | null,
): HitExplanation {
  const { request, list, fused, statistics } = ranking;
  const lexical = request.mode !== "vector";
  const { estimate, lengths } = list;
  return {
    bm25_terms: lexical ? explainTerms(ranking, at) : null,
    length: lexical ? lengths![at]! : null,
    avgdl: lexical && statistics.units > 0 ? statistics.lengthSum / statistics.units : null,
    estimate: Number.isNaN(estimate[at]!) ? null : estimate[at]!,
    bm25_rank: fused.bm25Rank[at] || null,
    vector_rank: fused.cosineRank[at] || null,
    fusion: formulaOf(ranking, at),
    fused: fused.scores[at]!,
    recency: explainRecency(ranking, at),
    diversity: chosen === null ? null : explainDiversity(request, chosen),
    filter:
      request.filter === null
        ? []
        : (explainFilter(request.filter, shown.metadata) as ConditionExplanation[]),
  };
}

function explainTerms(
  { terms, statistics, options, list }: Ranking,
  at: number,
): TermExplanation[] {
  const tfs = list.tfs!.subarray(at * terms.length, (at + 1) * terms.length);
  const query = terms.map(({ qtf }, id) => ({ id, qtf }));
  const held = query.filter(({ id }) => tfs[id]! > 0);
  const counts = {
    ids: Uint32Array.from(held, ({ id }) => id),
    tfs: Uint32Array.from(held, ({ id }) => tfs[id]!),
    length: list.lengths![at]!,
  };
  const { bm25_variant: variant, k1, b, delta } = options;
  const shares = explainScore(query, statistics, { variant, k1, b, delta }, counts);
  // A unit without a term of the query scores 0, whatever the variant gives for absent ones.
  const none = held.length === 0 ? { contribution: 0 } : {};
  return shares.map((share, i) => ({ ...terms[i]!, ...share, ...none }));
}

function explainRecency({ request, factors, list, now }: Ranking, at: number) {
  if (factors === null) return null;
  const { half_life_days } = request.recency!;
  const age_days = Math.max(0, now - list.time[at]!) / DAY_MS;
  return { age_days, half_life_days, factor: factors[at]! };
}

function explainDiversity(
  { diversity }: SearchRequest,
  { rank, relevance, choice, nearest }: Chosen,
): DiversityExplanation {
  const { similarity, marginal } = choice;
  return { rank, lambda: diversity!.lambda, relevance, similarity, marginal, nearest };
}

/** The formula of index/fuse.ts with a candidate's numbers in its places, in its order: evaluated,
 *  it gives the fused score to the bit. */
function formulaOf({ how, list, fused }: Ranking, at: number): string {
  const bm25 = list.bm25[at]!;
  const cosine = list.cosine[at]!;
  if (how.kind === "bm25") return `${bm25}`;
  if (how.kind === "cosine") return `${cosine}`;
  if (how.kind === "rrf") {
    const ranks = [fused.bm25Rank[at]!, fused.cosineRank[at]!].filter((rank) => rank > 0);
    return ranks.map((rank) => `1 / (${how.k} + ${rank})`).join(" + ") || "0";
  }
  const { cosineWeight, bm25Least: least } = how;
  const above = least === 0 ? `${bm25}` : `(${Math.max(least, bm25)} - ${least})`;
  const best = least === 0 ? `${fused.bm25Best}` : `(${fused.bm25Best} - ${least})`;
  const semantic = fused.cosineBest > -1 ? `((${cosine} + 1) / (${fused.cosineBest} + 1))` : "0";
  const lexical = fused.bm25Best > least ? `(${above} / ${best})` : "0";
  return `${cosineWeight} * ${semantic} + ${1 - cosineWeight} * ${lexical}`;
}
