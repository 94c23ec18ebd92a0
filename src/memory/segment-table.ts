/** The sealed segments of a memory object as they are stored, its vocabulary in one blob, and what
 *  was removed from segments since they were sealed. All of it derives from the other tables: it is
 *  there so that an object that wakes need not read every passage. */
import { joined } from "../../index/bytes.ts";
import { decodeCounts, type TermCounts } from "../../index/term-counts.ts";
import { AMONG, bytesOf, partsOf, type SqlRow } from "./sql.ts";
import { xxh32 } from "./xxh32.ts";

/** A segment covers the documents of the rows (lo, hi]. */
export interface SegmentRow {
  id: number;
  lo: number;
  hi: number;
  /** Its slots, and how many of their passages were removed since. */
  passages: number;
  dead: number;
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
/** Where the vocabulary's blob lies among the parts: segments are numbered from 1. */
const VOCABULARY = 0;
/** Parts that a blob may have: 1.9 GB, more than any object stores. */
const PARTS_MAX = 1_000;

const numberOf = (segment: number, kind: number) => (segment * KINDS.length + kind) * PARTS_MAX;

export class SegmentTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** By their rows. */
  list(): SegmentRow[] {
    const select = "SELECT id, lo, hi, passages, dead FROM segments ORDER BY lo";
    return this.#sql.exec(select).toArray().map(segmentFrom);
  }

  insert(lo: number, hi: number, passages: number, blobs: SegmentBlobs): void {
    const insert = "INSERT INTO segments (lo, hi, passages, dead) VALUES (?, ?, ?, 0) RETURNING id";
    const id = Number(this.#sql.exec(insert, lo, hi, passages).one().id);
    for (const [kind, name] of KINDS.entries()) this.#put(numberOf(id, kind), blobs[name]);
  }

  delete({ id, lo, hi }: SegmentRow): void {
    this.#sql.exec("DELETE FROM segments WHERE id = ?", id);
    this.#deleteParts(numberOf(id, 0), numberOf(id + 1, 0));
    this.#sql.exec("DELETE FROM tombstones WHERE document > ? AND document <= ?", lo, hi);
  }

  /** Bytes stored: about what they take when loaded. */
  bytes(): number {
    const select = "SELECT coalesce(sum(length(bytes)), 0) AS n FROM segment_parts";
    return Number(this.#sql.exec(select).one().n);
  }

  /** Null where a part is damaged or not there. */
  blobs({ id }: SegmentRow): SegmentBlobs | null {
    const [postings, codes, map] = KINDS.map((_, kind) => this.#get(numberOf(id, kind)));
    return postings && codes && map ? { postings, codes, map } : null;
  }

  /** What `putVocabulary` stored; null where there is none or it is damaged. */
  vocabulary(): Uint8Array | null {
    return this.#get(numberOf(VOCABULARY, 0));
  }

  /** Null: none from now on. */
  putVocabulary(bytes: Uint8Array | null): void {
    this.#deleteParts(numberOf(VOCABULARY, 0), numberOf(VOCABULARY + 1, 0));
    if (bytes !== null) this.#put(numberOf(VOCABULARY, 0), bytes);
  }

  /** Notes that documents of a segment are going, before their passages are deleted: the counts of
   *  their units, whole documents or passages, are kept; linked ones have none. `rows` are sealed
   *  ones. */
  bury(rows: readonly number[], byDocument: boolean): void {
    const json = JSON.stringify(rows);
    const units = byDocument
      ? `SELECT document, part, counts FROM document_terms WHERE document ${AMONG}`
      : `SELECT d.row, p.row - d.first, CASE WHEN l.same_as IS NULL THEN p.counts END
         FROM documents d
         JOIN passages p ON p.row >= d.first AND p.row < d.first + d.passages
         LEFT JOIN links l ON l.passage = p.row
         WHERE d.row ${AMONG}`;
    this.#sql.exec(`INSERT INTO tombstones (document, unit, counts) ${units}`, json);
    this.#sql.exec(
      `UPDATE segments SET dead = dead + (
         SELECT coalesce(sum(d.passages), 0) FROM documents d
         WHERE d.row > segments.lo AND d.row <= segments.hi AND d.row ${AMONG})`,
      json,
    );
  }

  /** The removed documents of segments by row, each with its units' counts in order; null: a
   *  linked one's. */
  *tombstones(byDocument: boolean): Generator<{ row: number; counts: (TermCounts | null)[] }> {
    let row = -1;
    let parts: (Uint8Array | null)[] = [];
    const select = "SELECT document, counts FROM tombstones ORDER BY document, unit";
    const counts = () =>
      byDocument
        ? [decodeCounts(joined(parts as Uint8Array[]))]
        : parts.map((part) => part && decodeCounts(part));
    for (const part of this.#sql.exec(select)) {
      if (Number(part.document) !== row) {
        if (parts.length > 0) yield { row, counts: counts() };
        row = Number(part.document);
        parts = [];
      }
      parts.push(part.counts === null ? null : bytesOf(part.counts!));
    }
    if (parts.length > 0) yield { row, counts: counts() };
  }

  /** Units that are dead in segments. */
  tombstoneCount(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM tombstones").one().n);
  }

  #put(number: number, bytes: Uint8Array): void {
    const insert = "INSERT INTO segment_parts (number, checksum, bytes) VALUES (?, ?, ?)";
    for (const [part, buffer] of partsOf(bytes).entries())
      this.#sql.exec(insert, number + part, xxh32(new Uint8Array(buffer)), buffer);
  }

  #get(number: number): Uint8Array | null {
    const select = `SELECT checksum, bytes FROM segment_parts
      WHERE number >= ? AND number < ? ORDER BY number`;
    const parts: Uint8Array[] = [];
    let whole = true;
    // Read to the end also past damage: a cursor that is left keeps its table locked.
    for (const { checksum, bytes } of this.#sql.exec(select, number, number + PARTS_MAX)) {
      const part = bytesOf(bytes!);
      whole &&= xxh32(part) === Number(checksum);
      parts.push(part);
    }
    return whole && parts.length > 0 ? joined(parts) : null;
  }

  #deleteParts(from: number, to: number): void {
    this.#sql.exec("DELETE FROM segment_parts WHERE number >= ? AND number < ?", from, to);
  }
}

function segmentFrom(row: SqlRow): SegmentRow {
  return {
    id: Number(row.id),
    lo: Number(row.lo),
    hi: Number(row.hi),
    passages: Number(row.passages),
    dead: Number(row.dead),
  };
}
