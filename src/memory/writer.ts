/** Writes to the tables of a shard and to its index together; each method runs in a transaction of
 *  its caller, who drops the index where it fails. */
import { encodeCounts, type TermCounts } from "../../index/term-counts.ts";
import { assert } from "../errors.ts";
import { SCORED_ROWS_MAX } from "../limits.ts";
import type { NewDocument } from "./changes.ts";
import { sealMemtable, type Tables } from "./index-store.ts";
import { type NewPassage, textParts } from "./passage-store.ts";
import type { Resident } from "./resident.ts";
import type { DocumentRow, FoundDocument } from "./store.ts";

export type RemovedDocument = Pick<FoundDocument, "row" | "first" | "passages"> & { id: string };

/** Deletes stored documents. */
export function deleteDocuments(
  tables: Tables,
  resident: Resident,
  removed: readonly RemovedDocument[],
): void {
  const { store, passages, segments } = tables;
  const { byDocument } = resident;
  const sealedHi = segments.list().at(-1)?.hi ?? 0;
  for (const some of groupsOf(removed)) {
    const rows = some.map(({ row }) => row);
    const passageRows = some.flatMap((document) => rowsOf(document));
    const counts = passages.unitCounts(some, byDocument);
    for (const [i, { row }] of some.entries()) resident.remove(row, counts[i]!);
    const sealed = rows.filter((row) => row <= sealedHi);
    if (sealed.length > 0) segments.bury(sealed, byDocument);
    passages.delete(passageRows);
    store.delete(rows, byDocument);
  }
  if (removed.length > 0 && store.meta("copying") !== null) store.logRemovals(removed);
}

function rowsOf({ first, passages }: RemovedDocument): number[] {
  return Array.from({ length: passages }, (_, seq) => first + seq);
}

/** Runs of documents of about SCORED_ROWS_MAX passages together: what a statement takes. */
function* groupsOf(removed: readonly RemovedDocument[]): Generator<RemovedDocument[]> {
  let group: RemovedDocument[] = [];
  let size = 0;
  for (const document of removed) {
    group.push(document);
    size += document.passages + 1;
    if (size < SCORED_ROWS_MAX) continue;
    yield group;
    group = [];
    size = 0;
  }
  if (group.length > 0) yield group;
}

/** Stores new documents, whose rows ascend and are above all before. */
export function insertDocuments(
  tables: Tables,
  resident: Resident,
  added: readonly NewDocument[],
): void {
  const { store, passages } = tables;
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
    const counts: TermCounts[] = [];
    for (const [seq, passage] of prepared.entries()) {
      const own = resident.count(heading + text.slice(passage.start, passage.end), terms);
      counts.push(own);
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
  store.insert(rows);
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
