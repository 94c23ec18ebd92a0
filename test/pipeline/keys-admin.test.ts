import { expect, it } from "vitest";
import { type KeyDeps, TenantKeys } from "../../src/pipeline/keys-admin.ts";
import { KEY } from "../api/fake-keys.ts";

const CALLER = { tenant: "t", scopes: ["admin" as const], namespaces: null };

it("a revoked key's counters go, also where its limits were lifted before", async () => {
  for (const budget_usd of [5, null]) {
    const calls: string[] = [];
    const ledger = {
      getKey: async () => ({ ...KEY, budget_usd }),
      revokeKey: async () => calls.push("revoke"),
    };
    const quota = (tenant: string, key: string) => ({
      retire: async () => calls.push(`retire ${tenant} ${key}`),
    });
    const deps = { ledger: () => ledger, quota } as unknown as KeyDeps;
    await new TenantKeys(deps).revoke({ ...CALLER, default_namespace: null }, "k1");
    expect(calls).toEqual(["retire t k1", "revoke"]);
  }
});
