/** What the objects of one namespace say to each other. A namespace's root assigns rows, keeps the
 *  map of shards and merges what they find; a shard stores documents and searches its own. A small
 *  namespace has one shard, and the root itself is it. Plain data: object RPC copies it. */
import type { Filter } from "../../index/filter.ts";
import type { ErrorCode } from "../errors.ts";
import type { Metadata, PreparedDocument, SearchMode } from "./types.ts";

/** Part of the namespace: the documents whose id has a hash in [lo, hi), of 2^32. */
export interface ShardRange {
  /** Name of the object; null: the root's own tables. */
  object: string | null;
  lo: number;
  hi: number;
}

/** One change of a document. `row` is the document's place in the order of changes, given by the
 *  root: global, ascending, never reused. Every change of a document moves it to a new row, so
 *  that copying in row order with what was removed meanwhile gives the same tables. */
export type Change =
  | { kind: "upsert"; row: number; document: PreparedDocument; if_version: number | null }
  | { kind: "remove"; id: string; if_version: number | null }
  | { kind: "patch"; row: number; id: string; patch: DocumentPatch; if_version: number | null }
  /** Of a copy: removes the document only where it still has this row. */
  | { kind: "forget"; id: string; row: number };

/** A field of `metadata` that is null is taken out; others are set; those not named stay. */
export interface DocumentPatch {
  metadata: Metadata | null;
  title?: string | null;
  expires_at?: number | null;
}

export interface ChangeOutcome {
  id: string;
  status: "stored" | "removed" | "missing" | "refused";
  /** Of the document as it is now; null where there is none. */
  version: number | null;
  passages: number;
  error: { code: ErrorCode; message: string } | null;
}

/** Counts behind BM25: of one shard, or added up over all of them. They are integers, so that the
 *  sum does not depend on how documents lie on shards. */
export interface CorpusStatistics {
  /** Passages, or documents where BM25 counts those. */
  units: number;
  /** Sum of the units' lengths in terms. */
  lengthSum: number;
  /** Of each term asked for, in that order: how many units hold it. */
  df: number[];
}

export interface CandidateRequest {
  mode: SearchMode;
  /** Distinct terms of the query with how often it has them. */
  terms: { term: string; qtf: number }[];
  /** Unit-length embedding, f32 [dim]; null only in mode `bm25`. */
  vector: Float32Array | null;
  filter: Filter | null;
  /** How many units the BM25 list holds at most, and how many the list of estimates. */
  bm25Depth: number;
  vectorDepth: number;
  /** In the place of estimates, the nearest that a vector tier finds, of which so many must be
   *  sure; null or absent: the index's own codes. Only without a filter, for units of passages. */
  tier?: number | null;
  statistics: CorpusStatistics;
  /** With `explain`, tfs and lengths come along. */
  explain: boolean;
  /** Whether the times of documents come along, which costs a look at each. */
  times: boolean;
}

/** Candidates, one a unit, in no promised order: the best `bm25Depth` units by BM25 and the best
 *  `vectorDepth` by the estimate of their cosine, each with both exact scores. Ties at a list's end
 *  go to the lower (row, seq). Parallel arrays of one length. */
export interface CandidateList {
  /** The passage that shows the unit, by its row within the shard. */
  passage: Float64Array;
  /** The document's row, and the passage's place in it: what ties break by. */
  row: Float64Array;
  seq: Uint32Array;
  /** Exact BM25; NaN in mode `vector`, 0 where the unit holds no term of the query. */
  bm25: Float64Array;
  /** 1: of the list by BM25; 0: only of the list of estimates. */
  lexical: Uint8Array;
  /** Estimated cosine of units in the list of estimates, or a tier's; NaN for others. */
  estimate: Float32Array;
  /** Exact cosine of the int8 vectors; NaN in mode `bm25`. */
  cosine: Float32Array;
  /** When the document happened, Unix ms: for recency; NaN where it was not asked for. */
  time: Float64Array;
  /** Index into the namespace's shards; set by whoever merges. */
  shard: Uint16Array;
  /** With `explain`: of each candidate the tf of each term, [n, terms], and its unit's length. */
  tfs: Uint32Array | null;
  lengths: Uint32Array | null;
  timings_ms: Record<string, number>;
}

export interface ShowRequest {
  /** Rows of passages within the shard. */
  passages: number[];
  /** Whether vectors come along, for diversity. */
  vectors: boolean;
  /** How many neighbours of the passage to join on each side. */
  neighbours: number;
}

/** A passage as a hit shows it. */
export interface ShownPassage {
  /** Its row within the shard: a passage that was removed meanwhile is not shown. */
  passage: number;
  document_id: string;
  title: string | null;
  metadata: Metadata;
  version: number;
  /** Of the document; a shard of an earlier release does not tell. */
  digest?: string;
  seq: number;
  /** `[start, end)` of `text` in UTF-16 units of the document, joined neighbours included. */
  start: number;
  end: number;
  text: string;
  /** Headings above the passage, outermost first, and the anchor of the innermost. */
  heading_path: string[];
  anchor: string | null;
  /** Unit-length, f32 [dim], where asked for. */
  vector: Float32Array | null;
  /** Passages that say the same and were linked to this one. */
  duplicates: { document_id: string; passage_id: string }[];
}

/** All shards of a namespace behind one face: what search coordinates over. */
export interface Gatherer {
  /** Added up over all shards; `df` in the order of `terms`. */
  statistics(terms: string[]): Promise<CorpusStatistics>;
  /** Merged over all shards: the best `bm25Depth` and `vectorDepth` units of the whole namespace,
   *  `shard` set. */
  candidates(request: CandidateRequest): Promise<CandidateList>;
  /** The passages in the order in which they are named, flat over the requests; null for one that
   *  is gone since the candidates were read. */
  show(wanted: { shard: number; request: ShowRequest }[]): Promise<(ShownPassage | null)[]>;
}

/** A document as a copy carries it. */
export interface CopiedDocument {
  row: number;
  version: number;
  updated_at: number;
  document: PreparedDocument;
  /** Whether its passages are linked where they say the same, as they were when it was stored;
   *  absent, as in snapshots of earlier releases: as the options say. */
  linking?: boolean;
}

/** A page of a copy: documents in row order after `row`, then what was removed after `removal`. */
export interface CopyPage {
  documents: CopiedDocument[];
  removed: { id: string; row: number }[];
  /** The codebooks by which vectors of the page were decoded, as Codebook.bytes() gives them: who
   *  takes the page over archives those vectors again without another loss. */
  codebooks: Uint8Array[];
  /** Where the next page begins. */
  row: number;
  removal: number;
  /** Whether nothing more was there when this page was read. */
  end: boolean;
}

export interface ShardStats {
  documents: number;
  passages: number;
  /** Passages whose vectors are archived. */
  archived_passages: number;
  /** Of those, vectors that are lost with their codebooks, and are zeros. */
  lost_vectors: number;
  terms: number;
  length_sum: number;
  units: number;
  sqlite_bytes: number;
  /** Bytes of linear memory and typed arrays that the index holds; 0 while it is not loaded. */
  resident_bytes: number;
  segments: number;
  memtable_passages: number;
  tombstones: number;
  /** Segments that were found damaged and made anew. */
  rebuilt: number;
}
