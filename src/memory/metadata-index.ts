/** Which documents pass a filter, from SQLite: one entry a document, field and value, in the order
 *  of values, so that a test of a field is a range of entries and never a walk over documents. */
import { Bitmap } from "../../index/bitmap.ts";
import {
  type Condition,
  type Filter,
  type FilterValue,
  holds,
  matches,
  readNode,
} from "../../index/filter.ts";
import { assert } from "../errors.ts";
import {
  FILTER_REMEMBERED_CHARS_MAX,
  FILTERS_REMEMBERED_MAX,
  METADATA_FIELDS_REMEMBERED_MAX,
  METADATA_PAGE_ROWS,
} from "../limits.ts";
import { cut, isCut, isReserved, type Key, keyOf, keysOf, successor } from "./metadata-keys.ts";
import type { Metadata } from "./types.ts";

/** The tables; a migration makes them.
 *  - An entry's value is a number or a text as it is, of a text at most METADATA_VALUE_CHARS_MAX
 *    code points, and a blob of one byte for null, booleans, and what no test but `exists` can
 *    find. SQLite orders numbers before texts before blobs, and texts by their UTF-8.
 *  - A list has an entry an element; an empty one has that of `exists`.
 *  - Field 0 holds every document, which negation needs. */
export const METADATA_TABLES = `
  CREATE TABLE metadata_fields (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE metadata_values (
    field INTEGER NOT NULL,
    value BLOB NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (field, value, document)
  ) WITHOUT ROWID;`;

const EVERY_DOCUMENT = 0;
/** SQLite takes 100 bindings a statement, of which some are not values. */
const VALUES_PER_QUERY = 90;
const ENTRIES_PER_INSERT = 33;

/** Field, value, document. */
type Entry = [number, Key, number];

interface Remembered {
  filter: Filter;
  /** By place in the list of documents; bits of places that are free say nothing. */
  passing: Bitmap;
}

/** Documents are known by their rows. `metadataOf` reads a stored document's metadata; it is asked
 *  where a text is longer than what the tables hold of it, and by `remove`. */
export class MetadataIndex {
  readonly #sql: SqlStorage;
  readonly #metadataOf: (document: number) => Metadata;
  readonly #fields = new Map<string, number>();
  /** All documents' rows, ascending, f64 [capacity], of which `#count` are in use; null until a
   *  filter needs them. */
  #rows: Float64Array | null = null;
  #count = 0;
  /** Places whose document is still there; of the rows' capacity. */
  #alive = new Bitmap(0);
  /** By the filter's JSON, least recently used first. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(sql: SqlStorage, metadataOf: (document: number) => Metadata) {
    this.#sql = sql;
    this.#metadataOf = metadataOf;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    const bits = this.#alive.words.byteLength * (1 + this.#remembered.size);
    return (this.#rows?.byteLength ?? 0) + bits;
  }

  /** Adds a document that is not there yet. Metadata of 16 KiB has about 4,000 values at most. */
  put(document: number, metadata: Metadata): void {
    this.putAll([{ row: document, metadata }]);
  }

  /** Adds documents that are not there yet, many values a statement. */
  putAll(documents: readonly { row: number; metadata: Metadata }[]): void {
    // A number is bound as a double, which takes nine bytes; as an integer it takes what it needs.
    const integers: Entry[] = [];
    const others: Entry[] = [];
    for (const { row, metadata } of documents) {
      integers.push([EVERY_DOCUMENT, 0, row]);
      for (const [field, value] of Object.entries(metadata)) {
        if (isReserved(field)) continue;
        const id = this.#fieldOf(field) ?? this.#makeField(field);
        for (const key of keysOf(value))
          (Number.isSafeInteger(key) ? integers : others).push([id, key, row]);
      }
    }
    this.#insert(integers, "(?, CAST(? AS INTEGER), ?)");
    this.#insert(others, "(?, ?, ?)");
    for (const { row, metadata } of documents) this.#append(row, metadata);
  }

