/** The tending of keys: the ledger has the records, a key's own object its counters. */
import { ServiceError } from "../errors.ts";
import type { LedgerObject } from "../ledger/ledger-object.ts";
import type { QuotaObject } from "../ledger/quota-object.ts";
import type { KeyRecord } from "../ledger/types.ts";
import type { UsageObject } from "../ledger/usage-object.ts";
import { USAGE_DAYS_DEFAULT } from "../limits.ts";
import { sha256Hex } from "./digest.ts";
import type * as types from "./keys-types.ts";
import { reachLedger } from "./ledger-call.ts";
import { OPERATOR_TENANT } from "./operator.ts";
import type { Caller } from "./types.ts";
import { usageLog } from "./usage-log.ts";

export interface KeyDeps {
  ledger: () => DurableObjectStub<LedgerObject>;
  quota: (tenant: string, key: string) => DurableObjectStub<QuotaObject>;
  recorder: (tenant: string) => DurableObjectStub<UsageObject>;
}

export class TenantKeys implements types.KeyAdmin {
  readonly #deps: KeyDeps;

  constructor(deps: KeyDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, request: types.KeyRequest): Promise<types.NewKeyInfo> {
    const tenant = request.tenant ?? caller.tenant;
    if (tenant !== caller.tenant && caller.tenant !== OPERATOR_TENANT)
      throw new ServiceError("forbidden", "only the operator may make keys for another tenant");
    const key = newKey();
    const hash = sha256Hex(key);
    const id = crypto.randomUUID();
    const record: KeyRecord = { ...request, tenant, id, created_at: Date.now() };
    await reachLedger(() => this.#deps.ledger().createKey({ ...record, hash }));
    return { ...record, key };
  }

  async list(caller: Caller): Promise<types.ListedKey[]> {
    const { ledger, recorder } = this.#deps;
    await usageLog.flush(caller.tenant, recorder);
    const [keys, used] = await Promise.all([
      reachLedger(() => ledger().listKeys(caller.tenant)),
      reachLedger(() => recorder(caller.tenant).byKey(USAGE_DAYS_DEFAULT)),
    ]);
    const byKey = new Map(used.map(({ key, ...usage }) => [key, usage]));
    return keys.map((key) => ({ ...key, usage: byKey.get(key.id) ?? null }));
  }

  async get(caller: Caller, id: string): Promise<KeyRecord> {
    const ledger = this.#deps.ledger();
    return found(id, await reachLedger(() => ledger.getKey(caller.tenant, id)));
  }

  async update(caller: Caller, id: string, changes: types.KeyPatch): Promise<KeyRecord> {
    refuseContradiction({ ...(await this.get(caller, id)), ...changes });
    const ledger = this.#deps.ledger();
    return found(id, await reachLedger(() => ledger.updateKey(caller.tenant, id, changes)));
  }

  async rotate(caller: Caller, id: string, graceMs: number): Promise<types.NewKeyInfo> {
    const key = newKey();
    const hash = sha256Hex(key);
    const ledger = this.#deps.ledger();
    const rotated = () => ledger.rotateKey(caller.tenant, id, hash, graceMs);
    return { ...found(id, await reachLedger(rotated)), key };
  }

  async revoke(caller: Caller, id: string): Promise<void> {
    const { ledger, quota } = this.#deps;
    await this.get(caller, id);
    // One without limits may have had some: its counters are there still.
    await reachLedger(() => quota(caller.tenant, id).retire());
    if (!(await reachLedger(() => ledger().revokeKey(caller.tenant, id)))) found(id, null);
  }

  async usage(caller: Caller, id: string, days: number): Promise<types.KeyUsageInfo> {
    const { quota, recorder } = this.#deps;
    const key = await this.get(caller, id);
    await usageLog.flush(caller.tenant, recorder);
    const [byDay, budget] = await Promise.all([
      reachLedger(() => recorder(caller.tenant).byDay(days, id)),
      key.budget_usd === null
        ? null
        : reachLedger(() => quota(caller.tenant, id).budget(key.budget_period)),
    ]);
    return { key, days: byDay, budget };
  }

  async tenantUsage(caller: Caller, days: number): Promise<types.TenantUsage> {
    const { recorder } = this.#deps;
    await usageLog.flush(caller.tenant, recorder);
    const [byDay, keys] = await Promise.all([
      reachLedger(() => recorder(caller.tenant).byDay(days, null)),
      reachLedger(() => recorder(caller.tenant).byKey(days)),
    ]);
    return { tenant: caller.tenant, days: byDay, keys };
  }
}

/** Throws `invalid_request` for what making a key would refuse too. */
function refuseContradiction({ scopes, namespaces, default_namespace }: KeyRecord): void {
  if (namespaces === null) return;
  const refuse = (param: string, fact: string) =>
    new ServiceError("invalid_request", `${param}: ${fact}`, { param });
  if (scopes.some((scope) => scope.startsWith("admin")))
    throw refuse("namespaces", "an admin key reaches every namespace of its tenant");
  if (default_namespace !== null && !namespaces.includes(default_namespace))
    throw refuse("default_namespace", "must be one of the key's namespaces");
}

function found(id: string, key: KeyRecord | null): KeyRecord {
  if (key === null) throw new ServiceError("not_found", `there is no key ${JSON.stringify(id)}`);
  return key;
}

/** 192 random bits, so that guessing is hopeless, behind a prefix that leak scanners can find. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  const base64 = btoa(String.fromCharCode(...bytes));
  return `brink-${base64.replaceAll("+", "-").replaceAll("/", "_")}`;
}
