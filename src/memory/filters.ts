/** Filters on metadata as sets of documents. */
import { Bitmap } from "../../index/bitmap.ts";
import { type Filter, matches } from "../../index/filter.ts";
import { FILTERS_REMEMBERED_MAX } from "../limits.ts";
import type { Slots } from "./slots.ts";
import type { MemoryStore } from "./store.ts";

/** The documents that pass a filter; the last ones asked for are remembered until a write. */
export class Filters {
  readonly #passing = new Map<string, Bitmap>();

  forget(): void {
    this.#passing.clear();
  }

  /** The slots of the documents that pass. The first time O(documents). */
  passing(store: MemoryStore, slots: Slots, filter: Filter): Bitmap {
    const key = JSON.stringify(filter);
    const known = this.#passing.get(key);
    if (known !== undefined) return known;
    const passing = new Bitmap(slots.documents);
    let slot = 0; // both ascend by row; documents without passages have no slot
    for (const { row, metadata } of store.metadata()) {
      while (slot < slots.documents && slots.rowOf(slot) < row) slot++;
      if (slot === slots.documents) break;
      if (slots.rowOf(slot) === row && matches(filter, metadata)) passing.add(slot);
    }
    if (this.#passing.size >= FILTERS_REMEMBERED_MAX) this.#passing.clear();
    this.#passing.set(key, passing);
    return passing;
  }
}
