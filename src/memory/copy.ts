/** Documents as they leave a shard for another one: whole, in the order of their rows. */
import { COPY_PAGE_BYTES_MAX, COPY_PAGE_DOCUMENTS_MAX } from "../limits.ts";
import { LOST_CODEBOOK } from "./codebook-table.ts";
import { charsOf } from "./document-size.ts";
import type { Tables } from "./index-store.ts";
import type { CopiedDocument, CopyPage } from "./shard-types.ts";
import type { DocumentRow } from "./store.ts";

/** Documents after row `row` and removals after `removal`, at most `limit` of each; of documents
 *  as many as `bytesMax` holds, one at least. `end`: both lists are at their end. */
export function readCopy(
  tables: Tables,
  row: number,
  removal: number,
  limit: number,
  bytesMax = COPY_PAGE_BYTES_MAX,
): CopyPage {
  const most = Math.min(limit, COPY_PAGE_DOCUMENTS_MAX);
  const documents: CopiedDocument[] = [];
  const rows = tables.store.list(row, most + 1);
  let bytes = 0;
  for (const found of rows.slice(0, most)) {
    const copied = wholeDocument(tables, found);
    bytes += sizeOf(copied);
    if (documents.length > 0 && bytes > bytesMax) break;
    documents.push(copied);
  }
  const removed = tables.store.removals(removal, most + 1);
  const taken = removed.slice(0, most);
  return {
    documents,
    codebooks: codebooksOf(documents).map((id) => tables.codebooks.bytes(id)),
    removed: taken.map(({ id, row }) => ({ id, row })),
    row: documents.at(-1)?.row ?? row,
    removal: taken.at(-1)?.removal ?? removal,
    end: documents.length === rows.length && taken.length === removed.length,
  };
}

function codebooksOf(documents: readonly CopiedDocument[]): number[] {
  const ids = documents.flatMap(({ document: { passages } }) =>
    passages.flatMap(({ codebook }) => codebook ?? []),
  );
  return [...new Set(ids)].filter((id) => id !== LOST_CODEBOOK);
}

/** In bytes, about: all whose length varies, a character as two. */
function sizeOf({ document }: CopiedDocument): number {
  const { passages } = document;
  const vectors = passages.reduce((sum, { vector }) => sum + vector.qs.length + 100, 0);
  return 2 * charsOf(document, passages) + vectors + 500;
}

/** A stored document as `apply` and `adopt` take it. */
export function wholeDocument(
  { store, passages, links }: Tables,
  document: DocumentRow,
): CopiedDocument {
  const { row, version, updated_at, first, passages: count, ...rest } = document;
  const parts = passages.of(first, count);
  return {
    ...{ row, version, updated_at },
    document: {
      ...rest,
      text: parts.map(({ text }) => text).join("") + store.tail(row),
      passages: parts.map(({ passage }) => passage),
    },
    linking: links.notes(first, first + count),
  };
}
