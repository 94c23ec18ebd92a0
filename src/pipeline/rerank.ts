/** Documents in the order in which they answer a query. */
import type { OnnxModels } from "../engine/onnx.ts";
import type { Encoder } from "../model/encoder.ts";
import type { Reranking, RerankRequest } from "./types.ts";

/** With `model` null or the encoder's id the score is the cosine of Brink's own encoder, otherwise
 *  what the ONNX model of that id gives. One model run a document. */
export async function rerank(
  { model, query, documents }: RerankRequest,
  deps: { encoder: () => Promise<Encoder>; encoderId: string; onnx: OnnxModels },
): Promise<Reranking> {
  if (model !== null && model !== deps.encoderId) {
    const { scores, tokens } = await deps.onnx.rerank(model, query, documents);
    return { model, results: rank(scores), tokens };
  }
  const encoder = await deps.encoder();
  const [asked, ...vectors] = encoder.embed([query, ...documents]);
  const scores = vectors.map((vector) => vector.reduce((sum, x, i) => sum + x * asked![i]!, 0));
  const tokens = countTokens(encoder, [query, ...documents]);
  return { model: deps.encoderId, results: rank(scores), tokens };
}

/** Tokens of the texts, the two markers of each included. */
export function countTokens(encoder: Encoder, texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + encoder.countTokens(text) + 2, 0);
}

/** Best first; ties by index. */
function rank(scores: readonly number[]): Reranking["results"] {
  const results = scores.map((score, index) => ({ index, score }));
  return results.sort((a, b) => b.score - a.score || a.index - b.index);
}
