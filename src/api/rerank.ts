/** POST /v1/rerank -> 200, the documents in the order in which they answer the query, in Cohere's
 *  and Jina's shape. Errors: invalid_request, model_not_found, model_too_large,
 *  model_unavailable. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";
import { parseRerank, RerankReply, RerankRequest } from "./schema/rerank.ts";

export const rerank = newApi();

/** What Cohere counts as one search: a query with this many documents or fewer. */
const SEARCH_UNIT_DOCUMENTS = 100;

endpoint(
  rerank,
  {
    method: "post",
    path: "/v1/rerank",
    summary: "Order documents by how well they answer a query",
    security: NEEDS_KEY,
    request: { body: jsonBody(RerankRequest) },
    responses: replies(200, "The documents' places and scores, best first", RerankReply),
  },
  async (c) => {
    const { top_n, return_documents, ...request } = parseRerank(await readJson(c));
    const { model, results, tokens } = await c.get("service").rerank(request);
    return c.json({
      id: `rerank-${c.get("trace")}`,
      model,
      results: results.slice(0, top_n ?? results.length).map(({ index, score }) => ({
        index,
        relevance_score: score,
        ...(return_documents ? { document: { text: request.documents[index]! } } : {}),
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
      meta: {
        billed_units: { search_units: Math.ceil(request.documents.length / SEARCH_UNIT_DOCUMENTS) },
      },
    });
  },
);
