/** The SQLite tables of a memory object: the truth that everything in memory derives from. */
import type { QuantizedVector } from "../../index/vectors.ts";
import { assert } from "../errors.ts";
import type {
  DocumentPage,
  ExportedDocument,
  Metadata,
  NamespaceOptions,
  PreparedDocument,
  StoredDocument,
} from "./types.ts";

/** Counts of a whole document go into rows of at most this many bytes; a row holds 2 MB. */
const COUNTS_PART_BYTES = 1_900_000;

/** A passage as the index needs it, with blobs still encoded. */
export interface PassageRow {
  row: number;
  document: number;
  vector: ArrayBuffer;
  counts: ArrayBuffer;
}

export interface NewPassage {
  start: number;
  end: number;
  vector: QuantizedVector;
  counts: Uint8Array;
}

/** A passage as a hit shows it. */
export interface ShownPassage {
  document_id: string;
  title: string | null;
  metadata: Metadata;
  seq: number;
  start: number;
  end: number;
  text: string;
}

type SqlRow = Record<string, SqlStorageValue>;

/** A cursor page of documents, without their text. */
const LISTED = "row, id, title, metadata, expires_at, passages, updated_at";

export class MemoryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get bytes(): number {
    return this.#sql.databaseSize;
  }

  options(): NamespaceOptions | null {
    const value = this.#meta("options");
    return value === null ? null : JSON.parse(value);
  }

  setOptions(options: NamespaceOptions): void {
    this.#setMeta("options", JSON.stringify(options));
  }

  /** The dimension of every stored vector; null before the first. */
  dim(): number | null {
    const value = this.#meta("dim");
    return value === null ? null : Number(value);
  }

  setDim(dim: number): void {
    this.#setMeta("dim", String(dim));
  }

  counts(): { documents: number; passages: number } {
    const row = this.#one("SELECT count(*) AS n, coalesce(sum(passages), 0) AS p FROM documents")!;
    return { documents: Number(row.n), passages: Number(row.p) };
  }

  /** The row of a document and how many passages it has; null where there is none. */
  find(id: string): { row: number; passages: number; digest: string } | null {
    const found = this.#one("SELECT row, passages, digest FROM documents WHERE id = ?", id);
    if (found === undefined) return null;
    return {
      row: Number(found.row),
      passages: Number(found.passages),
      digest: String(found.digest),
    };
  }

  /** Stores a document that is not there yet; its row. */
  insertDocument(document: PreparedDocument, updatedAt: number): number {
    const { id, digest, title, metadata, expires_at, passages, embedding, text } = document;
    const inserted = this.#one(
      `INSERT INTO documents
         (id, digest, title, metadata, expires_at, updated_at, passages, embedding, text)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING row`,
      ...[id, digest, title, JSON.stringify(metadata), expires_at, updatedAt, passages.length],
      embedding ? floatBytes(embedding) : null,
      text,
    )!;
    return Number(inserted.row);
  }

  /** Stores the seq-th passage of a document; its row. */
  insertPassage(document: number, seq: number, passage: NewPassage, text: string): number {
    const inserted = this.#one(
      `INSERT INTO passages (document, seq, start, "end", vector, counts, text)
       VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING row`,
      ...[document, seq, passage.start, passage.end],
      ...[vectorBytes(passage.vector), ownBuffer(passage.counts), text],
    )!;
    return Number(inserted.row);
  }

  insertDocumentCounts(document: number, counts: Uint8Array): void {
    for (let part = 0; part * COUNTS_PART_BYTES < counts.length; part++) {
      const start = part * COUNTS_PART_BYTES;
      const bytes = counts.slice(start, start + COUNTS_PART_BYTES).buffer;
      const insert = "INSERT INTO document_terms (document, part, counts) VALUES (?, ?, ?)";
      this.#sql.exec(insert, document, part, bytes);
    }
  }

  /** The counts of every whole document, by row. */
  *documentCounts(): Generator<{ row: number; counts: Uint8Array }> {
    const parts: Uint8Array[] = [];
    let row = -1;
    for (const part of this.#sql.exec("SELECT * FROM document_terms ORDER BY document, part")) {
      if (Number(part.document) !== row && parts.length > 0)
        yield { row, counts: joined(parts.splice(0)) };
      row = Number(part.document);
      parts.push(new Uint8Array(part.counts as ArrayBuffer));
    }
    if (parts.length > 0) yield { row, counts: joined(parts) };
  }

  deleteDocument(row: number): void {
    this.#sql.exec("DELETE FROM passages WHERE document = ?", row);
    this.#sql.exec("DELETE FROM document_terms WHERE document = ?", row);
    this.#sql.exec("DELETE FROM documents WHERE row = ?", row);
  }

  insertTerms(added: readonly { id: number; term: string }[]): void {
    for (const { id, term } of added)
      this.#sql.exec("INSERT INTO terms (id, term) VALUES (?, ?)", id, term);
  }

  *terms(): Generator<{ id: number; term: string }> {
    for (const row of this.#sql.exec("SELECT id, term FROM terms"))
      yield { id: Number(row.id), term: String(row.term) };
  }

  deleteTerm(id: number): void {
    this.#sql.exec("DELETE FROM terms WHERE id = ?", id);
  }

  /** Every passage, oldest first. */
  *passages(): Generator<PassageRow> {
    const select = "SELECT row, document, vector, counts FROM passages ORDER BY row";
    for (const row of this.#sql.exec(select)) yield row as unknown as PassageRow;
  }

  /** The passages of one document in order, for choosing the best. */
  countsOf(document: number): { row: number; counts: Uint8Array }[] {
    const select = "SELECT row, counts FROM passages WHERE document = ? ORDER BY seq";
    return this.#sql
      .exec(select, document)
      .toArray()
      .map((row) => ({
        row: Number(row.row),
        counts: new Uint8Array(row.counts as ArrayBuffer),
      }));
  }

  shown(passage: number): ShownPassage {
    const row = this.#one(
      `SELECT d.id, d.title, d.metadata, p.seq, p.start, p."end", p.text
       FROM passages p JOIN documents d ON d.row = p.document WHERE p.row = ?`,
      passage,
    );
    assert(row !== undefined, `passage ${passage} of the index is stored`);
    return {
      document_id: String(row.id),
      title: row.title as string | null,
      metadata: JSON.parse(String(row.metadata)),
      seq: Number(row.seq),
      start: Number(row.start),
      end: Number(row.end),
      text: String(row.text),
    };
  }

  *metadata(): Generator<{ row: number; metadata: Metadata }> {
    for (const row of this.#sql.exec("SELECT row, metadata FROM documents"))
      yield { row: Number(row.row), metadata: JSON.parse(String(row.metadata)) };
  }

  get(id: string): StoredDocument | null {
    const row = this.#one(`SELECT ${LISTED}, text FROM documents WHERE id = ?`, id);
    return row === undefined ? null : { ...listed(row), text: String(row.text) };
  }

  /** Documents after row `after`, oldest change first. */
  list(after: number, limit: number): DocumentPage {
    const select = `SELECT ${LISTED} FROM documents WHERE row > ? ORDER BY row LIMIT ?`;
    const rows = this.#sql.exec(select, after, limit + 1).toArray();
    const page = rows.slice(0, limit);
    const cursor = rows.length > limit ? String(page.at(-1)!.row) : null;
    return { documents: page.map(listed), cursor };
  }

  /** Whole documents after row `after`, with their rows. */
  *whole(after: number): Generator<{ row: number; document: ExportedDocument }> {
    const select = `SELECT row, id, text, title, metadata, expires_at, embedding
      FROM documents WHERE row > ? ORDER BY row`;
    for (const row of this.#sql.exec(select, after)) {
      const { id, title, metadata, expires_at } = listed(row);
      const given = row.embedding as ArrayBuffer | null;
      const embedding = given === null ? null : [...new Float32Array(given)];
      const document = { id, text: String(row.text), title, metadata, expires_at, embedding };
      yield { row: Number(row.row), document };
    }
  }

  /** Rows of documents whose time is over at `now`. */
  expired(now: number): number[] {
    const select = "SELECT row FROM documents WHERE expires_at <= ?";
    return this.#sql
      .exec(select, now)
      .toArray()
      .map(({ row }) => Number(row));
  }

  /** When the next document expires, Unix ms; null: none will. */
  nextExpiry(): number | null {
    const select = "SELECT min(expires_at) AS at FROM documents WHERE expires_at IS NOT NULL";
    return this.#one(select)!.at as number | null;
  }

  #one(query: string, ...bindings: SqlStorageValue[]): SqlRow | undefined {
    return this.#sql.exec(query, ...bindings).toArray()[0];
  }

  #meta(name: string): string | null {
    const row = this.#one("SELECT value FROM meta WHERE name = ?", name);
    return row === undefined ? null : String(row.value);
  }

  #setMeta(name: string, value: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value);
  }
}

function listed(row: SqlRow): Omit<StoredDocument, "text"> {
  return {
    id: String(row.id),
    title: row.title as string | null,
    metadata: JSON.parse(String(row.metadata)),
    expires_at: row.expires_at as number | null,
    passages: Number(row.passages),
    updated_at: Number(row.updated_at),
  };
}

/** Storage takes a view's whole buffer: copy where the view is a part. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer;
}

function floatBytes(values: Float32Array): ArrayBuffer {
  return values.slice().buffer as ArrayBuffer;
}

function vectorBytes({ qs, scale }: QuantizedVector): ArrayBuffer {
  const bytes = new ArrayBuffer(4 + qs.length);
  new DataView(bytes).setFloat32(0, scale, true);
  new Int8Array(bytes, 4).set(qs);
  return bytes;
}

/** The inverse of what `insertPassage` stores for a vector. */
export function vectorFrom(bytes: ArrayBuffer): QuantizedVector {
  return { scale: new DataView(bytes).getFloat32(0, true), qs: new Int8Array(bytes, 4) };
}

function joined(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
