/** GET and PUT /admin/router: how much risk an edge answer may carry. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parseRouter, RouterReply, RouterRequest } from "./schema/admin.ts";
import { jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminRouter = newApi();

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router",
    summary: "Show the router's target and threshold",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "The router's state", RouterReply),
  },
  async (c) => c.json(await c.var.service.getRouter(c.var.caller)),
);

endpoint(
  adminRouter,
  {
    method: "put",
    path: "/admin/router",
    summary: "Set the router's target",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(RouterRequest) },
    responses: replies(200, "The router's state from now on", RouterReply),
  },
  async (c) => {
    const target = parseRouter(await readJson(c));
    return c.json(await c.var.service.putRouter(c.var.caller, target));
  },
);
