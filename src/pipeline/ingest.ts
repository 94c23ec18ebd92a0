/** From submitted documents to documents ready to be stored: digest, chunk, embed. */
import { type CountTokens, chunk, countByWord, type Passage } from "../../index/chunk.ts";
import { htmlToMarkdown } from "../../index/html-to-markdown.ts";
import { type QuantizedVector, quantizeVector } from "../../index/vectors.ts";
import { codeOf, ERROR_CODES, ServiceError } from "../errors.ts";
import { DOCUMENT_BYTES_MAX, DOCUMENT_ID_CHARS_MAX, UPSERT_PASSAGES_MAX } from "../limits.ts";
import { documentDigest } from "../memory/document-digest.ts";
import { documentBytes } from "../memory/document-size.ts";
import type { ChangeOutcome } from "../memory/shard-types.ts";
import type { FoundDocument } from "../memory/store.ts";
import type { PreparedDocument } from "../memory/types.ts";
import type { Encoder } from "../model/encoder.ts";
import { embedInSteps } from "./steps.ts";
import type { IngestOutcome, SubmittedDocument } from "./types.ts";

/** What ingest needs of an encoder: its tests have one without weights. */
export type IngestEncoder = Pick<Encoder, "dim" | "countTokens" | "embed">;

/** What tells whether a document is stored as it is sent. */
type KnownDocument = Pick<FoundDocument, "digest" | "version" | "time" | "lost">;

/** What ingest needs of a memory. */
export interface IngestMemory {
  /** Of each id what is stored under it; null: nothing. */
  find(ids: string[]): Promise<(KnownDocument | null)[]>;
  /** Stores documents; what became of each, in their order. Resolves once all is durable. */
  upsert(changes: Upsert[]): Promise<ChangeOutcome[]>;
}

export interface Upsert {
  document: PreparedDocument;
  /** As `SubmittedDocument.if_version`. */
  if_version: number | null;
}

interface Pending {
  index: number;
  id: string;
  document: SubmittedDocument;
  /** The vector that the caller brought, as it is stored. */
  brought: QuantizedVector | null;
  digest: string;
}

/** Stores what is new or changed. Resolves once that is durable and searchable. Of documents with
 *  the same id in one call the last one counts. A refused document is reported by its index and
 *  holds up no other. Past `embeddedMax` passages to embed, documents that bring no vector are
 *  refused with `body_too_large`. */
export async function ingest(
  memory: IngestMemory,
  encoder: IngestEncoder,
  documents: readonly SubmittedDocument[],
  embeddedMax = Number.POSITIVE_INFINITY,
): Promise<IngestOutcome> {
  const outcome: IngestOutcome = {
    upserted: 0,
    unchanged: 0,
    passages: 0,
    documents: [],
    errors: [],
  };
  const pending = await changed(memory, digestAll(encoder, documents, outcome), outcome);
  let batch: Ready[] = [];
  let passages = 0;
  let bytes = 0;
  let embedded = 0;
  const countTokens = counterOf(encoder);
  for (const one of pending) {
    const { text, content_type } = one.document;
    const type = content_type === "text/markdown" ? content_type : "text/plain";
    const spans = await chunk(text, countTokens, type);
    const size = documentBytes({ ...one.document, id: one.id }, spans, encoder.dim);
    if (size > DOCUMENT_BYTES_MAX) {
      report(outcome, one.index, tooLarge(spans.length, size));
      continue;
    }
    if (one.brought === null) embedded += spans.length;
    if (one.brought === null && embedded > embeddedMax) {
      report(outcome, one.index, tooMuch(embeddedMax));
      continue;
    }
    const full = passages + spans.length > UPSERT_PASSAGES_MAX || bytes + size > DOCUMENT_BYTES_MAX;
    if (batch.length > 0 && full) {
      await store(memory, await embed(encoder, batch), outcome);
      batch = [];
      passages = 0;
      bytes = 0;
    }
    batch.push({ ...one, spans });
    passages += spans.length;
    bytes += size;
  }
  if (batch.length > 0) await store(memory, await embed(encoder, batch), outcome);
  return outcome;
}

function tooMuch(embeddedMax: number): ServiceError {
  const fact = `a call has ${embeddedMax} passages embedded at most: send this in another call`;
  return new ServiceError("body_too_large", fact);
}

function tooLarge(passages: number, bytes: number): ServiceError {
  const fact =
    `with the headings and vectors of its ${passages} passages it takes up to ${bytes} bytes, ` +
    `the limit is ${DOCUMENT_BYTES_MAX}: send it in parts`;
  return new ServiceError("invalid_request", fact, { param: "text" });
}

const counters = new WeakMap<IngestEncoder, CountTokens>();

/** An encoder's counts, with the words that it met remembered from call to call. */
function counterOf(encoder: IngestEncoder): CountTokens {
  const known = counters.get(encoder) ?? countByWord((text) => encoder.countTokens(text));
  counters.set(encoder, known);
  return known;
}

/** A document as it is stored, digested, found and exported: HTML becomes the Markdown that it is
 *  read as, with its own title where none was given. Throws `invalid_request` for a page that says
 *  nothing. */
function asStored(document: SubmittedDocument): SubmittedDocument {
  if (document.content_type !== "text/html") return document;
  const { text, title } = htmlToMarkdown(document.text);
  if (text.trim() === "")
    throw new ServiceError("invalid_request", "text: the page has no text", { param: "text" });
  return { ...document, text, title: document.title ?? title, content_type: "text/markdown" };
}

