/** Writes to the tables of a shard and to its index together; each method runs in a transaction of
 *  its caller, who drops the index where it fails. */
import { encodeCounts, type TermCounts } from "../../index/term-counts.ts";
import { assert } from "../errors.ts";
import type { NewDocument } from "./changes.ts";
import { rebuildSegments, sealMemtable, type Tables } from "./index-store.ts";
import type { SaidPassage } from "./link-table.ts";
import { type NewPassage, textParts } from "./passage-store.ts";
import type { Resident } from "./resident.ts";
import type { Link } from "./slots.ts";
import { rowRuns } from "./sql.ts";
import type { DocumentRow, FoundDocument } from "./store.ts";

export type RemovedDocument = Pick<FoundDocument, "row" | "first" | "passages"> & { id: string };

/** Deletes stored documents; false where the index in memory must be dropped: passages that were
 *  linked to one of theirs are found as themselves from now on. */
export function deleteDocuments(
  tables: Tables,
  resident: Resident,
  removed: readonly RemovedDocument[],
): boolean {
  const { store, passages, segments, links } = tables;
  const { byDocument } = resident;
  const sealedHi = segments.list().at(-1)?.hi ?? 0;
  for (const some of rowRuns(removed, ({ passages: rows }) => rows + 1)) {
    const rows = some.map(({ row }) => row);
    const passageRows = some.flatMap((document) => rowsOf(document));
    const counts: (TermCounts | null)[][] = passages.unitCounts(some, byDocument);
    const linked = links.among(passageRows);
    for (const [i, { row, first }] of some.entries()) {
      const own = counts[i]!.map((unit, seq) => (linked.has(first + seq) ? null : unit));
      resident.remove(row, own);
    }
    for (const row of rows) tables.metadata.remove(row);
    const sealed = rows.filter((row) => row <= sealedHi);
    if (sealed.length > 0) segments.bury(sealed, byDocument);
    passages.delete(passageRows);
    store.delete(rows, byDocument);
  }
  if (removed.length > 0 && store.meta("copying") !== null) store.logRemovals(removed);
  // Only now: an heir that went as well would have been neither linked nor in the index.
  const heirs = links.delete(removed.flatMap(rowsOf));
  for (const segment of segments.list())
    if (heirs.some((row) => row > segment.lo && row <= segment.hi))
      rebuildSegments(tables, [segment], byDocument);
  return heirs.length === 0;
}

function rowsOf({ first, passages }: RemovedDocument): number[] {
  return Array.from({ length: passages }, (_, seq) => first + seq);
}

/** What the documents' passages say and which of them are linked, where that is asked for. A copy
 *  asks for what was asked for when they were stored: its source finds by that. */
function linksOf(
  { store, links }: Tables,
  { options }: Resident,
  added: readonly NewDocument[],
): Map<number, Link> {
  const byOption = options.near_duplicates === "link";
  let next = store.numbers().next_passage;
  const said: SaidPassage[] = [];
  for (const { row, document, linking = byOption } of added) {
    const first = next;
    next += document.passages.length;
    if (!linking) continue;
    for (const [seq, { start, end }] of document.passages.entries())
      said.push({ document: row, passage: first + seq, text: document.text.slice(start, end) });
  }
  return links.insert(said);
}

/** Stores new documents, whose rows ascend and are above all before. */
export function insertDocuments(
  tables: Tables,
  resident: Resident,
  added: readonly NewDocument[],
): void {
  const { store, passages, metadata } = tables;
  const links = linksOf(tables, resident, added);
  const numbers = store.numbers();
  assert(added[0]!.row > numbers.last_row, `row ${added[0]!.row} comes after ${numbers.last_row}`);
  const terms: { id: number; term: string }[] = [];
  const rows: (DocumentRow & { tail: string })[] = [];
  const parts: NewPassage[] = [];
  for (const { row, version, updated_at, document } of added) {
    const first = numbers.next_passage + parts.length;
    const { parts: texts, tail } = textParts(document);
    const { passages: prepared, title, text } = document;
    const heading = title === null ? "" : `${title}\n`;
    rows.push({ ...document, row, version, updated_at, first, passages: prepared.length, tail });
    if (prepared.length === 0) continue;
    const counts: (TermCounts | null)[] = [];
    for (const [seq, passage] of prepared.entries()) {
      const own = resident.count(heading + text.slice(passage.start, passage.end), terms);
      counts.push(links.has(first + seq) ? null : own);
      parts.push({
        ...{ row: first + seq, document: row, passage, text: texts[seq]! },
        counts: encodeCounts(own),
      });
    }
    const whole = resident.byDocument ? resident.count(heading + text, terms) : null;
    if (whole !== null) passages.insertDocumentCounts(row, whole);
    const vectors = prepared.map(({ vector }) => vector);
    resident.setDimension(vectors[0]!.qs.length);
    resident.append(row, first, vectors, whole === null ? counts : [whole]);
  }
  for (const link of links.values()) resident.slots.link(link);
  store.insert(rows);
  metadata.putAll(rows);
  passages.insert(parts);
  passages.insertTerms(terms);
  store.setNumbers({
    last_row: added.at(-1)!.row,
    next_passage: numbers.next_passage + parts.length,
    dim: resident.codes?.dim ?? 0,
  });
}

/** Seals the memtable where it has `passages` passages or more. */
export function sealWhereLarge(tables: Tables, resident: Resident, passages: number): void {
  if (resident.memtablePassages >= passages) sealMemtable(tables, resident);
}

/** Seals what the memtable holds, which may be less than rows were given out for: one that was
 *  loaded again is without the passages that were removed before. */
export function sealMemtableDue(tables: Tables, resident: Resident): void {
  if (resident.memtablePassages > 0) sealMemtable(tables, resident);
  else tables.store.setNumbers({ sealed_passage: tables.store.numbers().next_passage });
}
