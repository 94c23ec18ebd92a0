/** /admin/namespaces/{ns}/documents and /export: what content owners load, read and remove. */
import { ServiceError } from "../errors.ts";
import type { Caller, IngestOutcome, Service, SubmittedDocument } from "../pipeline/types.ts";
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { mediaType, readJson, readText, readUncheckedJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { logFailure } from "./failure.ts";
import { PathText, parse } from "./schema/common.ts";
import {
  DeletedCountReply,
  DeleteRequest,
  Document,
  DocumentReply,
  type DocumentsCall,
  DocumentsRequest,
  IngestReply,
  ListQuery,
  ListReply,
  parseDelete,
  parseDocumentLines,
  parseDocuments,
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
      "taken, the first one's error is the reply.",
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
    const namespace = pathNamespace(c);
    const call =
      mediaType(c) === NDJSON
        ? parseDocumentLines(await readText(c))
        : parseDocuments(await readUncheckedJson(c));
    return c.json(await ingest(c.var.service, c.var.caller, namespace, call));
  },
);

/** Hands on the good documents and puts every error back in the call's numbering. */
async function ingest(
  service: Service,
  caller: Caller,
  namespace: string,
  call: DocumentsCall,
): Promise<IngestOutcome> {
  if (call.documents.length === 0) refuseAll(call.errors);
  const outcome = await service.ingest(caller, namespace, call.documents);
  const refused = outcome.errors.map((error) => ({ ...error, index: call.indices[error.index]! }));
  const errors = [...call.errors, ...refused].sort((a, b) => a.index - b.index);
  if (outcome.upserted + outcome.unchanged === 0) refuseAll(errors);
  return { ...outcome, errors };
}

function refuseAll(errors: IngestOutcome["errors"]): void {
  const first = errors[0];
  if (first === undefined) return;
  const others = errors.length > 1 ? ` (${errors.length - 1} more refused)` : "";
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
    return c.json(await c.var.service.listDocuments(c.var.caller, pathNamespace(c), page));
  },
);

/** Looser than the id of a new document: what was stored before a rule was made can be removed. */
const DocumentParams = NamespaceParams.extend({ id: PathText });

function pathDocument(c: ApiContext): [Caller, string, string] {
  const { id } = parse(DocumentParams, c.req.param());
  return [c.var.caller, pathNamespace(c), id];
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
  async (c) => c.json(await c.var.service.getDocument(...pathDocument(c))),
);

endpoint(
  adminDocuments,
  {
    method: "delete",
    path: `${DOCUMENTS}/{id}`,
    summary: "Delete a document",
    security: NEEDS_ADMIN_KEY,
    request: { params: DocumentParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const [caller, namespace, id] = pathDocument(c);
    await c.var.service.deleteDocument(caller, namespace, id);
    return c.json({ id, deleted: true });
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
    return c.json(await c.var.service.deleteWhere(c.var.caller, pathNamespace(c), filter));
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
      c.var.service.exportPage(c.var.caller, namespace, cursor);
    const first = await page(null); // its errors still have a status of their own
    c.header("content-type", NDJSON);
    return c.body(exportLines(first, page, c.var.trace));
  },
);

type ExportPage = Awaited<ReturnType<Service["exportPage"]>>;

/** Two pages in memory at most. A failure on the way breaks the transfer off, so that half an
 *  export never looks like a whole one. */
function exportLines(
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

function exportLine(document: SubmittedDocument): string {
  const given = Object.entries(document).filter(([, value]) => value !== null);
  return `${JSON.stringify(Object.fromEntries(given))}\n`;
}
