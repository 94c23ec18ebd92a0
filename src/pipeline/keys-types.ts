/** What the API asks of the tending of keys. */
import type { BudgetState } from "../ledger/quota-types.ts";
import type { KeyChanges, KeyRecord } from "../ledger/types.ts";
import type { DayUsage, KeyUsage } from "../ledger/usage-object.ts";
import type { Caller } from "./types.ts";

export interface KeyRequest extends Omit<KeyRecord, "id" | "tenant" | "created_at"> {
  /** null: the caller's own tenant. Only admins of the tenant `default`, which the operator's
   *  secret belongs to, may name another; the service refuses the rest with `forbidden`. */
  tenant: string | null;
}

/** A key with its text, which is shown this once. */
export type NewKeyInfo = KeyRecord & { key: string };

/** A key with what it used in USAGE_DAYS_DEFAULT days; null: nothing. */
export type ListedKey = KeyRecord & { usage: Omit<KeyUsage, "key"> | null };

export type KeyPatch = KeyChanges;

export interface KeyUsageInfo {
  key: KeyRecord;
  days: DayUsage[];
  /** Null where the key has no budget. */
  budget: BudgetState | null;
}

export interface TenantUsage {
  tenant: string;
  days: DayUsage[];
  keys: KeyUsage[];
}

/** Every method works on the caller's own tenant and throws `ledger_unavailable`; those that name a
 *  key throw `not_found`. What is changed takes effect within KEY_CACHE_MS_MAX everywhere. */
export interface KeyAdmin {
  /** Throws `forbidden` for another tenant's. */
  create(caller: Caller, request: KeyRequest): Promise<NewKeyInfo>;
  list(caller: Caller): Promise<ListedKey[]>;
  get(caller: Caller, id: string): Promise<KeyRecord>;
  /** Throws `invalid_request` where what it would be contradicts itself. */
  update(caller: Caller, id: string, changes: KeyPatch): Promise<KeyRecord>;
  /** The key with another text; the one it had works for `graceMs` more. */
  rotate(caller: Caller, id: string, graceMs: number): Promise<NewKeyInfo>;
  revoke(caller: Caller, id: string): Promise<void>;
  /** `days` back, today included. */
  usage(caller: Caller, id: string, days: number): Promise<KeyUsageInfo>;
  tenantUsage(caller: Caller, days: number): Promise<TenantUsage>;
}
