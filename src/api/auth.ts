/** Who is calling: `Authorization: Bearer KEY` to a Caller, and what that caller may reach. */
import { createMiddleware } from "hono/factory";
import { ServiceError } from "../errors.ts";
import { KEY_CACHE_ENTRIES_MAX, KEY_CACHE_MS_MAX, KEY_CHARS_MAX } from "../limits.ts";
import { sha256Hex } from "../pipeline/digest.ts";
import type { Caller, Service } from "../pipeline/types.ts";
import type { ApiConfig, ApiContext, ApiEnv } from "./context.ts";

const ADMIN: Caller = {
  tenant: "default",
  role: "admin",
  namespaces: null,
  default_namespace: null,
};
const LOCAL_ADMIN: Caller = { ...ADMIN, default_namespace: "docs" };
const LOCAL_DEV: Caller = { ...LOCAL_ADMIN, role: "inference", permissions: ["memory:write"] };

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
  readonly #entries = new Map<string, { caller: Caller; until: number }>();

  get(keyHash: string): Caller | null {
    const entry = this.#entries.get(keyHash);
    return entry !== undefined && Date.now() < entry.until ? entry.caller : null;
  }

  set(keyHash: string, caller: Caller): void {
    this.#entries.delete(keyHash);
    if (this.#entries.size >= KEY_CACHE_ENTRIES_MAX) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(keyHash, { caller, until: Date.now() + KEY_CACHE_MS_MAX });
  }
}

/** Sets `caller` or throws `missing_key`, `invalid_key`, `no_keys_configured`; with role `admin`,
 *  `forbidden` for an inference key. An admin key may do what an inference key may. */
export function newAuth(): (role: Caller["role"]) => ReturnType<typeof createMiddleware<ApiEnv>> {
  const cache = new CallerCache();
  return (role) =>
    createMiddleware<ApiEnv>(async (c, next) => {
      const caller = await identify(c, cache);
      if (role === "admin" && caller.role !== "admin")
        throw new ServiceError("forbidden", "this endpoint needs an admin key");
      c.set("caller", caller);
      await next();
    });
}

async function identify(c: ApiContext, cache: CallerCache): Promise<Caller> {
  const { service, config } = c.var;
  const header = c.req.header("authorization") ?? "";
  const key = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (key === undefined) {
    await refuseWithoutKeys(service, config);
    throw new ServiceError("missing_key", "send the header `Authorization: Bearer KEY`");
  }
  if (key.length > KEY_CHARS_MAX)
    throw new ServiceError("invalid_key", `a key has ${KEY_CHARS_MAX} characters at most`);
  const keyHash = await sha256Hex(key);
  const fixed = await fixedCaller(keyHash, config);
  if (fixed !== null) return fixed;
  const known = cache.get(keyHash);
  if (known !== null) return known;
  const found = await service.findCaller(keyHash);
  if (found === null) {
    await refuseWithoutKeys(service, config);
    throw new ServiceError("invalid_key", "the key is unknown or was revoked");
  }
  cache.set(keyHash, found);
  return found;
}

/** The operator's admin key, and under `npm start` the two fixed ones. */
async function fixedCaller(keyHash: string, config: ApiConfig): Promise<Caller | null> {
  if (config.adminKeySha256 !== null && hashesEqual(keyHash, config.adminKeySha256)) return ADMIN;
  if (!config.local) return null;
  if (hashesEqual(keyHash, await sha256Hex("brink-admin"))) return LOCAL_ADMIN;
  if (hashesEqual(keyHash, await sha256Hex("brink-dev"))) return LOCAL_DEV;
  return null;
}

async function refuseWithoutKeys(service: Service, config: ApiConfig): Promise<void> {
  if (config.local || config.adminKeySha256 !== null || (await service.hasKeys())) return;
  throw new ServiceError("no_keys_configured", HOW_TO_SET_A_KEY);
}

/** Throws `forbidden` for an inference key that was not made to write. */
export function checkMayWrite(caller: Caller): void {
  if (caller.role === "admin" || caller.permissions?.includes("memory:write")) return;
  throw new ServiceError(
    "forbidden",
    "this endpoint needs an admin key, or an inference key made with the permission memory:write",
  );
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
