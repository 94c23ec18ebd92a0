/** /admin/namespaces/{ns}/documents and /export: what content owners load, read and remove. */
import { mayPass, ServiceError } from "../errors.ts";
import { EMBEDDED_PASSAGES_MAX } from "../limits.ts";
import type { Caller, IngestOutcome, SubmittedDocument } from "../pipeline/types.ts";
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { mediaType, readJson, readUncheckedJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { exportLines } from "./export-lines.ts";
import { addCounts, emptyCounts, loadLines } from "./load-lines.ts";
import { type Line, readLines } from "./ndjson.ts";
import { PathText, parse } from "./schema/common.ts";
import {
  DeletedCountReply,
  DeleteRequest,
  Document,
  DocumentReply,
  type DocumentsCall,
  DocumentsRequest,
  IngestReply,
  type ItemError,
  ListQuery,
  ListReply,
  PatchReply,
  PatchRequest,
  parseDelete,
  parseDocuments,
  parsePatch,
  VersionQuery,
} from "./schema/documents.ts";
import { DeletedReply, jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminDocuments = newApi();

const NDJSON = "application/x-ndjson";
const DOCUMENTS = "/admin/namespaces/{ns}/documents";

endpoint(
  adminDocuments,
  {
    method: "post",
    path: DOCUMENTS,
    summary: "Load documents",
    description:
      "Answers once they are durable and searchable. The same id replaces, the same content does " +
      "nothing. A bad document is an entry of `errors` and holds up no other; where none is " +
      "taken, the first one's error is the reply. NDJSON is stored as it comes and may be of any " +
      "length.",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: NamespaceParams,
      body: {
        required: true,
        content: {
          "application/json": { schema: DocumentsRequest },
          [NDJSON]: { schema: Document },
        },
      },
    },
    responses: replies(200, "What became of them", IngestReply),
  },
  async (c) => {
    const service = c.get("service");
    const caller = c.get("caller");
    const namespace = pathNamespace(c);
    const store: Store = async (...documents) => {
      const outcome = await service.memoryAdmin.ingest(caller, namespace, ...documents);
      if (outcome.errors.some(({ code }) => mayPass(code))) c.set("unsure", true);
      return outcome;
    };
    if (mediaType(c) === NDJSON) return c.json(await ingestLines(readLines(c), store));
    return c.json(await ingest(parseDocuments(await readUncheckedJson(c)), store));
  },
);

type Store = (documents: SubmittedDocument[], embeddedMax?: number) => Promise<IngestOutcome>;

/** Hands on the good documents and puts what becomes of them back in the call's numbering. */
async function ingest(call: DocumentsCall, store: Store) {
  if (call.documents.length === 0) refuseAll(call.errors, call.errors.length);
  const outcome = await store(call.documents, EMBEDDED_PASSAGES_MAX);
  const inCall = <T extends { index: number }>(items: T[]) =>
    items.map((item) => ({ ...item, index: call.indices[item.index]! }));
  const byIndex = (a: { index: number }, b: { index: number }) => a.index - b.index;
  const errors = [...call.errors, ...inCall(outcome.errors)].sort(byIndex);
  if (outcome.upserted + outcome.unchanged === 0) refuseAll(errors, errors.length);
  const documents = inCall(outcome.documents).sort(byIndex);
  return { ...outcome, documents, error_count: errors.length, errors };
}

/** The same for a stream; its reply holds no line for each document. */
async function ingestLines(lines: AsyncIterable<Line[]>, store: Store) {
  const sum = emptyCounts();
  const numbering = { from: 0, blanks: false };
  await loadLines(lines, numbering, store, (counts) => addCounts(sum, counts));
  const { upserted, unchanged, passages, errors, error_count } = sum;
  if (upserted + unchanged === 0) refuseAll(errors, error_count);
  if (upserted + unchanged + error_count === 0)
    throw new ServiceError("invalid_request", "documents: the body has no line", {
      param: "documents",
    });
  return { upserted, unchanged, passages, error_count, errors };
}

function refuseAll(errors: readonly ItemError[], count: number): void {
  const first = errors[0];
  if (first === undefined) return;
  const others = count > 1 ? ` (${count - 1} more refused)` : "";
  throw new ServiceError(first.code, `document ${first.index}: ${first.message}${others}`, {
    param: `documents[${first.index}]`,
  });
}

endpoint(
  adminDocuments,
  {
    method: "get",
    path: DOCUMENTS,
    summary: "List documents, without their texts",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams, query: ListQuery },
    responses: replies(200, "A page", ListReply),
  },
  async (c) => {
    const { limit, cursor } = parse(ListQuery, c.req.query());
    const page = { limit, cursor: cursor ?? null };
    return c.json(
      await c.get("service").memoryAdmin.listDocuments(c.get("caller"), pathNamespace(c), page),
    );
  },
);

