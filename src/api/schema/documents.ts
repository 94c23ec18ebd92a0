/** Documents: what content owners send, one by one, and what they get back. */
import { utf8Length } from "../../../index/bytes.ts";
import type { Filter } from "../../../index/filter.ts";
import { codeOf, type ErrorCode, ServiceError } from "../../errors.ts";
import {
  CURSOR_CHARS_MAX,
  DOCUMENT_CHARS_MAX,
  DOCUMENTS_PER_CALL_MAX,
  LIST_LIMIT_DEFAULT,
  METADATA_BYTES_MAX,
  TIME_MS_MAX,
  TITLE_CHARS_MAX,
} from "../../limits.ts";
import type { DocumentPatch } from "../../memory/shard-types.ts";
import type { SubmittedDocument } from "../../pipeline/types.ts";
import { checkJson, parseJson } from "../body.ts";
import { CountText, DocumentId, Metadata, PathText, parse, z } from "./common.ts";
import { DeletionFilter } from "./filter.ts";
import { Embedding, readVector } from "./vector.ts";

/** Unix seconds of this year would be milliseconds of January 1970; no clock says both. */
export const FIRST_UNIX_MS = 1e11;

const UnixTime = z.number().refine((time) => Math.abs(time) <= TIME_MS_MAX, {
  error: `is no time: a date is at most ${TIME_MS_MAX} ms from 1970`,
});

export const Time = z
  .union([UnixTime, z.iso.datetime({ offset: true })], {
    error: "must be Unix time or an ISO 8601 time with its zone, as 2026-11-23T12:00:00Z",
  })
  .openapi({
    description: "ISO 8601, or Unix time in milliseconds (in seconds where below 10^11).",
  });

export const DocumentText = z
  .string()
  .max(DOCUMENT_CHARS_MAX, { error: `a text has ${DOCUMENT_CHARS_MAX} characters at most` })
  .refine((text) => text.trim() !== "", { error: "may not be empty" });

const Title = z
  .string()
  .max(TITLE_CHARS_MAX, { error: `a title has ${TITLE_CHARS_MAX} characters at most` });

export const DocumentMetadata = Metadata.refine((value) => bytesOf(value) <= METADATA_BYTES_MAX, {
  error: `metadata is ${METADATA_BYTES_MAX} bytes of JSON at most`,
});

const ContentTypeField = z.enum(["text/plain", "text/markdown", "text/html"]).openapi({
  description: "How the text shows its structure; it is never guessed.",
});

const Version = z.int().min(0);

export const Document = z
  .strictObject({
    id: DocumentId.nullish().openapi({ description: "Omitted: made from the content." }),
    text: DocumentText.openapi({ description: "What is cut into passages, found and quoted." }),
    title: Title.nullish().openapi({ description: "Is found and embedded with the text." }),
    metadata: DocumentMetadata.nullish(),
    content_type: ContentTypeField.nullish().openapi({ description: "Omitted: text/plain." }),
    time: Time.nullish().openapi({
      description: "When what it tells happened; omitted: when it is first stored.",
    }),
    expires_at: Time.nullish().openapi({
      description: "From then on it is not found. A time as in `time`.",
    }),
    if_version: Version.nullish().openapi({
      description: "Store it only over this version; 0: only where there is none of this id.",
    }),
    embedding: Embedding.nullish(),
  })
  .openapi("Document");

/** All of a document but its vector, which `readVector` reads. */
const DocumentFields = Document.omit({ embedding: true });

function bytesOf(value: unknown): number {
  const text = JSON.stringify(value);
  // No UTF-16 unit has more than 3 bytes: most metadata need not be encoded to be measured.
  return text.length * 3 <= METADATA_BYTES_MAX ? text.length : utf8Length(text);
}

/** The body of POST .../documents. Its documents are parsed one by one, by `parseDocuments`. */
export const DocumentsRequest = z
  .strictObject({
    documents: z
      .array(Document)
      .min(1)
      .max(DOCUMENTS_PER_CALL_MAX)
      .openapi({ description: "Each is taken or refused by itself." }),
  })
  .openapi("DocumentsRequest");

const Envelope = z.strictObject({ documents: z.array(z.unknown()) });

export interface ItemError {
  index: number;
  code: ErrorCode;
  message: string;
}

/** The good documents with their places in the call, and why the others are refused. */
export interface DocumentsCall {
  documents: SubmittedDocument[];
  /** `indices[i]` is where `documents[i]` stood in the call. */
  indices: number[];
  errors: ItemError[];
}

/** Reads `{"documents": [...]}`. A bad document is an entry of `errors` and costs no other one.
 *  Throws `invalid_request` where there is no list, or none to 1,000 of them. */
export function parseDocuments(body: unknown): DocumentsCall {
  const items = parse(Envelope, body).documents;
  if (items.length === 0 || items.length > DOCUMENTS_PER_CALL_MAX)
    throw new ServiceError(
      "invalid_request",
      `documents: ${items.length} in one call; 1 to ${DOCUMENTS_PER_CALL_MAX} are taken`,
      { param: "documents" },
    );
  const call: DocumentsCall = { documents: [], indices: [], errors: [] };
  for (const [index, item] of items.entries()) {
    try {
      call.documents.push(parseDocument(item));
      call.indices.push(index);
    } catch (error) {
      call.errors.push({ index, ...refusalOf(error) });
    }
  }
  return call;
}

