/** Each tenant's policy of caching and its namespaces' own: kept in the ledger, remembered by the
 *  isolate for a while. */
import type { SettingPatch } from "../ledger/types.ts";
import { CACHE_POLICIES_KEPT_MAX, CACHE_POLICY_MS_MAX, CACHE_TTL_S_DEFAULT } from "../limits.ts";
import type { CacheChanges, CachePolicy } from "./cache-types.ts";
import { reachLedger } from "./ledger-call.ts";
import type { Settings } from "./notes-policy.ts";

/** `cosine_min` was chosen on the calibrate part of SQuAD 1.1: `npm run eval -- cache`. */
export const CACHE_POLICY_DEFAULT: CachePolicy = {
  exact: "repeatable",
  semantic: false,
  cosine_min: 0.8,
  ttl_s: CACHE_TTL_S_DEFAULT,
};

/** What was set. */
interface Kept {
  tenant: Partial<CachePolicy>;
  namespaces: Record<string, Partial<CachePolicy>>;
}

/** A change of it; null forgets all of a namespace. */
interface Patch {
  tenant?: CacheChanges;
  namespaces?: Record<string, CacheChanges | null>;
}

const SETTING = "cache";
const OFF: Kept = { tenant: { exact: "off" }, namespaces: {} };

const remembered = new Map<string, { kept: Kept; until: number }>();

export class CachePolicies {
  readonly #settings: () => Settings;

  constructor(settings: () => Settings) {
    this.#settings = settings;
  }

  /** What holds for a namespace, or with null where no memory is consulted. What another isolate
   *  changed shows within CACHE_POLICY_MS_MAX; while the ledger is away what is known holds. */
  async read(tenant: string, namespace: string | null): Promise<CachePolicy> {
    const entry = remembered.get(tenant);
    const fresh = entry !== undefined && Date.now() < entry.until;
    const kept = fresh ? entry.kept : await this.#load(tenant).catch(() => null);
    return policyOf(kept ?? this.#remember(tenant, entry?.kept ?? OFF), namespace);
  }

  /** The policy as it is stored, and which fields of it are the namespace's or tenant's own. */
  async look(tenant: string, namespace: string | null) {
    const kept = await this.#load(tenant);
    return { policy: policyOf(kept, namespace), own: ownOf(kept, namespace) };
  }

  /** Changes what is given; null takes a field back. Throws `namespace_not_found`. */
  async write(tenant: string, namespace: string | null, changes: CacheChanges): Promise<void> {
    const patch =
      namespace === null ? { tenant: changes } : { namespaces: { [namespace]: changes } };
    await this.#patch(tenant, patch, namespace);
  }

  /** Forgets what was set of a namespace, as it goes. */
  async reset(tenant: string, namespace: string): Promise<void> {
    await this.#patch(tenant, { namespaces: { [namespace]: null } });
  }

  /** The ledger merges, not the isolate: others change other fields of the setting meanwhile. */
  async #patch(tenant: string, patch: Patch, listed: string | null = null): Promise<void> {
    const stored = await reachLedger(() =>
      this.#settings().patchSetting(tenant, SETTING, textOf(patch), listed),
    );
    this.#remember(tenant, keptFrom(stored));
  }

  async #load(tenant: string): Promise<Kept> {
    const stored = await reachLedger(() => this.#settings().getSetting(tenant, SETTING));
    return this.#remember(tenant, keptFrom(stored));
  }

  #remember(tenant: string, kept: Kept): Kept {
    if (remembered.size >= CACHE_POLICIES_KEPT_MAX) remembered.clear();
    remembered.set(tenant, { kept, until: Date.now() + CACHE_POLICY_MS_MAX });
    return kept;
  }
}

/** Who reads the setting takes it for granted that it has both parts. */
function textOf(patch: Patch): string {
  return JSON.stringify({ tenant: {}, namespaces: {}, ...patch });
}

/** What takes a namespace's policy out of the settings. */
export const noCachePolicy = (namespace: string): SettingPatch => {
  return { setting: SETTING, patch: textOf({ namespaces: { [namespace]: null } }) };
};

function keptFrom(stored: string | null): Kept {
  return stored === null ? { tenant: {}, namespaces: {} } : (JSON.parse(stored) as Kept);
}

function policyOf({ tenant, namespaces }: Kept, namespace: string | null): CachePolicy {
  const own = namespace === null ? {} : namespaces[namespace];
  return { ...CACHE_POLICY_DEFAULT, ...tenant, ...own };
}

function ownOf({ tenant, namespaces }: Kept, namespace: string | null): (keyof CachePolicy)[] {
  const own = namespace === null ? tenant : (namespaces[namespace] ?? {});
  return Object.keys(own) as (keyof CachePolicy)[];
}
