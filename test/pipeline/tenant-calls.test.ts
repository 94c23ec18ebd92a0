import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FLUSH_MS_MAX } from "../../src/limits.ts";
import { TenantCalls } from "../../src/pipeline/tenant-calls.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("a tenant is free again once its call ended, well or badly", async () => {
  const calls = new TenantCalls();
  const { promise, reject } = Promise.withResolvers<void>();
  const one = calls.run("a", 3, () => promise);
  const other = calls.run("b", 4, async () => "done");
  expect([calls.free(["a", "b", "c"]), calls.carried]).toEqual([["c"], 7]);
  expect(await other).toBe("done");
  expect([calls.free(["a", "b", "c"]), calls.carried]).toEqual([["b", "c"], 3]);
  reject(new Error("away"));
  await expect(one).rejects.toThrow("away");
  expect([calls.free(["a"]), calls.carried]).toEqual([["a"], 0]);
});

it("a call that hangs is given up, and its late end frees no other", async () => {
  const calls = new TenantCalls();
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = calls.run("a", 3, () => promise);
  vi.setSystemTime(Date.now() + FLUSH_MS_MAX - 1);
  expect(calls.free(["a"])).toEqual([]);
  vi.setSystemTime(Date.now() + 1);
  expect([calls.free(["a"]), calls.carried]).toEqual([["a"], 0]);
  calls.run("a", 5, () => new Promise<void>(() => {}));
  resolve();
  await late;
  expect([calls.free(["a"]), calls.carried]).toEqual([[], 5]);
});
