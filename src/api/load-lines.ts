/** Documents from a stream of lines into a namespace: in batches, stored as they come. */
import { cutText } from "../../index/cut.ts";
import {
  DOCUMENTS_PER_CALL_MAX,
  LINE_ERROR_CHARS_MAX,
  LINE_ERRORS_KEPT_MAX,
  LOAD_BATCH_BYTES,
} from "../limits.ts";
import type { IngestOutcome, SubmittedDocument } from "../pipeline/types.ts";
import type { Line } from "./ndjson.ts";
import { type ItemError, parseDocumentLine, refusalOf } from "./schema/documents.ts";

/** What became of lines. */
export interface LineCounts {
  /** Lines of the body, blank ones included, and their bytes. */
  lines: number;
  bytes: number;
  upserted: number;
  unchanged: number;
  passages: number;
  error_count: number;
  /** By index, the first LINE_ERRORS_KEPT_MAX of them. */
  errors: ItemError[];
}

interface Batch {
  documents: SubmittedDocument[];
  indices: number[];
  counts: LineCounts;
}

/** Stores documents; resolves once they are durable. */
type Store = (documents: SubmittedDocument[]) => Promise<IngestOutcome>;

/** Reads, checks and stores, one batch being stored while the next is read. `numbering` says what
 *  an error's index counts: all lines, or those that are not blank. `onStored` is told of each
 *  batch once it is durable, in order. Holds two batches at most. Throws what `store` and
 *  `onStored` throw; what was stored by then stays. */
export async function loadLines(
  groups: AsyncIterable<Line[]>,
  numbering: { from: number; blanks: boolean },
  store: Store,
  onStored: (counts: LineCounts) => void | Promise<void>,
): Promise<void> {
  let index = numbering.from;
  let batch = emptyBatch();
  let storing: Promise<void> = Promise.resolve();
  const hand = async () => {
    await storing;
    storing = storeBatch(batch, store, onStored);
    storing.catch(() => {}); // it is awaited before the next batch, and at the end
    batch = emptyBatch();
  };
  for await (const lines of groups)
    for (const line of lines) {
      const blank = line.text !== null && line.text.trim() === "";
      if (!blank) take(batch, line, index);
      if (!blank || numbering.blanks) index += 1;
      batch.counts.lines += 1;
      batch.counts.bytes += line.bytes;
      if (isFull(batch)) await hand();
    }
  await hand();
  await storing;
}

function emptyBatch(): Batch {
  return { documents: [], indices: [], counts: emptyCounts() };
}

export function emptyCounts(): LineCounts {
  const none = { lines: 0, bytes: 0, upserted: 0, unchanged: 0, passages: 0 };
  return { ...none, error_count: 0, errors: [] };
}

/** A run of refused or blank lines fills a batch as well: it counts by its bytes. */
function isFull({ documents, counts }: Batch): boolean {
  const { bytes, errors } = counts;
  if (documents.length >= DOCUMENTS_PER_CALL_MAX) return true;
  return bytes >= LOAD_BATCH_BYTES || errors.length >= LINE_ERRORS_KEPT_MAX;
}

function take(batch: Batch, line: Line, index: number): void {
  try {
    if (line.text === null) throw line.fault;
    batch.documents.push(parseDocumentLine(line.text));
    batch.indices.push(index);
  } catch (error) {
    addErrors(batch.counts, [{ index, ...refusalOf(error) }]);
  }
}

async function storeBatch(
  { documents, indices, counts }: Batch,
  store: Store,
  onStored: (counts: LineCounts) => void | Promise<void>,
): Promise<void> {
  if (documents.length > 0) {
    const { upserted, unchanged, passages, errors } = await store(documents);
    Object.assign(counts, { upserted, unchanged, passages });
    addErrors(
      counts,
      errors.map((error) => ({ ...error, index: indices[error.index]! })),
    );
    counts.errors.sort((a, b) => a.index - b.index);
  }
  await onStored(counts);
}

function addErrors(counts: LineCounts, errors: readonly ItemError[]): void {
  counts.error_count += errors.length;
  const room = LINE_ERRORS_KEPT_MAX - counts.errors.length;
  for (const { index, code, message } of errors.slice(0, Math.max(0, room)))
    counts.errors.push({ index, code, message: cutText(message, LINE_ERROR_CHARS_MAX) });
}

/** Adds what became of the lines that follow. */
export function addCounts(sum: LineCounts, next: LineCounts): void {
  for (const name of ["lines", "bytes", "upserted", "unchanged", "passages"] as const)
    sum[name] += next[name];
  sum.error_count += next.error_count - next.errors.length;
  addErrors(sum, next.errors);
}
