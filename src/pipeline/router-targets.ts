/** Each tenant's risk target: kept in the ledger, remembered by the isolate for a while. */
import type { LedgerObject } from "../ledger/ledger-object.ts";
import { TARGET_CACHE_ENTRIES_MAX, TARGET_CACHE_MS_MAX } from "../limits.ts";
import { TARGET_DEFAULT } from "../router/target.ts";
import type { RouterState } from "./types.ts";

export type RouterTarget = RouterState["target"];

const SETTING = "router";
const remembered = new Map<string, { target: RouterTarget; until: number }>();

export class RouterTargets {
  readonly #ledger: DurableObjectStub<LedgerObject>;

  constructor(ledger: DurableObjectStub<LedgerObject>) {
    this.#ledger = ledger;
  }

  /** The tenant's target, or the default where none was set. */
  async read(tenant: string): Promise<RouterTarget> {
    const known = remembered.get(tenant);
    if (known !== undefined && Date.now() < known.until) return known.target;
    const stored = await this.#ledger.getSetting(tenant, SETTING);
    return this.#remember(
      tenant,
      stored === null ? TARGET_DEFAULT : (JSON.parse(stored) as RouterTarget),
    );
  }

  async write(tenant: string, target: RouterTarget): Promise<void> {
    await this.#ledger.putSetting(tenant, SETTING, JSON.stringify(target));
    this.#remember(tenant, target);
  }

  #remember(tenant: string, target: RouterTarget): RouterTarget {
    if (remembered.size >= TARGET_CACHE_ENTRIES_MAX) remembered.clear();
    remembered.set(tenant, { target, until: Date.now() + TARGET_CACHE_MS_MAX });
    return target;
  }
}
