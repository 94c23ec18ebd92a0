/** Finding passages for a question: a search, a second one where the first leads to it, and a
 *  reader of what was found. The memory ranks; this orders searches and models. */
import { followUp, joinHops } from "../../index/second-hop.ts";
import { countQueryTerms } from "../../index/terms.ts";
import type { OnnxModels } from "../engine/onnx.ts";
import { READER_ID } from "../engine/reader.ts";
import { markOverlaps } from "../memory/search.ts";
import type { SearchHit, SearchReply, SearchRequest } from "../memory/types.ts";
import type { SpanReader } from "../model/reader.ts";
import { RERANKER_ID, type Reranker } from "../model/reranker.ts";
import { passageText } from "./ingest.ts";
import { scoreInSteps } from "./rerank.ts";
import type { Trace } from "./trace.ts";
import type { MemoryQuery, RerankChoice } from "./types.ts";
import { unlessAway } from "./without.ts";

export interface RetrieveDeps {
  /** Where the parts' spans go, under `retrieve`. */
  trace?: Trace;
  /** Searches the namespace. */
  search: (request: SearchRequest) => Promise<SearchReply>;
  /** The query's embedding, unit-length, f32 [dim]. */
  embed: () => Promise<Float32Array>;
  score: (choice: RerankChoice, query: string, hits: SearchHit[]) => Promise<HitScores>;
}

/** A score a hit, comparable among them, and the model that gave them. */
export interface HitScores {
  model: string;
  scores: number[];
}

/** The best k hits. At most HOPS_MAX searches and RERANK_DEPTH_MAX model runs. `stages_ms` has the
 *  stages of the search, those of a second one with the prefix `second_`, and `embed`, `rerank`. */
export async function retrieve(deps: RetrieveDeps, query: MemoryQuery): Promise<SearchReply> {
  const { namespace: _, embedding: __, rerank, iterative, ...asked } = query;
  const stages: Record<string, number> = {};
  const span = <T>(name: string, work: () => Promise<T>) =>
    deps.trace === undefined ? work() : deps.trace.span(name, work, "retrieve");
  const vector =
    asked.mode === "bm25" ? null : await timed(stages, "embed", () => span("embed", deps.embed));
  const k = rerank ? Math.max(asked.k, rerank.depth) : asked.k;
  const request: SearchRequest = { ...asked, k, vector, vectors: iterative !== undefined };
  const first = await span("search", () => deps.search(request));
  Object.assign(stages, first.stages_ms);
  let { hits, partial } = first;
  if (iterative !== undefined && hits.length > 0) {
    const second = await span("search", () => deps.search(secondRequest(request, hits[0]!)));
    for (const [stage, ms] of Object.entries(second.stages_ms)) stages[`second_${stage}`] = ms;
    hits = join(request, hits, second.hits);
    if ((second.partial?.missing ?? 0) > (partial?.missing ?? 0)) partial = second.partial;
  }
  if (rerank !== undefined)
    hits = await timed(stages, "rerank", () =>
      span("rerank", () => rerankHits(deps, rerank, query.query, hits)),
    );
  hits = hits.slice(0, asked.k);
  // Of what each search found others are left out here, and come beside it.
  if ((asked.neighbours ?? 0) > 0) markOverlaps(hits);
  const total = Object.entries(stages).reduce((sum, [stage, ms]) => {
    return /^(embed|rerank|(second_)?total)$/.test(stage) ? sum + ms : sum;
  }, 0);
  return { hits, stages_ms: { ...stages, total }, partial };
}

async function timed<T>(
  stages: Record<string, number>,
  stage: string,
  work: () => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  const result = await work();
  stages[stage] = performance.now() - startMs;
  return result;
}

/** What the best hit leaves open. */
function secondRequest(request: SearchRequest, best: SearchHit): SearchRequest {
  const text = passageText(best.title, best.text);
  const query = countQueryTerms(request.query);
  return { ...request, ...followUp(query, text, request.vector, best.vector ?? null) };
}

