/** Fills a namespace of the running service with a corpus, in bounded memory. */
import { showProgress } from "../eval/report.ts";
import { type BenchClient, toBase64 } from "./client.ts";
import type { BenchDocument, Corpus } from "./corpus.ts";

/** About 1.4 MB a call. */
const DOCUMENTS_PER_CALL = 500;

export interface Filled {
  seconds: number;
  /** UTF-8 bytes of the texts. */
  textBytes: number;
}

/** Stores passages [from, to) of the corpus with their vectors, one call after the other, so that
 *  the service has them in their order: ties in a ranking break by it. The next call's body is made
 *  while one is being stored. `visit` sees each document once, and its time counts. */
export async function fill(
  client: BenchClient,
  namespace: string,
  corpus: Corpus,
  { from = 0, to, visit }: { from?: number; to: number; visit?: (document: BenchDocument) => void },
): Promise<Filled> {
  const startMs = performance.now();
  let textBytes = 0;
  let underWay = Promise.resolve();
  for (let i = from; i < to; i += DOCUMENTS_PER_CALL) {
    const lines: string[] = [];
    for (let j = i; j < Math.min(to, i + DOCUMENTS_PER_CALL); j++) {
      const document = corpus.document(j);
      visit?.(document);
      textBytes += Buffer.byteLength(document.text);
      lines.push(JSON.stringify(lineOf(document)));
      if (j % 20 === 0) await new Promise(setImmediate); // lets the call under way go out
    }
    await underWay;
    underWay = client.ingest(namespace, lines.join("\n"));
    underWay.catch(() => {}); // it is awaited a turn later, or below
    showProgress(namespace, i + lines.length, to);
  }
  await underWay;
  return { seconds: (performance.now() - startMs) / 1000, textBytes };
}

function lineOf({ id, text, metadata, vector }: BenchDocument): object {
  return { id, text, metadata, embedding: toBase64(vector) };
}

/** Waits until the namespace's housekeeping rests: until its statistics stay the same for two
 *  seconds. Throws after ten minutes. */
export async function settle(client: BenchClient, namespace: string): Promise<NamespaceStats> {
  let last = "";
  for (let round = 0; round < 300; round++) {
    const stats = await client.call<NamespaceStats>("GET", `/admin/namespaces/${namespace}/stats`);
    const now = JSON.stringify(stats);
    if (now === last) return stats;
    last = now;
    await new Promise((done) => setTimeout(done, 2_000));
  }
  throw new Error(`${namespace} did not come to rest`);
}

/** What the bench reads of GET /admin/namespaces/{ns}/stats. */
export interface NamespaceStats {
  documents: number;
  passages: number;
  sqlite_bytes: number;
  resident_bytes: number;
  shards: { passages: number; resident_bytes: number }[];
}
