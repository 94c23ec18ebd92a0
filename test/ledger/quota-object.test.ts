import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import {
  LAPSED_KEPT_MS,
  RESERVATION_MS_MAX,
  RESERVATIONS_OPEN_MAX,
  SETTLED_KEPT_MS,
} from "../../src/limits.ts";

const NOON = Date.UTC(2026, 10, 29, 12);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NO_RATES = { requests_per_minute: null, tokens_per_minute: null };
const month = (nanos: number) => ({ nanos, period: "month" as const });

async function codeFrom(work: Promise<unknown>): Promise<string | null> {
  return work.then(
    () => expect.unreachable(),
    (error) => codeOf(error),
  );
}

it("500 reservations at once hold no more than the budget, and all of it", async () => {
  const quota = env.QUOTA.getByName("parallel");
  const asked = Array.from({ length: 500 }, (_, i) => quota.reserve(`r${i}`, 7, month(700)));
  const replies = await Promise.all(asked);
  expect(replies.filter(({ held }) => held)).toHaveLength(100);
  expect(await quota.budget("month")).toMatchObject({ held_nanos: 700, spent_nanos: 0 });
  for (const [i, { held }] of replies.entries()) if (held) await quota.settle(`r${i}`, 4);
  expect(await quota.budget("month")).toMatchObject({ held_nanos: 0, spent_nanos: 400 });
  expect((await quota.reserve("more", 300, month(700))).held).toBe(true);
  expect((await quota.reserve("too much", 1, month(700))).held).toBe(false);
});

it("settling again, with whatever amount, changes nothing; nor does reserving again", async () => {
  const quota = env.QUOTA.getByName("twice");
  for (let i = 0; i < 2; i++) expect((await quota.reserve("r", 60, month(100))).held).toBe(true);
  expect(await quota.settle("r", 10)).toBe(true);
  expect(await quota.settle("r", 50)).toBe(true);
  expect(await quota.settle("never reserved", 50)).toBe(false);
  expect(await quota.budget("month")).toMatchObject({ held_nanos: 0, spent_nanos: 10 });
});

it("what was held when the object went is held still, and settled", async () => {
  const quota = env.QUOTA.getByName("evicted");
  await quota.reserve("r", 60, month(100));
  await evictDurableObject(quota);
  expect((await quota.reserve("s", 60, month(100))).held).toBe(false);
  await quota.settle("r", 20);
  await evictDurableObject(quota);
  expect(await quota.budget("month")).toMatchObject({ held_nanos: 0, spent_nanos: 20 });
});

it("a crash between reserving and settling holds money for a while, not for ever", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("crash");
  await quota.reserve("lost", 100, month(100));
  await quota.setNow(NOON + RESERVATION_MS_MAX - 1);
  expect((await quota.reserve("next", 100, month(100))).held).toBe(false);
  await quota.setNow(NOON + RESERVATION_MS_MAX);
  expect(await quota.budget("month")).toMatchObject({ held_nanos: 0, lapsed_nanos: 100 });
  expect((await quota.reserve("next", 100, month(100))).held).toBe(true);
});