/** Looser than the id of a new document: what was stored before a rule was made can be removed. */
const DocumentParams = NamespaceParams.extend({
  id: PathText.openapi({ description: "The document's id, URL-encoded." }),
});

function pathDocument(c: ApiContext): [Caller, string, string] {
  const { id } = parse(DocumentParams, c.req.param());
  return [c.get("caller"), pathNamespace(c), id];
}

endpoint(
  adminDocuments,
  {
    method: "get",
    path: `${DOCUMENTS}/{id}`,
    summary: "Read a document",
    security: NEEDS_ADMIN_KEY,
    request: { params: DocumentParams },
    responses: replies(200, "The document as it is stored", DocumentReply),
  },
  async (c) => c.json(await c.get("service").memoryAdmin.getDocument(...pathDocument(c))),
);

endpoint(
  adminDocuments,
  {
    method: "delete",
    path: `${DOCUMENTS}/{id}`,
    summary: "Delete a document",
    security: NEEDS_ADMIN_KEY,
    request: { params: DocumentParams, query: VersionQuery },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const { if_version } = parse(VersionQuery, c.req.query());
    const [caller, namespace, id] = pathDocument(c);
    await c.get("service").memoryAdmin.deleteDocument(caller, namespace, id, if_version ?? null);
    return c.json({ id, deleted: true });
  },
);

endpoint(
  adminDocuments,
  {
    method: "patch",
    path: `${DOCUMENTS}/{id}`,
    summary: "Change a document's metadata, title or expiry",
    description: "What is not named stays. The text stays, and so do its passages.",
    security: NEEDS_ADMIN_KEY,
    request: { params: DocumentParams, body: jsonBody(PatchRequest) },
    responses: replies(200, "The document's new version", PatchReply),
  },
  async (c) => {
    const { patch, if_version } = parsePatch(await readJson(c));
    const [caller, namespace, id] = pathDocument(c);
    const version = await c
      .get("service")
      .memoryAdmin.patchDocument(caller, namespace, id, patch, if_version);
    return c.json({ id, version });
  },
);

endpoint(
  adminDocuments,
  {
    method: "post",
    path: `${DOCUMENTS}/delete`,
    summary: "Delete the documents that a filter matches",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams, body: jsonBody(DeleteRequest) },
    responses: replies(200, "How many are gone", DeletedCountReply),
  },
  async (c) => {
    const filter = parseDelete(await readJson(c));
    return c.json(
      await c.get("service").memoryAdmin.deleteWhere(c.get("caller"), pathNamespace(c), filter),
    );
  },
);

endpoint(
  adminDocuments,
  {
    method: "get",
    path: "/admin/namespaces/{ns}/export",
    summary: "Export every document",
    description: "A JSON document a line, as POST .../documents takes them back.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: {
      ...replies(200, "The documents", Document),
      200: { description: "The documents", content: { [NDJSON]: { schema: Document } } },
    },
  },
  async (c) => {
    const namespace = pathNamespace(c);
    const page = (cursor: string | null) =>
      c.get("service").memoryAdmin.exportPage(c.get("caller"), namespace, cursor);
    const first = await page(null); // its errors still have a status of their own
    c.header("content-type", NDJSON);
    return c.body(exportLines(first, page, c.get("trace")));
  },
);
