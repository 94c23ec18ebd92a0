/** A place for vectors outside the memory's own objects. It may lag behind: what it has not taken
 *  up yet is searched here, so that a write is found at once and a removal is final at once. */
import type { QuantizedVector } from "../../index/vectors.ts";
import { Sha256 } from "../model/sha256.ts";

export interface TierMatch {
  id: string;
  /** Cosine, as near as the tier computes it: candidates are scored again by their rows. */
  score: number;
}

/** What a query found, best first. */
export interface TierResult {
  matches: TierMatch[];
  /** False where the tier may hold more: it answers with so many at most, and too many of those
   *  are removed already. */
  complete: boolean;
}

/** Vectors by id; ids come from `tierId`. */
export interface VectorTier {
  /** Stores a vector, or replaces it. Errors: memory_busy where too many vectors wait. */
  upsert(id: string, vector: QuantizedVector): void;
  /** Removes a vector; one that is not there is no error. */
  remove(id: string): void;
  /** Runs a transaction of the journal: where it throws, none of its writes was made. */
  transaction<T>(run: () => T): T;
  /** The best k by cosine, best first; a tie goes to the lower id. Every write so far counts, and
   *  the first `sure`, or all k, are missed by nothing but the tier's own approximation, or the
   *  result is not complete. `living` is the truth about what is stored: an id it denies is never
   *  found, whatever the tier still holds. Errors: invalid_request beyond the tier's k,
   *  backend_unavailable. */
  query(
    query: Float32Array,
    k: number,
    living: (id: string) => boolean,
    sure?: number,
  ): Promise<TierResult>;
  /** Sends what waits and looks at what was taken up; how many writes are still to be seen there.
   *  To be called again while there are any. Errors: backend_unavailable; nothing is lost. */
  sync(): Promise<number>;
}

/** A write that the tier may not show yet: the last one of its id. */
export interface PendingWrite {
  id: string;
  /** Null: the vector is removed. */
  vector: QuantizedVector | null;
  /** Place in the order of writes; no two are alike. */
  order: number;
  /** Once accepted: by which mutation, the place of that among ours, and when, Unix ms. */
  sent: { mutation: string; sequence: number; at: number } | null;
}

/** Where pending writes outlive the object that holds them, one an id. */
export interface TierJournal {
  /** In any order. */
  all(): PendingWrite[];
  put(write: PendingWrite): void;
  delete(id: string): void;
}

/** Hexadecimal digits of a hash: 160 bits, which do not collide by chance. */
const HASH_CHARS = 40;

/** Name of a memory object's namespace within a tier: 40 characters, whatever it is called. */
export const tierNamespace = (object: string): string =>
  new Sha256().update(new TextEncoder().encode(object)).digest().slice(0, HASH_CHARS);

/** The id of a passage by its row: at most 57 bytes. A row is never used twice within an object,
 *  so an id that was removed does not come back with another vector. */
export const tierId = (namespace: string, row: number): string => `${namespace}.${row}`;

/** The row in a `tierId`; null for any other text. */
export function rowOfTierId(id: string): number | null {
  const match = /^[0-9a-f]{40}\.(\d{1,16})$/.exec(id);
  return match === null ? null : Number(match[1]);
}
