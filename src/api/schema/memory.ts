/** Searches and embeddings: what is read and what is answered. */
import {
  DOCUMENT_CHARS_MAX,
  EMBEDDING_INPUTS_MAX,
  QUERY_CHARS_MAX,
  VECTOR_DIM_MAX,
} from "../../limits.ts";
import type { Caller, MemoryQuery } from "../../pipeline/types.ts";
import { reachNamespace } from "../auth.ts";
import { Namespace, parse, z } from "./common.ts";
import { readRetrieval, retrievalFields } from "./retrieval.ts";

/** A precomputed vector: numbers, finite as JSON makes them; its dim is checked by the service. */
export const Vector = z
  .array(z.number())
  .min(1)
  .max(VECTOR_DIM_MAX, { error: `a vector has ${VECTOR_DIM_MAX} numbers at most` });

export const SearchRequest = z
  .strictObject({
    namespace: Namespace.nullish().openapi({ description: "Omitted: the key's default." }),
    query: z
      .string()
      .max(QUERY_CHARS_MAX, { error: `a query has ${QUERY_CHARS_MAX} characters at most` })
      .nullish()
      .openapi({ description: "What to look for, in words." }),
    embedding: Vector.nullish().openapi({ description: "The query's vector, where you have one." }),
    ...retrievalFields,
    explain: z.boolean().nullish().openapi({
      description: "Each hit says why it stands where it does, the reply how long stages took.",
    }),
    partial: z
      .boolean()
      .nullish()
      .openapi({
        description:
          "Whether hits of some shards are welcome where others do not answer; the reply then " +
          "counts the missing ones. Otherwise that is the error shard_unavailable.",
      }),
  })
  .superRefine((body, ctx) => {
    if ((body.query ?? "").trim() !== "") return;
    if (body.embedding == null || body.mode !== "vector")
      ctx.addIssue({
        code: "custom",
        path: ["query"],
        message: "may not be empty; only a search by mode vector with an embedding needs none",
      });
    else if (body.rerank)
      ctx.addIssue({ code: "custom", path: ["rerank"], message: "needs a query to read" });
  })
  .openapi("SearchRequest");

/** Throws `invalid_request`, `namespace_forbidden`. */
export function parseSearch(body: unknown, caller: Caller): MemoryQuery {
  const asked = parse(SearchRequest, body);
  return {
    namespace: reachNamespace(caller, asked.namespace, "namespace"),
    query: asked.query ?? "",
    embedding: asked.embedding ?? null,
    ...readRetrieval(asked),
    explain: asked.explain ?? false,
    ...(asked.partial ? { partial: true } : {}),
  };
}

const Input = z
  .string({ error: "must be text: token arrays are not taken" })
  .min(1, { error: "may not be empty" })
  .max(DOCUMENT_CHARS_MAX, { error: `a text has ${DOCUMENT_CHARS_MAX} characters at most` });

export const EmbeddingRequest = z
  .strictObject({
    model: z.string().min(1).nullish().openapi({ description: "The encoder's id, or omitted." }),
    input: z
      .union([Input, z.array(Input).min(1).max(EMBEDDING_INPUTS_MAX)], {
        error: `must be text or a list of 1 to ${EMBEDDING_INPUTS_MAX} texts`,
      })
      .openapi({ description: "A text or a list of texts." }),
    encoding_format: z.enum(["float", "base64"]).nullish().openapi({
      description: "Numbers, which is the default, or base64 of little-endian float32.",
    }),
    dimensions: z.int().min(1).nullish().openapi({
      description: "Keeps the first numbers and makes the vector unit length again.",
    }),
    user: z.string().nullish().openapi({ description: "Taken, and without effect." }),
  })
  .openapi("EmbeddingRequest");

export const EmbeddingReply = z
  .object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        object: z.literal("embedding"),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]).openapi({
          description: "Numbers, or base64 of little-endian float32.",
        }),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi("EmbeddingReply");

export interface EmbeddingCall {
  model: string | null;
  texts: string[];
  format: "float" | "base64";
  dimensions: number | null;
}

/** Throws `invalid_request`. */
export function parseEmbedding(body: unknown): EmbeddingCall {
  const asked = parse(EmbeddingRequest, body);
  return {
    model: asked.model ?? null,
    texts: typeof asked.input === "string" ? [asked.input] : asked.input,
    format: asked.encoding_format ?? "float",
    dimensions: asked.dimensions ?? null,
  };
}
