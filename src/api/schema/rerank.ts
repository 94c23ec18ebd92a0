/** Reranking and classifying: what is read and what is answered. */
import {
  DOCUMENT_CHARS_MAX,
  EMBEDDING_INPUTS_MAX,
  QUERY_CHARS_MAX,
  RERANK_DOCUMENTS_MAX,
} from "../../limits.ts";
import type { RerankRequest as Rerank } from "../../pipeline/types.ts";
import { parse, z } from "./common.ts";

const Text = z
  .string({ error: "must be text" })
  .min(1, { error: "may not be empty" })
  .max(DOCUMENT_CHARS_MAX, { error: `a text has ${DOCUMENT_CHARS_MAX} characters at most` });

const Model = z.string().min(1);

/** What some of Cohere's clients name in every call, as null where they were not told. */
const COHERE_ONLY = ["max_tokens_per_doc", "max_chunks_per_doc", "rank_fields"];

export const RerankRequest = z
  .strictObject({
    model: Model.nullish().openapi({
      description:
        "brink-reranker, which is the default; all-MiniLM-L6-v2, for its cosine; or the id of an " +
        "ONNX reranker or encoder.",
    }),
    query: z
      .string()
      .min(1, { error: "may not be empty" })
      .max(QUERY_CHARS_MAX, { error: `a query has ${QUERY_CHARS_MAX} characters at most` })
      .openapi({ description: "What the documents are to answer." }),
    documents: z
      .array(z.union([Text, z.strictObject({ text: Text })]), {
        error: "must be a list of texts or of {text}",
      })
      .min(1, { error: "may not be empty" })
      .max(RERANK_DOCUMENTS_MAX, { error: `${RERANK_DOCUMENTS_MAX} documents at most` })
      .openapi({ description: "Texts, or objects with a text." }),
    top_n: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: "How many of the best to tell; omitted: all." }),
    return_documents: z.boolean().nullish().openapi({ description: "false unless given." }),
    truncation: z.boolean().nullish().openapi({
      description: "Jina's. Only true: of a long document the beginning is read.",
    }),
    ...Object.fromEntries(
      COHERE_ONLY.map((name) => [
        name,
        z.unknown().optional().openapi({ description: "Cohere's. Null or absent." }),
      ]),
    ),
  })
  .superRefine((body, ctx) => {
    const { truncation, ...rest } = body as Record<string, unknown>;
    const refused = COHERE_ONLY.filter((name) => rest[name] != null);
    if (truncation === false) refused.push("truncation");
    for (const name of refused)
      ctx.addIssue({ code: "custom", path: [name], message: "the model says what it reads" });
  })
  .openapi("RerankRequest");

/** Throws `invalid_request`. */
export function parseRerank(
  body: unknown,
): Rerank & { top_n: number | null; return_documents: boolean } {
  const asked = parse(RerankRequest, body);
  return {
    model: asked.model ?? null,
    query: asked.query,
    documents: asked.documents.map((document) =>
      typeof document === "string" ? document : document.text,
    ),
    top_n: asked.top_n ?? null,
    return_documents: asked.return_documents ?? false,
  };
}

const Usage = z.object({ prompt_tokens: z.int(), total_tokens: z.int() });

export const RerankReply = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z.array(
      z.object({
        index: z.int().openapi({ description: "The document's place in the request." }),
        relevance_score: z.number().openapi({
          description: "0..1 by a reranker; a cosine, -1..1, by an encoder.",
        }),
        document: z.object({ text: z.string() }).optional(),
      }),
    ),
    usage: Usage,
    meta: z.object({
      billed_units: z.object({
        search_units: z.int().openapi({ description: "As Cohere counts: one a 100 documents." }),
      }),
    }),
  })
  .openapi("RerankReply");

export const ClassifyRequest = z
  .strictObject({
    model: Model.openapi({ description: "An ONNX classifier's id." }),
    input: z
      .union([Text, z.array(Text).min(1).max(EMBEDDING_INPUTS_MAX)], {
        error: `must be text or a list of 1 to ${EMBEDDING_INPUTS_MAX} texts`,
      })
      .openapi({ description: "A text or a list of texts." }),
  })
  .openapi("ClassifyRequest");

/** Throws `invalid_request`. */
export function parseClassify(body: unknown): { model: string; texts: string[] } {
  const { model, input } = parse(ClassifyRequest, body);
  return { model, texts: typeof input === "string" ? [input] : input };
}

export const ClassifyReply = z
  .object({
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal("classification"),
        index: z.int(),
        prediction: z.string().openapi({ description: "The label of the highest score." }),
        score: z.number(),
        predictions: z
          .array(z.object({ label: z.string(), score: z.number() }))
          .openapi({ description: "Every label, in the model's order." }),
      }),
    ),
    usage: Usage,
  })
  .openapi("ClassifyReply");
