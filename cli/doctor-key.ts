/** Whether a key is one, and what it may do. */
import { type Check, fail, ok, warn } from "./check.ts";
import type { Heard, Listen } from "./doctor-service.ts";

export interface Scopes {
  inference: boolean;
  /** Whether it may read what administrators read. */
  reads: boolean;
}

const NONE: Scopes = { inference: false, reads: false };

/** Each scope is tried by a call that the service refuses after it has looked at the key: a body
 *  that is no JSON, so that nothing can come of it. A key that may ask is counted the two POSTs
 *  under /v1 by its rate; calls of /admin are not counted. */
export async function checkKey(
  listen: Listen,
  key: string,
): Promise<{ check: Check; scopes: Scopes }> {
  const shown = key.length > 12 ? `${key.slice(0, 8)}…` : key;
  const tries = {
    inference: await listen("POST", "/v1/embeddings", "{"),
    "memory:write": await listen("POST", "/v1/memory/remember", "{"),
    admin: await listen("POST", "/admin/keys", "{"),
    "admin:read": await listen("GET", "/admin/namespaces"),
  };
  const refusal = refusalOf(Object.values(tries), shown);
  if (refusal !== null) return { check: refusal, scopes: NONE };
  const scopes = Object.entries(tries).filter(([, { code }]) => code !== "forbidden");
  const has = (scope: string) => scopes.some(([name]) => name === scope);
  const names = has("admin") ? "admin" : scopes.map(([name]) => name).join(", ");
  const allowed = { inference: has("inference"), reads: has("admin:read") };
  if (names === "")
    return {
      check: fail("key", `${shown} may do nothing`, "npx brink keys limits ID --scopes inference"),
      scopes: allowed,
    };
  return { check: ok("key", `${shown} has ${names}`), scopes: allowed };
}

function refusalOf(heard: readonly Heard[], shown: string): Check | null {
  const codes = heard.map(({ code }) => code);
  const message = (code: string) => heard.find((one) => one.code === code)!.message;
  if (codes.includes("no_keys_configured"))
    return fail("key", "the deployment has no keys", "npm run deploy sets the first one");
  if (codes.includes("invalid_key"))
    return fail("key", `${shown}: ${message("invalid_key")}`, "--key, BRINK_KEY or npx brink init");
  if (codes.includes("misconfigured"))
    return fail("key", message("misconfigured"), "set the variable right and deploy again");
  if (codes.includes("storage_too_new"))
    return fail("key", message("storage_too_new"), "docs/operations.md, Rolling back");
  if (codes.includes("ledger_unavailable"))
    return fail("key", message("ledger_unavailable"), "wait: the platform's storage is away");
  if (codes.includes("rate_limited"))
    return warn("key", message("rate_limited"), "wait a minute, then look again");
  const lost = heard.find(({ status }) => status === 0 || status >= 500);
  if (lost === undefined) return null;
  return fail("key", `it cannot be told: ${lost.message}`, "look again");
}
