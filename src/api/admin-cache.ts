/** /admin/cache and /admin/namespaces/{ns}/cache: which answers are given again, and what is kept.
 *  Errors: namespace_not_found, invalid_request. */
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { readJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { CachePolicyRequest, CacheReply, PurgedReply, parseCachePolicy } from "./schema/cache.ts";
import { jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminCache = newApi();

/** The same three operations for the tenant and for one namespace. */
function addCache(path: string, of: string, namespaceOf: (c: ApiContext) => string | null): void {
  const params = path.includes("{ns}") ? { params: NamespaceParams } : {};
  const security = NEEDS_ADMIN_KEY;
  endpoint(
    adminCache,
    {
      ...{ method: "get", path, security, request: params },
      summary: `Show which answers of ${of} are given again, and how many are kept`,
      responses: replies(200, "The policy that holds, and what is kept", CacheReply),
    },
    async (c) => c.json(await c.get("service").cacheAdmin.get(c.get("caller"), namespaceOf(c))),
  );
  endpoint(
    adminCache,
    {
      ...{ method: "put", path, security },
      summary: `Say which answers of ${of} are given again`,
      description: "What is not named stays; null takes back what was set here.",
      request: { ...params, body: jsonBody(CachePolicyRequest) },
      responses: replies(200, "The policy from now on", CacheReply),
    },
    async (c) => {
      const changes = parseCachePolicy(await readJson(c));
      return c.json(
        await c.get("service").cacheAdmin.put(c.get("caller"), namespaceOf(c), changes),
      );
    },
  );
  endpoint(
    adminCache,
    {
      ...{ method: "delete", path, security, request: params },
      summary: `Forget the answers of ${of} that are kept`,
      responses: replies(200, "How many there were", PurgedReply),
    },
    async (c) => {
      const purged = await c.get("service").cacheAdmin.purge(c.get("caller"), namespaceOf(c));
      return c.json({ purged });
    },
  );
}

addCache("/admin/cache", "the tenant", () => null);
addCache("/admin/namespaces/{ns}/cache", "a namespace", pathNamespace);
