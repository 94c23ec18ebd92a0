/** POST /v1/memory/search -> 200, the passages that fit the query best. Errors: invalid_request,
 *  namespace_forbidden, namespace_not_found, model_not_found, shard_unavailable. */
import type { SearchHit } from "../memory/types.ts";
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parseSearch, SearchRequest } from "./schema/memory.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";
import { SearchReply } from "./schema/search-reply.ts";

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
    const caller = c.get("caller");
    const service = c.get("service");
    const query = parseSearch(await readJson(c), caller);
    const { hits, took_ms, partial, stages_ms } = await service.search(caller, query);
    return c.json({
      hits: hits.map(describeHit),
      took_ms,
      ...(partial === null ? {} : { partial }),
      ...(query.explain ? { stages_ms } : {}),
    });
  },
);

function describeHit({ bm25, cosine, explain, vector: _, digest: __, ...shown }: SearchHit) {
  return explain === undefined ? shown : { ...shown, explain: { bm25, cosine, ...explain } };
}
