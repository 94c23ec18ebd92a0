/** The documents of a memory object and what is known of the whole: the SQLite tables are the truth
 *  that everything in memory derives from. */
import { ServiceError } from "../errors.ts";
import { DOCUMENT_COLUMNS } from "./schema-2.ts";
import { AMONG, digestBytes, digestFrom, insertRows, PARAMETERS_MAX, type SqlRow } from "./sql.ts";
import {
  type ContentType,
  type Metadata,
  NAMESPACE_DEFAULTS,
  type NamespaceOptions,
  type StoredDocument,
} from "./types.ts";

/** A document's row without any of its text. */
export interface DocumentRow {
  row: number;
  id: string;
  /** SHA-256, hexadecimal. */
  digest: string;
  version: number;
  /** Row of its first passage, and how many there are. */
  first: number;
  passages: number;
  brought: boolean;
  content_type: ContentType;
  time: number;
  updated_at: number;
  expires_at: number | null;
  title: string | null;
  metadata: Metadata;
}

/** What tells of a stored document where it is and whether it is the same. */
export type FoundDocument = Pick<
  DocumentRow,
  "row" | "version" | "digest" | "first" | "passages" | "time" | "expires_at"
> & {
  /** Whether one of its vectors is lost: the same document again is stored anew. */
  lost?: boolean;
};

/** What a shard counts beside its tables. */
export interface ShardNumbers {
  /** The greatest row that a document ever had. */
  last_row: number;
  /** The row that the next passage gets. */
  next_passage: number;
  /** The row of the first passage that no segment holds. */
  sealed_passage: number;
  /** The dimension of every vector; 0 before the first. */
  dim: number;
  /** The codebook that vectors are archived by; 0 before there is one. */
  codebook: number;
  /** The first passage that the archive has not come to, and where it found too few vectors to
   *  train on. */
  archived_passage: number;
  archive_tried: number;
  /** Segments that were found damaged and made anew. */
  rebuilt: number;
  /** The newest copy of the documents that it heard of, under way or over; 0: none. */
  copy: number;
}

const FIRST_NUMBERS: ShardNumbers = {
  ...{ last_row: 0, next_passage: 1, sealed_passage: 1, dim: 0, rebuilt: 0, copy: 0 },
  ...{ codebook: 0, archived_passage: 1, archive_tried: 1 },
};
const NUMBER_NAMES = Object.keys(FIRST_NUMBERS)
  .map((name) => `'${name}'`)
  .join(", ");

/** What is read of a document: all but text. */
const LISTED = DOCUMENT_COLUMNS.filter((column) => column !== "tail").join(", ");

/** How many ids one statement looks up: few texts of statements, each prepared once. */
const FIND_SIZES = [1, 8, PARAMETERS_MAX];

