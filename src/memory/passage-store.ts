/** The passages of a memory object, and the terms that their counts number. */
import { decodeCounts, encodeCounts, type TermCounts } from "../../index/term-counts.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { PASSAGE_COLUMNS } from "./schema-2.ts";
import {
  bytesOf,
  insertRows,
  joined,
  ownBuffer,
  partsOf,
  type SqlRow,
  vectorBytes,
  vectorFrom,
} from "./sql.ts";
import type { PreparedDocument, PreparedPassage } from "./types.ts";

/** A passage on its way into the tables. */
export interface NewPassage {
  row: number;
  document: number;
  passage: PreparedPassage;
  counts: Uint8Array;
  /** The document's text from the end of the passage before to the end of this one. */
  text: string;
}

/** A passage as the index is loaded with it. */
export interface IndexedPassage {
  row: number;
  document: number;
  vector: QuantizedVector;
  counts: TermCounts;
}

/** A passage as a search weighs it. */
export interface ScoredPassage {
  row: number;
  vector: QuantizedVector;
  counts: TermCounts;
  /** When its document happened, Unix ms. */
  time: number;
}

const AMONG = "IN (SELECT value FROM json_each(?))";

export class PassageStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  insert(passages: readonly NewPassage[]): void {
    const rows = passages.map(({ row, document, passage, counts, text }): SqlStorageValue[] => {
      const { start, end, vector, heading_path, anchor } = passage;
      const path = heading_path.length === 0 ? null : JSON.stringify(heading_path);
      return [
        ...[row, document, start, end, ownBuffer(counts), vectorBytes(vector), path, anchor, text],
      ];
    });
    insertRows(this.#sql, "passages", PASSAGE_COLUMNS, rows);
  }

  /** Deletes the rows [first, first + n) of each. */
  delete(ranges: readonly { first: number; passages: number }[]): void {
    for (const { first, passages } of ranges)
      this.#sql.exec("DELETE FROM passages WHERE row >= ? AND row < ?", first, first + passages);
  }

  /** Every passage after row `after`, by row, as the index needs it. */
  *all(after: number): Generator<IndexedPassage> {
    const select = "SELECT row, document, counts, vector FROM passages WHERE row > ? ORDER BY row";
    for (const row of this.#sql.exec(select, after))
      yield {
        row: Number(row.row),
        document: Number(row.document),
        vector: vectorFrom(row.vector!),
        counts: decodeCounts(bytesOf(row.counts!)),
      };
  }

  /** Of the passages asked for those that are there, by row. */
  scored(rows: readonly number[]): Map<number, ScoredPassage> {
    const select = `SELECT p.row, p.vector, p.counts, d.time
      FROM passages p JOIN documents d ON d.row = p.document WHERE p.row ${AMONG}`;
    const found = new Map<number, ScoredPassage>();
    for (const row of this.#sql.exec(select, JSON.stringify(rows)))
      found.set(Number(row.row), {
        row: Number(row.row),
        vector: vectorFrom(row.vector!),
        counts: decodeCounts(bytesOf(row.counts!)),
        time: Number(row.time),
      });
    return found;
  }

  /** Counts of the passages asked for, in that order; all are there. */
  counts(rows: readonly number[]): TermCounts[] {
    const select = `SELECT row, counts FROM passages WHERE row ${AMONG}`;
    return this.#countsBy(select, rows);
  }

  #countsBy(select: string, rows: readonly number[]): TermCounts[] {
    const parts = new Map<number, Uint8Array[]>();
    for (const row of this.#sql.exec(select, JSON.stringify(rows))) {
      const held = parts.get(Number(row.row));
      if (held === undefined) parts.set(Number(row.row), [bytesOf(row.counts!)]);
      else held.push(bytesOf(row.counts!));
    }
    return rows.map((row) => decodeCounts(joined(parts.get(row)!)));
  }

  /** Counts of whole documents, by their rows, in that order; all are there. */
  documentCounts(rows: readonly number[]): TermCounts[] {
    const select = `SELECT document AS row, counts FROM document_terms
      WHERE document ${AMONG} ORDER BY document, part`;
    return this.#countsBy(select, rows);
  }

  insertDocumentCounts(document: number, counts: TermCounts): void {
    const rows = partsOf(encodeCounts(counts)).map((bytes, part) => [document, part, bytes]);
    insertRows(this.#sql, "document_terms", ["document", "part", "counts"], rows);
  }

  /** The counts of every whole document after row `after`, by row. */
  *allDocumentCounts(after: number): Generator<{ row: number; counts: TermCounts }> {
    const parts: Uint8Array[] = [];
    let row = -1;
    const select = "SELECT * FROM document_terms WHERE document > ? ORDER BY document, part";
    for (const part of this.#sql.exec(select, after)) {
      if (Number(part.document) !== row && parts.length > 0)
        yield { row, counts: decodeCounts(joined(parts.splice(0))) };
      row = Number(part.document);
      parts.push(bytesOf(part.counts!));
    }
    if (parts.length > 0) yield { row, counts: decodeCounts(joined(parts)) };
  }

  /** A document's passages in order with their texts, which begin where the one before ended. */
  of(first: number, passages: number): { passage: PreparedPassage; text: string }[] {
    const select = "SELECT * FROM passages WHERE row >= ? AND row < ? ORDER BY row";
    return this.#sql
      .exec(select, first, first + passages)
      .toArray()
      .map((row) => ({ passage: passageFrom(row), text: String(row.text) }));
  }

  /** The text of a document to the end of its last passage. */
  text(first: number, passages: number): string {
    const select = "SELECT text FROM passages WHERE row >= ? AND row < ? ORDER BY row";
    const parts = this.#sql.exec(select, first, first + passages).toArray();
    return parts.map(({ text }) => String(text)).join("");
  }

  insertTerms(added: readonly { id: number; term: string }[]): void {
    const rows = added.map(({ id, term }) => [id, term]);
    insertRows(this.#sql, "terms", ["id", "term"], rows);
  }

  *terms(): Generator<{ id: number; term: string }> {
    for (const row of this.#sql.exec("SELECT id, term FROM terms ORDER BY id"))
      yield { id: Number(row.id), term: String(row.term) };
  }

  deleteTerms(ids: readonly number[]): void {
    this.#sql.exec(`DELETE FROM terms WHERE id ${AMONG}`, JSON.stringify(ids));
  }
}

export function passageFrom(row: SqlRow): PreparedPassage {
  return {
    start: Number(row.start),
    end: Number(row.end),
    vector: vectorFrom(row.vector!),
    heading_path: row.heading_path === null ? [] : JSON.parse(String(row.heading_path)),
    anchor: row.anchor as string | null,
  };
}

/** What of the document's text each passage's row keeps, and what follows the last. */
export function textParts({ text, passages }: PreparedDocument): { parts: string[]; tail: string } {
  let ended = 0;
  const parts = passages.map(({ end }) => {
    const part = text.slice(ended, end);
    ended = end;
    return part;
  });
  return { parts, tail: text.slice(ended) };
}
