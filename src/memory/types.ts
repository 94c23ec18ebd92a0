/** What crosses the wire between the Worker and a memory object. Plain data only: object RPC
 *  copies it structurally. Names in snake_case are those of the HTTP contract. */
import { BM25_DEFAULTS, type Bm25Variant } from "../../index/bm25.ts";
import type { Filter, FilterValue } from "../../index/filter.ts";
import { COSINE_WEIGHT } from "../../index/fuse.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import type { ShardStats } from "./shard-types.ts";

/** A JSON object. The values are `unknown` spelled out: a reply that holds `unknown` itself becomes
 *  `never` in the types of object RPC. */
export type Metadata = { [field: string]: NonNullable<unknown> | null | undefined };

/** Options of a namespace. `bm25_unit`, `shards` and `vector_tier` are fixed once documents are
 *  stored; the others may change at any time and rank anew. */
export interface NamespaceOptions {
  /** What BM25's document frequencies and lengths count: single passages or whole documents. */
  bm25_unit: "passage" | "document";
  /** Which of the five formulas of bm25s; index/bm25.ts has them. */
  bm25_variant: Bm25Variant;
  /** Term-frequency saturation, 0 or more; 1.2 to 2 is usual. */
  k1: number;
  /** Length normalization, 0 to 1. */
  b: number;
  /** The lower bound of a term's share that bm25l and bm25plus add, 0 or more. */
  delta: number;
  fusion: "convex" | "rrf";
  /** What the convex fusion weighs the cosine with, 0 to 1; BM25 gets the rest. */
  cosine_weight: number;
  /** Whether passages that say the same are kept or linked to the first of them. */
  near_duplicates: "keep" | "link";
  /** How many objects the namespace starts with, 1 or more. */
  shards: number;
  /** What is forgotten without being asked to: the oldest beyond either bound. */
  forget: { max_age_days?: number; max_documents?: number } | null;
  /** Segments that nothing changed for so many days have their vectors archived in a quarter of the
   *  bytes, with a loss (docs/vectors.md); null: none. What is archived stays archived. */
  archive_after_days: number | null;
  /** Where vectors are searched: in the object, or in Cloudflare Vectorize. */
  vector_tier: "object" | "vectorize";
}

/** What a namespace gets when nothing is asked for: bm25s's defaults, the best of those measured on
 *  SciFact (docs/memory.md). */
export const NAMESPACE_DEFAULTS: NamespaceOptions = {
  bm25_unit: "passage",
  bm25_variant: BM25_DEFAULTS.variant,
  k1: BM25_DEFAULTS.k1,
  b: BM25_DEFAULTS.b,
  delta: BM25_DEFAULTS.delta,
  fusion: "convex",
  cosine_weight: COSINE_WEIGHT,
  near_duplicates: "keep",
  shards: 1,
  forget: null,
  archive_after_days: null,
  vector_tier: "object",
};

/** A passage before it is stored: `[start, end)` in UTF-16 units of the document's text, and the
 *  unit-length embedding of its title and text, in eight bits. */
export interface PreparedPassage {
  start: number;
  end: number;
  vector: QuantizedVector;
  /** Headings above the passage, outermost first, and the anchor of the innermost. */
  heading_path: string[];
  anchor: string | null;
  /** Of an archived passage: by which codebook the vector was decoded; see LOST_CODEBOOK. */
  codebook?: number;
}

export type ContentType = "text/plain" | "text/markdown" | "text/html";

/** A document ready to be stored; its passages are in text order and do not overlap. `digest` is
 *  the SHA-256 (hex) of all that was submitted: equal digests mean that nothing is to be done. */
export interface PreparedDocument {
  id: string;
  text: string;
  title: string | null;
  metadata: Metadata;
  /** Unix time in ms after which the document is neither found nor listed. */
  expires_at: number | null;
  digest: string;
  passages: PreparedPassage[];
  /** Whether the caller brought the embedding, one for all passages; an export gives it back. */
  brought: boolean;
  /** When what it tells of happened, Unix ms. */
  time: number;
  content_type: ContentType;
}

export type SearchMode = "hybrid" | "bm25" | "vector";

/** What is left out or null is not asked for. */
export interface SearchRequest {
  query: string;
  /** Unit-length embedding of the query, f32 [dim]; null only with mode `bm25`. */
  vector: Float32Array | null;
  /** 1 to SEARCH_K_MAX. */
  k: number;
  mode: SearchMode;
  filter: Filter | null;
  explain: boolean;
  /** The query's terms where they are not those of its text, each once; weights above 0. */
  terms?: { term: string; qtf: number }[] | null;
  /** How mode `hybrid` fuses, instead of the namespace's way. */
  fusion?: "convex" | "rrf" | null;
  /** 0 to 1, instead of the namespace's. */
  cosine_weight?: number | null;
  /** Scores halve with every half life that the document is old. */
  recency?: { half_life_days: number } | null;
  /** Maximal marginal relevance over the best `pool` candidates; `lambda` 1 is relevance alone. */
  diversity?: { lambda: number; pool: number } | null;
  /** How many passages to join on each side of a hit, 0 to NEIGHBOURS_MAX. */
  neighbours?: number;
  /** A document's best passage alone. */
  group_by_document?: boolean;
  /** Whether hits bring their vectors. */
  vectors?: boolean;
  /** Whether an answer without shards that fail is welcome, rather than an error. */
  partial?: boolean;
}

