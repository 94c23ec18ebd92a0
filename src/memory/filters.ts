/** Filters on metadata as sets of the index's documents. */
import { Bitmap } from "../../index/bitmap.ts";
import type { Slots } from "./slots.ts";

/** The slots of the documents with these rows, which ascend; those without a passage have none.
 *  O(rows + slots). */
export function slotsOfRows(rows: Float64Array, slots: Slots): Bitmap {
  const passing = new Bitmap(slots.documents);
  let slot = 0;
  for (const row of rows) {
    while (slot < slots.documents && slots.rowOf(slot) < row) slot++;
    if (slot === slots.documents) break;
    if (slots.rowOf(slot) === row) passing.add(slot);
  }
  return passing;
}
