/** What a search answers with. Replies are built by typed code; the tests hold them to this. */
import { Metadata, z } from "./common.ts";

const rank = z.int().nullable().openapi({ description: "From 1; null: not in that list." });
const passages = z.array(z.object({ document_id: z.string(), passage_id: z.string() }));

const Term = z
  .object({
    term: z.string(),
    qtf: z.number().openapi({ description: "How often the query has it." }),
    df: z.int().openapi({ description: "How many BM25 units have it." }),
    idf: z.number().openapi({ description: "By the namespace's variant of BM25." }),
    tf: z.int().openapi({ description: "How often the hit's unit has it." }),
    contribution: z.number().openapi({
      description: "Its share of `bm25`, which all shares add up to.",
    }),
  })
  .openapi("TermExplanation");

const Condition = z
  .object({
    field: z.string(),
    operator: z.string().openapi({ description: "eq, ne, in, ..." }),
    operand: z.unknown(),
    value: z.unknown().openapi({ description: "The document's; null also where it has none." }),
    present: z.boolean().openapi({ description: "Whether the document has the field." }),
    passed: z.boolean(),
  })
  .openapi("ConditionExplanation");

const Diversity = z
  .object({
    rank: z.int().openapi({ description: "Among the candidates, before." }),
    lambda: z.number(),
    relevance: z.number(),
    similarity: z.number().openapi({ description: "To the nearest hit before." }),
    marginal: z.number().openapi({
      description: "lambda * relevance - (1 - lambda) * similarity, by which it was chosen.",
    }),
    nearest: z.string().nullable().openapi({
      description: "The hit chosen before that it is most like.",
    }),
  })
  .openapi("DiversityExplanation");

const Explanation = z
  .object({
    bm25: z.number().nullable(),
    cosine: z.number().nullable().openapi({ description: "Exact." }),
    estimate: z.number().nullable().openapi({
      description: "The cosine as 1-bit codes estimate it, which chose candidates.",
    }),
    bm25_terms: z.array(Term).nullable(),
    length: z.int().nullable().openapi({ description: "Of the hit's BM25 unit, in terms." }),
    avgdl: z.number().nullable().openapi({ description: "Mean length of a unit, in terms." }),
    bm25_rank: rank,
    vector_rank: rank,
    fusion: z.string().openapi({ description: "Arithmetic that gives `fused`." }),
    fused: z.number().openapi({ description: "Before decay." }),
    recency: z
      .object({ age_days: z.number(), half_life_days: z.number(), factor: z.number() })
      .nullable(),
    diversity: Diversity.nullable(),
    rerank: z.object({ model: z.string(), rank: z.int() }).optional().openapi({
      description: "Who read the hit, and where it stood before.",
    }),
    filter: z.array(Condition).openapi({
      description: "Every condition of the filter, those under `not` as they stand.",
    }),
  })
  .openapi("HitExplanation");

const Hit = z
  .object({
    document_id: z.string(),
    passage_id: z.string(),
    score: z.number().openapi({
      description: "Of the mode: BM25, the cosine, or the fused score, after decay.",
    }),
    text: z.string(),
    title: z.string().nullable(),
    metadata: Metadata,
    start: z.int().openapi({ description: "Where `text` begins in the document, in UTF-16." }),
    end: z.int(),
    heading_path: z.array(z.string()).optional().openapi({
      description: "Headings above the passage, outermost first.",
    }),
    anchor: z.string().nullable().optional().openapi({ description: "Of the innermost heading." }),
    version: z.int().optional().openapi({ description: "Of the document." }),
    duplicates: passages.optional().openapi({
      description: "Passages that say the same and were linked to this one.",
    }),
    overlaps: z.array(z.string()).optional().openapi({
      description: "With `neighbours`: hits whose text overlaps this one's.",
    }),
    hop: z
      .union([z.literal(1), z.literal(2)])
      .optional()
      .openapi({
        description: "Of an iterative search: which of its searches gave the hit its scores.",
      }),
    rerank_score: z.number().optional().openapi({ description: "By whoever reranked." }),
    explain: Explanation.optional(),
  })
  .openapi("Hit");

export const SearchReply = z
  .object({
    hits: z.array(Hit),
    took_ms: z.number(),
    partial: z.object({ shards: z.int(), missing: z.int() }).optional().openapi({
      description: "Only where shards did not answer.",
    }),
    stages_ms: z.record(z.string(), z.number()).optional().openapi({
      description: "With `explain`. A shard's own stages are those of the slowest shard.",
    }),
  })
  .openapi("SearchReply");
