/** What a shard is bound by, and the tables it has. */
import {
  INDEX_BYTES_MAX,
  ISOLATE_INDEX_BYTES_MAX,
  MERGE_SEGMENTS,
  PASSAGES_MAX,
  SEAL_PASSAGES,
  SEGMENT_PASSAGES_MAX,
} from "../limits.ts";
import type { IndexBounds } from "./index-holder.ts";
import type { SegmentBounds } from "./maintenance.ts";
import type { ShardTier } from "./shard-tier.ts";

/** Bounds, which tests lower, and the clock. */
export interface ShardSettings extends SegmentBounds, IndexBounds {
  /** Unix time in ms. */
  now(): number;
  /** The deployment's vector tier, for a namespace that has its vectors there. */
  tier: (() => ShardTier) | null;
}

/** What a deployment has. */
export const SETTINGS: ShardSettings = {
  passagesMax: PASSAGES_MAX,
  indexBytesMax: INDEX_BYTES_MAX,
  isolateBytesMax: ISOLATE_INDEX_BYTES_MAX,
  sealPassages: SEAL_PASSAGES,
  segmentPassagesMax: SEGMENT_PASSAGES_MAX,
  mergeFan: MERGE_SEGMENTS,
  now: () => Date.now(),
  tier: null,
};

/** Every table of a shard. */
export const TABLES = [
  ...["documents", "passages", "links", "document_terms", "terms"],
  ...["segments", "segment_parts", "tombstones", "removals", "meta"],
  ...["metadata_fields", "metadata_values", "codebooks", "tier_writes"],
];
