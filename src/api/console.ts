/** GET /console and its files, from the static assets. They hold no data and need no key: the
 *  page asks its user for one. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Env } from "../env.ts";
import { ServiceError } from "../errors.ts";
import type { Api } from "./context.ts";

/** Scripts and styles come from the console's own files, and calls go to this service only. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function addConsole(app: Api): void {
  app.get("/", (c) => c.redirect("/console/"));
  app.get("/console", (c) => c.redirect("/console/"));
  app.get("/console/*", async (c) => {
    const { ASSETS } = c.env as Env;
    const known = c.req.header("if-none-match"); // what the browser has is not sent again
    const headers = new Headers(known === undefined ? [] : [["if-none-match", known]]);
    const response = await ASSETS.fetch(new Request(c.req.url, { headers }));
    if (!response.ok && response.status !== 304)
      throw new ServiceError("not_found", `there is nothing at ${c.req.path}`);
    for (const [name, value] of response.headers) c.header(name, value);
    c.header("content-security-policy", CONTENT_SECURITY_POLICY);
    c.header("cache-control", "no-cache");
    return c.body(response.body as ReadableStream, response.status as ContentfulStatusCode);
  });
}
