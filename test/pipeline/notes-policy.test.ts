import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LEDGER_MS_MAX } from "../../src/limits.ts";
import { NotePolicies, type Settings } from "../../src/pipeline/notes-policy.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("a ledger that hangs is waited for so long when a policy is read or set", async () => {
  const hangs = () => new Promise<never>(() => undefined);
  const settings = { getSetting: hangs, patchSetting: hangs } as unknown as Settings;
  const policies = new NotePolicies(() => settings);
  const told: unknown[] = [];
  const calls = [
    policies.read("t", "docs"),
    policies.write("t", "docs", { notes: "off" }),
    policies.markMade("t", "docs"),
    policies.reset("t", "docs"),
  ];
  for (const call of calls) call.catch(({ code }) => told.push(code));
  await vi.advanceTimersByTimeAsync(LEDGER_MS_MAX - 1);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual(calls.map(() => "ledger_unavailable"));
});
