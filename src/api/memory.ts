/** POST /v1/memory/search -> 200, the passages that fit the query best. Errors: invalid_request,
 *  namespace_forbidden, namespace_not_found. */
import type { SearchHit } from "../memory/types.ts";
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parseSearch, SearchReply, SearchRequest } from "./schema/memory.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";

export const memory = newApi();

endpoint(
  memory,
  {
    method: "post",
    path: "/v1/memory/search",
    summary: "Search a namespace",
    security: NEEDS_KEY,
    request: { body: jsonBody(SearchRequest) },
    responses: replies(200, "The hits, best first", SearchReply),
  },
  async (c) => {
    const { caller, service } = c.var;
    const { hits, took_ms } = await service.search(caller, parseSearch(await readJson(c), caller));
    return c.json({ hits: hits.map(describeHit), took_ms });
  },
);

function describeHit(hit: SearchHit) {
  const { document_id, passage_id, score, text, title, metadata, bm25, cosine, explain } = hit;
  const why = explain === undefined ? {} : { explain: { bm25, cosine, ...explain } };
  return { document_id, passage_id, score, text, title, metadata, ...why };
}
