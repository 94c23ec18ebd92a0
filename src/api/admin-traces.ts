/** /admin/traces: the tenant's last requests, with their stages. */
import { ServiceError } from "../errors.ts";
import { endpoint, newApi } from "./context.ts";
import { parse } from "./schema/common.ts";
import { NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";
import {
  parseTracesQuery,
  TraceId,
  TracePath,
  TraceReply,
  TracesForgottenReply,
  TracesQuery,
  TracesReply,
} from "./schema/traces.ts";

export const adminTraces = newApi();

endpoint(
  adminTraces,
  {
    method: "get",
    path: "/admin/traces",
    summary: "List recent requests",
    description: "The tenant's own, newest first. One shows up within a second or two of its end.",
    security: NEEDS_ADMIN_KEY,
    request: { query: TracesQuery },
    responses: replies(200, "A page", TracesReply),
  },
  async (c) => {
    const { filter, limit, cursor } = parseTracesQuery(c.req.query());
    return c.json(await c.get("service").traceAdmin.page(c.get("caller"), filter, limit, cursor));
  },
);

endpoint(
  adminTraces,
  {
    method: "get",
    path: "/admin/traces/{id}",
    summary: "Show a request with its stages, its decision and its cost",
    description: "By the reply's x-brink-trace.",
    security: NEEDS_ADMIN_KEY,
    request: { params: TracePath },
    responses: replies(200, "The trace", TraceReply),
  },
  async (c) => {
    const id = parse(TraceId, c.req.param("id"));
    const trace = await c.get("service").traceAdmin.find(c.get("caller"), id);
    if (trace === null)
      throw new ServiceError("not_found", `no trace ${id} is remembered here`, { param: "id" });
    return c.json(trace);
  },
);

endpoint(
  adminTraces,
  {
    method: "delete",
    path: "/admin/traces",
    summary: "Forget all recent requests",
    description: "The counts of /admin/metrics, which hold no text, stay.",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "They are gone", TracesForgottenReply),
  },
  async (c) => c.json({ deleted: await c.get("service").traceAdmin.forget(c.get("caller")) }),
);
