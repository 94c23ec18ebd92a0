/** The ledger's memory of model files on their way in: which parts have come. The bytes are in R2,
 *  which cannot be asked for the parts that it has. */
import { ServiceError } from "../errors.ts";
import { UPLOAD_IDLE_MS_MAX, UPLOADS_MAX } from "../limits.ts";
import type { UploadRecord } from "./types.ts";

/** The schema's step that makes the tables. */
export const UPLOADS_SCHEMA = `CREATE TABLE uploads (
     id TEXT PRIMARY KEY,
     record TEXT NOT NULL,
     touched_at INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE upload_parts (
     upload TEXT NOT NULL,
     part INTEGER NOT NULL,
     etag TEXT NOT NULL,
     PRIMARY KEY (upload, part)
   ) WITHOUT ROWID;`;

type NewUpload = Omit<UploadRecord, "parts" | "expires_at">;

/** `now` gives Unix time in ms. */
export class Uploads {
  readonly #sql: SqlStorage;
  readonly #now: () => number;

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** Throws `conflict` when UPLOADS_MAX are open. */
  create(record: NewUpload): UploadRecord {
    const open = this.#sql.exec("SELECT count(*) AS n FROM uploads").one().n;
    if (Number(open) >= UPLOADS_MAX)
      throw new ServiceError(
        "conflict",
        `${UPLOADS_MAX} uploads are open: complete or delete one of them first`,
      );
    const insert = "INSERT INTO uploads (id, record, touched_at) VALUES (?, ?, ?)";
    this.#sql.exec(insert, record.id, JSON.stringify(record), this.#now());
    return this.find(record.id)!;
  }

  find(id: string): UploadRecord | null {
    const row = this.#sql.exec("SELECT * FROM uploads WHERE id = ?", id).toArray()[0];
    if (row === undefined) return null;
    const select = "SELECT part, etag FROM upload_parts WHERE upload = ? ORDER BY part";
    const parts = this.#sql.exec(select, id).toArray();
    return {
      ...(JSON.parse(String(row.record)) as NewUpload),
      parts: parts.map(({ part, etag }) => ({ part: Number(part), etag: String(etag) })),
      expires_at: Number(row.touched_at) + UPLOAD_IDLE_MS_MAX,
    };
  }

  /** All that are open, those past their time included. */
  list(): UploadRecord[] {
    const rows = this.#sql.exec("SELECT id FROM uploads ORDER BY id").toArray();
    return rows.map(({ id }) => this.find(String(id))!);
  }

  /** Notes a part that R2 has; a part sent again replaces the first. False for no such upload. */
  putPart(id: string, part: number, etag: string): boolean {
    const touch = "UPDATE uploads SET touched_at = ? WHERE id = ? RETURNING id";
    if (this.#sql.exec(touch, this.#now(), id).toArray().length === 0) return false;
    const put = "INSERT OR REPLACE INTO upload_parts (upload, part, etag) VALUES (?, ?, ?)";
    this.#sql.exec(put, id, part, etag);
    return true;
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM upload_parts WHERE upload = ?", id);
    this.#sql.exec("DELETE FROM uploads WHERE id = ?", id);
  }
}
