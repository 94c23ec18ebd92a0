/** From submitted documents to documents ready to be stored: digest, chunk, embed. */
import { chunk } from "../../index/chunk.ts";
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf, ServiceError } from "../errors.ts";
import { DOCUMENT_ID_CHARS_MAX, UPSERT_PASSAGES_MAX } from "../limits.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import type { PreparedDocument, PreparedPassage } from "../memory/types.ts";
import type { Encoder } from "../model/encoder.ts";
import { sha256Hex } from "./digest.ts";
import type { IngestOutcome, SubmittedDocument } from "./types.ts";

interface Pending {
  index: number;
  document: SubmittedDocument & { id: string };
  digest: string;
}

/** Stores what is new or changed. Resolves once that is durable and searchable. Of documents with
 *  the same id in one call the last one counts. A refused document is reported by its index and
 *  holds up no other. */
export async function ingest(
  memory: DurableObjectStub<MemoryObject>,
  encoder: Encoder,
  documents: readonly SubmittedDocument[],
): Promise<IngestOutcome> {
  const outcome: IngestOutcome = { upserted: 0, unchanged: 0, passages: 0, errors: [] };
  const pending = await digestAll(documents);
  const stored = await memory.digests(pending.map(({ document }) => document.id));
  const batch: { index: number; prepared: PreparedDocument }[] = [];
  let batchPassages = 0;
  const flush = async () => {
    await store(memory, batch.splice(0), outcome);
    batchPassages = 0;
  };
  for (const { index, document, digest } of pending) {
    if (stored[document.id] === digest) {
      outcome.unchanged += 1;
      continue;
    }
    try {
      const prepared = await prepare(encoder, document, digest);
      batch.push({ index, prepared });
      batchPassages += prepared.passages.length;
    } catch (error) {
      report(outcome, index, error);
    }
    if (batchPassages >= UPSERT_PASSAGES_MAX) await flush();
  }
  await flush();
  return outcome;
}

/** Stores a batch in one transaction; when the memory refuses it as a whole, one by one, so that
 *  the refusal falls on the documents that earn it. */
async function store(
  memory: DurableObjectStub<MemoryObject>,
  batch: readonly { index: number; prepared: PreparedDocument }[],
  outcome: IngestOutcome,
): Promise<void> {
  if (batch.length === 0) return;
  try {
    const { upserted, passages } = await memory.upsert(batch.map(({ prepared }) => prepared));
    outcome.upserted += upserted;
    outcome.passages += passages;
  } catch (error) {
    if (codeOf(error) === null) throw error;
    if (batch.length === 1) report(outcome, batch[0]!.index, error);
    else for (const one of batch) await store(memory, [one], outcome);
  }
}

function report(outcome: IngestOutcome, index: number, error: unknown): void {
  const code = codeOf(error);
  if (code === null) throw error;
  outcome.errors.push({ index, code, message: (error as Error).message });
}

/** Ids and digests; of repeated ids only the last is kept. */
async function digestAll(documents: readonly SubmittedDocument[]): Promise<Pending[]> {
  const byId = new Map<string, Pending>();
  for (const [index, document] of documents.entries()) {
    const { text, title, metadata, expires_at, embedding } = document;
    const digest = await sha256Hex(JSON.stringify([text, title, metadata, expires_at, embedding]));
    const id = document.id ?? `doc-${digest.slice(0, 32)}`;
    byId.set(id, { index, document: { ...document, id }, digest });
  }
  return [...byId.values()];
}

/** Chunks and embeds. Throws `invalid_request` for a precomputed vector of the wrong size. */
async function prepare(
  encoder: Encoder,
  document: SubmittedDocument & { id: string },
  digest: string,
): Promise<PreparedDocument> {
  const { id, text, title, metadata, expires_at, embedding } = document;
  if (id.length > DOCUMENT_ID_CHARS_MAX)
    throw new ServiceError("invalid_request", `an id has at most ${DOCUMENT_ID_CHARS_MAX} chars`);
  const spans = await chunk(text, (piece) => encoder.countTokens(piece));
  const given = embedding === null ? null : toUnitVector(embedding, encoder.dim);
  const vectors = given
    ? spans.map(() => given)
    : encoder.embed(spans.map(({ start, end }) => passageText(title, text.slice(start, end))));
  const passages: PreparedPassage[] = spans.map(({ start, end }, i) => {
    const vector = quantizeVector(vectors[i]!);
    return { start, end, vector, heading_path: [], anchor: null };
  });
  const brought = embedding !== null;
  const stored = { id, text, title, metadata, expires_at, digest, passages, brought };
  return { ...stored, time: Date.now(), content_type: "text/plain" };
}

/** What is embedded for a passage: its document's title, where it has one, then its text. */
export function passageText(title: string | null, text: string): string {
  return title === null ? text : `${title}\n${text}`;
}

/** A caller's vector at unit length, f32 [dim]. Throws `invalid_request` with param `embedding`
 *  for a wrong size, a value that is not finite, or a vector of zeros. */
export function toUnitVector(values: readonly number[], dim: number): Float32Array {
  const fail = (message: string) =>
    new ServiceError("invalid_request", message, { param: "embedding" });
  if (values.length !== dim)
    throw fail(`the embedding has ${values.length} dimensions, the encoder ${dim}`);
  const norm = Math.hypot(...values);
  if (!Number.isFinite(norm)) throw fail("the embedding has a value that is not finite");
  if (norm === 0) throw fail("the embedding is all zeros");
  return Float32Array.from(values, (value) => value / norm);
}
