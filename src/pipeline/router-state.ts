/** What each tenant's answers are routed by: remembered by the isolate for a while. */
import type { LedgerObject } from "../ledger/ledger-object.ts";
import { TARGET_CACHE_ENTRIES_MAX, TARGET_CACHE_MS_MAX } from "../limits.ts";
import { thresholdFor } from "../router/calibration.ts";
import type { DifficultyModel } from "../router/difficulty.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import { TARGET_DEFAULT } from "../router/target.ts";
import type { RouterState } from "./types.ts";

const SETTING = "router";
const remembered = new Map<string, { active: ActiveRouter; until: number }>();

export class RouterStates {
  readonly #ledger: DurableObjectStub<LedgerObject>;
  readonly #model: () => Promise<DifficultyModel>;

  constructor(ledger: DurableObjectStub<LedgerObject>, model: () => Promise<DifficultyModel>) {
    this.#ledger = ledger;
    this.#model = model;
  }

  async read(tenant: string): Promise<ActiveRouter> {
    const known = remembered.get(tenant);
    if (known !== undefined && Date.now() < known.until) return known.active;
    const stored = await this.#ledger.getSetting(tenant, SETTING);
    return this.#remember(tenant, stored === null ? TARGET_DEFAULT : JSON.parse(stored));
  }

  async write(tenant: string, target: RouterState["target"]): Promise<ActiveRouter> {
    await this.#ledger.putSetting(tenant, SETTING, JSON.stringify(target));
    return this.#remember(tenant, target);
  }

  async #remember(tenant: string, target: RouterState["target"]): Promise<ActiveRouter> {
    const model = await this.#model();
    const active = { model, target, threshold: thresholdFor(target, model.calibration, null) };
    if (remembered.size >= TARGET_CACHE_ENTRIES_MAX) remembered.clear();
    remembered.set(tenant, { active, until: Date.now() + TARGET_CACHE_MS_MAX });
    return active;
  }
}
