/** Keys of fixed answers, which records its calls. */

import { ServiceError } from "../../src/errors.ts";
import type { KeyRecord } from "../../src/ledger/types.ts";
import type { KeyAdmin } from "../../src/pipeline/keys-types.ts";

export const KEY: KeyRecord = {
  id: "k1",
  name: null,
  tenant: "default",
  scopes: ["inference"],
  namespaces: null,
  default_namespace: null,
  expires_at: null,
  disabled: false,
  requests_per_minute: null,
  tokens_per_minute: null,
  budget_usd: 5,
  budget_period: "month",
  created_at: 3,
};

const COUNTS = {
  requests: 3,
  refused: 1,
  prompt_tokens: 20,
  completion_tokens: 10,
  nanos: 1_500_000,
};
const DAY = "2026-11-29";

export class FakeKeys implements KeyAdmin {
  readonly #log: (call: [string, ...unknown[]]) => void;

  constructor(log: (...call: [string, ...unknown[]]) => void) {
    this.#log = (call) => log(...call);
  }

  async create(...args: Parameters<KeyAdmin["create"]>) {
    this.#log(["create", ...args]);
    const { tenant, ...request } = args[1];
    return { ...KEY, ...request, tenant: tenant ?? "default", key: "brink-new" };
  }

  async list(...args: Parameters<KeyAdmin["list"]>) {
    this.#log(["list", ...args]);
    return [
      { ...KEY, usage: { ...COUNTS, last_day: DAY } },
      { ...KEY, id: "k2", usage: null },
    ];
  }

  async get(...args: Parameters<KeyAdmin["get"]>) {
    this.#log(["get", ...args]);
    if (args[1] !== KEY.id) throw new ServiceError("not_found", `there is no key "${args[1]}"`);
    return KEY;
  }

  async update(...args: Parameters<KeyAdmin["update"]>) {
    this.#log(["update", ...args]);
    return { ...KEY, ...args[2] };
  }

  async rotate(...args: Parameters<KeyAdmin["rotate"]>) {
    this.#log(["rotate", ...args]);
    return { ...KEY, key: "brink-rotated" };
  }

  async revoke(...args: Parameters<KeyAdmin["revoke"]>) {
    this.#log(["revoke", ...args]);
  }

  async usage(...args: Parameters<KeyAdmin["usage"]>) {
    this.#log(["usage", ...args]);
    const budget = {
      spent_nanos: 1_500_000_000,
      held_nanos: 500_000_000,
      lapsed_nanos: 0,
      since: 0,
      resets_at: 9,
    };
    return { key: KEY, days: [{ ...COUNTS, day: DAY }], budget };
  }

  async tenantUsage(...args: Parameters<KeyAdmin["tenantUsage"]>) {
    this.#log(["tenantUsage", ...args]);
    const days = [{ ...COUNTS, day: DAY }];
    return { tenant: "default", days, keys: [{ ...COUNTS, key: "k1", last_day: DAY }] };
  }
}
