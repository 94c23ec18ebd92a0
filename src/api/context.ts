/** What every endpoint has at hand, and the one way to register an endpoint. */
import { OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Config } from "../env.ts";
import type { Trace } from "../pipeline/trace.ts";
import type { Caller, Service } from "../pipeline/types.ts";
import { withIdempotency } from "./idempotency.ts";

/** The part of the configuration that the HTTP layer reads. */
export type ApiConfig = Pick<
  Config,
  "local" | "adminKeySha256" | "allowedOrigins" | "ledgerUnreachable"
>;

/** What a request is served with: made by the worker from its bindings, by a test from doubles. */
export interface Connection {
  service: Service;
  config: ApiConfig;
  /** Lets work go on where the client has gone; a test may leave it out. */
  keepAlive?: KeepAlive;
  /** Told of each request under /v1 and /admin once, when its reply is whole. */
  watch?: (trace: Trace) => void;
}

export type KeepAlive = (work: Promise<unknown>) => void;

/** Set before a handler runs, by auth.ts (caller, forgetCallers) and app.ts (the rest). */
export interface ApiEnv {
  Bindings: object;
  Variables: {
    trace: string;
    /** The same request's stages and facts. */
    traced: Trace;
    /** Ends the trace and tells who watches; only the first call counts. */
    finish: () => void;
    service: Service;
    config: ApiConfig;
    keepAlive: KeepAlive;
    /** Set where a reply of success says that a part of the write may pass when it is sent again:
     *  it is then not kept for the next request with its idempotency key. */
    unsure?: boolean;
    caller: Caller;
    /** Drops what this isolate remembers of keys, after one was changed. */
    forgetCallers: () => void;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;

/** An empty group of endpoints for app.ts to mount. */
export function newApi(): Api {
  return new OpenAPIHono<ApiEnv>();
}

/** Adds an endpoint to the router and to the OpenAPI document, from one description. The handler
 *  parses its own input with the schemas named in `route`: hono's validators would read the body
 *  unbounded and skip it where the content type is not JSON. */
export function endpoint(
  api: Api,
  route: RouteConfig,
  handler: (c: ApiContext) => Response | Promise<Response>,
): void {
  api.openAPIRegistry.registerPath(withIdempotency(route));
  api.on(route.method.toUpperCase(), route.path.replace(/\{(\w+)\}/g, ":$1"), (c: ApiContext) => {
    c.get("traced").namespace = c.req.param("ns") ?? null;
    return handler(c);
  });
}
