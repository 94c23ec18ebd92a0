/** Who is calling: `Authorization: Bearer KEY` to a Caller, and what that caller may reach. */
import { createMiddleware } from "hono/factory";
import { codeOf, ServiceError } from "../errors.ts";
import {
  KEY_CACHE_ENTRIES_MAX,
  KEY_CACHE_MS_MAX,
  KEY_CHARS_MAX,
  KEY_STALE_MS_MAX,
} from "../limits.ts";
import { sha256Hex } from "../pipeline/digest.ts";
import { type Caller, mayDo, type Service } from "../pipeline/types.ts";
import type { ApiConfig, ApiContext, ApiEnv } from "./context.ts";

const ADMIN: Caller = {
  tenant: "default",
  scopes: ["admin"],
  namespaces: null,
  default_namespace: null,
};
const LOCAL_ADMIN: Caller = { ...ADMIN, default_namespace: "docs" };
const LOCAL_DEV: Caller = { ...LOCAL_ADMIN, scopes: ["inference", "memory:write"] };

const HOW_TO_SET_A_KEY =
  "no keys are configured, so every call is refused: set the secret BRINK_ADMIN_KEY_SHA256 to " +
  "the SHA-256 (hex) of an admin key with `wrangler secret put BRINK_ADMIN_KEY_SHA256`, then " +
  "create inference keys with POST /admin/keys";