export class MemoryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  get bytes(): number {
    return this.#sql.databaseSize;
  }

  options(): NamespaceOptions | null {
    const value = this.meta("options");
    return value === null ? null : { ...NAMESPACE_DEFAULTS, ...JSON.parse(value) };
  }

  setOptions(options: NamespaceOptions): void {
    this.setMeta("options", JSON.stringify(options));
  }

  /** The numbers kept beside the tables, as they are where nothing was ever stored. */
  numbers(): ShardNumbers {
    const numbers = { ...FIRST_NUMBERS };
    const select = `SELECT name, value FROM meta WHERE name IN (${NUMBER_NAMES})`;
    for (const { name, value } of this.#sql.exec(select))
      numbers[name as keyof ShardNumbers] = Number(value);
    return numbers;
  }

  setNumbers(numbers: Partial<ShardNumbers>): void {
    const rows = Object.entries(numbers).map(([name, value]) => [name, String(value)]);
    const values = rows.map(() => "(?, ?)").join(", ");
    this.#sql.exec(`INSERT OR REPLACE INTO meta (name, value) VALUES ${values}`, ...rows.flat());
  }

  meta(name: string): string | null {
    const row = this.#one("SELECT value FROM meta WHERE name = ?", name);
    return row === undefined ? null : String(row.value);
  }

  setMeta(name: string, value: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value);
  }

  deleteMeta(name: string): void {
    this.#sql.exec("DELETE FROM meta WHERE name = ?", name);
  }

  /** O(documents). */
  counts(): { documents: number; passages: number } {
    const row = this.#one("SELECT count(*) AS n, coalesce(sum(passages), 0) AS p FROM documents")!;
    return { documents: Number(row.n), passages: Number(row.p) };
  }

  /** Those of the ids that are stored. */
  findAll(ids: readonly string[]): Map<string, FoundDocument> {
    const found = new Map<string, FoundDocument>();
    for (let at = 0; at < ids.length; ) {
      const rest = ids.slice(at, at + PARAMETERS_MAX);
      const size = FIND_SIZES.find((n) => n >= rest.length)!;
      const marks = Array.from({ length: size }, () => "?").join(", ");
      const select = `SELECT id, row, version, digest, first, passages, time, expires_at
        FROM documents WHERE id IN (${marks})`;
      const padding = Array.from({ length: size - rest.length }, () => rest[0]!);
      for (const row of this.#sql.exec(select, ...rest, ...padding))
        found.set(String(row.id), foundFrom(row));
      at += rest.length;
    }
    return found;
  }

  /** Stores documents with the text that follows their last passages. */
  insert(documents: readonly (DocumentRow & { tail: string })[]): void {
    const rows = documents.map((document): SqlStorageValue[] => {
      const { row, id, digest, version, first, passages, brought, content_type } = document;
      const { time, updated_at, expires_at, title, metadata, tail } = document;
      return [
        ...[row, id, digestBytes(digest), version, first, passages, brought ? 1 : 0, content_type],
        ...[time, updated_at, expires_at, title, JSON.stringify(metadata), tail],
      ];
    });
    insertRows(this.#sql, "documents", DOCUMENT_COLUMNS, rows);
  }

  /** The row of the first passage of the documents after `row`; null where they have none. */
  firstPassageAfter(row: number): number | null {
    const select = "SELECT min(first) AS at FROM documents WHERE row > ? AND passages > 0";
    return this.#one(select, row)!.at as number | null;
  }

  /** Where the passages of the documents of the rows (lo, hi] lie: [from, to); null: nowhere. */
  passageRange(lo: number, hi: number): { from: number; to: number } | null {
    const select = `SELECT min(first) AS "from", max(first + passages) AS "to" FROM documents
      WHERE row > ? AND row <= ? AND passages > 0`;
    const { from, to } = this.#one(select, lo, hi)!;
    return from === null ? null : { from: Number(from), to: Number(to) };
  }

  /** Where the passages of the documents up to row `hi` end; there is such a document. */
  passagesEnd(hi: number): number {
    const select = `SELECT first + passages AS "end" FROM documents
      WHERE row <= ? ORDER BY row DESC LIMIT 1`;
    return Number(this.#one(select, hi)!.end);
  }

  /** When the last of the documents up to row `hi` was changed, Unix ms; there is such a one. */
  changedAt(hi: number): number {
    const select = "SELECT updated_at FROM documents WHERE row <= ? ORDER BY row DESC LIMIT 1";
    return Number(this.#one(select, hi)!.updated_at);
  }

  /** Rows of at most `most` passages from row `from` on, spread evenly over those of documents up
   *  to row `hi` whose embedding nobody brought. O(documents). */
  sampleOfMade(from: number, hi: number, most: number): number[] {
    const made = "FROM documents WHERE first >= ? AND row <= ? AND brought = 0 AND passages > 0";
    const total = Number(this.#one(`SELECT coalesce(sum(passages), 0) AS n ${made}`, from, hi)!.n);
    const count = Math.min(total, most);
    const rows: number[] = [];
    let before = 0;
    const select = `SELECT first, passages ${made} ORDER BY row`;
    for (const each of this.#sql.exec(select, from, hi)) {
      const after = before + Number(each.passages);
      for (;;) {
        const place = Math.floor((rows.length * total) / count);
        if (rows.length === count || place >= after) break;
        rows.push(Number(each.first) + place - before);
      }
      before = after;
    }
    return rows;
  }

  /** Deletes documents by their rows, with whole documents' counts; passages are not its own. */
  delete(rows: readonly number[], counted: boolean): void {
    const json = JSON.stringify(rows);
    this.#sql.exec(`DELETE FROM documents WHERE row ${AMONG}`, json);
    if (counted) this.#sql.exec(`DELETE FROM document_terms WHERE document ${AMONG}`, json);
  }

  /** Where the documents of the rows have their passages. A filter may find all there are, whose
   *  metadata together would take more than an object has. */
  places(rows: readonly number[]): Pick<DocumentRow, "row" | "id" | "first" | "passages">[] {
    const select = `SELECT row, id, first, passages FROM documents WHERE row ${AMONG}`;
    return Array.from(this.#sql.exec(select, JSON.stringify(rows)), (found) => ({
      row: Number(found.row),
      id: String(found.id),
      first: Number(found.first),
      passages: Number(found.passages),
    }));
  }

  get(id: string): DocumentRow | null {
    const row = this.#one(`SELECT ${LISTED} FROM documents WHERE id = ?`, id);
    return row === undefined ? null : documentFrom(row);
  }

  /** Documents after row `after`, oldest change first. */
  list(after: number, limit: number): DocumentRow[] {
    const select = `SELECT ${LISTED} FROM documents WHERE row > ? ORDER BY row LIMIT ?`;
    return this.#sql.exec(select, after, limit).toArray().map(documentFrom);
  }

  /** The text after the last passage of the document with that row. */
  tail(row: number): string {
    return String(this.#one("SELECT tail FROM documents WHERE row = ?", row)!.tail);
  }

  /** Of the document with that row. */
  metadataOf(row: number): Metadata {
    const found = this.#one("SELECT metadata FROM documents WHERE row = ?", row)!;
    return JSON.parse(String(found.metadata));
  }

  /** Ids and rows of documents whose time is over at `now`, at most `limit`. */
  expired(now: number, limit: number): { id: string; row: number }[] {
    const select =
      "SELECT id, row FROM documents WHERE expires_at <= ? ORDER BY expires_at LIMIT ?";
    return this.#sql
      .exec(select, now, limit)
      .toArray()
      .map(({ id, row }) => ({ id: String(id), row: Number(row) }));
  }

  /** When the next document expires, Unix ms; null: none will. */
  nextExpiry(): number | null {
    const select = "SELECT min(expires_at) AS at FROM documents WHERE expires_at IS NOT NULL";
    return this.#one(select)!.at as number | null;
  }

  logRemovals(removed: readonly { id: string; row: number }[]): void {
    const rows = removed.map(({ id, row }) => [id, row]);
    insertRows(this.#sql, "removals", ["id", "row"], rows);
  }

  /** What was removed after the removal `after`, in order. */
  removals(after: number, limit: number): { removal: number; id: string; row: number }[] {
    const select =
      "SELECT removal, id, row FROM removals WHERE removal > ? ORDER BY removal LIMIT ?";
    return this.#sql
      .exec(select, after, limit)
      .toArray()
      .map((row) => ({ removal: Number(row.removal), id: String(row.id), row: Number(row.row) }));
  }

  forgetRemovals(): void {
    this.#sql.exec("DELETE FROM removals");
  }

  #one(query: string, ...bindings: SqlStorageValue[]): SqlRow | undefined {
    return this.#sql.exec(query, ...bindings).toArray()[0];
  }
}

function foundFrom(row: SqlRow): FoundDocument {
  return {
    row: Number(row.row),
    version: Number(row.version),
    digest: digestFrom(row.digest!),
    first: Number(row.first),
    passages: Number(row.passages),
    time: Number(row.time),
    expires_at: row.expires_at as number | null,
  };
}

function documentFrom(row: SqlRow): DocumentRow {
  return {
    ...foundFrom(row),
    id: String(row.id),
    brought: row.brought === 1,
    content_type: String(row.content_type) as ContentType,
    updated_at: Number(row.updated_at),
    expires_at: row.expires_at as number | null,
    title: row.title as string | null,
    metadata: JSON.parse(String(row.metadata)),
  };
}

/** A document as a listing shows it. */
export function listed(document: DocumentRow): Omit<StoredDocument, "text"> {
  const { id, title, metadata, expires_at, passages, updated_at, time } = document;
  const { content_type, version, brought } = document;
  return {
    ...{ id, title, metadata, expires_at, passages, updated_at, time },
    ...{ content_type, version, brought },
  };
}

/** Where nobody has made the namespace. */
export function noNamespace(): ServiceError {
  return new ServiceError(
    "namespace_not_found",
    "there is no such namespace: PUT /admin/namespaces/NAME makes it",
    { param: "namespace" },
  );
}
