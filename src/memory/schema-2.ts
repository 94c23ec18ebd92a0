/** The second schema of a memory object, and the way to it from the first. */
import type { QuantizedVector } from "../../index/vectors.ts";
import { METADATA_TABLES, MetadataIndex } from "./metadata-index.ts";
import { digestBytes, insertRows, type SqlRow, vectorBytes, vectorFrom } from "./sql.ts";

/** - documents.row is the place in the order of changes, passages.row that within the object: both
 *    ascend, (document, seq) in the order of passages.row, and neither is used twice. A document's
 *    passages have the rows `first` to `first + passages - 1`.
 *  - A passage's text begins where the one before it ended, so that the texts of all and `tail` are
 *    the document; `end` says where the passage itself ends, `start` where it begins.
 *  - counts are encodeCounts() blobs over terms.id; a vector is its f32 scale and its i8 values.
 *  - document_terms holds whole documents' counts in parts, only with bm25_unit "document".
 *  - links has a row for each passage stored while near_duplicates is "link": see link-table.ts.
 *  - removals lists what was removed while a copy of the documents is made.
 *  - Schema 3 adds passages.codebook: where it is not 0 the vector is archived, a row of that one
 *    of codebooks, which keeps two copies of each.
 *  - segments, with their parts, and tombstones derive from the rest: see segment-table.ts. */
export const SCHEMA_2 = `${METADATA_TABLES}
  CREATE TABLE documents (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    version INTEGER NOT NULL,
    first INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    brought INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    time INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    title TEXT,
    metadata TEXT NOT NULL,
    tail TEXT NOT NULL
  );
  CREATE INDEX documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE passages (
    row INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    counts BLOB NOT NULL,
    vector BLOB NOT NULL,
    heading_path TEXT,
    anchor TEXT,
    text TEXT NOT NULL
  );
  CREATE TABLE document_terms (
    document INTEGER NOT NULL,
    part INTEGER NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (document, part)
  ) WITHOUT ROWID;
  CREATE TABLE links (
    passage INTEGER PRIMARY KEY,
    print BLOB NOT NULL,
    same_as INTEGER
  );
  CREATE INDEX links_by_print ON links (print) WHERE same_as IS NULL;
  CREATE INDEX links_by_same_as ON links (same_as) WHERE same_as IS NOT NULL;
  CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL);
  CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    lo INTEGER NOT NULL,
    hi INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    dead INTEGER NOT NULL
  );
  CREATE TABLE segment_parts (
    number INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    bytes BLOB NOT NULL
  );
  CREATE TABLE tombstones (
    document INTEGER NOT NULL,
    unit INTEGER NOT NULL,
    counts BLOB,
    PRIMARY KEY (document, unit)
  ) WITHOUT ROWID;
  CREATE TABLE removals (
    removal INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    row INTEGER NOT NULL
  );`;

export const DOCUMENT_COLUMNS = [
  ...["row", "id", "digest", "version", "first", "passages", "brought", "content_type"],
  ...["time", "updated_at", "expires_at", "title", "metadata", "tail"],
];
export const PASSAGE_COLUMNS = [
  ...["row", "document", "start", '"end"', "counts", "vector", "heading_path", "anchor", "text"],
];

/** Of a document without any term schema 1 stored no counts, where it stored others'. */
const EMPTY_COUNTS = `
  INSERT INTO document_terms (document, part, counts)
  SELECT row, 0, x'' FROM old_documents
  WHERE passages > 0 AND row NOT IN (SELECT document FROM old_document_terms)
    AND (SELECT value FROM meta WHERE name = 'options') LIKE '%"bm25_unit":"document"%'`;

/** From schema 1, whose passages repeated the text of their document and whose vectors were scaled
 *  by their largest value. O(stored bytes). */
export function toSchema2(sql: SqlStorage): void {
  sql.exec(
    `DROP INDEX documents_by_expiry;
     ALTER TABLE documents RENAME TO old_documents;
     ALTER TABLE passages RENAME TO old_passages;
     ALTER TABLE document_terms RENAME TO old_document_terms;
     ALTER TABLE terms RENAME TO old_terms;`,
  );
  sql.exec(SCHEMA_2);
  sql.exec("INSERT INTO terms SELECT * FROM old_terms");
  sql.exec("INSERT INTO document_terms SELECT * FROM old_document_terms");
  sql.exec(EMPTY_COUNTS);
  const metadata = new MetadataIndex(sql, () => ({}));
  let next = 1;
  let last = 0;
  for (const { row } of sql.exec("SELECT row FROM old_documents ORDER BY row").toArray()) {
    next += moveDocument(sql, Number(row), next, metadata);
    last = Number(row);
  }
  for (const table of ["documents", "passages", "document_terms", "terms"])
    sql.exec(`DROP TABLE old_${table}`);
  sql.exec(
    "INSERT INTO meta (name, value) VALUES ('last_row', ?), ('next_passage', ?)",
    String(last),
    String(next),
  );
}

/** Moves one document; how many passages it has. */
function moveDocument(
  sql: SqlStorage,
  row: number,
  first: number,
  metadata: MetadataIndex,
): number {
  const old = sql.exec("SELECT * FROM old_documents WHERE row = ?", row).one();
  const select = "SELECT * FROM old_passages WHERE document = ? ORDER BY seq";
  const passages = sql.exec(select, row).toArray();
  const text = String(old.text);
  let ended = 0;
  const moved = passages.map((passage, seq) => {
    const [start, end] = [Number(passage.start), Number(passage.end)];
    const part = text.slice(ended, end);
    ended = end;
    const vector = vectorBytes(normalized(vectorFrom(passage.vector!)));
    return [first + seq, row, start, end, passage.counts!, vector, null, null, part];
  });
  insertRows(sql, "passages", PASSAGE_COLUMNS, moved);
  insertRows(sql, "documents", DOCUMENT_COLUMNS, [
    documentRow(old, first, passages.length, text.slice(ended)),
  ]);
  metadata.put(row, JSON.parse(String(old.metadata)));
  return passages.length;
}

function documentRow(
  old: SqlRow,
  first: number,
  passages: number,
  tail: string,
): SqlStorageValue[] {
  const brought = old.embedding === null ? 0 : 1;
  return [
    ...[old.row!, old.id!, digestBytes(String(old.digest)), 1, first, passages, brought],
    ...["text/plain", old.updated_at!, old.updated_at!, old.expires_at!, old.title!],
    ...[old.metadata!, tail],
  ];
}

/** The same direction at unit length, as far as a scale in f32 can tell. */
function normalized({ qs }: QuantizedVector): QuantizedVector {
  const square = qs.reduce((sum, q) => sum + q * q, 0);
  return { qs, scale: square === 0 ? 0 : Math.fround(1 / Math.sqrt(square)) };
}
