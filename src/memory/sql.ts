/** What the tables' readers and writers share: storage, statements of many rows, and blobs. */
import type { QuantizedVector } from "../../index/vectors.ts";
import { SCORED_ROWS_MAX } from "../limits.ts";

/** What a shard needs of a Durable Object's storage. */
export type ShardStorage = Pick<DurableObjectStorage, "sql" | "transactionSync">;

export type SqlRow = Record<string, SqlStorageValue>;

/** Among the values of one bound list of JSON, of any length. */
export const AMONG = "IN (SELECT value FROM json_each(?))";

/** What one statement may bind. */
export const PARAMETERS_MAX = 100;

/** A row of any table holds 2 MB; longer blobs go into parts of at most this many bytes. */
export const PART_BYTES = 1_900_000;

/** Runs of items that have at most SCORED_ROWS_MAX rows together, or of one item with more. */
export function* rowRuns<T>(items: readonly T[], rowsOf: (item: T) => number): Generator<T[]> {
  let run: T[] = [];
  let rows = 0;
  for (const item of items) {
    if (run.length > 0 && rows + rowsOf(item) > SCORED_ROWS_MAX) {
      yield run;
      run = [];
      rows = 0;
    }
    run.push(item);
    rows += rowsOf(item);
  }
  if (run.length > 0) yield run;
}

/** Inserts rows, as many a statement as its parameters allow: a statement costs more than a row. */
export function insertRows(
  sql: SqlStorage,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly SqlStorageValue[])[],
): void {
  const most = Math.floor(PARAMETERS_MAX / columns.length);
  const row = `(${columns.map(() => "?").join(", ")})`;
  for (let at = 0; at < rows.length; at += most) {
    const some = rows.slice(at, at + most);
    const values = some.map(() => row).join(", ");
    sql.exec(`INSERT INTO ${table} (${columns.join(", ")}) VALUES ${values}`, ...some.flat());
  }
}

/** The bytes in parts that a row can hold, one at least, also of none; `joined` is the inverse. */
export function partsOf(bytes: Uint8Array): ArrayBuffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  return Array.from({ length: count }, (_, part) => {
    const at = part * PART_BYTES;
    return bytes.slice(at, at + PART_BYTES).buffer as ArrayBuffer;
  });
}

/** Storage takes a view's whole buffer: copy where the view is a part. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}

/** A blob as bytes. */
export function bytesOf(blob: SqlStorageValue): Uint8Array {
  return new Uint8Array(blob as ArrayBuffer);
}

/** A vector as it is stored: its scale f32, then its values i8 [dim]. */
export function vectorBytes({ qs, scale }: QuantizedVector): ArrayBuffer {
  const bytes = new ArrayBuffer(4 + qs.length);
  new DataView(bytes).setFloat32(0, scale, true);
  new Int8Array(bytes, 4).set(qs);
  return bytes;
}

/** The inverse of `vectorBytes`. */
export function vectorFrom(blob: SqlStorageValue): QuantizedVector {
  const bytes = blob as ArrayBuffer;
  return { scale: new DataView(bytes).getFloat32(0, true), qs: new Int8Array(bytes, 4) };
}

/** A SHA-256 in hexadecimal digits as its 32 bytes; zeros for a text that is none. */
export function digestBytes(hex: string): ArrayBuffer {
  const bytes = new Uint8Array(32);
  if (/^[0-9a-f]{64}$/.test(hex))
    for (let i = 0; i < 32; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes.buffer;
}

/** The inverse of `digestBytes`. */
export function digestFrom(blob: SqlStorageValue): string {
  return Array.from(bytesOf(blob), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