/** A document from a line of NDJSON. Throws `invalid_json`, `invalid_request`. */
export function parseDocumentLine(line: string): SubmittedDocument {
  return parseDocument(parseJson(line, "the line"));
}

/** What is told of an expected error. A bug is thrown on. */
export function refusalOf(error: unknown): { code: ErrorCode; message: string } {
  const code = codeOf(error);
  if (code === null) throw error;
  return { code, message: (error as Error).message };
}

function parseDocument(value: unknown): SubmittedDocument {
  const { embedding = null, ...fields } = isObject(value) ? value : { embedding: null };
  checkJson(isObject(value) ? fields : value);
  const document = parse(DocumentFields, isObject(value) ? fields : value);
  return {
    id: document.id ?? null,
    text: document.text,
    title: document.title ?? null,
    metadata: document.metadata ?? {},
    expires_at: document.expires_at == null ? null : unixMs(document.expires_at),
    time: document.time == null ? null : unixMs(document.time),
    content_type: document.content_type ?? "text/plain",
    if_version: document.if_version ?? null,
    embedding: embedding === null ? null : readVector(embedding, "embedding"),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `Time` as Unix ms. */
export function unixMs(time: number | string): number {
  if (typeof time === "string") return Date.parse(time);
  return Math.round(Math.abs(time) < FIRST_UNIX_MS ? time * 1000 : time);
}

export const PatchRequest = z
  .strictObject({
    metadata: DocumentMetadata.nullish().openapi({
      description: "Fields to set; one that is null is taken out; those not named stay.",
    }),
    title: Title.nullable().optional().openapi({ description: "Null takes it away." }),
    expires_at: Time.nullable().optional().openapi({ description: "Null: never." }),
    if_version: Version.nullish().openapi({ description: "Change only this version." }),
  })
  .refine((body) => body.metadata != null || "title" in body || "expires_at" in body, {
    error: "names nothing to change: metadata, title or expires_at",
  })
  .openapi("DocumentPatch");

export interface PatchCall {
  patch: DocumentPatch;
  if_version: number | null;
}

/** Throws `invalid_request`. */
export function parsePatch(body: unknown): PatchCall {
  const { metadata, title, expires_at, if_version } = parse(PatchRequest, body);
  const patch: DocumentPatch = { metadata: metadata ?? null };
  if (title !== undefined) patch.title = title;
  if (expires_at !== undefined) patch.expires_at = expires_at === null ? null : unixMs(expires_at);
  return { patch, if_version: if_version ?? null };
}

export const VersionQuery = z.object({
  if_version: CountText.optional().openapi({
    description: "Delete it only where it has this version.",
  }),
});

const ItemErrorReply = z.object({
  index: z.int().openapi({ description: "The document's place in the call, from 0." }),
  code: z.string(),
  message: z.string(),
});

const IngestCounts = z.object({
  upserted: z.int().openapi({ description: "Documents that were stored." }),
  unchanged: z.int().openapi({ description: "Documents that were there already, just so." }),
  passages: z.int().openapi({ description: "What was stored, cut into so many." }),
  error_count: z.int().openapi({ description: "How many were refused." }),
  errors: z.array(ItemErrorReply).openapi({ description: "Of NDJSON the first 1,000." }),
});

export const IngestReply = IngestCounts.extend({
  documents: z
    .array(
      z.object({
        index: z.int().openapi({ description: "Its place in the call, from 0." }),
        id: z.string().openapi({ description: "As sent, or as made from the content." }),
        version: z.int(),
        unchanged: z.boolean(),
      }),
    )
    .optional()
    .openapi({ description: "What is stored now, in the call's order; not for NDJSON." }),
}).openapi("IngestReply");

const Summary = z.object({
  id: z.string(),
  title: z.string().nullable(),
  metadata: Metadata,
  content_type: ContentTypeField,
  time: z.number().openapi({ description: "When what it tells happened, Unix time in ms." }),
  expires_at: z.number().nullable().openapi({ description: "Unix time in ms." }),
  version: z.int().openapi({ description: "From 1; every change adds 1." }),
  passages: z.int().openapi({ description: "How many it is cut into." }),
  brought: z.boolean().openapi({ description: "Whether it came with its embedding." }),
  updated_at: z.number().openapi({ description: "Unix time in ms." }),
});

export const DocumentReply = Summary.extend({ text: z.string() }).openapi("StoredDocument");

export const PatchReply = z.object({ id: z.string(), version: z.int() }).openapi("DocumentVersion");

export const ListReply = z
  .object({
    documents: z.array(Summary),
    cursor: z.string().nullable().openapi({ description: "For the next page; null: the last." }),
  })
  .openapi("DocumentList");

export const ListQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(DOCUMENTS_PER_CALL_MAX)
    .default(LIST_LIMIT_DEFAULT)
    .openapi({ description: "How many to a page." }),
  cursor: PathText.max(CURSOR_CHARS_MAX)
    .optional()
    .openapi({ description: "The last page's `cursor`; omitted: the first page." }),
});

export const DeleteRequest = z.strictObject({ filter: DeletionFilter }).openapi("DeleteRequest");

/** Throws `invalid_request`; an empty filter is refused. */
export function parseDelete(body: unknown): Filter {
  return parse(DeleteRequest, body).filter;
}

export const DeletedCountReply = z.object({ deleted: z.int() }).openapi("DeletedCount");