it("a key holds money for so many answers at once, and for no more", async () => {
  const quota = env.QUOTA.getByName("open");
  await quota.reserve("first", 1, month(1e9));
  await runInDurableObject(quota, (_, { storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE more (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < ?)
       INSERT INTO reservations SELECT 'r' || n, day, nanos, state, until FROM reservations, more`,
      RESERVATIONS_OPEN_MAX - 1,
    );
  });
  expect((await quota.reserve("last", 1, month(1e9))).held).toBe(true);
  expect((await quota.budget("month")).held_nanos).toBe(RESERVATIONS_OPEN_MAX);
  expect(await codeFrom(quota.reserve("more", 1, month(1e9)))).toBe("rate_limited");
  expect((await quota.reserve("last", 1, month(1e9))).held).toBe(true); // it is held already
  await quota.settle("first", 1);
  expect((await quota.reserve("more", 1, month(1e9))).held).toBe(true);
});

it("an answer that ends after its reservation lapsed is paid for all the same, once", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("late");
  await quota.reserve("slow", 100, month(1_000));
  await quota.setNow(NOON + HOUR_MS);
  expect((await quota.budget("month")).lapsed_nanos).toBe(100);
  for (let i = 0; i < 2; i++) await quota.settle("slow", 80);
  expect(await quota.budget("month")).toMatchObject({ spent_nanos: 80, lapsed_nanos: 0 });
});

it("what was settled is known for an hour, and what lapsed for a day", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("known for long");
  await quota.reserve("settled", 10, month(1_000));
  await quota.settle("settled", 7);
  await quota.reserve("lapsed", 100, month(1_000));
  await quota.setNow(NOON + SETTLED_KEPT_MS - 1);
  await quota.budget("month");
  expect(await quota.reserve("settled", 10, month(1_000))).toMatchObject({ held_nanos: 0 });
  const lapsedAt = NOON + SETTLED_KEPT_MS - 1;
  await quota.setNow(lapsedAt + LAPSED_KEPT_MS - 1);
  await quota.budget("month");
  expect(await quota.settle("lapsed", 80)).toBe(true);
  expect(await quota.budget("month")).toMatchObject({ spent_nanos: 87, lapsed_nanos: 0 });
});

it("a day's, a month's and a whole budget count what falls into them", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("periods");
  const spend = async (id: string, at: number, nanos: number) => {
    await quota.setNow(at);
    await quota.reserve(id, nanos, { nanos: 1e15, period: "total" });
    await quota.settle(id, nanos);
  };
  const spent = async () => {
    const periods = ["day", "month", "total"] as const;
    return Promise.all(periods.map(async (period) => (await quota.budget(period)).spent_nanos));
  };
  await spend("a", NOON - 200 * DAY_MS, 1_000);
  await spend("b", NOON - 20 * DAY_MS, 100);
  await spend("c", NOON, 10);
  expect(await spent()).toEqual([10, 110, 1_110]);
  const { since, resets_at } = await quota.budget("month");
  expect([since, resets_at]).toEqual([Date.UTC(2026, 10), Date.UTC(2026, 11)]);
  expect(await quota.budget("total")).toMatchObject({ since: null, resets_at: null });
  await quota.setNow(Date.UTC(2026, 11, 1));
  expect(await spent()).toEqual([0, 0, 1_110]);
});

it("an answer that was reserved before midnight is paid for on its own day", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("midnight");
  await quota.setNow(Date.UTC(2026, 10, 30) - 1);
  await quota.reserve("r", 10, { nanos: 10, period: "day" });
  await quota.setNow(Date.UTC(2026, 10, 30));
  await quota.settle("r", 10);
  expect((await quota.budget("day")).spent_nanos).toBe(0);
  expect((await quota.budget("month")).spent_nanos).toBe(10);
});

it("no more requests are admitted in any 60 seconds than the limit", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("requests");
  const rates = { ...NO_RATES, requests_per_minute: 3 };
  await quota.setNow(NOON + 900);
  const first = await quota.admit(rates, 5);
  expect(first).toMatchObject({
    refused: null,
    requests: { limit: 3, remaining: 2, reset_ms: 60_100 },
    tokens: null,
  });
  const replies = await Promise.all(Array.from({ length: 50 }, () => quota.admit(rates, 5)));
  expect(replies.filter(({ refused }) => refused === null)).toHaveLength(2);
  expect(replies.at(-1)).toMatchObject({ refused: "requests", retry_after_ms: 60_100 });
  await quota.setNow(NOON + 60_900);
  expect((await quota.admit(rates, 5)).refused).toBe("requests");
  await quota.setNow(NOON + 61_000);
  expect((await quota.admit(rates, 5)).refused).toBeNull();
});

it("tokens are counted as they were thought, and then as they were", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("tokens");
  const rates = { ...NO_RATES, tokens_per_minute: 100 };
  const { second, tokens } = await quota.admit(rates, 40);
  expect(tokens).toMatchObject({ limit: 100, remaining: 60 });
  await quota.correctTokens(second, 50);
  await quota.setNow(NOON + 10_000);
  expect(await quota.admit(rates, 20)).toMatchObject({ refused: "tokens", retry_after_ms: 51_000 });
  await quota.correctTokens(second, -80);
  expect((await quota.admit(rates, 20)).tokens!.remaining).toBe(70);
});

it("a request of more tokens than the limit needs an empty minute, and fills it", async () => {
  const quota = env.CLOCKED_QUOTA.getByName("large");
  const rates = { ...NO_RATES, tokens_per_minute: 100 };
  expect(await quota.admit(rates, 5_000)).toMatchObject({ refused: null });
  expect((await quota.admit(rates, 1)).refused).toBe("tokens");
});

it("a revoked key's object admits and reserves nothing, and goes", async () => {
  const quota = env.QUOTA.getByName("revoked");
  await quota.reserve("r", 10, month(100));
  await quota.retire();
  expect(await codeFrom(quota.admit(NO_RATES, 1))).toBe("invalid_key");
  expect(await codeFrom(quota.reserve("s", 10, month(100)))).toBe("invalid_key");
  expect(await quota.settle("r", 10)).toBe(true);
  expect(await runDurableObjectAlarm(quota)).toBe(true);
  const tables = await runInDurableObject(quota, (_, { storage }) =>
    storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'spent'").toArray(),
  );
  expect(tables).toEqual([]);
});
