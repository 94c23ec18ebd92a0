/** /admin/namespaces/{ns}/notes: what the memory learned, to be looked through and mended. */
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { readJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { PathText, parse } from "./schema/common.ts";
import {
  NotePatchRequest,
  NotePolicyReply,
  NotePolicyRequest,
  NoteReply,
  NotesQuery,
  NotesReply,
  parseNotePatch,
  parseNotePolicy,
} from "./schema/notes.ts";
import { DeletedReply, jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminNotes = newApi();

const NOTES = "/admin/namespaces/{ns}/notes";
const POLICY = "/admin/namespaces/{ns}/note-policy";
const NoteParams = NamespaceParams.extend({
  id: PathText.openapi({ description: "The note's id." }),
});

function pathNote(c: ApiContext): string {
  return parse(NoteParams, c.req.param()).id;
}

endpoint(
  adminNotes,
  {
    method: "get",
    path: NOTES,
    summary: "List the notes of a namespace",
    description: "Those that were unused for longest first.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams, query: NotesQuery },
    responses: replies(200, "A page", NotesReply),
  },
  async (c) => {
    const { state, limit, cursor } = parse(NotesQuery, c.req.query());
    const page = { state, limit, cursor: cursor ?? null };
    return c.json(await c.get("service").noteAdmin.list(c.get("caller"), pathNamespace(c), page));
  },
);

endpoint(
  adminNotes,
  {
    method: "get",
    path: `${NOTES}/{id}`,
    summary: "Read a note",
    security: NEEDS_ADMIN_KEY,
    request: { params: NoteParams },
    responses: replies(200, "The note", NoteReply),
  },
  async (c) =>
    c.json(await c.get("service").noteAdmin.get(c.get("caller"), pathNamespace(c), pathNote(c))),
);

endpoint(
  adminNotes,
  {
    method: "patch",
    path: `${NOTES}/{id}`,
    summary: "Change, confirm, approve or set aside a note",
    description:
      "What is not named stays. A pending note that is made active gets the id of its question " +
      "and replaces what answered that before.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NoteParams, body: jsonBody(NotePatchRequest) },
    responses: replies(200, "The note as it is now", NoteReply),
  },
  async (c) => {
    const patch = parseNotePatch(await readJson(c));
    const { noteAdmin } = c.get("service");
    return c.json(await noteAdmin.patch(c.get("caller"), pathNamespace(c), pathNote(c), patch));
  },
);

endpoint(
  adminNotes,
  {
    method: "delete",
    path: `${NOTES}/{id}`,
    summary: "Delete a note",
    security: NEEDS_ADMIN_KEY,
    request: { params: NoteParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const id = pathNote(c);
    await c.get("service").noteAdmin.remove(c.get("caller"), pathNamespace(c), id);
    return c.json({ id, deleted: true });
  },
);

endpoint(
  adminNotes,
  {
    method: "get",
    path: POLICY,
    summary: "Show what becomes a note",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "The namespace's policy", NotePolicyReply),
  },
  async (c) =>
    c.json(await c.get("service").noteAdmin.getPolicy(c.get("caller"), pathNamespace(c))),
);

endpoint(
  adminNotes,
  {
    method: "put",
    path: POLICY,
    summary: "Say what becomes a note",
    description: "What is not named stays.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams, body: jsonBody(NotePolicyRequest) },
    responses: replies(200, "The policy from now on", NotePolicyReply),
  },
  async (c) => {
    const changes = parseNotePolicy(await readJson(c));
    const { noteAdmin } = c.get("service");
    return c.json(await noteAdmin.putPolicy(c.get("caller"), pathNamespace(c), changes));
  },
);
