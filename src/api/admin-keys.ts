/** /admin/keys: create, list, change, rotate, revoke, and what they used. A key's text is shown
 *  once, when it is made; neither it nor its hash is ever logged. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parse } from "./schema/common.ts";
import {
  KeyParams,
  KeyPatchRequest,
  KeyReply,
  KeyRequestBody,
  KeysReply,
  KeyUsageReply,
  NewKeyReply,
  parseKeyPatch,
  parseKeyRequest,
  parseRotate,
  RotateRequest,
  showKey,
  showKeyUsage,
  showListedKey,
  showTenantUsage,
  TenantUsageReply,
  UsageQuery,
} from "./schema/keys.ts";
import { DeletedReply, jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminKeys = newApi();
const security = NEEDS_ADMIN_KEY;

endpoint(
  adminKeys,
  {
    method: "get",
    path: "/admin/keys",
    summary: "List the keys with what they used",
    security,
    responses: replies(200, "Your tenant's keys, without their texts", KeysReply),
  },
  async (c) => {
    const keys = await c.get("service").keyAdmin.list(c.get("caller"));
    return c.json({ keys: keys.map(showListedKey) });
  },
);

endpoint(
  adminKeys,
  {
    method: "post",
    path: "/admin/keys",
    summary: "Create a key",
    security,
    request: { body: jsonBody(KeyRequestBody) },
    responses: replies(201, "The key, with its text", NewKeyReply),
  },
  async (c) => {
    const request = parseKeyRequest(await readJson(c));
    return c.json(showKey(await c.get("service").keyAdmin.create(c.get("caller"), request)), 201);
  },
);

endpoint(
  adminKeys,
  {
    method: "get",
    path: "/admin/keys/{id}",
    summary: "Show a key",
    security,
    request: { params: KeyParams },
    responses: replies(200, "The key, without its text", KeyReply),
  },
  async (c) => {
    const { id } = parse(KeyParams, c.req.param());
    return c.json(showKey(await c.get("service").keyAdmin.get(c.get("caller"), id)));
  },
);

endpoint(
  adminKeys,
  {
    method: "patch",
    path: "/admin/keys/{id}",
    summary: "Change a key",
    description: "What is left out stays. It takes effect everywhere within 30 seconds.",
    security,
    request: { params: KeyParams, body: jsonBody(KeyPatchRequest) },
    responses: replies(200, "The key as it is now", KeyReply),
  },
  async (c) => {
    const { id } = parse(KeyParams, c.req.param());
    const changes = parseKeyPatch(await readJson(c));
    const key = await c.get("service").keyAdmin.update(c.get("caller"), id, changes);
    c.get("forgetCallers")();
    return c.json(showKey(key));
  },
);

endpoint(
  adminKeys,
  {
    method: "post",
    path: "/admin/keys/{id}/rotate",
    summary: "Give a key another text",
    description: "The text that it had stops working within 30 seconds of the grace period's end.",
    security,
    request: { params: KeyParams, body: jsonBody(RotateRequest) },
    responses: replies(200, "The key, with its new text", NewKeyReply),
  },
  async (c) => {
    const { id } = parse(KeyParams, c.req.param());
    const { graceMs } = parseRotate(await readJson(c, {}));
    const key = await c.get("service").keyAdmin.rotate(c.get("caller"), id, graceMs);
    c.get("forgetCallers")();
    return c.json(showKey(key));
  },
);

endpoint(
  adminKeys,
  {
    method: "delete",
    path: "/admin/keys/{id}",
    summary: "Revoke a key",
    description: "It stops working everywhere within 30 seconds.",
    security,
    request: { params: KeyParams },
    responses: replies(200, "It is revoked", DeletedReply),
  },
  async (c) => {
    const { id } = parse(KeyParams, c.req.param());
    await c.get("service").keyAdmin.revoke(c.get("caller"), id);
    c.get("forgetCallers")();
    return c.json({ id, deleted: true });
  },
);

endpoint(
  adminKeys,
  {
    method: "get",
    path: "/admin/keys/{id}/usage",
    summary: "Show what a key used, by the day, and how its budget stands",
    security,
    request: { params: KeyParams, query: UsageQuery },
    responses: replies(200, "The days with any use, oldest first", KeyUsageReply),
  },
  async (c) => {
    const { id } = parse(KeyParams, c.req.param());
    const { days } = parse(UsageQuery, c.req.query());
    return c.json(showKeyUsage(await c.get("service").keyAdmin.usage(c.get("caller"), id, days)));
  },
);

endpoint(
  adminKeys,
  {
    method: "get",
    path: "/admin/usage",
    summary: "Show what your tenant used, by the day and by the key",
    security,
    request: { query: UsageQuery },
    responses: replies(200, "The days with any use, oldest first, and the keys", TenantUsageReply),
  },
  async (c) => {
    const { days } = parse(UsageQuery, c.req.query());
    return c.json(
      showTenantUsage(await c.get("service").keyAdmin.tenantUsage(c.get("caller"), days)),
    );
  },
);