export interface SearchOutcome {
  /** Best first; with `diversity` in the order of choice. */
  hits: SearchHit[];
  /** How long each stage took; a shard's own stages are those of the slowest shard. */
  stages_ms: Record<string, number>;
}

/** Why a hit stands where it does. */
export interface HitExplanation {
  /** Each query term's share of the BM25 score, which they add up to; of the term's absence too
   *  where the variant rewards it. Null in mode `vector`. */
  bm25_terms: TermExplanation[] | null;
  /** The BM25 unit's length in terms, and the mean. */
  length: number | null;
  avgdl: number | null;
  /** The cosine as the 1-bit codes estimate it; null where the hit is not of that list. */
  estimate: number | null;
  /** Before fusion, from 1; null: not of that list. */
  bm25_rank: number | null;
  vector_rank: number | null;
  /** Arithmetic with this hit's numbers: evaluated, it is `fused`. */
  fusion: string;
  fused: number;
  recency: { age_days: number; half_life_days: number; factor: number } | null;
  diversity: DiversityExplanation | null;
  /** The reranker's id, and where the hit stood before it, from 1. */
  rerank?: { model: string; rank: number };
  /** Every condition of the filter with what the document has. */
  filter: ConditionExplanation[];
}

export interface TermExplanation {
  term: string;
  /** How often the query has it. */
  qtf: number;
  df: number;
  idf: number;
  tf: number;
  contribution: number;
}

export interface DiversityExplanation {
  /** Where it stood among the candidates before, from 1. */
  rank: number;
  lambda: number;
  /** lambda * relevance - (1 - lambda) * similarity = marginal. */
  relevance: number;
  similarity: number;
  marginal: number;
  /** The hit chosen before that it is most like. */
  nearest: string | null;
}

export interface ConditionExplanation {
  field: string;
  operator: string;
  operand: FilterValue | FilterValue[];
  value: NonNullable<unknown> | null;
  present: boolean;
  passed: boolean;
}

export interface SearchHit {
  document_id: string;
  passage_id: string;
  /** Of the asked mode: BM25, cosine, or the fused score in 0..1, after decay. Higher is better. */
  score: number;
  text: string;
  title: string | null;
  metadata: Metadata;
  /** Where `text` stands in the document: `[start, end)` in UTF-16 units. */
  start: number;
  end: number;
  /** Exact scores; null where the mode has no use for one. BM25 is 0 without a term in common. */
  bm25: number | null;
  cosine: number | null;
  /** Headings above the passage, outermost first, and the anchor of the innermost. */
  heading_path?: string[];
  anchor?: string | null;
  version?: number;
  /** Of the document, as PreparedDocument has it. */
  digest?: string;
  /** Passages that say the same and were linked to this one. */
  duplicates?: { document_id: string; passage_id: string }[];
  /** Of an iterative search: which of its searches found the hit; its scores are that one's. */
  hop?: 1 | 2;
  /** What a reranker gave the hit, by which hits are ordered then; of those that it read. */
  rerank_score?: number;
  /** With `neighbours`: other hits whose text overlaps this one's. */
  overlaps?: string[];
  /** Unit-length, f32 [dim]; with `vectors`. */
  vector?: Float32Array | null;
  explain?: HitExplanation;
}

export interface StoredDocument {
  id: string;
  text: string;
  title: string | null;
  metadata: Metadata;
  expires_at: number | null;
  passages: number;
  updated_at: number;
  time: number;
  content_type: ContentType;
  /** 1 when first stored, one more at every change. */
  version: number;
  /** Whether the caller brought the embedding. */
  brought: boolean;
}

export interface DocumentPage {
  documents: Omit<StoredDocument, "text">[];
  /** Hand it back to get the next page; null on the last. */
  cursor: string | null;
}

/** A document as the documents endpoint takes it back. */
export interface ExportedDocument {
  id: string;
  text: string;
  title: string | null;
  metadata: Metadata;
  expires_at: number | null;
  time: number;
  content_type: ContentType;
  /** The embedding that the caller brought, f32 [dim]; null: the encoder made them. */
  embedding: Float32Array | null;
}

export interface ExportPage {
  documents: ExportedDocument[];
  /** Hand it back to get the next page; null on the last. */
  cursor: string | null;
}

/** What one shard says of itself, and where it lies. */
export interface ShardReport extends ShardStats {
  /** Name of its object; null: the namespace's own. */
  object: string | null;
  /** It holds the documents whose id has a hash in [lo, hi), of 2^32. */
  lo: number;
  hi: number;
}

/** Long work in a namespace: how far it is. */
export interface WorkStatus {
  kind: "split" | "snapshot" | "restore";
  phase: string;
  /** Of a snapshot or restore: which. */
  id: string | null;
  started_at: number;
  /** Documents copied; some twice where they change meanwhile. */
  documents: number;
  /** Failures in a row, and what the last one said. */
  failures: number;
  error: string | null;
}

export interface MemoryStats {
  documents: number;
  passages: number;
  /** Added up over shards: a term on two of them counts twice. */
  archived_passages: number;
  /** Vectors that are lost with their codebooks. */
  lost_vectors: number;
  terms: number;
  /** Mean length of a BM25 unit, in terms. */
  avgdl: number;
  sqlite_bytes: number;
  resident_bytes: number;
  shards: ShardReport[];
  work: WorkStatus | null;
  /** How many objects wait to be destroyed. */
  retired: number;
}

export interface SearchReply extends SearchOutcome {
  /** How many shards there are and how many did not answer; null: all did. */
  partial: { shards: number; missing: number } | null;
}
