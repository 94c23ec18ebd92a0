/** How passages are found: what searches and chat requests have in common. */
import {
  DIVERSITY_POOL_MAX,
  HALF_LIFE_DAYS_MAX,
  HALF_LIFE_DAYS_MIN,
  HOPS_MAX,
  NEIGHBOURS_MAX,
  RERANK_DEPTH_DEFAULT,
  RERANK_DEPTH_MAX,
  SEARCH_K_DEFAULT,
  SEARCH_K_MAX,
} from "../../limits.ts";
import type { MemoryChoice } from "../../pipeline/types.ts";
import { SearchModeField, z } from "./common.ts";
import { FilterField } from "./filter.ts";

const Recency = z
  .strictObject({
    half_life_days: z
      .number()
      .min(HALF_LIFE_DAYS_MIN)
      .max(HALF_LIFE_DAYS_MAX)
      .openapi({ description: "After so many days a score counts half; a minute at least." }),
  })
  .openapi({
    description:
      "Newer before older: a candidate's score is multiplied by 2^(-age / half life), its age " +
      "counted from the document's `time`. A cosine of 0 or less stays.",
    example: { half_life_days: 30 },
  });

const Diversity = z
  .strictObject({
    lambda: z.number().min(0).max(1).nullish().openapi({
      description: "1: relevance alone; 0: difference alone. 0.7 where not given.",
    }),
    pool: z.int().min(1).max(DIVERSITY_POOL_MAX).nullish().openapi({
      description: "How many of the best candidates to choose from; 4 times k where not given.",
    }),
  })
  .openapi({
    description:
      "Maximal marginal relevance (Carbonell and Goldstein 1998): hits are chosen one by one by " +
      "lambda * relevance - (1 - lambda) * the greatest cosine with those before, and come in " +
      "that order. Relevance is the score over the best one, in mode vector the cosine.",
  });

const Rerank = z
  .union(
    [
      z.boolean(),
      z.strictObject({
        model: z
          .string()
          .min(1)
          .max(200)
          .nullish()
          .openapi({
            description:
              "An ONNX reranker of GET /v1/models, brink-reader or brink-reranker; by default " +
              "the first ONNX reranker or, where there is none just now, brink-reader.",
          }),
        depth: z
          .int()
          .min(1)
          .max(RERANK_DEPTH_MAX)
          .nullish()
          .openapi({
            description: `How many of the best hits to read; ${RERANK_DEPTH_DEFAULT} if not given.`,
          }),
      }),
    ],
    { error: "must be true, false or an object" },
  )
  .openapi({
    description:
      "Reads the best hits together with the query and orders them by what it finds. Costs one " +
      "model run a hit, by brink-reranker two. What lies deeper keeps its order behind them.",
  });

const Iterative = z
  .strictObject({
    hops: z.int().min(1).max(HOPS_MAX).openapi({ description: "1: as without." }),
  })
  .openapi({
    description:
      "With 2 hops, what the first search finds leads to a second one for what the query alone " +
      "does not name; a quarter of the hits are kept for it.",
    example: { hops: 2 },
  });

/** Fields of a strict object, each of which may be null. */
export const retrievalFields = {
  k: z
    .int()
    .min(1)
    .max(SEARCH_K_MAX)
    .nullish()
    .openapi({
      description: `How many hits; ${SEARCH_K_DEFAULT} where not given.`,
    }),
  mode: SearchModeField.nullish(),
  filter: FilterField.nullish(),
  fusion: z.enum(["convex", "rrf"]).nullish().openapi({
    description: "How hybrid fuses, instead of the namespace's way.",
  }),
  cosine_weight: z.number().min(0).max(1).nullish().openapi({
    description: "What the convex fusion weighs the cosine with, instead of the namespace's.",
  }),
  recency: Recency.nullish(),
  diversity: Diversity.nullish(),
  neighbours: z
    .int()
    .min(0)
    .max(NEIGHBOURS_MAX)
    .nullish()
    .openapi({
      description:
        "Passages of the document to join to a hit's text on each side. Hits stay apart where " +
        "their texts then overlap, and name each other in `overlaps`.",
    }),
  group_by_document: z.boolean().nullish().openapi({
    description: "Only the best passage of each document.",
  }),
  rerank: Rerank.nullish(),
  iterative: Iterative.nullish(),
};

type Asked = z.infer<z.ZodObject<typeof retrievalFields>>;

/** What was asked for, with defaults in; what was not asked for is left out. */
export function readRetrieval(asked: Partial<Asked>): Omit<MemoryChoice, "namespace"> {
  const k = asked.k ?? SEARCH_K_DEFAULT;
  const { fusion, cosine_weight, recency, diversity, neighbours, rerank, iterative } = asked;
  const pool = Math.min(4 * k, DIVERSITY_POOL_MAX);
  const wanted = rerank === true ? {} : rerank;
  return {
    k,
    mode: asked.mode ?? "hybrid",
    filter: asked.filter ?? null,
    ...(fusion == null ? {} : { fusion }),
    ...(cosine_weight == null ? {} : { cosine_weight }),
    ...(recency == null ? {} : { recency }),
    ...(diversity == null
      ? {}
      : { diversity: { lambda: diversity.lambda ?? 0.7, pool: diversity.pool ?? pool } }),
    ...(neighbours ? { neighbours } : {}),
    ...(asked.group_by_document ? { group_by_document: true } : {}),
    ...(wanted
      ? { rerank: { model: wanted.model ?? null, depth: wanted.depth ?? RERANK_DEPTH_DEFAULT } }
      : {}),
    ...(iterative == null || iterative.hops === 1 ? {} : { iterative }),
  };
}
