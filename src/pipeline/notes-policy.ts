/** Each namespace's policy of notes: kept in the ledger, remembered by the isolate for a while. */
import type { LedgerObject } from "../ledger/ledger-object.ts";
import type { SettingPatch } from "../ledger/types.ts";
import { NOTE_TTL_DAYS_DEFAULT, NOTES_CACHE_ENTRIES_MAX, NOTES_CACHE_MS_MAX } from "../limits.ts";
import { reachLedger } from "./ledger-call.ts";
import type { NotePolicy } from "./notes-types.ts";

export const NOTE_POLICY_DEFAULT: NotePolicy = {
  notes: "rated",
  ttl_days: NOTE_TTL_DAYS_DEFAULT,
};

export type Settings = Pick<DurableObjectStub<LedgerObject>, "getSetting" | "patchSetting">;

/** A policy, and whether the namespace ever had a note. */
type Known = NotePolicy & { made: boolean };

const remembered = new Map<string, { known: Known; until: number }>();

/** Every method throws `ledger_unavailable` where the ledger does not answer in time. */
export class NotePolicies {
  readonly #settings: () => Settings;

  constructor(settings: () => Settings) {
    this.#settings = settings;
  }

  /** The namespace's policy, or the default where none was set, and whether it ever had a note.
   *  What another isolate changed shows within NOTES_CACHE_MS_MAX. */
  async read(tenant: string, namespace: string): Promise<Known> {
    const entry = remembered.get(`${tenant}/${namespace}`);
    if (entry !== undefined && Date.now() < entry.until) return entry.known;
    return this.#load(tenant, namespace);
  }

  /** Changes what is given. Throws `namespace_not_found`, as `markMade` does. */
  async write(tenant: string, namespace: string, changes: Partial<NotePolicy>): Promise<Known> {
    return this.#patch(tenant, namespace, changes);
  }

  async markMade(tenant: string, namespace: string): Promise<void> {
    await this.#patch(tenant, namespace, { made: true });
  }

  /** Forgets what was set, as the namespace goes. */
  async reset(tenant: string, namespace: string): Promise<void> {
    await this.#patch(tenant, namespace, null);
  }

  /** The ledger merges, not the isolate: others change other fields of the setting meanwhile. */
  async #patch(tenant: string, namespace: string, patch: Partial<Known> | null): Promise<Known> {
    const text = JSON.stringify(patch);
    const setting = settingOf(namespace);
    const listed = patch === null ? null : namespace;
    const stored = await reachLedger(() =>
      this.#settings().patchSetting(tenant, setting, text, listed),
    );
    return this.#remember(tenant, namespace, stored);
  }

  async #load(tenant: string, namespace: string): Promise<Known> {
    const setting = settingOf(namespace);
    const stored = await reachLedger(() => this.#settings().getSetting(tenant, setting));
    return this.#remember(tenant, namespace, stored);
  }

  #remember(tenant: string, namespace: string, stored: string | null): Known {
    const given = stored === null ? {} : (JSON.parse(stored) as Partial<Known>);
    const known = { ...FIRST, ...given };
    if (remembered.size >= NOTES_CACHE_ENTRIES_MAX) remembered.clear();
    remembered.set(`${tenant}/${namespace}`, { known, until: Date.now() + NOTES_CACHE_MS_MAX });
    return known;
  }
}

const FIRST: Known = { ...NOTE_POLICY_DEFAULT, made: false };

/** What takes a namespace's policy out of the settings. */
export const noNotePolicy = (namespace: string): SettingPatch => {
  return { setting: settingOf(namespace), patch: "null" };
};

function settingOf(namespace: string): string {
  return `notes/${namespace}`;
}