/** Whether two hashes are equal, in time that depends on their length only. */
export function hashesEqual(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** Remembers found callers for KEY_CACHE_MS_MAX, so that a warm isolate asks the ledger seldom.
 *  Unknown keys are not remembered: one that is created works at once. */
class CallerCache {
  readonly #entries = new Map<string, { caller: Caller; foundAt: number; until: number }>();

  get(keyHash: string): Caller | null {
    const entry = this.#entries.get(keyHash);
    return entry !== undefined && Date.now() < entry.until ? entry.caller : null;
  }

  /** A caller that was found within KEY_STALE_MS_MAX, for KEY_CACHE_MS_MAX more: not every request
   *  is to wait for a ledger that does not answer. */
  renew(keyHash: string): Caller | null {
    const entry = this.#entries.get(keyHash);
    if (entry === undefined || Date.now() >= entry.foundAt + KEY_STALE_MS_MAX) return null;
    entry.until = Date.now() + KEY_CACHE_MS_MAX;
    return entry.caller;
  }

  set(keyHash: string, caller: Caller): void {
    this.#entries.delete(keyHash);
    if (this.#entries.size >= KEY_CACHE_ENTRIES_MAX) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    const now = Date.now();
    this.#entries.set(keyHash, { caller, foundAt: now, until: now + KEY_CACHE_MS_MAX });
  }

  delete(keyHash: string): void {
    this.#entries.delete(keyHash);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** Sets `caller` or throws `missing_key`, `invalid_key`, `no_keys_configured`,
 *  `ledger_unavailable`, and `forbidden` for a key without the scope. A key with `admin` may do
 *  everything, one with `admin:read` may look at it. */
export function newAuth(): (
  scope: "inference" | "admin",
) => ReturnType<typeof createMiddleware<ApiEnv>> {
  const cache = new CallerCache();
  return (scope) =>
    createMiddleware<ApiEnv>(async (c, next) => {
      const traced = c.get("traced");
      const caller = await traced.span("auth", () => identify(c, cache));
      traced.caller = caller;
      const looks = c.req.method === "GET" || c.req.method === "HEAD";
      const reads = looks && mayDo(caller, "admin:read");
      if (!reads && !mayDo(caller, scope))
        throw new ServiceError("forbidden", `this endpoint needs a key with the scope ${scope}`);
      c.set("caller", caller);
      c.set("forgetCallers", () => cache.clear());
      await next();
    });
}

async function identify(c: ApiContext, cache: CallerCache): Promise<Caller> {
  const service = c.get("service");
  const config = c.get("config");
  const header = c.req.header("authorization") ?? "";
  const key = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (key === undefined) {
    await refuseWithoutKeys(service, config);
    throw new ServiceError("missing_key", "send the header `Authorization: Bearer KEY`");
  }
  if (key.length > KEY_CHARS_MAX)
    throw new ServiceError("invalid_key", `a key has ${KEY_CHARS_MAX} characters at most`);
  const keyHash = sha256Hex(key);
  const fixed = fixedCaller(keyHash, config);
  if (fixed !== null) return fixed;
  const found = cache.get(keyHash) ?? (await lookUp(c, keyHash, cache));
  if (found === null) {
    await refuseWithoutKeys(service, config);
    throw new ServiceError("invalid_key", "the key is unknown or was revoked");
  }
  refuseUnusable(found);
  return found;
}

/** Asks the ledger. Where it cannot be reached and the operator chose to allow that, a key that was
 *  found within KEY_STALE_MS_MAX is still believed; one that never was cannot be. */
async function lookUp(c: ApiContext, keyHash: string, cache: CallerCache): Promise<Caller | null> {
  const service = c.get("service");
  const config = c.get("config");
  try {
    const found = await service.findCaller(keyHash);
    if (found === null) cache.delete(keyHash);
    else cache.set(keyHash, found);
    return found;
  } catch (error) {
    const allowed = config.ledgerUnreachable === "allow" && codeOf(error) === "ledger_unavailable";
    const known = allowed ? cache.renew(keyHash) : null;
    if (known === null) throw error;
    return known;
  }
}

/** Throws `invalid_key`. */
function refuseUnusable({ key }: Caller): void {
  if (key === undefined) return;
  if (key.disabled) throw new ServiceError("invalid_key", "the key is disabled");
  if (key.expires_at !== null && key.expires_at <= Date.now()) {
    const when = new Date(key.expires_at).toISOString();
    throw new ServiceError("invalid_key", `the key expired at ${when}`);
  }
}

/** SHA-256 of the fixed keys, once they were worked out. */
let fixedHashes: { admin: string; dev: string } | null = null;

/** The operator's admin key, and under `npm start` the two fixed ones. */
function fixedCaller(keyHash: string, config: ApiConfig): Caller | null {
  if (config.adminKeySha256 !== null && hashesEqual(keyHash, config.adminKeySha256)) return ADMIN;
  if (!config.local) return null;
  fixedHashes ??= { admin: sha256Hex("brink-admin"), dev: sha256Hex("brink-dev") };
  if (hashesEqual(keyHash, fixedHashes.admin)) return LOCAL_ADMIN;
  if (hashesEqual(keyHash, fixedHashes.dev)) return LOCAL_DEV;
  return null;
}

async function refuseWithoutKeys(service: Service, config: ApiConfig): Promise<void> {
  if (config.local || config.adminKeySha256 !== null || (await service.hasKeys())) return;
  throw new ServiceError("no_keys_configured", HOW_TO_SET_A_KEY);
}

/** Throws `forbidden` for a key that was not made to write. */
export function checkMayWrite(caller: Caller): void {
  if (mayDo(caller, "memory:write")) return;
  throw new ServiceError("forbidden", "this endpoint needs a key with the scope memory:write");
}

/** Throws `namespace_forbidden` where the key was made for other namespaces. Says nothing about
 *  whether the namespace exists. */
export function checkReach(caller: Caller, namespace: string): void {
  if (caller.namespaces === null || caller.namespaces.includes(namespace)) return;
  throw new ServiceError("namespace_forbidden", `this key may not use namespace "${namespace}"`, {
    param: "namespace",
  });
}

/** The namespace a request works on: the one it names, else the key's default. Throws
 *  `invalid_request` where there is neither, `namespace_forbidden` as `checkReach` does. */
export function reachNamespace(
  caller: Caller,
  named: string | null | undefined,
  param: string,
): string {
  const namespace = named ?? caller.default_namespace;
  if (namespace === null)
    throw new ServiceError(
      "invalid_request",
      `${param}: this key has no default namespace, so the request must name one`,
      { param },
    );
  checkReach(caller, namespace);
  return namespace;
}
