/** How well /v1/rerank orders what hybrid search found, beside the orders that there are without
 *  it: the reranker's class and weights on the real kernels in this process, the search in a
 *  running service. */

import rerankerFile from "../models/reranker.json" with { type: "json" };
import { Reranker } from "../src/model/reranker.ts";
import { besideRetrieval } from "../src/pipeline/retrieve.ts";
import { withService } from "./client.ts";
import { loadModels } from "./models.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";
import { type Asked, collectCandidates } from "./rerank-data.ts";

const NAMESPACE = "eval-rerank";
/** As many as /v1/memory/search rereads unless it is told. */
const DEPTH = 10;
const CUTOFF = 10;

/** A score a candidate, by the name of what gave it; a higher one is better. */
export type Scores = Record<string, number[]>;

export async function evaluateRerank(options: EvalOptions): Promise<EvalReport> {
  const { data, split, limit } = options;
  const asked = await withService(options.url, (client) =>
    collectCandidates(client, NAMESPACE, { data, split, depth: DEPTH }, (_, i) => i < limit),
  );
  const { encoder, reader } = await loadModels();
  const reranker = new Reranker(encoder, reader, rerankerFile);
  const scored: Scores[] = [];
  for (const one of asked) {
    scored.push(scoreCandidates(reranker, one));
    showProgress("reranked", scored.length, asked.length);
  }
  return { what: "rerank", data, questions: asked.length, figures: compare(asked, scored) };
}

/** Every order that is compared; of a document's pieces the best counts. */
export function scoreCandidates(reranker: Reranker, { text, candidates }: Asked): Scores {
  const pieces = reranker.read(
    text,
    candidates.map((candidate) => candidate.text),
  );
  const best = (value: (piece: (typeof pieces)[number]) => number) => {
    const out = new Array<number>(candidates.length).fill(Number.NEGATIVE_INFINITY);
    for (const piece of pieces) out[piece.text] = Math.max(out[piece.text]!, value(piece));
    return out;
  };
  const hybrid = candidates.map(({ score }) => score);
  const logSums = best(({ features }) => features.log_sum);
  return {
    hybrid,
    bm25: candidates.map(({ bm25 }) => bm25),
    "encoder cosine": best(({ features }) => features.cosine),
    "reader, best span": best(({ reading }) => reading.spans[0]?.score ?? Number.NEGATIVE_INFINITY),
    "reader, all spans": logSums,
    "reader beside hybrid": besideRetrieval(logSums, hybrid),
    "reader, answerable": best(({ reading }) => reading.answerable),
    reranker: best(({ features }) => reranker.scoreOf(features)),
  };
}

/** Means over the questions with 95 % bootstrap intervals, and what the reranker has more than
 *  each other order, question by question. */
export function compare(asked: readonly Asked[], scored: readonly Scores[]) {
  const figures: EvalReport["figures"] = {};
  const ndcgs = new Map<string, number[]>();
  for (const name of Object.keys(scored[0]!)) {
    const ranked = asked.map((one, i) => order(one, scored[i]![name]!));
    const gains = ranked.map((rights, i) => ndcg(rights, asked[i]!.rights));
    ndcgs.set(name, gains);
    figures[`${name}: nDCG@${CUTOFF}`] = bootstrapMean(gains);
    figures[`${name}: MRR@${CUTOFF}`] = bootstrapMean(ranked.map(reciprocalRank));
    figures[`${name}: first is right`] = bootstrapMean(ranked.map(([first]) => Number(first)));
  }
  const own = ndcgs.get("reranker")!;
  for (const [name, gains] of ndcgs)
    if (gains !== own)
      figures[`reranker less ${name}: nDCG@${CUTOFF}`] = bootstrapMean(
        own.map((gain, i) => gain - gains[i]!),
      );
  const found = asked.filter(({ candidates }) => candidates.some(({ right }) => right)).length;
  figures[`right document among the ${DEPTH}, share`] = found / asked.length;
  return figures;
}

/** Which candidates are right, best score first, ties as they stood. */
function order({ candidates }: Asked, scores: readonly number[]): boolean[] {
  const places = candidates.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return places.map((i) => candidates[i]!.right);
}

/** Of relevance 0 or 1, as trec_eval's ndcg_cut: `total` right ones would be best, 0..1. */
function ndcg(rights: readonly boolean[], total: number): number {
  const discount = (place: number) => 1 / Math.log2(place + 2);
  const gains = rights.slice(0, CUTOFF).map((right, i) => (right ? discount(i) : 0));
  const ideal = Array.from({ length: Math.min(CUTOFF, total) }, (_, i) => discount(i));
  const sum = (list: readonly number[]) => list.reduce((all, x) => all + x, 0);
  return sum(gains) / sum(ideal);
}

function reciprocalRank(rights: readonly boolean[]): number {
  const place = rights.indexOf(true);
  return place === -1 || place >= CUTOFF ? 0 : 1 / (place + 1);
}
