/** From candidates to hits: in what order, and why. */
import { idf } from "../../index/bm25.ts";
import { fuseConvex, maxOf } from "../../index/fuse.ts";
import { terms } from "../../index/terms.ts";
import { bestOf, type Scored } from "../../index/top-k.ts";
import { BM25_DEPTH, VECTOR_DEPTH } from "../limits.ts";
import type { CandidateList, CandidateRequest, Gatherer } from "./shard-types.ts";
import type { HitExplanation, NamespaceOptions, SearchHit, SearchRequest } from "./types.ts";

/** A ranked candidate: `id` is its place in the order of rows. */
interface Ranked extends Scored {
  bm25: number | null;
  cosine: number | null;
}

/** The best k hits of a namespace, best first. Throws `invalid_request` for a vector of the wrong
 *  size. */
export async function search(
  gatherer: Gatherer,
  options: NamespaceOptions,
  request: SearchRequest,
): Promise<SearchHit[]> {
  const { query, k, mode, vector, filter, explain } = request;
  const asked = queryTerms(query);
  const statistics = await gatherer.statistics(asked.map(({ term }) => term));
  const depths = { bm25Depth: BM25_DEPTH, vectorDepth: VECTOR_DEPTH };
  const candidateRequest = { mode, terms: asked, vector, filter, ...depths, statistics, explain };
  const list = inOrder(await gatherer.candidates(candidateRequest));
  const ranked = rank(list, mode, options, k);
  const shown = await gatherer.show(
    ranked.map(({ id }) => {
      const request = { passages: [list.passage[id]!], vectors: false, neighbours: 0 };
      return { shard: list.shard[id]!, request };
    }),
  );
  const why = explain ? explainer(list, candidateRequest, options) : null;
  return ranked.flatMap(({ id, score, bm25, cosine }, i) => {
    if (shown[i] === null) return [];
    const { document_id, seq, text, title, metadata, start, end } = shown[i]!;
    const passage_id = `${document_id}#${seq}`;
    const place = { document_id, passage_id, text, title, metadata, start, end };
    const hit: SearchHit = { ...place, score, bm25, cosine };
    return why === null ? hit : { ...hit, explain: why(id) };
  });
}

/** The query's terms, each once, in order, with how often it has them. */
export function queryTerms(query: string): { term: string; qtf: number }[] {
  const found = new Map<string, number>();
  for (const term of terms(query, "query")) found.set(term, (found.get(term) ?? 0) + 1);
  return Array.from(found, ([term, qtf]) => ({ term, qtf }));
}

/** The same candidates by (row, seq), which is what ties break by. */
function inOrder(list: CandidateList): CandidateList {
  const order = Array.from(list.row.keys()).sort(
    (a, b) => list.row[a]! - list.row[b]! || list.seq[a]! - list.seq[b]!,
  );
  const width = list.lengths === null ? 0 : list.tfs!.length / Math.max(1, order.length);
  const tfs = order.flatMap((i) => [...(list.tfs ?? []).slice(i * width, (i + 1) * width)]);
  return {
    passage: Float64Array.from(order, (i) => list.passage[i]!),
    row: Float64Array.from(order, (i) => list.row[i]!),
    seq: Uint32Array.from(order, (i) => list.seq[i]!),
    lexical: Uint8Array.from(order, (i) => list.lexical[i]!),
    bm25: Float64Array.from(order, (i) => list.bm25[i]!),
    estimate: Float32Array.from(order, (i) => list.estimate[i]!),
    cosine: Float32Array.from(order, (i) => list.cosine[i]!),
    time: Float64Array.from(order, (i) => list.time[i]!),
    shard: Uint16Array.from(order, (i) => list.shard[i]!),
    tfs: list.tfs === null ? null : Uint32Array.from(tfs),
    lengths: list.lengths === null ? null : Uint32Array.from(order, (i) => list.lengths![i]!),
    timings_ms: list.timings_ms,
  };
}

/** The scores of a list by candidate: those above 0 of BM25, all that are numbers of cosine. */
function scoresOf(values: Float64Array | Float32Array, least: number): Map<number, number> {
  return new Map([...values.entries()].filter(([, score]) => score > least));
}

function rank(
  list: CandidateList,
  mode: SearchRequest["mode"],
  options: NamespaceOptions,
  k: number,
): Ranked[] {
  const bm25 = scoresOf(list.bm25, 0);
  const cosine = scoresOf(list.cosine, Number.NEGATIVE_INFINITY);
  if (mode === "hybrid") return fuseConvex(bm25, cosine, k, options.cosine_weight);
  return bestOf(mode === "bm25" ? bm25 : cosine, k).map((hit) => ({
    ...hit,
    bm25: mode === "bm25" ? hit.score : null,
    cosine: mode === "bm25" ? null : hit.score,
  }));
}

/** What to say of a candidate: each term's share of its BM25 score, its rank in each list, and the
 *  formula with its numbers. */
function explainer(
  list: CandidateList,
  { mode, terms: asked, statistics }: CandidateRequest,
  options: NamespaceOptions,
): (id: number) => HitExplanation {
  const bm25 = scoresOf(list.bm25, 0);
  const cosine = scoresOf(list.cosine, Number.NEGATIVE_INFINITY);
  const bm25Rank = rankOf(bm25);
  const vectorRank = rankOf(cosine);
  const fusion = formula(mode, bm25, cosine, options);
  const { k1, b } = options;
  return (id) => {
    const norm =
      k1 * (1 - b + (b * (list.lengths?.[id] ?? 0) * statistics.units) / statistics.lengthSum);
    const bm25_terms = asked.flatMap(({ term, qtf }, i) => {
      const tf = list.tfs?.[id * asked.length + i] ?? 0;
      if (tf === 0) return [];
      const df = statistics.df[i]!;
      const weight = idf(options.bm25_variant, statistics.units, df);
      return [{ term, df, idf: weight, tf, contribution: (qtf * weight * tf) / (tf + norm) }];
    });
    return { bm25_terms, bm25_rank: bm25Rank(id), vector_rank: vectorRank(id), fusion };
  };
}

/** The rank of a candidate in a list, from 1; null where the list lacks it. */
function rankOf(scores: Map<number, number>): (id: number) => number | null {
  const sorted = Array.from(scores, ([id, score]) => ({ id, score }));
  sorted.sort((a, b) => b.score - a.score || a.id - b.id);
  const ranks = new Map(sorted.map(({ id }, i) => [id, i + 1]));
  return (id) => ranks.get(id) ?? null;
}

function formula(
  mode: SearchRequest["mode"],
  bm25: Map<number, number>,
  cosine: Map<number, number>,
  { cosine_weight }: NamespaceOptions,
): string {
  if (mode === "bm25") return "bm25";
  if (mode === "vector") return "cosine";
  const bm25Weight = (1 - cosine_weight).toFixed(2);
  const cosineShare = `${cosine_weight} * (cosine + 1) / (${maxOf(cosine, -1).toFixed(4)} + 1)`;
  return `${cosineShare} + ${bm25Weight} * bm25 / ${maxOf(bm25, 0).toFixed(4)}`;
}
