/** The tending of caches, of fixed answers. */
import { CACHE_POLICY_DEFAULT } from "../../src/pipeline/cache-policy.ts";
import type { CacheAdmin, CacheChanges } from "../../src/pipeline/cache-types.ts";
import type { Caller } from "../../src/pipeline/types.ts";
import { knows } from "./fake-memory.ts";

export class FakeCache implements CacheAdmin {
  readonly #log: (...call: [string, ...unknown[]]) => void;

  constructor(log: (...call: [string, ...unknown[]]) => void) {
    this.#log = log;
  }

  async get(caller: Caller, namespace: string | null) {
    this.#check(namespace);
    this.#log("getCache", caller.tenant, namespace);
    return { policy: CACHE_POLICY_DEFAULT, own: [], answers: 2, questions: 1, bytes: 900 };
  }

  async put(caller: Caller, namespace: string | null, changes: CacheChanges) {
    this.#check(namespace);
    this.#log("putCache", caller.tenant, namespace, changes);
    return { ...(await this.get(caller, namespace)), own: ["exact" as const] };
  }

  async purge(caller: Caller, namespace: string | null): Promise<number> {
    this.#check(namespace);
    this.#log("purgeCache", caller.tenant, namespace);
    return 2;
  }

  #check(namespace: string | null): void {
    if (namespace !== null) knows(namespace);
  }
}
