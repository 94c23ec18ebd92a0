/** What each tenant's answers are routed by: kept in its RouterObject, remembered by the isolate
 *  for a while. */
import type { BackendPrices } from "../env.ts";
import { loggedOf } from "../errors.ts";
import {
  ROUTER_AWAY_MS,
  ROUTER_CACHE_ENTRIES_MAX,
  ROUTER_CACHE_MS_MAX,
  ROUTER_MS_MAX,
} from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { thresholdFor } from "../router/calibration.ts";
import { parseDifficultyModel } from "../router/difficulty.ts";
import { ladderOf } from "../router/ladder.ts";
import type { RouterObject } from "../router/router-object.ts";
import {
  type ActiveRouter,
  type RouterSnapshot,
  SETTINGS_DEFAULT,
  SHIPPED_VERSION,
} from "../router/router-types.ts";
import { shippedDifficulty } from "../router/shipped.ts";
import { type Prices, shareWithin, type Target, TOKENS_EXPECTED } from "../router/target.ts";
import { within } from "./within.ts";

type Stub = Pick<DurableObjectStub<RouterObject>, "snapshot">;

const remembered = new Map<string, { active: ActiveRouter; until: number }>();

export class RouterStates {
  readonly #object: (tenant: string) => Stub;
  readonly #prices: Prices | null;
  readonly #engines: readonly string[];

  /** `engines` are those that may stand between the reader and the backend, cheapest first. */
  constructor(
    object: (tenant: string) => Stub,
    prices: BackendPrices | null,
    engines: readonly string[],
  ) {
    this.#object = object;
    this.#prices = pricesOf(prices);
    this.#engines = engines;
  }

  /** What another isolate changed shows within ROUTER_CACHE_MS_MAX. Where the object does not
   *  answer in time, what is known serves on, and without that the release's own weights and
   *  target: no answer fails for want of it, and the object is left alone for ROUTER_AWAY_MS. */
  async read(tenant: string): Promise<ActiveRouter> {
    const known = remembered.get(tenant);
    if (known !== undefined && Date.now() < known.until) return known.active;
    try {
      const revision = known?.active.revision ?? null;
      const stub = this.#object(tenant);
      const snapshot = await within(ROUTER_MS_MAX, () => stub.snapshot(revision));
      const active = snapshot === null ? known!.active : this.#activate(snapshot);
      return remember(tenant, active);
    } catch (error) {
      logEvent("router not read", loggedOf(error));
      return remember(tenant, known?.active ?? this.#activate(UNKNOWN), ROUTER_AWAY_MS);
    }
  }

  /** The next answer of this isolate goes by what is stored then. */
  forget(tenant: string): void {
    remembered.delete(tenant);
  }

  #activate({ revision, settings, model, engines }: RouterSnapshot): ActiveRouter {
    const { target, shadow_rate } = settings;
    // The set, which may be large, is needed for the threshold alone.
    const { calibration, ...scoring } =
      model === null ? shippedDifficulty() : parseDifficultyModel(model);
    const kept = keepable(target, this.#prices);
    const threshold = thresholdFor(kept, calibration, this.#prices);
    const ladder = ladderOf(target, threshold, this.#engines, engines);
    const asked = shareOf(kept, this.#prices);
    return { model: scoring, target: asked, threshold, ladder, shadow_rate, revision };
  }
}

/** A budget as the share of questions that it pays for; other targets as they are. */
function shareOf(target: Target, prices: Prices | null): Target {
  if (!("budget_usd_per_1k" in target)) return target;
  return { backend_share: shareWithin(target.budget_usd_per_1k, prices) };
}

/** The target, or where it is a budget and the prices went, that nothing be spent. */
export function keepable(target: Target, prices: Prices | null): Target {
  return "budget_usd_per_1k" in target && prices === null ? { backend_share: 0 } : target;
}

const UNKNOWN: RouterSnapshot = {
  ...{ revision: -1, settings: SETTINGS_DEFAULT, version: SHIPPED_VERSION },
  ...{ unfit: null, model: null, engines: [] },
};

function remember(tenant: string, active: ActiveRouter, ms = ROUTER_CACHE_MS_MAX): ActiveRouter {
  if (remembered.size >= ROUTER_CACHE_ENTRIES_MAX) remembered.clear();
  remembered.set(tenant, { active, until: Date.now() + ms });
  return active;
}

/** What a question at the backend costs. */
export function pricesOf(prices: BackendPrices | null): Prices | null {
  return prices === null ? null : { ...prices, ...TOKENS_EXPECTED };
}
