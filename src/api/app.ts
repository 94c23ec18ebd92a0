/** The HTTP application: what every request passes through, and the only onError. */

import { cors } from "hono/cors";
import { matchedRoutes } from "hono/route";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ServiceError } from "../errors.ts";
import {
  BACKEND_BUSY_RETRY_AFTER_S,
  GENERATOR_BUSY_RETRY_AFTER_S,
  LEDGER_RETRY_AFTER_S,
  MEMORY_BUSY_RETRY_AFTER_S,
  REPLAY_RETRY_AFTER_S,
  STORAGE_RETRY_AFTER_S,
} from "../limits.ts";
import { Trace } from "../pipeline/trace.ts";
import { parseTraceparent } from "../pipeline/trace-context.ts";
import { adminCache } from "./admin-cache.ts";
import { adminDocuments } from "./admin-documents.ts";
import { adminJobs } from "./admin-jobs.ts";
import { adminKeys } from "./admin-keys.ts";
import { adminMetrics } from "./admin-metrics.ts";
import { adminModels } from "./admin-models.ts";
import { adminNamespaces } from "./admin-namespaces.ts";
import { adminNotes } from "./admin-notes.ts";
import { adminRouter } from "./admin-router.ts";
import { adminSnapshots } from "./admin-snapshots.ts";
import { adminTraces } from "./admin-traces.ts";
import { newAuth } from "./auth.ts";
import { chat } from "./chat.ts";
import { classify } from "./classify.ts";
import { ClientLeft } from "./client-left.ts";
import { type Api, type ApiContext, type ApiEnv, type Connection, newApi } from "./context.ts";
import { embeddings } from "./embeddings.ts";
import { describeFailure, logFailure } from "./failure.ts";
import { feedback } from "./feedback.ts";
import { health } from "./health.ts";
import { idempotent } from "./idempotency.ts";
import { memory } from "./memory.ts";
import { models } from "./models.ts";
import { addOpenApi, methodsAt } from "./openapi.ts";
import { limitRates } from "./quota.ts";
import { remember } from "./remember.ts";
import { rerank } from "./rerank.ts";
import { responses } from "./responses.ts";

/** After how many seconds a client that met one of these may try again. */
const RETRY_AFTER_S: Record<string, number | undefined> = {
  backend_busy: BACKEND_BUSY_RETRY_AFTER_S,
  generator_busy: GENERATOR_BUSY_RETRY_AFTER_S,
  idempotency_key_in_use: REPLAY_RETRY_AFTER_S,
  ledger_unavailable: LEDGER_RETRY_AFTER_S,
  memory_busy: MEMORY_BUSY_RETRY_AFTER_S,
  model_unavailable: STORAGE_RETRY_AFTER_S,
  storage_unavailable: STORAGE_RETRY_AFTER_S,
};

/** What a script of another origin may read of a reply, beside what every browser lets it. */
const EXPOSED_HEADERS = [
  ...[
    "x-brink-trace",
    "x-request-id",
    "x-brink-route",
    "x-brink-difficulty",
    "x-brink-cache",
    "allow",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "idempotent-replayed",
  ],
  ...["limit", "remaining", "reset"].flatMap((what) => [
    `x-ratelimit-${what}-requests`,
    `x-ratelimit-${what}-tokens`,
  ]),
];

/** The application. `connect` makes what a request is served with from the bindings; it is called
 *  once a request and what it throws becomes that request's error. Endpoints that need no key,
 *  such as the console's files, may be added to the result. */
