/** Bindings of the platform that fail as it does. */

/** Every call throws; or none is answered while anybody waits; or each takes SLOW_MS longer. */
export type How = "throw" | "hang" | "slow";

export const BINDINGS = [
  ...(["ASSETS", "MEMORY", "LEDGER", "QUOTA", "USAGE", "ROUTER"] as const),
  ...(["REPLAYS", "TRACES", "CACHES", "SNAPSHOTS", "MODELS"] as const),
];

/** Of a binding, for all its calls or by the names of methods. */
export type Faults = Partial<Record<(typeof BINDINGS)[number], How | Record<string, How>>>;

const HANG_MS = 60_000;
const SLOW_MS = 700;

/** The binding, whose calls, and those of the objects that it gives, fail as `how` says when they
 *  are made. */
export function faulty<T extends object>(
  target: T,
  how: () => How | Record<string, How> | undefined,
): T {
  return new Proxy(target, {
    get(on, name) {
      if (name === "then") return undefined; // it is no promise
      const method = Reflect.get(on, name, on);
      if (typeof method !== "function") return method;
      // Called on the object itself: a method over RPC has no `apply` of its own.
      const call = (...args: unknown[]) => (on as Record<PropertyKey, Method>)[name]!(...args);
      if (typeof name === "symbol" || /^(id|new)/.test(name)) return call;
      if (name === "getByName" || (name === "get" && "idFromName" in on))
        return (...args: unknown[]) => faulty(call(...args) as object, how);
      return async (...args: unknown[]) => {
        const given = how();
        await fail(typeof given === "object" ? given[name] : given, "list" in on);
        return call(...args);
      };
    },
  });
}

type Method = (...args: unknown[]) => unknown;

/** With the words and marks of the platform's own errors. */
async function fail(how: How | undefined, ofBucket: boolean): Promise<void> {
  if (how === "throw" && ofBucket)
    throw new Error("get: We encountered an internal error. Please try again. (10001)");
  if (how === "throw")
    throw Object.assign(new Error("Network connection lost."), { retryable: true, remote: false });
  if (how !== undefined) await pause(how === "hang" ? HANG_MS : SLOW_MS);
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
