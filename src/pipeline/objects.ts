/** The names of the Durable Objects. Tenants, namespaces and keys hold no slash, so no two of them
 *  share one. */
import type { Env } from "../env.ts";
import type { CacheObject } from "../ledger/cache-object.ts";
import type { LedgerObject } from "../ledger/ledger-object.ts";
import type { QuotaObject } from "../ledger/quota-object.ts";
import type { ReplayObject } from "../ledger/replay-object.ts";
import type { TraceObject } from "../ledger/trace-object.ts";
import type { UsageObject } from "../ledger/usage-object.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import type { RouterObject } from "../router/router-object.ts";
import { oncePer } from "./once-per.ts";

/** Its methods may be handed on by themselves. */
export class Objects {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  readonly ledger = (): DurableObjectStub<LedgerObject> => this.#env.LEDGER.getByName("ledger");

  readonly memory = (tenant: string, namespace: string): DurableObjectStub<MemoryObject> =>
    this.#env.MEMORY.getByName(`${tenant}/${namespace}`);

  readonly cacheSlice = (tenant: string, slice: number): DurableObjectStub<CacheObject> =>
    this.#env.CACHES.getByName(`${tenant}/${slice}`);

  readonly quota = (tenant: string, key: string): DurableObjectStub<QuotaObject> =>
    this.#env.QUOTA.getByName(`${tenant}/${key}`);

  readonly router = (tenant: string): DurableObjectStub<RouterObject> =>
    this.#env.ROUTER.getByName(tenant);

  readonly traces = (tenant: string): DurableObjectStub<TraceObject> =>
    this.#env.TRACES.getByName(tenant);

  readonly usage = (tenant: string): DurableObjectStub<UsageObject> =>
    this.#env.USAGE.getByName(tenant);

  readonly replays = (tenant: string): DurableObjectStub<ReplayObject> =>
    this.#env.REPLAYS.getByName(tenant);
}

export const objectsOf = oncePer((env: Env) => new Objects(env));
