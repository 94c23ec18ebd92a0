/** A table of what may be forgotten, bounded in number and in bytes. */

export interface RowBounds {
  entries: number;
  bytes: number;
}

/** Drops the oldest rows beyond the bounds. The table has an `id`, `at` by which it is aged, and
 *  `bytes`; its name comes from code. O(rows). */
export function dropOldest(sql: SqlStorage, table: string, { entries, bytes }: RowBounds): void {
  const held = sql.exec(`SELECT count(*) AS n, total(bytes) AS bytes FROM ${table}`).one();
  if (Number(held.n) <= entries && Number(held.bytes) <= bytes) return;
  sql.exec(
    `DELETE FROM ${table} WHERE id IN (
       SELECT id FROM (
         SELECT id, sum(bytes) OVER newest AS kept, row_number() OVER newest AS place
         FROM ${table} WINDOW newest AS (ORDER BY at DESC, rowid DESC)
       ) WHERE kept > ? OR place > ?)`,
    bytes,
    entries,
  );
}