export function createApp<Bindings extends object>(
  connect: (bindings: Bindings, request: Request, trace: Trace) => Connection,
): Api {
  const app = newApi();
  addFrame(app, (bindings, ...rest) => connect(bindings as Bindings, ...rest));
  const auth = newAuth();
  app.use("/v1/*", auth("inference"), limitRates);
  app.use("/admin/*", auth("admin"));
  app.use("/v1/*", idempotent);
  app.use("/admin/*", idempotent);
  for (const group of [chat, responses, embeddings, rerank, classify, models, memory, remember])
    app.route("/", group);
  for (const group of [adminNamespaces, adminDocuments, adminJobs, adminSnapshots])
    app.route("/", group);
  for (const group of [adminNotes, adminCache, adminKeys, adminModels]) app.route("/", group);
  for (const group of [feedback, adminRouter, adminTraces, adminMetrics, health])
    app.route("/", group);
  addOpenApi(app);
  app.notFound((c) => {
    const { path, method } = c.req;
    const allowed = methodsAt(app, path);
    if (allowed.length === 0) throw new ServiceError("not_found", `there is nothing at ${path}`);
    c.header("allow", allowed.join(", "));
    throw new ServiceError(
      "method_not_allowed",
      `${path} takes ${allowed.join(", ")}, not ${method}`,
    );
  });
  app.onError((error, c) => {
    const { signal } = c.req.raw as { signal?: AbortSignal };
    const ended = signal?.aborted === true && error.name === "AbortError";
    if (ended || error instanceof ClientLeft) c.get("traced").left = true;
    else c.get("traced").fail(error);
    const configured = c.get("finish") !== undefined; // and so there is somebody to tell
    if (!configured) logFailure(error, c.get("trace"));
    const { status, body } = describeFailure(error);
    const wait = RETRY_AFTER_S[body.error.code];
    if (wait !== undefined) c.header("retry-after", `${wait}`);
    // The official clients repeat any 429; a budget is not there again in their few seconds.
    if (body.error.code === "insufficient_quota") c.header("x-should-retry", "false");
    return c.json(body, status as ContentfulStatusCode);
  });
  return app;
}

/** The trace, the connection, CORS, and headers that keep a browser from guessing or keeping. */
function addFrame(
  app: Api,
  connect: (bindings: ApiEnv["Bindings"], request: Request, trace: Trace) => Connection,
): void {
  app.use(async (c, next) => {
    const trace = new Trace(parseTraceparent(c.req.header("traceparent")));
    c.set("trace", trace.id);
    c.set("traced", trace);
    c.header("x-brink-trace", trace.id);
    c.header("x-request-id", trace.id); // by this name the official clients show it
    c.header("x-content-type-options", "nosniff");
    c.header("referrer-policy", "no-referrer");
    const connection = connect(c.env, c.req.raw, trace);
    const { service, config, keepAlive = () => {}, watch = logUnwatched } = connection;
    c.set("service", service);
    c.set("config", config);
    c.set("keepAlive", keepAlive);
    // Whatever else a reply is told, it is told over this; setting it later would copy the reply.
    const watched = c.req.method !== "OPTIONS" && /^\/(v1|admin)\//.test(c.req.path);
    if (watched) c.header("cache-control", "no-store");
    // The runtime drops what it does for a client that has gone: a write would be torn, and what an
    // answer has cost not be counted.
    c.set("finish", () => {
      if (trace.finish(c.res.status)) (watched ? watch : logUnwatched)(trace);
    });
    const handled = next().then(() => {
      trace.endpoint = endpointOf(c);
      if (!trace.stream) c.get("finish")(); // a stream's end does
    });
    keepAlive(handled);
    await handled;
  });
  const shared = cors({
    origin: (origin, c) => {
      const allowed: string[] | "*" = c.get("config").allowedOrigins;
      if (allowed === "*") return "*";
      return allowed.includes(origin) ? origin : null;
    },
    allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: 86_400,
  });
  app.use((c, next) => {
    if (c.req.header("origin") !== undefined || c.req.method === "OPTIONS") return shared(c, next);
    c.header("vary", "Origin"); // what is kept of a reply to no browser is not for one
    return next();
  });
}

/** As the OpenAPI document has it; null where no endpoint takes the path. */
function endpointOf(c: ApiContext): string | null {
  const path = matchedRoutes(c).at(-1)?.path ?? "*";
  if (path.endsWith("*")) return null;
  return `${c.req.method} ${path.replace(/:(\w+)/g, "{$1}")}`;
}

/** Where nobody watches, failures go to the log all the same. */
function logUnwatched({ failure, id }: Trace): void {
  if (failure !== null) logFailure(failure.error, id);
}
