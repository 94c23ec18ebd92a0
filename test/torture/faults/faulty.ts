/** Bindings of the platform that fail as it does. */

/** Every call throws; or none is answered while anybody waits; or each takes SLOW_MS longer. */
export type How = "throw" | "hang" | "slow";

export type Faults = Partial<Record<Binding, How>>;

export const BINDINGS = [
  ...["ASSETS", "MEMORY", "LEDGER", "QUOTA", "USAGE", "ROUTER", "REPLAYS", "TRACES", "CACHES"],
  ...["SNAPSHOTS", "MODELS"],
] as const;

export type Binding =
  | ("ASSETS" | "MEMORY" | "LEDGER" | "QUOTA" | "USAGE" | "ROUTER" | "REPLAYS" | "TRACES")
  | ("CACHES" | "SNAPSHOTS" | "MODELS");

const HANG_MS = 60_000;
export const SLOW_MS = 700;

/** The binding, whose calls, and those of the objects that it gives, fail as `how` says when they
 *  are made. */
export function faulty<T extends object>(target: T, how: () => How | undefined): T {
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
        const fault = how();
        if (fault === "throw") throw new Error("Network connection lost.");
        if (fault === "hang") await pause(HANG_MS);
        if (fault === "slow") await pause(SLOW_MS);
        return call(...args);
      };
    },
  });
}

type Method = (...args: unknown[]) => unknown;

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
