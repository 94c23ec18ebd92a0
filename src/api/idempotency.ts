/** The header Idempotency-Key on writes: the same request again gets the first one's reply. */
import type { RouteConfig } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { ContentfulStatusCode, StatusCode } from "hono/utils/http-status";
import { ServiceError } from "../errors.ts";
import type { StoredReply } from "../ledger/replay-object.ts";
import { REPLAY_BYTES_MAX } from "../limits.ts";
import { sha256Hex } from "../pipeline/digest.ts";
import type { IdempotentWrite, OpenWrite } from "../pipeline/replays.ts";
import { readAhead } from "./body.ts";
import type { ApiContext, ApiEnv } from "./context.ts";
import { IdempotencyHeaders } from "./schema/common.ts";

const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;
const PATHS = /^\/(admin\/|v1\/(memory\/remember|feedback)$)/;

/** Whether an operation writes, and so takes the header. */
function isWrite(method: string, path: string): boolean {
  return PATHS.test(path) && !["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
}

/** The same description, with the header where the operation takes it. */
export function withIdempotency(route: RouteConfig): RouteConfig {
  if (!isWrite(route.method, route.path)) return route;
  return { ...route, request: { ...route.request, headers: IdempotencyHeaders } };
}

/** Throws `idempotency_key_in_use` while the same write is under way, and `idempotency_key_reused`
 *  where the key came with another one. A reply of success is kept; what was refused or failed,
 *  whole or in part for a reason that passes, may be tried again. The body is read whole, so NDJSON
 *  has BODY_BYTES_MAX at most here. */
export const idempotent = createMiddleware<ApiEnv>(async (c, next) => {
  const key = c.req.header("idempotency-key");
  if (key === undefined || !isWrite(c.req.method, c.req.path)) return next();
  if (!KEY_PATTERN.test(key))
    throw new ServiceError("invalid_request", "idempotency-key must be 1 to 255 ASCII characters", {
      param: "idempotency-key",
    });
  const begun = await c.get("service").replays.begin(await readWrite(c, key));
  if (!("state" in begun)) return finishing(c, begun, next);
  if (begun.state === "done") return replay(c, begun.reply);
  if (begun.state === "running")
    throw new ServiceError("idempotency_key_in_use", "the same request is under way: wait for it");
  throw new ServiceError(
    "idempotency_key_reused",
    "this idempotency key came with another request before: take a new one",
    { param: "idempotency-key" },
  );
});

async function readWrite(c: ApiContext, key: string): Promise<IdempotentWrite> {
  const body = await readAhead(c);
  const { method, url } = c.req;
  const { pathname, search } = new URL(url);
  const type = c.req.header("content-type") ?? "";
  const digest = await crypto.subtle.digest("SHA-256", body);
  const content = Array.from(new Uint8Array(digest)).join(" ");
  const fingerprint = sha256Hex(`${method}\n${pathname}${search}\n${type}\n${content}`);
  const secret = `${c.req.header("authorization")}\0${key}`;
  return { tenant: c.get("caller").tenant, secret, fingerprint };
}

async function finishing(c: ApiContext, write: OpenWrite, next: () => Promise<void>) {
  let done = false;
  try {
    await next();
    const { status, headers } = c.res;
    const kept = status < 300 && !c.get("unsure");
    const body = kept ? new Uint8Array(await c.res.clone().arrayBuffer()) : null;
    if (body === null || body.byteLength > REPLAY_BYTES_MAX) return;
    done = true;
    await write.finish({ status, type: headers.get("content-type") ?? "", body });
  } finally {
    if (!done) await write.release();
  }
}

function replay(c: ApiContext, { status, type, body }: StoredReply): Response {
  c.header("idempotent-replayed", "true");
  if (body.byteLength === 0) return c.body(null, status as StatusCode);
  c.header("content-type", type);
  return c.body(body as Uint8Array<ArrayBuffer>, status as ContentfulStatusCode);
}
