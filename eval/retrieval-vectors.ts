/** What 1-bit codes and eight bits cost: mode vector beside an exhaustive search here, over the
 *  same vectors in f32. */
import { type BeirDocument, type BeirQuery, ndcgAt } from "./beir.ts";
import { type Client, embedAll, fillNamespace, fromBase64 } from "./client.ts";
import { bootstrapMean, type EvalReport, showProgress } from "./report.ts";

const NAMESPACE = "eval-vectors";
const K = 10;
const NDCG_LOSS_MAX = 0.003;
const RECALL_MIN = 0.98;

/** One vector a document, of its title and text, made by the service and brought back to it. */
export async function compareVectors(
  client: Client,
  documents: readonly BeirDocument[],
  queries: readonly BeirQuery[],
  embeddings: ReadonlyMap<string, number[]>,
  { figures, bounds }: Required<EvalReport>,
): Promise<void> {
  const texts = documents.map(({ title, text }) => (title ? `${title}\n${text}` : text));
  const own = await embedAll(client, "documents", texts);
  const brought = documents.map((document, i) => ({ ...document, embedding: own[i]! }));
  await fillNamespace(client, NAMESPACE, { bm25_unit: "document" }, brought);
  const vectors = own.map(fromBase64);
  const [exact, coded, recall]: [number[], number[], number[]] = [[], [], []];
  for (const [i, { id, grades }] of queries.entries()) {
    const embedding = embeddings.get(id)!;
    const body = { namespace: NAMESPACE, embedding, k: K, mode: "vector" };
    const reply = await client.call<{ hits: { document_id: string }[] }>(
      "POST",
      "/v1/memory/search",
      body,
    );
    const found = reply.hits.map((hit) => hit.document_id);
    const best = nearest(Float32Array.from(embedding), vectors).map((at) => documents[at]!.id);
    exact.push(ndcgAt(K, best, grades));
    coded.push(ndcgAt(K, found, grades));
    recall.push(best.filter((id) => found.includes(id)).length / best.length);
    showProgress("vectors", i + 1, queries.length);
  }
  const [exactNdcg, codedNdcg] = [bootstrapMean(exact), bootstrapMean(coded)];
  const atK = bootstrapMean(recall);
  figures[`a vector a document, exact f32, nDCG@${K}`] = exactNdcg;
  figures[`a vector a document, 1 bit then 8, nDCG@${K}`] = codedNdcg;
  figures[`1 bit then 8, recall@${K} of exact f32`] = atK;
  const loss = exactNdcg.value - codedNdcg.value;
  bounds.push(
    { name: `1 bit then 8: loss of nDCG@${K}`, value: loss, most: NDCG_LOSS_MAX },
    { name: `1 bit then 8: recall@${K}`, value: atK.value, least: RECALL_MIN },
  );
}

/** The places of the K vectors with the greatest dot product, best first; a tie goes to the lower
 *  place. O(vectors * dim). */
function nearest(query: Float32Array, vectors: readonly Float32Array[]): number[] {
  const scores = vectors.map((vector) => vector.reduce((sum, v, i) => sum + v * query[i]!, 0));
  const places = scores.map((_, at) => at);
  return places.sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, K);
}
