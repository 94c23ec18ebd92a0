/** POST /v1/embeddings -> 200, one unit vector a text. Errors: invalid_request,
 *  model_not_found, model_too_large, model_unavailable. */
import { ServiceError } from "../errors.ts";
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { EmbeddingReply, EmbeddingRequest, parseEmbedding } from "./schema/memory.ts";
import { jsonBody, NEEDS_KEY, replies } from "./schema/replies.ts";
import { toBase64 } from "./schema/vector.ts";

export const embeddings = newApi();

endpoint(
  embeddings,
  {
    method: "post",
    path: "/v1/embeddings",
    summary: "Embed texts",
    security: NEEDS_KEY,
    request: { body: jsonBody(EmbeddingRequest) },
    responses: replies(200, "The vectors, in the texts' order", EmbeddingReply),
  },
  async (c) => {
    const call = parseEmbedding(await readJson(c));
    const { vectors, tokens, model } = await c.get("service").embed(call.texts, call.model);
    const encode = call.format === "base64" ? toBase64 : (vector: Float32Array) => [...vector];
    return c.json({
      object: "list",
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: encode(call.dimensions === null ? vector : shorten(vector, call.dimensions)),
      })),
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  },
);

/** The first `dimensions` numbers of a unit vector, made unit length again; all zeros stay so. */
export function shorten(vector: Float32Array, dimensions: number): Float32Array {
  if (dimensions > vector.length)
    throw new ServiceError(
      "invalid_request",
      `dimensions: ${dimensions} asked, the encoder has ${vector.length}`,
      { param: "dimensions" },
    );
  const head = vector.slice(0, dimensions);
  const norm = Math.sqrt(head.reduce((sum, x) => sum + x * x, 0));
  return norm === 0 ? head : head.map((x) => x / norm);
}
