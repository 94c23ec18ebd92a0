/** The tending of a tenant's caches: between what the API asks and the objects that hold them. */
import type { CacheFigures, CacheObject } from "../ledger/cache-object.ts";
import type { LedgerObject } from "../ledger/ledger-object.ts";
import { CACHE_SLICES } from "../limits.ts";
import { sliceOf } from "./cache.ts";
import type { CachePolicies } from "./cache-policy.ts";
import type { CacheAdmin, CacheChanges, CacheState } from "./cache-types.ts";
import { missingNamespace } from "./memory-admin.ts";
import type { Caller } from "./types.ts";

export type CacheSlice = Pick<DurableObjectStub<CacheObject>, "figures" | "purge" | "remove">;

export class TenantCache implements CacheAdmin {
  readonly #object: (tenant: string, slice: number) => CacheSlice;
  readonly #policies: CachePolicies;
  readonly #ledger: () => Pick<DurableObjectStub<LedgerObject>, "getNamespace">;

  constructor(
    object: (tenant: string, slice: number) => CacheSlice,
    policies: CachePolicies,
    ledger: () => Pick<DurableObjectStub<LedgerObject>, "getNamespace">,
  ) {
    this.#object = object;
    this.#policies = policies;
    this.#ledger = ledger;
  }

  async get(caller: Caller, namespace: string | null): Promise<CacheState> {
    await this.#check(caller, namespace);
    const [known, figures] = await Promise.all([
      this.#policies.look(caller.tenant, namespace),
      this.#each(caller.tenant, (slice) => slice.figures(namespace)),
    ]);
    const sum = (name: keyof CacheFigures) => figures.reduce((total, one) => total + one[name], 0);
    const kept = { answers: sum("answers"), questions: sum("questions"), bytes: sum("bytes") };
    return { ...known, ...kept };
  }

  async put(caller: Caller, namespace: string | null, changes: CacheChanges) {
    await this.#check(caller, namespace);
    await this.#policies.write(caller.tenant, namespace, changes);
    return this.get(caller, namespace);
  }

  async purge(caller: Caller, namespace: string | null): Promise<number> {
    await this.#check(caller, namespace);
    return this.#purge(caller.tenant, namespace);
  }

  /** Forgets a namespace that goes, with what was set for it. */
  async forget(tenant: string, namespace: string): Promise<void> {
    await this.#purge(tenant, namespace);
    await this.#policies.reset(tenant, namespace);
  }

  /** Forgets one answer, by the name that its outcome has for it. */
  async remove(tenant: string, id: string): Promise<void> {
    await this.#object(tenant, sliceOf(id)).remove(id);
  }

  async #purge(tenant: string, namespace: string | null): Promise<number> {
    const gone = await this.#each(tenant, (slice) => slice.purge(namespace));
    return gone.reduce((sum, n) => sum + n, 0);
  }

  #each<T>(tenant: string, ask: (slice: CacheSlice) => Promise<T>): Promise<T[]> {
    return Promise.all(
      Array.from({ length: CACHE_SLICES }, (_, i) => ask(this.#object(tenant, i))),
    );
  }

  async #check({ tenant }: Caller, namespace: string | null): Promise<void> {
    if (namespace !== null && (await this.#ledger().getNamespace(tenant, namespace)) === null)
      throw missingNamespace(namespace);
  }
}
