/** Documents in the order in which they answer a query. */
import type { OnnxModels } from "../engine/onnx.ts";
import { RERANK_DOCUMENTS_STEP, RERANK_PIECES_MAX, RERANK_PIECES_TOTAL_MAX } from "../limits.ts";
import type { Encoder } from "../model/encoder.ts";
import { RERANKER_ID, type Reranker } from "../model/reranker.ts";
import type { Models } from "./models.ts";
import { countTokens, embedInSteps, inSteps } from "./steps.ts";
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
  const tokens = await countTokens(encoder, [query, ...documents]);
  if (model === deps.encoderId)
    return { model, results: rank(await scoreByCosine(encoder, query, documents)), tokens };
  const scores = await scoreInSteps(reranker, query, documents);
  return { model: RERANKER_ID, results: rank(scores), tokens };
}

/** Of so many texts that their pieces would be more than RERANK_PIECES_TOTAL_MAX, fewer of each are
 *  read. */
export function scoreInSteps(
  reranker: Pick<Reranker, "score">,
  query: string,
  texts: readonly string[],
): Promise<number[]> {
  const share = Math.floor(RERANK_PIECES_TOTAL_MAX / texts.length);
  const pieces = Math.max(1, Math.min(RERANK_PIECES_MAX, share));
  return inSteps(texts, RERANK_DOCUMENTS_STEP, (step) => reranker.score(query, step, pieces));
}

async function scoreByCosine(
  encoder: Encoder,
  query: string,
  documents: readonly string[],
): Promise<number[]> {
  const [asked, ...vectors] = await embedInSteps(encoder, [query, ...documents]);
  return vectors.map((vector) => vector.reduce((sum, x, i) => sum + x * asked![i]!, 0));
}

/** Best first; ties by index. */
function rank(scores: readonly number[]): Reranking["results"] {
  const results = scores.map((score, index) => ({ index, score }));
  return results.sort((a, b) => b.score - a.score || a.index - b.index);
}