  /** Removes a document whose metadata can still be read: call it before the document goes. */
  remove(document: number): void {
    const drop = "DELETE FROM metadata_values WHERE field = ? AND value = ? AND document = ?";
    this.#sql.exec(drop, EVERY_DOCUMENT, 0, document);
    for (const [field, value] of Object.entries(this.#metadataOf(document))) {
      const id = isReserved(field) ? undefined : this.#fieldOf(field);
      if (id === undefined) continue;
      for (const key of keysOf(value)) this.#sql.exec(drop, id, key, document);
      const left = this.#sql.exec("SELECT 1 FROM metadata_values WHERE field = ? LIMIT 1", id);
      if (left.toArray().length === 0) this.#dropField(field, id);
    }
    if (this.#rows !== null) this.#alive.delete(this.#placeOf(document, 0));
  }

  /** Rows of the documents that pass a checked filter, ascending, f64 [n], exactly as `matches`
   *  has it. O(entries that the filter's conditions touch), all documents for a negation; O(n) for
   *  a remembered filter, which writes do not make it forget. */
  rows(filter: Filter): Float64Array {
    this.#load();
    const passing = this.#recall(filter);
    const found = new Float64Array(this.#count);
    let n = 0;
    for (const place of passing.resized(passing.size).and(this.#alive))
      found[n++] = this.#rows![place]!;
    return found.slice(0, n);
  }

  /** Drops what is held in memory; the tables stay. For a transaction that was rolled back. */
  forget(): void {
    this.#rows = null;
    this.#count = 0;
    this.#alive = new Bitmap(0);
    this.#remembered.clear();
    this.#fields.clear();
  }

  #insert(entries: readonly Entry[], row: string): void {
    for (let at = 0; at < entries.length; at += ENTRIES_PER_INSERT) {
      const some = entries.slice(at, at + ENTRIES_PER_INSERT);
      const rows = some.map(() => row).join(", ");
      const insert = `INSERT INTO metadata_values (field, value, document) VALUES ${rows}`;
      this.#sql.exec(insert, ...some.flat());
    }
  }

  #fieldOf(name: string): number | undefined {
    const known = this.#fields.get(name);
    if (known !== undefined) return known;
    const found = this.#sql.exec("SELECT id FROM metadata_fields WHERE name = ?", name).toArray();
    if (found.length === 0) return undefined;
    if (this.#fields.size >= METADATA_FIELDS_REMEMBERED_MAX) this.#fields.clear();
    const id = Number(found[0]!.id);
    this.#fields.set(name, id);
    return id;
  }

  #makeField(name: string): number {
    this.#sql.exec("INSERT INTO metadata_fields (name) VALUES (?)", name);
    return this.#fieldOf(name)!;
  }

  #dropField(name: string, id: number): void {
    this.#sql.exec("DELETE FROM metadata_fields WHERE id = ?", id);
    this.#fields.delete(name);
  }

  /** Takes a new document into what is remembered. Rows ascend; a copy that arrives out of order
   *  only costs loading again. */
  #append(document: number, metadata: Metadata): void {
    if (this.#rows === null) return;
    if (this.#count > 0 && document <= this.#rows[this.#count - 1]!) {
      this.forget();
      return;
    }
    if (this.#count === this.#rows.length) this.#makeRoom();
    const place = this.#count++;
    this.#rows[place] = document;
    this.#alive.add(place);
    for (const { filter, passing } of this.#remembered.values())
      if (matches(filter, metadata)) passing.add(place);
      else passing.delete(place);
  }

  /** Closes the gaps of removed documents, and doubles the room where that gave too little. */
  #makeRoom(): void {
    const kept = [...this.#alive];
    const room = Math.max(64, kept.length * 2);
    const moved = (bits: Bitmap) => {
      const to = new Bitmap(room);
      for (const [place, from] of kept.entries()) if (bits.has(from)) to.add(place);
      return to;
    };
    const rows = new Float64Array(room);
    for (const [place, from] of kept.entries()) rows[place] = this.#rows![from]!;
    for (const entry of this.#remembered.values()) entry.passing = moved(entry.passing);
    this.#alive = moved(this.#alive);
    this.#rows = rows;
    this.#count = kept.length;
  }

  #load(): void {
    if (this.#rows !== null) return;
    const all: number[][] = [];
    this.#select((rows) => all.push(rows), "field = ?", EVERY_DOCUMENT);
    this.#rows = Float64Array.from(all.flat());
    this.#count = this.#rows.length;
    this.#alive = Bitmap.full(this.#count);
  }

  #recall(filter: Filter): Bitmap {
    const name = JSON.stringify(filter);
    const known = this.#remembered.get(name);
    this.#remembered.delete(name);
    const entry = known ?? { filter, passing: this.#evaluate(filter) };
    if (name.length > FILTER_REMEMBERED_CHARS_MAX) return entry.passing;
    if (this.#remembered.size >= FILTERS_REMEMBERED_MAX)
      this.#remembered.delete(this.#remembered.keys().next().value!);
    this.#remembered.set(name, entry);
    return entry.passing;
  }

  #evaluate(filter: Filter): Bitmap {
    const node = readNode(filter);
    if (node.kind === "not") return this.#evaluate(node.part).invert();
    if (node.kind === "or") {
      const any = this.#none();
      for (const part of node.parts) any.or(this.#evaluate(part));
      return any;
    }
    const every = this.#none().invert();
    if (node.kind === "and") for (const part of node.parts) every.and(this.#evaluate(part));
    else for (const condition of node.conditions) every.and(this.#test(condition));
    return every;
  }

  #none(): Bitmap {
    return new Bitmap(this.#rows!.length);
  }

  #test(condition: Condition): Bitmap {
    const { field, operator, operand } = condition;
    if (operator === "ne") return this.#test({ field, operator: "eq", operand }).invert();
    if (operator === "nin") return this.#test({ field, operator: "in", operand }).invert();
    const found = this.#none();
    const id = this.#fieldOf(field);
    if (operator === "exists") {
      if (id !== undefined) this.#mark(found, "field = ?", id);
      return operand === true ? found : found.invert();
    }
    if (id === undefined) return found;
    if (operator === "eq" || operator === "in") {
      const values = operator === "in" ? (operand as FilterValue[]) : [operand as FilterValue];
      this.#markEqual(found, id, condition, values);
    } else if (operator === "prefix") {
      this.#markPrefix(found, id, condition, operand as string);
    } else if (typeof operand === "number") {
      this.#mark(found, `field = ? AND value ${SIGN[operator]} ? AND value < ''`, id, operand);
    } else {
      this.#markTextRange(found, id, condition, operand as string);
    }
    return found;
  }

  #markEqual(found: Bitmap, id: number, condition: Condition, values: FilterValue[]): void {
    const keys = values.map(keyOf);
    const sure = keys.filter((key) => !isCut(key));
    for (let at = 0; at < sure.length; at += VALUES_PER_QUERY) {
      const some = sure.slice(at, at + VALUES_PER_QUERY);
      const marks = some.map(() => "?").join(", ");
      this.#mark(found, `field = ? AND value IN (${marks})`, id, ...some);
    }
    for (const key of new Set(keys.filter(isCut)))
      this.#check(found, condition, "field = ? AND value = ?", id, key);
  }

  #markPrefix(found: Bitmap, id: number, condition: Condition, prefix: string): void {
    const key = cut(prefix);
    if (key !== prefix) {
      this.#check(found, condition, "field = ? AND value = ?", id, key);
      return;
    }
    const end = successor(prefix);
    const below = end === null ? "value < x''" : "value < ?";
    const bounds = end === null ? [prefix] : [prefix, end];
    this.#mark(found, `field = ? AND value >= ? AND ${below}`, id, ...bounds);
  }

  /** Cutting keeps the order of texts but for making some equal, so only texts that are cut to the
   *  same must be read. */
  #markTextRange(found: Bitmap, id: number, condition: Condition, bound: string): void {
    const { operator } = condition;
    const key = cut(bound);
    const strict = operator === "gt" || operator === "gte" ? ">" : "<";
    const texts = "value >= '' AND value < x''";
    this.#mark(found, `field = ? AND value ${strict} ? AND ${texts}`, id, key);
    const equal = "field = ? AND value = ?";
    if (isCut(key)) this.#check(found, condition, equal, id, key);
    else if (operator === "gte" || operator === "lte") this.#mark(found, equal, id, key);
  }

  /** Marks the documents of entries that fit. */
  #mark(found: Bitmap, where: string, ...bindings: (Key | number)[]): void {
    let place = 0;
    const visit = (rows: number[]) => {
      for (const row of rows) {
        place = this.#placeOf(row, place);
        found.add(place);
      }
    };
    this.#select(visit, where, ...bindings);
  }

  /** Marks those documents of entries that fit whose metadata passes the condition. */
  #check(found: Bitmap, condition: Condition, where: string, ...bindings: (Key | number)[]): void {
    const near = this.#none();
    this.#mark(near, where, ...bindings);
    for (const place of near)
      if (holds(condition, this.#metadataOf(this.#rows![place]!))) found.add(place);
  }

  /** Rows of entries that fit, page by page; a page is one row of SQLite, since a step of a cursor
   *  costs far more than a number in a list. */
  #select(visit: (rows: number[]) => void, where: string, ...bindings: (Key | number)[]): void {
    const select = `SELECT json_group_array(document) AS found FROM (
      SELECT document FROM metadata_values WHERE ${where}
      ORDER BY value, document LIMIT ${METADATA_PAGE_ROWS} OFFSET ?)`;
    for (let offset = 0; ; offset += METADATA_PAGE_ROWS) {
      const rows: number[] = JSON.parse(
        String(this.#sql.exec(select, ...bindings, offset).one().found),
      );
      visit(rows);
      if (rows.length < METADATA_PAGE_ROWS) return;
    }
  }

  /** The place of a row. `near` is the place found before: most lists ascend. */
  #placeOf(row: number, near: number): number {
    const rows = this.#rows!;
    if (near + 1 < this.#count && rows[near + 1] === row) return near + 1;
    let low = near < this.#count && rows[near]! <= row ? near : 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    assert(rows[low] === row, `document ${row} of the metadata's index is listed`);
    return low;
  }
}

const SIGN = { gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;