function join(request: SearchRequest, first: SearchHit[], second: SearchHit[]): SearchHit[] {
  const idOf = ({ document_id, passage_id }: SearchHit) =>
    request.group_by_document ? document_id : passage_id;
  return joinHops(request.k, first, second, idOf).map(({ item, hop }) => {
    const { vector: _, ...hit } = item;
    return { ...hit, hop };
  });
}

/** The first `depth` hits by what the reranker gives them, ties as they stood; the rest behind. */
async function rerankHits(
  deps: RetrieveDeps,
  choice: RerankChoice,
  query: string,
  hits: SearchHit[],
): Promise<SearchHit[]> {
  const head = hits.slice(0, choice.depth);
  if (head.length === 0) return hits;
  const { model, scores } = await deps.score(choice, query, head);
  const read = head.map((hit, i): SearchHit => {
    const scored = { ...hit, rerank_score: scores[i]! };
    if (hit.explain === undefined) return scored;
    return { ...scored, explain: { ...hit.explain, rerank: { model, rank: i + 1 } } };
  });
  read.sort((a, b) => b.rerank_score! - a.rerank_score!); // stable
  return [...read, ...hits.slice(head.length)];
}

/** Scores by the model that was chosen: Brink's own reranker or an ONNX one; without an id the
 *  first ONNX reranker that the deployment has, or else, also where its Worker is away, the reader
 *  beside the retrieval's score, which no reranker knows. Throws `model_not_found`, and of a model
 *  that was named `model_unavailable`. */
export async function scoreHits(
  { model }: RerankChoice,
  query: string,
  hits: readonly SearchHit[],
  deps: {
    onnx: OnnxModels;
    reader: () => Promise<SpanReader>;
    reranker: () => Promise<Reranker>;
  },
): Promise<HitScores> {
  const texts = hits.map(({ title, text }) => passageText(title, text));
  if (model === RERANKER_ID)
    return { model, scores: await scoreInSteps(await deps.reranker(), query, texts) };
  const byOnnx = async (id: string): Promise<HitScores> => {
    const { scores } = await deps.onnx.rerank(id, query, texts);
    return { model: id, scores };
  };
  if (model !== null && model !== READER_ID) return byOnnx(model);
  const byFirst = async () => {
    const first = await firstReranker(deps.onnx);
    return first === null ? null : byOnnx(first);
  };
  const scored =
    model === null ? await unlessAway("ONNX reranker not asked", byFirst, () => null) : null;
  return scored ?? { model: READER_ID, scores: scoreByReader(await deps.reader(), query, hits) };
}

async function firstReranker(onnx: OnnxModels): Promise<string | null> {
  const models = await onnx.list();
  return models.find(({ kind }) => kind === "reranker")?.id ?? null;
}

/** What the reader's belief in an answer counts beside the retrieval's score, and the logits that
 *  make it greater by a factor e. Alone it orders worse than retrieval: it is sure of a wrong date
 *  in the next paragraph too (measured in docs/memory.md). */
const BELIEF_WEIGHT = 0.3;
const BELIEF_SCALE = 4;

function scoreByReader(reader: SpanReader, query: string, hits: readonly SearchHit[]): number[] {
  const readings = reader.read(
    query,
    hits.map(({ text }) => text),
  );
  return besideRetrieval(
    readings.map(({ logSum }) => logSum),
    hits.map(({ score }) => score),
  );
}

/** Of each hit the retrieval's score relative to the best, and how sure the reader is that there is
 *  an answer, whichever (PassageReading.logSum): 0 to 1 where scores are not negative. */
export function besideRetrieval(logSums: readonly number[], scores: readonly number[]): number[] {
  const best = Math.max(...scores);
  return scores.map((score, i) => {
    const relative = best > 0 ? score / best : 0;
    const belief = 1 / (1 + Math.exp(-logSums[i]! / BELIEF_SCALE));
    return BELIEF_WEIGHT * belief + (1 - BELIEF_WEIGHT) * relative;
  });
}
