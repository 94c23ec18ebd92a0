/** Passages that say the same as one that was stored before: they are linked to it, and it alone is
 *  in the index. Which passages are linked follows from what is stored: of those that say the same
 *  the one of the lowest row is the original, and all others are linked to it. */
import { fingerprint, saidBy } from "../../index/near-duplicates.ts";
import { DUPLICATES_SHOWN_MAX } from "../limits.ts";
import type { Link } from "./slots.ts";
import { AMONG, insertRows, ownBuffer } from "./sql.ts";

// CROSS JOIN keeps SQLite from walking all passages in their order to look each up among the links.

/** A passage on its way into the tables. */
export interface SaidPassage {
  document: number;
  passage: number;
  text: string;
}

export interface Duplicate {
  document_id: string;
  seq: number;
}

export class LinkTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Notes what new passages say, in the order of their rows; which of them are linked, and to
   *  what. A passage that says nothing is never linked. */
  insert(passages: readonly SaidPassage[]): Map<number, Link> {
    const links = new Map<number, Link>();
    const fresh = new Map<string, Omit<SaidPassage, "text">>();
    const rows: SqlStorageValue[][] = [];
    for (const { document, passage, text } of passages) {
      const said = saidBy(text);
      if (said === "") continue;
      const print = ownBuffer(fingerprint(said));
      const original = fresh.get(said) ?? this.#find(print, said);
      if (original === null) fresh.set(said, { document, passage });
      else
        links.set(passage, {
          ...{ document, passage },
          ...{ originalDocument: original.document, original: original.passage },
        });
      rows.push([passage, print, original?.passage ?? null]);
    }
    insertRows(this.#sql, "links", ["passage", "print", "same_as"], rows);
    return links;
  }

  /** The stored original that says this. The fingerprint finds it, the text decides. */
  #find(print: ArrayBuffer, said: string): Omit<SaidPassage, "text"> | null {
    const select = `SELECT p.row, p.document, p.start, p."end", p.text
      FROM links l CROSS JOIN passages p ON p.row = l.passage
      WHERE l.print = ? AND l.same_as IS NULL`;
    for (const row of this.#sql.exec(select, print)) {
      const text = String(row.text);
      // A stored text begins where the passage before it ended.
      const own = text.slice(text.length - (Number(row.end) - Number(row.start)));
      if (saidBy(own) === said) return { document: Number(row.document), passage: Number(row.row) };
    }
    return null;
  }

  /** The linked passages of the rows [from, to); `to` null: no end. */
  linked(from: number, to: number | null): Set<number> {
    const select = `SELECT passage FROM links
      WHERE same_as IS NOT NULL AND passage >= ? AND passage < ?`;
    const rows = this.#sql.exec(select, from, to ?? Number.MAX_SAFE_INTEGER).toArray();
    return new Set(rows.map(({ passage }) => Number(passage)));
  }

  /** Those of the passages that are linked. */
  among(passages: readonly number[]): Set<number> {
    const select = `SELECT passage FROM links WHERE same_as IS NOT NULL AND passage ${AMONG}`;
    const rows = this.#sql.exec(select, JSON.stringify(passages)).toArray();
    return new Set(rows.map(({ passage }) => Number(passage)));
  }

  /** Those of the passages that may have duplicates: none in a namespace that links nothing. */
  known(passages: readonly number[]): Set<number> {
    const select = `SELECT passage FROM links WHERE passage ${AMONG}`;
    const rows = this.#sql.exec(select, JSON.stringify(passages)).toArray();
    return new Set(rows.map(({ passage }) => Number(passage)));
  }

  /** Whether any of the passages [from, to) was noted: those of a document are, if any, all that
   *  say something. */
  notes(from: number, to: number): boolean {
    const select = "SELECT 1 FROM links WHERE passage >= ? AND passage < ? LIMIT 1";
    return this.#sql.exec(select, from, to).toArray().length > 0;
  }

  /** Every link, by row. */
  *all(): Generator<Link> {
    const select = `SELECT l.passage, p.document, l.same_as, o.document AS original
      FROM links l CROSS JOIN passages p ON p.row = l.passage
      CROSS JOIN passages o ON o.row = l.same_as
      WHERE l.same_as IS NOT NULL ORDER BY l.passage`;
    for (const row of this.#sql.exec(select))
      yield {
        document: Number(row.document),
        passage: Number(row.passage),
        originalDocument: Number(row.original),
        original: Number(row.same_as),
      };
  }

  /** Whether any passage is linked. */
  any(): boolean {
    const select = "SELECT 1 FROM links WHERE same_as IS NOT NULL LIMIT 1";
    return this.#sql.exec(select).toArray().length > 0;
  }

  /** Forgets passages. Where an original goes, the first that was linked to it takes its place; the
   *  documents' rows of those that did, which the index does not have yet. */
  delete(passages: readonly number[]): number[] {
    const json = JSON.stringify(passages);
    this.#sql.exec(`DELETE FROM links WHERE passage ${AMONG}`, json);
    const select = `SELECT same_as AS old, min(passage) AS first FROM links
      WHERE same_as ${AMONG} GROUP BY same_as`;
    const heirs = this.#sql.exec(select, json).toArray();
    for (const { old, first } of heirs) {
      this.#sql.exec("UPDATE links SET same_as = NULL WHERE passage = ?", first!);
      this.#sql.exec("UPDATE links SET same_as = ? WHERE same_as = ?", first!, old!);
    }
    const rows = JSON.stringify(heirs.map(({ first }) => first));
    return this.#sql
      .exec(`SELECT DISTINCT document FROM passages WHERE row ${AMONG}`, rows)
      .toArray()
      .map(({ document }) => Number(document));
  }

  /** The first passages that say the same as this one, by row. */
  duplicates(passage: number): Duplicate[] {
    const own = this.#sql.exec("SELECT same_as FROM links WHERE passage = ?", passage).toArray()[0];
    if (own === undefined) return [];
    const original = own.same_as ?? passage;
    const select = `WITH alike (passage) AS (
        SELECT ? UNION ALL SELECT passage FROM links WHERE same_as = ?)
      SELECT d.id, a.passage - d.first AS seq FROM alike a
      CROSS JOIN passages p ON p.row = a.passage CROSS JOIN documents d ON d.row = p.document
      WHERE a.passage <> ? ORDER BY a.passage LIMIT ?`;
    return this.#sql
      .exec(select, original, original, passage, DUPLICATES_SHOWN_MAX)
      .toArray()
      .map(({ id, seq }) => ({ document_id: String(id), seq: Number(seq) }));
  }
}
