/** /admin/namespaces: create, describe, list, delete; statistics and compaction. */

import { reachNamespace } from "./auth.ts";
import { readJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import {
  NamespaceReply,
  NamespaceRequest,
  NamespacesReply,
  parseNamespaceOptions,
  StatsReply,
} from "./schema/admin-namespaces.ts";
import { Namespace, parse, z } from "./schema/common.ts";
import { DeletedReply, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminNamespaces = newApi();

/** The path parameter {ns} of every endpoint below a namespace. */
export const NamespaceParams = z.object({ ns: Namespace });

const CompactQuery = z.strictObject({
  rebuild: z
    .enum(["true", "false"])
    .optional()
    .openapi({ description: "Make the whole index anew from the documents." }),
});

/** The namespace in the path, checked against the caller's reach. */
export function pathNamespace(c: ApiContext): string {
  return reachNamespace(
    c.get("caller"),
    parse(NamespaceParams, { ns: c.req.param("ns") }).ns,
    "ns",
  );
}

endpoint(
  adminNamespaces,
  {
    method: "get",
    path: "/admin/namespaces",
    summary: "List the namespaces",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "Your tenant's namespaces", NamespacesReply),
  },
  async (c) =>
    c.json({ namespaces: await c.get("service").memoryAdmin.listNamespaces(c.get("caller")) }),
);

endpoint(
  adminNamespaces,
  {
    method: "put",
    path: "/admin/namespaces/{ns}",
    summary: "Create a namespace, or change its options",
    description:
      "Again with other options changes those; bm25_unit, shards and vector_tier are fixed, and " +
      "another one is a conflict.",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: NamespaceParams,
      body: { required: false, content: { "application/json": { schema: NamespaceRequest } } },
    },
    responses: replies(200, "The namespace", NamespaceReply),
  },
  async (c) => {
    const name = pathNamespace(c);
    const options = parseNamespaceOptions(await readJson(c, {}));
    return c.json(await c.get("service").memoryAdmin.putNamespace(c.get("caller"), name, options));
  },
);

endpoint(
  adminNamespaces,
  {
    method: "get",
    path: "/admin/namespaces/{ns}",
    summary: "Describe a namespace",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "The namespace", NamespaceReply),
  },
  async (c) =>
    c.json(await c.get("service").memoryAdmin.getNamespace(c.get("caller"), pathNamespace(c))),
);

endpoint(
  adminNamespaces,
  {
    method: "delete",
    path: "/admin/namespaces/{ns}",
    summary: "Delete a namespace and all its documents",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const name = pathNamespace(c);
    await c.get("service").memoryAdmin.deleteNamespace(c.get("caller"), name);
    return c.json({ id: name, deleted: true });
  },
);

endpoint(
  adminNamespaces,
  {
    method: "get",
    path: "/admin/namespaces/{ns}/stats",
    summary: "Count what a namespace holds",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "The statistics", StatsReply),
  },
  async (c) => c.json(await c.get("service").memoryAdmin.stats(c.get("caller"), pathNamespace(c))),
);

endpoint(
  adminNamespaces,
  {
    method: "post",
    path: "/admin/namespaces/{ns}/compact",
    summary: "Drop the expired and what is dead in the index",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams, query: CompactQuery },
    responses: replies(200, "The statistics afterwards", StatsReply),
  },
  async (c) => {
    const { rebuild } = parse(CompactQuery, c.req.query());
    const { memoryAdmin } = c.get("service");
    return c.json(await memoryAdmin.compact(c.get("caller"), pathNamespace(c), rebuild === "true"));
  },
);
