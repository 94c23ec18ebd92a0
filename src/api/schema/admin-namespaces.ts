/** Namespaces: their options and statistics. */
import {
  ARCHIVE_DAYS_MAX,
  FORGET_DAYS_MAX,
  FORGET_DOCUMENTS_MAX,
  SHARDS_MAX,
} from "../../limits.ts";
import type { NamespaceOptions } from "../../memory/types.ts";
import { parse, z } from "./common.ts";
import { WorkReply } from "./snapshots.ts";

const Bm25Unit = z.enum(["passage", "document"]).openapi({
  description: "What BM25 counts: single passages or whole documents. Fixed.",
});

const Variant = z.enum(["robertson", "lucene", "atire", "bm25l", "bm25plus"]).openapi({
  description: "Which of bm25s's formulas.",
});

const Fusion = z.enum(["convex", "rrf"]).openapi({
  description: "How a hybrid search fuses: a weighted sum of scores, or reciprocal ranks.",
});

const NearDuplicates = z.enum(["keep", "link"]).openapi({
  description: "Whether passages that say the same are kept or linked to the first.",
});

const VectorTier = z.enum(["object", "vectorize"]).openapi({
  description: "Where vectors are searched: in the object, or in Cloudflare Vectorize. Fixed.",
});

const Forget = z
  .strictObject({
    max_age_days: z.number().positive().max(FORGET_DAYS_MAX).nullish().openapi({
      description: "Documents whose time is longer ago are forgotten.",
    }),
    max_documents: z.int().min(1).max(FORGET_DOCUMENTS_MAX).nullish().openapi({
      description: "Beyond so many the oldest by their time are forgotten.",
    }),
  })
  .refine((body) => body.max_age_days != null || body.max_documents != null, {
    error: "names neither max_age_days nor max_documents; null forgets nothing",
  });

export const NamespaceRequest = z
  .strictObject({
    bm25_unit: Bm25Unit.nullish(),
    bm25_variant: Variant.nullish(),
    k1: z.number().min(0).max(10).nullish().openapi({ description: "Term saturation." }),
    b: z.number().min(0).max(1).nullish().openapi({ description: "Length normalization." }),
    delta: z.number().min(0).max(10).nullish().openapi({
      description: "What bm25l and bm25plus add for a term that is there.",
    }),
    fusion: Fusion.nullish(),
    cosine_weight: z.number().min(0).max(1).nullish().openapi({
      description: "The convex fusion's weight of the cosine; BM25 gets the rest.",
    }),
    near_duplicates: NearDuplicates.nullish(),
    shards: z.int().min(1).max(SHARDS_MAX).nullish().openapi({
      description: "How many objects it starts with; it splits by itself when it grows. Fixed.",
    }),
    forget: Forget.nullish().openapi({ description: "Null: nothing is forgotten by itself." }),
    archive_after_days: z
      .number()
      .positive()
      .max(ARCHIVE_DAYS_MAX)
      .nullish()
      .openapi({
        description:
          "Segments that nothing changed for so many days have their vectors archived, in a " +
          "quarter of the bytes and with a loss; null: none from now on.",
      }),
    vector_tier: VectorTier.nullish(),
  })
  .openapi("NamespaceOptions");

/** The options that are given; null is one that is not, except for `forget` and
 *  `archive_after_days`, where it is a value. Throws `invalid_request`. */
export function parseNamespaceOptions(body: unknown): Partial<NamespaceOptions> {
  const { forget, archive_after_days, ...asked } = parse(NamespaceRequest, body);
  const given = Object.entries(asked).filter(([, value]) => value != null);
  const options = Object.fromEntries(given) as Partial<NamespaceOptions>;
  if (archive_after_days !== undefined) options.archive_after_days = archive_after_days;
  if (forget === undefined) return options;
  const bounds = Object.entries(forget ?? {}).filter(([, value]) => value != null);
  return { ...options, forget: forget === null ? null : Object.fromEntries(bounds) };
}

export const NamespaceReply = z
  .object({
    name: z.string(),
    bm25_unit: Bm25Unit,
    bm25_variant: Variant,
    k1: z.number(),
    b: z.number(),
    delta: z.number(),
    fusion: Fusion,
    cosine_weight: z.number(),
    near_duplicates: NearDuplicates,
    shards: z.int(),
    forget: z
      .object({ max_age_days: z.number().optional(), max_documents: z.int().optional() })
      .nullable(),
    archive_after_days: z.number().nullable(),
    vector_tier: VectorTier,
    created_at: z.number().openapi({ description: "Unix time in ms." }),
  })
  .openapi("Namespace");

export const NamespacesReply = z
  .object({ namespaces: z.array(NamespaceReply) })
  .openapi("NamespaceList");

const bytes = z.int().openapi({ description: "Added up over the shards." });

const ShardReply = z.object({
  object: z.string().nullable().openapi({
    description: "Name of the object that it lies in; null: the namespace's own.",
  }),
  lo: z.int().openapi({ description: "It holds the ids whose hash is in [lo, hi), of 2^32." }),
  hi: z.int(),
  documents: z.int(),
  passages: z.int(),
  archived_passages: z.int().openapi({ description: "Whose vectors are archived." }),
  lost_vectors: z.int().openapi({ description: "Lost with what decodes them: docs/vectors.md." }),
  terms: z.int(),
  units: z.int().openapi({ description: "What BM25 counts." }),
  length_sum: z.int().openapi({ description: "Of the units, in terms." }),
  sqlite_bytes: z.int(),
  resident_bytes: z.int().openapi({ description: "Of the index; 0 while it is not loaded." }),
  segments: z.int().openapi({ description: "Sealed parts of the index." }),
  memtable_passages: z.int().openapi({ description: "Passages that are in no segment yet." }),
  tombstones: z.int().openapi({ description: "Rows of the index that are dead." }),
  rebuilt: z.int().openapi({ description: "Damaged segments that were made anew." }),
});

export const StatsReply = z
  .object({
    documents: z.int(),
    passages: z.int(),
    archived_passages: z.int().openapi({ description: "Whose vectors are archived." }),
    lost_vectors: z.int().openapi({ description: "Lost with what decodes them." }),
    terms: z.int().openapi({ description: "A term on two shards counts twice." }),
    avgdl: z.number().openapi({ description: "Mean length of a BM25 unit, in terms." }),
    sqlite_bytes: bytes,
    resident_bytes: bytes,
    shards: z.array(ShardReply),
    work: WorkReply.nullable().openapi({
      description: "The split, snapshot or restore that runs.",
    }),
    retired: z.int().openapi({ description: "Objects that wait to be destroyed." }),
  })
  .openapi("Stats");
