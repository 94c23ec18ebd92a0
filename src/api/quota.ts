/** A key's rates: every request that makes the service work is counted before its handler runs. */
import { createMiddleware } from "hono/factory";
import { ServiceError } from "../errors.ts";
import type { Admission, Allowance } from "../ledger/quota-types.ts";
import { ANSWER_TOKENS_ESTIMATE, BODY_BYTES_MAX, BYTES_PER_TOKEN } from "../limits.ts";
import { readAhead } from "./body.ts";
import type { ApiContext, ApiEnv } from "./context.ts";

/** Endpoints whose reply is written, so that it takes tokens beside the request's. */
const WRITES = /^\/v1\/(chat\/completions|responses)$/;

/** Passes on what the key's rates admit. Sets OpenAI's x-ratelimit headers where there are any, and
 *  throws `rate_limited` with Retry-After. GETs read a list and are not counted. */
export const limitRates = createMiddleware<ApiEnv>(async (c, next) => {
  if (c.req.method === "GET" || c.req.method === "HEAD") return next();
  const service = c.get("service");
  const traced = c.get("traced");
  const caller = c.get("caller");
  const { bytes, fault } = await measure(c);
  const tokens = estimateTokens(c, bytes);
  const admission = await traced.span("quota", () => service.admit(caller, tokens));
  if (admission !== null) tell(c, admission);
  if (fault !== null) throw fault;
  await next();
});

/** The body's length. One that tells none is read for it, or whoever sends none would be admitted
 *  as if it had nothing in it. What cannot be read is counted too, as if it were the longest. */
async function measure(c: ApiContext): Promise<{ bytes: number; fault: unknown }> {
  const announced = c.req.header("content-length");
  if (announced !== undefined) return { bytes: Number(announced), fault: null };
  try {
    return { bytes: (await readAhead(c)).byteLength, fault: null };
  } catch (fault) {
    return { bytes: BODY_BYTES_MAX, fault };
  }
}

/** Before the answer: it is corrected once that is there. */
function estimateTokens(c: ApiContext, bytes: number): number {
  const prompt = Number.isFinite(bytes) ? Math.ceil(Math.max(0, bytes) / BYTES_PER_TOKEN) : 0;
  return prompt + (WRITES.test(c.req.path) ? ANSWER_TOKENS_ESTIMATE : 0);
}

function tell(c: ApiContext, { requests, tokens, refused, retry_after_ms }: Admission): void {
  const allowances = { requests, tokens };
  for (const [of, allowance] of Object.entries(allowances)) {
    if (allowance === null) continue;
    c.header(`x-ratelimit-limit-${of}`, `${allowance.limit}`);
    c.header(`x-ratelimit-remaining-${of}`, `${allowance.remaining}`);
    c.header(`x-ratelimit-reset-${of}`, `${allowance.reset_ms / 1_000}s`);
  }
  if (refused === null) return;
  c.header("retry-after", `${Math.ceil(retry_after_ms / 1_000)}`);
  c.header("retry-after-ms", `${retry_after_ms}`); // the official client's, which is more exact
  throw new ServiceError("rate_limited", explain(refused, allowances[refused]!, retry_after_ms));
}

function explain(of: string, { limit }: Allowance, waitMs: number): string {
  const seconds = (waitMs / 1_000).toFixed(1);
  return `this key may use ${limit} ${of} a minute: try again in ${seconds} s`;
}
