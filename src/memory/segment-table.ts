/** The sealed segments of a memory object as they are stored, the vocabulary's sealed part, and what
 *  was removed from segments since they were sealed. All of it derives from the other tables. */
import type { TermCounts } from "../../index/term-counts.ts";
import { decodeCounts } from "../../index/term-counts.ts";
import { bytesOf, joined, partsOf } from "./sql.ts";
import { xxh32 } from "./xxh32.ts";

/** A segment covers the documents of the rows (lo, hi]. */
export interface SegmentRow {
  id: number;
  lo: number;
  hi: number;
}

/** What a segment is made of. */
export interface SegmentBlobs {
  /** Of LexicalIndex. */
  postings: Uint8Array;
  /** The codes of its passages by slot, one after the other. */
  codes: Uint8Array;
  /** See segment-map.ts. */
  map: Uint8Array;
}

const KINDS = ["postings", "codes", "map"] as const;
/** Where the vocabulary's blob lies among the parts: no segment has the number 0. */
const VOCABULARY = 0;
/** Parts a blob may have: 1.9 GB, more than any object stores. */
const PARTS_MAX = 1_000;

const numberOf = (segment: number, kind: number, part: number) =>
  (segment * KINDS.length + kind) * PARTS_MAX + part;

export class SegmentTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** By their rows. */
  list(): SegmentRow[] {
    const rows = this.#sql.exec("SELECT id, lo, hi FROM segments ORDER BY lo").toArray();
    return rows.map(({ id, lo, hi }) => ({ id: Number(id), lo: Number(lo), hi: Number(hi) }));
  }

  /** Stores a segment under the next number. */
  insert(lo: number, hi: number, blobs: SegmentBlobs): SegmentRow {
    const insert = "INSERT INTO segments (lo, hi) VALUES (?, ?) RETURNING id";
    const id = Number(this.#sql.exec(insert, lo, hi).one().id);
    for (const [kind, name] of KINDS.entries()) this.#put(numberOf(id, kind, 0), blobs[name]);
    return { id, lo, hi };
  }

  delete({ id, lo, hi }: SegmentRow): void {
    this.#sql.exec("DELETE FROM segments WHERE id = ?", id);
    const [from, to] = [numberOf(id, 0, 0), numberOf(id + 1, 0, 0)];
    this.#sql.exec("DELETE FROM segment_parts WHERE number >= ? AND number < ?", from, to);
    this.#sql.exec("DELETE FROM tombstones WHERE document > ? AND document <= ?", lo, hi);
  }

  /** Null where a part is damaged or not there. */
  blobs({ id }: SegmentRow): SegmentBlobs | null {
    const [postings, codes, map] = KINDS.map((_, kind) => this.#get(numberOf(id, kind, 0)));
    return postings && codes && map ? { postings, codes, map } : null;
  }

  /** The vocabulary's sealed part; empty where there is none, null where it is damaged. */
  vocabulary(): Uint8Array | null {
    return this.#get(numberOf(VOCABULARY, 0, 0), true);
  }

  putVocabulary(bytes: Uint8Array): void {
    const [from, to] = [numberOf(VOCABULARY, 0, 0), numberOf(VOCABULARY, 1, 0)];
    this.#sql.exec("DELETE FROM segment_parts WHERE number >= ? AND number < ?", from, to);
    this.#put(from, bytes);
  }

  #put(number: number, bytes: Uint8Array): void {
    const insert = "INSERT INTO segment_parts (number, checksum, bytes) VALUES (?, ?, ?)";
    for (const [part, buffer] of partsOf(bytes).entries())
      this.#sql.exec(insert, number + part, xxh32(new Uint8Array(buffer)), buffer);
  }
}
