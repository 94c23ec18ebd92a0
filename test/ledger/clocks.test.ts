/** The ledger's objects when their clock jumps and their alarms come twice, as they may. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { RESERVATION_MS_MAX } from "../../src/limits.ts";

const NOON = Date.UTC(2026, 10, 29, 12);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TOTAL = { nanos: 100, period: "total" as const };

/** Twice, one after the other: an alarm comes at least once. */
async function ringTwice(stub: DurableObjectStub): Promise<void> {
  for (let i = 0; i < 2; i++)
    await runInDurableObject(stub, (object) => (object as { alarm(): Promise<void> }).alarm());
}

it.each([
  ["back a day", [-DAY_MS]],
  ["ahead, not as far as a reservation holds, and back", [RESERVATION_MS_MAX - 1, 0]],
  ["ahead a year and back", [365 * DAY_MS, 0]],
  ["ahead, back a year, and right again", [DAY_MS, -365 * DAY_MS, 0]],
])(
  "a clock that goes %s pays once for what was reserved, and holds nothing",
  async (name, jumps) => {
    const quota = env.CLOCKED_QUOTA.getByName(`jump ${name}`);
    await quota.setNow(NOON);
    await quota.reserve("r", 60, TOTAL);
    for (const jump of jumps) {
      await quota.setNow(NOON + jump);
      const { held_nanos, lapsed_nanos, spent_nanos } = await quota.budget("total");
      expect([held_nanos + lapsed_nanos, spent_nanos]).toEqual([60, 0]);
    }
    for (let i = 0; i < 2; i++) await quota.settle("r", 45);
    const after = { held_nanos: 0, lapsed_nanos: 0, spent_nanos: 45 };
    expect(await quota.budget("total")).toMatchObject(after);
    expect((await quota.reserve("s", 56, TOTAL)).held).toBe(false);
    expect((await quota.reserve("t", 55, TOTAL)).held).toBe(true);
  },
);

it("a clock that was ahead bars nobody for longer than a minute", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("ahead");
  const rates = { requests_per_minute: 1, tokens_per_minute: null };
  await quota.setNow(NOON + HOUR_MS);
  expect((await quota.admit(rates, 1)).refused).toBeNull();
  await quota.setNow(NOON + HOUR_MS - 30_000);
  const soon = await quota.admit(rates, 1);
  expect(soon).toMatchObject({ refused: "requests", retry_after_ms: expect.any(Number) });
  expect(soon.retry_after_ms).toBeLessThan(120_000);
  await quota.setNow(NOON);
  expect((await quota.admit(rates, 1)).refused).toBeNull();
  expect((await quota.admit(rates, 1)).refused).toBe("requests");
});

it("an idempotency key that a clock ahead claimed is free again with the right one", async () => {
  const replays = env.REPLAYS.getByName("ahead");
  await replays.passMs(HOUR_MS);
  await replays.claim("a", "f", "t1");
  await replays.passMs(-HOUR_MS);
  expect(await replays.claim("a", "f", "t2")).toEqual({ state: "new" });
  expect(await replays.claim("a", "f", "t3")).toEqual({ state: "running" });
});

it("alarms that come twice, or before their time, take nothing that is in time", async () => {
  const replays = env.REPLAYS.getByName("twice");
  await replays.claim("a", "f", "t1");
  await ringTwice(replays);
  expect(await replays.claim("a", "f", "t2")).toEqual({ state: "running" });
  const cache = env.CACHES.getByName("twice");
  const at = Date.UTC(2026, 10, 29);
  const common = { namespace: "docs", version: "1", sampled: false, at, body: Uint8Array.of(1) };
  await cache.put({ id: "stays", ...common, expires_at: at + 2_000 });
  await cache.put({ id: "goes", ...common, expires_at: at + 1_000 });
  await cache.passMs(1_000);
  await ringTwice(cache);
  expect(await cache.find("stays")).not.toBeNull();
  expect(await cache.purge(null)).toBe(1);
});

it("a revoked key's counters go once, though the alarm comes twice", async () => {
  const quota = env.QUOTA.getByName("gone twice");
  await quota.retire();
  await ringTwice(quota);
  const tables = await runInDurableObject(quota, (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'spent'").toArray(),
  );
  expect(tables).toEqual([]);
});
