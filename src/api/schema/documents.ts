/** Documents: what content owners send, one by one, and what they get back. */
import type { Filter } from "../../../index/filter.ts";
import { codeOf, type ErrorCode, ServiceError } from "../../errors.ts";
import {
  CURSOR_CHARS_MAX,
  DOCUMENT_CHARS_MAX,
  DOCUMENTS_PER_CALL_MAX,
  LIST_LIMIT_DEFAULT,
  METADATA_BYTES_MAX,
  TITLE_CHARS_MAX,
} from "../../limits.ts";
import type { SubmittedDocument } from "../../pipeline/types.ts";
import { checkJson, parseJson } from "../body.ts";
import { DocumentId, Metadata, PathText, parse, z } from "./common.ts";
import { DeletionFilter } from "./filter.ts";
import { Vector } from "./memory.ts";

/** Unix seconds of this year would be milliseconds of January 1970; no clock says both. */
const FIRST_UNIX_MS = 1e11;

const Time = z
  .union([z.number(), z.iso.datetime({ offset: true })], {
    error: "must be Unix time or an ISO 8601 time with its zone, as 2026-11-23T12:00:00Z",
  })
  .openapi({
    description: "ISO 8601, or Unix time in milliseconds (in seconds where below 10^11).",
  });

export const Document = z
  .strictObject({
    id: DocumentId.nullish().openapi({ description: "Omitted: made from the content." }),
    text: z
      .string()
      .max(DOCUMENT_CHARS_MAX, { error: `a text has ${DOCUMENT_CHARS_MAX} characters at most` })
      .refine((text) => text.trim() !== "", { error: "may not be empty" }),
    title: z
      .string()
      .max(TITLE_CHARS_MAX, { error: `a title has ${TITLE_CHARS_MAX} characters at most` })
      .nullish(),
    metadata: Metadata.refine((value) => bytesOf(value) <= METADATA_BYTES_MAX, {
      error: `metadata is ${METADATA_BYTES_MAX} bytes of JSON at most`,
    }).nullish(),
    expires_at: Time.nullish(),
    embedding: Vector.nullish().openapi({
      description: "A precomputed vector of the whole document, of the encoder's size.",
    }),
  })
  .openapi("Document");

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}

/** The body of POST .../documents. Its documents are parsed one by one, by `parseDocuments`. */
export const DocumentsRequest = z
  .strictObject({ documents: z.array(Document).min(1).max(DOCUMENTS_PER_CALL_MAX) })
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
  return parseEach(parse(Envelope, body).documents, (document) => document);
}

/** Reads a JSON document a line; `index` counts the lines that are not blank, from 0. */
export function parseDocumentLines(text: string): DocumentsCall {
  return parseEach(
    text.split("\n").filter((line) => line.trim() !== ""),
    (line) => parseJson(line, "the line"),
  );
}

function parseEach<T>(items: T[], read: (item: T) => unknown): DocumentsCall {
  if (items.length === 0 || items.length > DOCUMENTS_PER_CALL_MAX)
    throw new ServiceError(
      "invalid_request",
      `documents: ${items.length} in one call; 1 to ${DOCUMENTS_PER_CALL_MAX} are taken`,
      { param: "documents" },
    );
  const call: DocumentsCall = { documents: [], indices: [], errors: [] };
  for (const [index, item] of items.entries()) {
    try {
      call.documents.push(parseDocument(read(item)));
      call.indices.push(index);
    } catch (error) {
      const code = codeOf(error);
      if (code === null) throw error;
      call.errors.push({ index, code, message: (error as Error).message });
    }
  }
  return call;
}

function parseDocument(value: unknown): SubmittedDocument {
  checkJson(value);
  const document = parse(Document, value);
  return {
    id: document.id ?? null,
    text: document.text,
    title: document.title ?? null,
    metadata: document.metadata ?? {},
    expires_at: document.expires_at == null ? null : unixMs(document.expires_at),
    embedding: document.embedding ?? null,
  };
}

function unixMs(time: number | string): number {
  if (typeof time === "string") return Date.parse(time);
  return Math.round(Math.abs(time) < FIRST_UNIX_MS ? time * 1000 : time);
}

export const IngestReply = z
  .object({
    upserted: z.int(),
    unchanged: z.int(),
    passages: z.int(),
    errors: z.array(
      z.object({
        index: z.int().openapi({ description: "The document's place in the call, from 0." }),
        code: z.string(),
        message: z.string(),
      }),
    ),
  })
  .openapi("IngestReply");

const Summary = z.object({
  id: z.string(),
  title: z.string().nullable(),
  metadata: Metadata,
  expires_at: z.number().nullable().openapi({ description: "Unix time in ms." }),
  passages: z.int(),
  updated_at: z.number().openapi({ description: "Unix time in ms." }),
});

export const DocumentReply = Summary.extend({ text: z.string() }).openapi("StoredDocument");

export const ListReply = z
  .object({
    documents: z.array(Summary),
    cursor: z.string().nullable().openapi({ description: "For the next page; null: the last." }),
  })
  .openapi("DocumentList");

export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(DOCUMENTS_PER_CALL_MAX).default(LIST_LIMIT_DEFAULT),
  cursor: PathText.max(CURSOR_CHARS_MAX).optional(),
});

export const DeleteRequest = z.strictObject({ filter: DeletionFilter }).openapi("DeleteRequest");

/** Throws `invalid_request`; an empty filter is refused. */
export function parseDelete(body: unknown): Filter {
  return parse(DeleteRequest, body).filter;
}

export const DeletedCountReply = z.object({ deleted: z.int() }).openapi("DeletedCount");
