/** Which segments are to be made anew. */
import type { SegmentRow } from "./segment-table.ts";

export interface SegmentBounds {
  /** Passages without a segment that are worth one. */
  sealPassages: number;
  /** How many living passages a merged segment has at most. */
  segmentPassagesMax: number;
  /** How many small neighbours are merged at once. */
  mergeFan: number;
}

/** More dead than this share makes a segment anew. */
const DEAD_SHARE = 0.25;

const living = ({ passages, dead }: SegmentRow) => passages - dead;

/** Neighbours to merge into one, or one alone that has many dead; null: all is well. A segment of
 *  half the greatest size is never merged again, so each passage is written to segments about twice
 *  in its life. */
export function segmentsDue(
  segments: readonly SegmentRow[],
  { segmentPassagesMax, mergeFan }: SegmentBounds,
): SegmentRow[] | null {
  const worn = segments.find(({ passages, dead }) => dead > passages * DEAD_SHARE);
  if (worn !== undefined) return [worn];
  const half = segmentPassagesMax / 2;
  let run: SegmentRow[] = [];
  let sum = 0;
  for (const segment of segments) {
    const size = living(segment);
    if (size >= half) {
      run = [];
      sum = 0;
      continue;
    }
    // A run that goes on has less than half: with another that has less it stays within the bound.
    run.push(segment);
    sum += size;
    if (run.length >= 2 && (run.length >= mergeFan || sum >= half)) return run;
  }
  return null;
}
