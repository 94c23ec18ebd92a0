/** A whole search by brute force, over a shard's oracle: what docs/memory.md says of fusion, decay,
 *  grouping, diversity, neighbours, a second hop and reranking, step by step over all there is. */
import { weigh } from "../../index/bm25.ts";
import { type Fusing, RRF_K } from "../../index/fuse.ts";
import { followUp } from "../../index/second-hop.ts";
import { countQueryTerms } from "../../index/terms.ts";
import { dequantizeVector } from "../../index/vectors.ts";
import type { PreparedDocument, SearchRequest } from "../../src/memory/types.ts";
import type { MemoryQuery } from "../../src/pipeline/types.ts";
import { fuseOracle } from "../oracle/fuse.ts";
import type { OracleCandidate, ShardOracle } from "./shard-oracle.ts";

export interface OracleHit {
  document_id: string;
  passage_id: string;
  score: number;
  start: number;
  end: number;
  text: string;
  title: string | null;
  version: number;
  hop?: 1 | 2;
  rerank_score?: number;
  overlaps?: string[];
}

/** A candidate with what ranks it; in the order of rows. */
interface Ranked {
  candidate: OracleCandidate;
  document: PreparedDocument;
  version: number;
  score: number;
}

/** Hits of one search at a time, Unix ms. More candidates than a list is deep are not for it. */
export function searchOracle(
  oracle: ShardOracle,
  request: SearchRequest,
  now: number,
): (OracleHit & { vector: Float32Array })[] {
  const ranked = rankedBy(oracle, request, now);
  ranked.sort((a, b) => b.score - a.score || byRow(a.candidate, b.candidate));
  const seen = new Set<string>();
  const listed = ranked.filter(({ document: { id } }) => {
    return !request.group_by_document || (!seen.has(id) && seen.add(id));
  });
  const chosen = request.diversity ? diverse(listed, request) : listed.slice(0, request.k);
  const hits = chosen.map((one) => shown(one, request.neighbours ?? 0));
  return request.neighbours ? withOverlaps(hits) : hits;
}

const byRow = (a: OracleCandidate, b: OracleCandidate) => a.row - b.row || a.seq - b.seq;

function rankedBy(oracle: ShardOracle, request: SearchRequest, now: number): Ranked[] {
  const { mode, vector, filter } = request;
  const terms = mode === "vector" ? [] : (request.terms ?? countQueryTerms(request.query));
  const none = { units: 0, lengthSum: 0, df: [] };
  const statistics = terms.length === 0 ? none : oracle.statistics(terms.map(({ term }) => term));
  const depths = { bm25Depth: 128, vectorDepth: 256 };
  const asked = { mode, terms, vector, filter, statistics, explain: false, times: true };
  const found = oracle.candidates({ ...asked, ...depths });
  const { bm25_variant: variant, k1, b, delta } = oracle.options;
  const query = terms.map(({ qtf }) => ({ id: null, qtf }));
  const { base } = weigh(query, statistics, { variant, k1, b, delta });
  const how = fusingOf(oracle, request, base);
  return fuseOracle(parallel(found, base), how).map(({ place, score }) => {
    const candidate = found[place]!;
    const { document, version } = oracle.documents.find(({ row }) => row === candidate.row)!;
    const { recency } = request;
    const factor = recency == null ? 1 : decay(now - document.time, recency.half_life_days);
    return { candidate, document, version, score: score > 0 ? score * factor : score };
  });
}

/** Half for each half life, of which 900 count. */
const decay = (ageMs: number, halfLifeDays: number) =>
  2 ** -Math.min(900, Math.max(0, ageMs) / (halfLifeDays * 86_400_000));

function fusingOf(
  { options }: ShardOracle,
  { mode, fusion, cosine_weight }: SearchRequest,
  bm25Least: number,
): Fusing {
  if (mode === "bm25") return { kind: "bm25" };
  if (mode === "vector") return { kind: "cosine" };
  if ((fusion ?? options.fusion) === "rrf") return { kind: "rrf", k: RRF_K };
  return { kind: "convex", cosineWeight: cosine_weight ?? options.cosine_weight, bm25Least };
}

/** In the form that candidates are fused in. The list by BM25 has what scores above the base. */
function parallel(found: readonly OracleCandidate[], base: number) {
  return {
    row: Float64Array.from(found, ({ row }) => row),
    seq: Uint32Array.from(found, ({ seq }) => seq),
    bm25: Float64Array.from(found, ({ bm25 }) => bm25 ?? Number.NaN),
    cosine: Float32Array.from(found, ({ cosine }) => cosine ?? Number.NaN),
    lexical: Uint8Array.from(found, ({ bm25 }) => (bm25 !== null && bm25 > base ? 1 : 0)),
    estimate: Float32Array.from(found, ({ estimate }) => estimate ?? Number.NaN),
  };
}

