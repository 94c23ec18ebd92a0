/** The caches of answers, as administrators see and set them. */
import { CACHE_TTL_S_MAX } from "../../limits.ts";
import type { CacheChanges } from "../../pipeline/cache-types.ts";
import { parse, z } from "./common.ts";

const Exact = z.enum(["off", "asked", "repeatable", "all"]).openapi({
  description:
    "Which answers are kept and given again to the same request: none; where the header " +
    "x-brink-cache says so; those too that nothing was sampled for, by the reader or at " +
    "temperature 0; all.",
});

const Semantic = z.boolean().openapi({
  description: "Whether a question that asks the same in other words gets the answer too.",
});

const CosineMin = z.number().min(0.5).max(1).openapi({
  description: "How alike two questions' embeddings must be before their words are compared.",
});

const TtlS = z.int().min(1).max(CACHE_TTL_S_MAX).openapi({
  description: "How many seconds an answer is kept.",
});

const fields = { exact: Exact, semantic: Semantic, cosine_min: CosineMin, ttl_s: TtlS };

export const CacheReply = z
  .object({
    policy: z.object(fields),
    own: z.array(z.enum(["exact", "semantic", "cosine_min", "ttl_s"])).openapi({
      description: "Fields that are set here; the others follow the tenant's, or the default.",
    }),
    answers: z.int().openapi({ description: "That are kept." }),
    questions: z.int().openapi({ description: "By which they may be found in other words." }),
    bytes: z.int(),
  })
  .openapi("Cache");

export const CachePolicyRequest = z
  .strictObject({
    exact: Exact.nullable().optional(),
    semantic: Semantic.nullable().optional(),
    cosine_min: CosineMin.nullable().optional(),
    ttl_s: TtlS.nullable().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, {
    error: "names nothing to change: exact, semantic, cosine_min or ttl_s",
  })
  .openapi("CachePolicyChange");

export const PurgedReply = z.object({ purged: z.int() }).openapi("CachePurged");

/** Throws `invalid_request`. */
export function parseCachePolicy(body: unknown): CacheChanges {
  return parse(CachePolicyRequest, body);
}
