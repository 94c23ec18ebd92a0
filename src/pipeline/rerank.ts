/** Documents in the order in which they answer a query. */
import type { OnnxModels } from "../engine/onnx.ts";
import { RERANK_DOCUMENTS_STEP } from "../limits.ts";
import type { Encoder } from "../model/encoder.ts";
import { RERANKER_ID, type Reranker } from "../model/reranker.ts";
import type { Models } from "./models.ts";
import type { Reranking, RerankRequest } from "./types.ts";

/** The score is Brink's own reranker's where `model` is null or names it, the cosine of Brink's own
 *  encoder where it names that, and otherwise what the ONNX model of that id gives. */
export async function rerank(
  { model, query, documents }: RerankRequest,
  deps: { models: () => Promise<Models>; encoderId: string; onnx: OnnxModels },
): Promise<Reranking> {
  if (model !== null && model !== RERANKER_ID && model !== deps.encoderId) {
    const { scores, tokens } = await deps.onnx.rerank(model, query, documents);
    return { model, results: rank(scores), tokens };
  }
  const { encoder, reranker } = await deps.models();
  const tokens = countTokens(encoder, [query, ...documents]);
  if (model === deps.encoderId)
    return { model, results: rank(scoreByCosine(encoder, query, documents)), tokens };
  const scores = await scoreInSteps(reranker, query, documents);
  return { model: RERANKER_ID, results: rank(scores), tokens };
}

/** Between RERANK_DOCUMENTS_STEP texts the isolate turns to other requests. */
export async function scoreInSteps(
  reranker: Reranker,
  query: string,
  texts: readonly string[],
): Promise<number[]> {
  const scores: number[] = [];
  while (scores.length < texts.length) {
    if (scores.length > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const step = texts.slice(scores.length, scores.length + RERANK_DOCUMENTS_STEP);
    scores.push(...reranker.score(query, step));
  }
  return scores;
}

/** Tokens of the texts, the two markers of each included. */
export function countTokens(encoder: Encoder, texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + encoder.countTokens(text) + 2, 0);
}

function scoreByCosine(encoder: Encoder, query: string, documents: readonly string[]): number[] {
  const [asked, ...vectors] = encoder.embed([query, ...documents]);
  return vectors.map((vector) => vector.reduce((sum, x, i) => sum + x * asked![i]!, 0));
}

/** Best first; ties by index. */
function rank(scores: readonly number[]): Reranking["results"] {
  const results = scores.map((score, index) => ({ index, score }));
  return results.sort((a, b) => b.score - a.score || a.index - b.index);
}