const vectorOf = ({ document, candidate }: Ranked) =>
  dequantizeVector(document.passages[candidate.seq]!.vector);

const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Maximal marginal relevance by its definition, all of it anew at each choice. */
function diverse(listed: readonly Ranked[], { k, mode, diversity }: SearchRequest): Ranked[] {
  const { lambda, pool: most } = diversity!;
  const pool = listed.slice(0, Math.max(k, most));
  const best = Math.max(...pool.map(({ score }) => score));
  const scale = mode === "vector" || best <= 0 ? 1 : best;
  const chosen: Ranked[] = [];
  while (chosen.length < Math.min(k, pool.length)) {
    const marginals = pool.map((one) => {
      if (chosen.includes(one)) return Number.NEGATIVE_INFINITY;
      const near = chosen.map((other) => cosine(vectorOf(one), vectorOf(other)));
      const similarity = near.length === 0 ? 0 : Math.max(...near);
      return lambda * (one.score / scale) - (1 - lambda) * similarity;
    });
    chosen.push(pool[marginals.indexOf(Math.max(...marginals))]!);
  }
  return chosen;
}

function shown(one: Ranked, neighbours: number): OracleHit & { vector: Float32Array } {
  const { document, version, candidate, score } = one;
  const { id, passages, text, title } = document;
  const { start } = passages[Math.max(0, candidate.seq - neighbours)]!;
  const { end } = passages[Math.min(passages.length - 1, candidate.seq + neighbours)]!;
  const passage_id = `${id}#${candidate.seq}`;
  const place = { start, end, text: text.slice(start, end) };
  return { document_id: id, passage_id, score, ...place, title, version, vector: vectorOf(one) };
}

function withOverlaps<Hit extends OracleHit>(hits: readonly Hit[]): Hit[] {
  return hits.map((hit) => {
    const others = hits.filter(
      ({ document_id, passage_id, start, end }) =>
        document_id === hit.document_id &&
        passage_id !== hit.passage_id &&
        Math.max(start, hit.start) < Math.min(end, hit.end),
    );
    return { ...hit, overlaps: others.map(({ passage_id }) => passage_id) };
  });
}

/** The hits of `retrieve`: with a second hop and a reranker, which `judge` is. `times` are those of
 *  its searches. */
export function retrieveOracle(
  oracle: ShardOracle,
  query: MemoryQuery & Pick<SearchRequest, "vector">,
  times: readonly number[],
  judge: (text: string) => number,
): OracleHit[] {
  const { rerank, iterative, k: wanted } = query;
  const request = { ...query, k: rerank ? Math.max(wanted, rerank.depth) : wanted };
  const first = searchOracle(oracle, request, times[0]!);
  let hits: OracleHit[] = first.map(({ vector: _, ...hit }) => hit);
  if (iterative !== undefined && first.length > 0) {
    const { title, text, vector } = first[0]!;
    const whole = title === null ? text : `${title}\n${text}`;
    const next = followUp(countQueryTerms(query.query), whole, query.vector, vector);
    const second = searchOracle(oracle, { ...request, ...next }, times[1]!);
    hits = joined(request, first, second);
  }
  if (rerank !== undefined) {
    const read = hits.slice(0, rerank.depth);
    const judged = read.map((hit) => ({ ...hit, rerank_score: judge(hit.text) }));
    judged.sort((a, b) => b.rerank_score - a.rerank_score);
    hits = [...judged, ...hits.slice(rerank.depth)];
  }
  hits = hits.slice(0, wanted);
  return query.neighbours ? withOverlaps(hits) : hits;
}

/** Three quarters of the places to the first, a quarter to what the second has beside these. */
function joined(
  { k, group_by_document }: SearchRequest,
  first: readonly (OracleHit & { vector: Float32Array })[],
  second: readonly (OracleHit & { vector: Float32Array })[],
): OracleHit[] {
  const nameOf = (hit: OracleHit) => (group_by_document ? hit.document_id : hit.passage_id);
  const own = Math.min(first.length, Math.ceil((3 * k) / 4));
  const wanted = [
    ...first.slice(0, own).map((hit) => ({ ...hit, hop: 1 as const })),
    ...second.map((hit) => ({ ...hit, hop: 2 as const })),
    ...first.slice(own).map((hit) => ({ ...hit, hop: 1 as const })),
  ];
  const names = wanted.map(nameOf);
  const kept = wanted.filter((hit, i) => names.indexOf(nameOf(hit)) === i).slice(0, k);
  return kept.map(({ vector: _, ...hit }) => hit);
}
