/** A namespace as NDJSON that the documents endpoint takes back. */
import type { ExportedDocument } from "../memory/types.ts";
import type { MemoryAdmin } from "../pipeline/memory-types.ts";
import { logFailure } from "./failure.ts";
import { FIRST_UNIX_MS } from "./schema/documents.ts";
import { toBase64 } from "./schema/vector.ts";

type ExportPage = Awaited<ReturnType<MemoryAdmin["exportPage"]>>;

/** The documents, a line each. Two pages in memory at most. A failure on the way breaks the
 *  transfer off, so that half an export never looks like a whole one. */
export function exportLines(
  first: ExportPage,
  fetchPage: (cursor: string) => Promise<ExportPage>,
  trace: string,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let page: ExportPage | null = first;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        while (page !== null) {
          const { documents, cursor } = page;
          page = cursor === null ? null : await fetchPage(cursor);
          if (documents.length === 0) continue; // a pull that gives nothing is not repeated
          controller.enqueue(encoder.encode(documents.map(exportLine).join("")));
          return;
        }
        controller.close();
      } catch (error) {
        logFailure(error, trace);
        controller.error(error);
      }
    },
  });
}

/** What a submitted document would leave out is left out. */
function exportLine(document: ExportedDocument): string {
  const { embedding, content_type, time, expires_at, ...rest } = document;
  const line = {
    ...rest,
    time: exportTime(time),
    expires_at: expires_at === null ? null : exportTime(expires_at),
    content_type: content_type === "text/plain" ? null : content_type,
    embedding: embedding === null ? null : toBase64(embedding),
  };
  const given = Object.entries(line).filter(([, value]) => value !== null);
  return `${JSON.stringify(Object.fromEntries(given))}\n`;
}

/** A time as it is read back: in ms, and near 1970, where numbers are seconds, in ISO 8601. */
function exportTime(unixMs: number): number | string {
  return Math.abs(unixMs) < FIRST_UNIX_MS ? new Date(unixMs).toISOString() : unixMs;
}
