/** The passages of a memory object, and the terms that their counts number. */
import { joined } from "../../index/bytes.ts";
import { Codebook } from "../../index/pq.ts";
import { decodeCounts, encodeCounts, type TermCounts } from "../../index/term-counts.ts";
import type { QuantizedVector } from "../../index/vectors.ts";
import { ARCHIVE_PART_WIDTH } from "../limits.ts";
import { type CodebookTable, LOST_CODEBOOK, NO_CODEBOOK } from "./codebook-table.ts";
import { PASSAGE_COLUMNS } from "./schema-2.ts";
import {
  AMONG,
  bytesOf,
  insertRows,
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
  /** Null where it is not read. */
  vector: QuantizedVector | null;
  counts: TermCounts;
}

/** Rows [from, to) of passages; `to` null: no end. */
export interface PassageRange {
  from: number;
  to: number | null;
}

/** Rows [from, to) of passages. */
export interface ClosedRange {
  from: number;
  to: number;
}

/** A passage as a search weighs it. */
export interface ScoredPassage {
  row: number;
  /** These are decoded where they are asked for: most are not. */
  vector(): QuantizedVector;
  counts(): TermCounts;
  /** When its document happened, Unix ms. */
  time: number;
}

/** Of passages whose vectors are archived. */
const ARCHIVED_COLUMNS = [...PASSAGE_COLUMNS, "codebook"];

const PASSAGE_COUNTS = `SELECT row, counts FROM passages WHERE row ${AMONG}`;
const DOCUMENT_COUNTS = `SELECT document AS row, counts FROM document_terms
  WHERE document ${AMONG} ORDER BY document, part`;

const SCORED = `SELECT row, vector, codebook, counts FROM passages WHERE row ${AMONG}`;
/** Its join takes twice as long as all the rest. */
const SCORED_WITH_TIMES = `SELECT p.row, p.vector, p.codebook, p.counts, d.time
  FROM passages p JOIN documents d ON d.row = p.document WHERE p.row ${AMONG}`;

/** Told of what comes and goes, within its transaction. */
export interface PassageWatcher {
  added(passages: readonly { row: number; vector: QuantizedVector }[]): void;
  removed(rows: readonly number[]): void;
}

export class PassageStore {
  readonly #sql: SqlStorage;
  readonly #codebooks: CodebookTable;
  readonly #watcher: PassageWatcher | null;

  constructor(sql: SqlStorage, codebooks: CodebookTable, watcher: PassageWatcher | null = null) {
    this.#sql = sql;
    this.#codebooks = codebooks;
    this.#watcher = watcher;
  }

