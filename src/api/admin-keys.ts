/** /admin/keys: create, list, revoke. A key's text is shown once, when it is created. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { KeyRequestBody, KeysReply, NewKeyReply, parseKeyRequest } from "./schema/admin.ts";
import { PathText, parse, z } from "./schema/common.ts";
import { DeletedReply, jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminKeys = newApi();

endpoint(
  adminKeys,
  {
    method: "get",
    path: "/admin/keys",
    summary: "List the keys",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "Your tenant's keys, without their texts", KeysReply),
  },
  async (c) => c.json({ keys: await c.var.service.listKeys(c.var.caller) }),
);

endpoint(
  adminKeys,
  {
    method: "post",
    path: "/admin/keys",
    summary: "Create a key",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(KeyRequestBody) },
    responses: replies(201, "The key, with its text", NewKeyReply),
  },
  async (c) => {
    const request = parseKeyRequest(await readJson(c));
    return c.json(await c.var.service.createKey(c.var.caller, request), 201);
  },
);

const Params = z.object({ id: PathText });

endpoint(
  adminKeys,
  {
    method: "delete",
    path: "/admin/keys/{id}",
    summary: "Revoke a key",
    description: "It stops working everywhere within 30 seconds.",
    security: NEEDS_ADMIN_KEY,
    request: { params: Params },
    responses: replies(200, "It is revoked", DeletedReply),
  },
  async (c) => {
    const { id } = parse(Params, c.req.param());
    await c.var.service.revokeKey(c.var.caller, id);
    return c.json({ id, deleted: true });
  },
);