/** Ids, quantized vectors and digests; of repeated ids only the last is kept. */
function digestAll(
  encoder: IngestEncoder,
  documents: readonly SubmittedDocument[],
  outcome: IngestOutcome,
): Pending[] {
  const byId = new Map<string, Pending>();
  for (const [index, sent] of documents.entries()) {
    try {
      const document = asStored(sent);
      const { embedding } = document;
      const brought =
        embedding === null ? null : quantizeVector(toUnitVector(embedding, encoder.dim));
      const digest = documentDigest(document, brought?.qs ?? null);
      const id = document.id ?? `doc-${digest.slice(0, 32)}`;
      if (id.length > DOCUMENT_ID_CHARS_MAX)
        throw new ServiceError(
          "invalid_request",
          `an id has at most ${DOCUMENT_ID_CHARS_MAX} chars`,
        );
      byId.set(id, { index, id, document, brought, digest });
    } catch (error) {
      report(outcome, index, error);
    }
  }
  return [...byId.values()];
}

/** Those that are not stored as they are. What cannot be stored is found out before it is embedded;
 *  the memory checks versions again when it writes. */
async function changed(
  memory: IngestMemory,
  pending: readonly Pending[],
  outcome: IngestOutcome,
): Promise<Pending[]> {
  if (pending.length === 0) return [];
  const stored = await memory.find(pending.map(({ id }) => id));
  return pending.filter(({ index, id, document, digest }, i) => {
    const known = stored[i] ?? null;
    const { if_version, time } = document;
    if (if_version !== null && if_version !== (known?.version ?? 0)) {
      report(outcome, index, versionConflict(id, known?.version ?? null, if_version));
      return false;
    }
    if (known === null || known.digest !== digest || known.lost) return true;
    if (time !== null && time !== known.time) return true;
    outcome.unchanged += 1;
    outcome.documents.push({ index, id, version: known.version, unchanged: true });
    return false;
  });
}

interface Ready extends Pending {
  spans: Passage[];
}

/** Embeds what came without a vector. */
async function embed(
  encoder: IngestEncoder,
  batch: readonly Ready[],
): Promise<(Upsert & { index: number })[]> {
  const texts = batch.flatMap(({ document, brought, spans }) =>
    brought === null
      ? spans.map((span) => passageText(document.title, textOf(document, span)))
      : [],
  );
  const vectors = await embedInSteps(encoder, texts);
  let next = 0;
  const now = Date.now();
  return batch.map(({ index, id, document, brought, digest, spans }) => {
    const { text, title, metadata, expires_at, content_type, if_version } = document;
    const passages = spans.map((span) => ({
      ...span,
      vector: brought ?? quantizeVector(vectors[next++]!),
    }));
    const prepared = {
      ...{ id, text, title, metadata, expires_at, content_type, digest, passages },
      time: document.time ?? now,
      brought: brought !== null,
    };
    return { index, document: prepared, if_version };
  });
}

/** Stores a batch in one transaction; when the memory refuses it as a whole, one by one, so that
 *  the refusal falls on the documents that earn it. */
async function store(
  memory: IngestMemory,
  batch: readonly (Upsert & { index: number })[],
  outcome: IngestOutcome,
): Promise<void> {
  try {
    const changes = batch.map(({ document, if_version }) => ({ document, if_version }));
    const outcomes = await memory.upsert(changes);
    for (const [i, change] of outcomes.entries()) note(outcome, batch[i]!.index, change);
  } catch (error) {
    if (!isDocuments(error)) throw error;
    if (batch.length === 1) report(outcome, batch[0]!.index, error);
    else for (const one of batch) await store(memory, [one], outcome);
  }
}

/** Whether an error may be one document's fault, rather than the service's or the namespace's. */
function isDocuments(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && code !== "namespace_not_found" && ERROR_CODES[code].status < 500;
}

function note(outcome: IngestOutcome, index: number, change: ChangeOutcome): void {
  if (change.error !== null) {
    outcome.errors.push({ index, ...change.error });
    return;
  }
  outcome.upserted += 1;
  outcome.passages += change.passages;
  outcome.documents.push({ index, id: change.id, version: change.version!, unchanged: false });
}

function report(outcome: IngestOutcome, index: number, error: unknown): void {
  const code = codeOf(error);
  if (code === null) throw error;
  outcome.errors.push({ index, code, message: (error as Error).message });
}

export function versionConflict(id: string, version: number | null, wanted: number): ServiceError {
  const fact = version === null ? "is not there" : `has version ${version}`;
  const message = `document ${JSON.stringify(id)} ${fact}, the call wants version ${wanted}`;
  return new ServiceError("version_conflict", message, { param: "if_version" });
}

const textOf = ({ text }: SubmittedDocument, { start, end }: Passage) => text.slice(start, end);

/** What models read of a passage: its document's title, where it has one, then its text. */
export function passageText(title: string | null, text: string): string {
  return title === null ? text : `${title}\n${text}`;
}

/** A caller's vector at unit length, f32 [dim]. Throws `invalid_request` with param `embedding`
 *  for a wrong size, a value that is not finite, or a vector of zeros. */
export function toUnitVector(values: ArrayLike<number>, dim: number): Float32Array {
  const fail = (message: string) =>
    new ServiceError("invalid_request", message, { param: "embedding" });
  if (values.length !== dim)
    throw fail(`the embedding has ${values.length} dimensions, the encoder ${dim}`);
  let squares = 0;
  for (let i = 0; i < dim; i++) squares += values[i]! * values[i]!;
  if (!Number.isFinite(squares)) throw fail("the embedding has a value that is not finite");
  if (squares === 0) throw fail("the embedding is all zeros");
  const norm = Math.sqrt(squares);
  const out = new Float32Array(dim);
  for (let i = 0; i < dim; i++) out[i] = values[i]! / norm;
  return out;
}