  /** Archived passages, as copies and patched documents have them, stay so: their codebooks are
   *  stored. */
  insert(passages: readonly NewPassage[]): void {
    const plain: SqlStorageValue[][] = [];
    const archived: SqlStorageValue[][] = [];
    for (const { row, document, passage, counts, text } of passages) {
      const { start, end, vector, heading_path, anchor, codebook } = passage;
      const path = heading_path.length === 0 ? null : JSON.stringify(heading_path);
      const before = [row, document, start, end, ownBuffer(counts)];
      const code = codebook ? this.#codeOf(vector, codebook) : null;
      if (code === null) plain.push([...before, vectorBytes(vector), path, anchor, text]);
      else archived.push([...before, ownBuffer(code), path, anchor, text, codebook!]);
    }
    insertRows(this.#sql, "passages", PASSAGE_COLUMNS, plain);
    insertRows(this.#sql, "passages", ARCHIVED_COLUMNS, archived);
    const there = passages.filter(({ passage }) => passage.codebook !== LOST_CODEBOOK);
    this.#watcher?.added(there.map(({ row, passage: { vector } }) => ({ row, vector })));
  }

  /** What a copied vector is archived as; null where its codebook is not there or another. */
  #codeOf(vector: QuantizedVector, codebook: number): Uint8Array | null {
    if (codebook === LOST_CODEBOOK) return new Uint8Array(vector.qs.length / ARCHIVE_PART_WIDTH);
    return this.#codebooks.get(codebook)?.rowOf(vector) ?? null;
  }

  /** Archives at most `limit` passages of a range by a codebook, given with its bytes; from where
   *  to go on. Rows are written anew: one that only gets shorter leaves its page's room unused. */
  archive({ from, to }: ClosedRange, limit: number, codebook: number, bytes: Uint8Array): number {
    const select = `SELECT p.*, d.brought FROM passages p JOIN documents d ON d.row = p.document
      WHERE p.row >= ? AND p.row < ? ORDER BY p.row LIMIT ?`;
    const rows = this.#sql.exec(select, from, to, limit).toArray();
    // Its tables for encoding are several times its size: they go with this call.
    const book = Codebook.read(bytes);
    const names = ARCHIVED_COLUMNS.map((name) => name.replaceAll('"', ""));
    const taken: number[] = [];
    const written: SqlStorageValue[][] = [];
    for (const row of rows) {
      if (row.codebook !== NO_CODEBOOK || row.brought !== 0) continue;
      const code = book.encode(vectorFrom(row.vector!));
      // Nothing has a cosine with a vector of zeros: such a row stays as it is.
      if (book.decode(code).scale === 0) continue;
      const changed: SqlRow = { ...row, vector: ownBuffer(code), codebook };
      taken.push(Number(row.row));
      written.push(names.map((name) => changed[name]!));
    }
    this.#deleteRows(taken);
    insertRows(this.#sql, "passages", ARCHIVED_COLUMNS, written);
    return rows.length < limit ? to : Number(rows.at(-1)!.row) + 1;
  }

  /** How many passages are archived. O(archived), of an index. */
  archived(): number {
    const select = "SELECT count(*) AS n FROM passages WHERE codebook <> 0";
    return Number(this.#sql.exec(select).one().n);
  }

  /** How many archived vectors are lost with their codebooks. O(archived), of an index. */
  lost(): number {
    const select = "SELECT codebook, count(*) AS n FROM passages WHERE codebook <> 0 GROUP BY 1";
    const counts = this.#sql.exec(select).toArray();
    const lost = counts.filter(({ codebook }) => this.#codebooks.isLost(Number(codebook)));
    return lost.reduce((sum, { n }) => sum + Number(n), 0);
  }

  /** Whether one of a document's vectors is. */
  lacks(first: number, passages: number): boolean {
    const select = `SELECT DISTINCT codebook FROM passages
      WHERE row >= ? AND row < ? AND codebook <> 0`;
    const used = this.#sql.exec(select, first, first + passages).toArray();
    return used.some(({ codebook }) => this.#codebooks.isLost(Number(codebook)));
  }

  /** The document of the first passage from `row` on; null where there is none. */
  documentFrom(row: number): number | null {
    const select = "SELECT document FROM passages WHERE row >= ? ORDER BY row LIMIT 1";
    const found = this.#sql.exec(select, row).toArray()[0];
    return found === undefined ? null : Number(found.document);
  }

  /** The vectors of those of the passages that are not archived, by row. */
  unarchived(rows: readonly number[]): QuantizedVector[] {
    const select = `SELECT vector FROM passages WHERE row ${AMONG} AND codebook = 0 ORDER BY row`;
    const found = this.#sql.exec(select, JSON.stringify(rows)).toArray();
    return found.map(({ vector }) => vectorFrom(vector!));
  }

  /** Deletes passages by their rows. */
  delete(rows: readonly number[]): void {
    this.#deleteRows(rows);
    this.#watcher?.removed(rows);
  }

  #deleteRows(rows: readonly number[]): void {
    this.#sql.exec(`DELETE FROM passages WHERE row ${AMONG}`, JSON.stringify(rows));
  }

  /** The passages of a range, by row. */
  *range({ from, to }: PassageRange, withVectors: boolean): Generator<IndexedPassage> {
    const select = `SELECT row, document, counts, codebook,
        ${withVectors ? "vector" : "NULL AS vector"}
      FROM passages WHERE row >= ? AND row < ? ORDER BY row`;
    for (const row of this.#sql.exec(select, from, to ?? Number.MAX_SAFE_INTEGER))
      yield {
        row: Number(row.row),
        document: Number(row.document),
        vector: row.vector === null ? null : this.#codebooks.vector(row.vector!, row.codebook!),
        counts: decodeCounts(bytesOf(row.counts!)),
      };
  }

  /** Of the passages asked for those that are there, by row. Without times NaN stands for them. */
  scored(rows: readonly number[], withTimes: boolean): Map<number, ScoredPassage> {
    const select = withTimes ? SCORED_WITH_TIMES : SCORED;
    const found = new Map<number, ScoredPassage>();
    for (const row of this.#sql.exec(select, JSON.stringify(rows)))
      found.set(Number(row.row), {
        row: Number(row.row),
        vector: () => this.#codebooks.vector(row.vector!, row.codebook!),
        counts: () => decodeCounts(bytesOf(row.counts!)),
        time: withTimes ? Number(row.time) : Number.NaN,
      });
    return found;
  }

  /** Of each document the counts of its units in order: its own, or its passages'. */
  unitCounts(
    documents: readonly { row: number; first: number; passages: number }[],
    byDocument: boolean,
  ): TermCounts[][] {
    if (byDocument) {
      const found = this.#countsOf(
        DOCUMENT_COUNTS,
        documents.map(({ row }) => row),
      );
      return documents.map(({ row }) => (found.has(row) ? [found.get(row)!] : []));
    }
    const rows = documents.map(({ first, passages }) =>
      Array.from({ length: passages }, (_, seq) => first + seq),
    );
    const found = this.#countsOf(PASSAGE_COUNTS, rows.flat());
    return rows.map((own) => own.map((row) => found.get(row)!));
  }

  /** Counts of whole documents, by their rows, in that order; all are there. */
  documentCounts(rows: readonly number[]): TermCounts[] {
    const found = this.#countsOf(DOCUMENT_COUNTS, rows);
    return rows.map((row) => found.get(row)!);
  }

  #countsOf(select: string, rows: readonly number[]): Map<number, TermCounts> {
    const parts = new Map<number, Uint8Array[]>();
    for (const row of this.#sql.exec(select, JSON.stringify(rows))) {
      const held = parts.get(Number(row.row));
      if (held === undefined) parts.set(Number(row.row), [bytesOf(row.counts!)]);
      else held.push(bytesOf(row.counts!));
    }
    return new Map(Array.from(parts, ([row, bytes]) => [row, decodeCounts(joined(bytes))]));
  }

  insertDocumentCounts(document: number, counts: TermCounts): void {
    const rows = partsOf(encodeCounts(counts)).map((bytes, part) => [document, part, bytes]);
    insertRows(this.#sql, "document_terms", ["document", "part", "counts"], rows);
  }

  /** The counts of the whole documents that have the passages of a range, by row. The range's end
   *  is the cursor's: one that is not read to its end keeps its table locked. */
  *wholeCounts({
    from,
    to,
  }: PassageRange): Generator<{ row: number; counts: TermCounts }, undefined> {
    const parts: Uint8Array[] = [];
    let row = -1;
    const select = `SELECT * FROM document_terms
      WHERE document >= (SELECT document FROM passages WHERE row >= ? ORDER BY row LIMIT 1)
        AND document <= (SELECT document FROM passages WHERE row < ? ORDER BY row DESC LIMIT 1)
      ORDER BY document, part`;
    for (const part of this.#sql.exec(select, from, to ?? Number.MAX_SAFE_INTEGER)) {
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
      .map((row) => ({ passage: this.#passageFrom(row), text: String(row.text) }));
  }

  /** The text of a document to the end of its last passage. */
  text(first: number, passages: number): string {
    const select = "SELECT text FROM passages WHERE row >= ? AND row < ? ORDER BY row";
    const parts = this.#sql.exec(select, first, first + passages).toArray();
    return parts.map(({ text }) => String(text)).join("");
  }

  #passageFrom(row: SqlRow): PreparedPassage {
    const stored = Number(row.codebook);
    const codebook = this.#codebooks.isLost(stored) ? LOST_CODEBOOK : stored;
    return {
      start: Number(row.start),
      end: Number(row.end),
      vector: this.#codebooks.vector(row.vector!, codebook),
      heading_path: row.heading_path === null ? [] : JSON.parse(String(row.heading_path)),
      anchor: row.anchor as string | null,
      ...(codebook === NO_CODEBOOK ? {} : { codebook }),
    };
  }

  insertTerms(added: readonly { id: number; term: string }[]): void {
    const rows = added.map(({ id, term }) => [id, term]);
    insertRows(this.#sql, "terms", ["id", "term"], rows);
  }

  /** The terms of the numbers from `id` on. */
  *terms(id: number): Generator<{ id: number; term: string }> {
    for (const row of this.#sql.exec("SELECT id, term FROM terms WHERE id >= ? ORDER BY id", id))
      yield { id: Number(row.id), term: String(row.term) };
  }

  termCount(): number {
    return Number(this.#sql.exec("SELECT count(*) AS n FROM terms").one().n);
  }

  deleteTerms(ids: readonly number[]): void {
    this.#sql.exec(`DELETE FROM terms WHERE id ${AMONG}`, JSON.stringify(ids));
  }
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
