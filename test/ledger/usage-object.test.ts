import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { dayOf, dayText } from "../../src/ledger/periods.ts";
import { USAGE_DAYS_KEPT, USAGE_KEYS_SHOWN_MAX } from "../../src/limits.ts";

const TODAY = dayOf(Date.now());
const COUNTS = { requests: 2, refused: 1, prompt_tokens: 10, completion_tokens: 5, nanos: 300 };
const entry = (key: string, day = TODAY) => ({ ...COUNTS, key, day });

it("counts add up by day and by key, and outlive an eviction", async () => {
  const usage = env.USAGE.getByName("sums");
  await usage.record([entry("a"), entry("b"), entry("a", TODAY - 1)]);
  await usage.record([entry("a")]);
  await evictDurableObject(usage);
  const twice = {
    requests: 4,
    refused: 2,
    prompt_tokens: 20,
    completion_tokens: 10,
    nanos: 600,
  };
  expect(await usage.byDay(30, "a")).toEqual([
    { day: dayText(TODAY - 1), ...COUNTS },
    { day: dayText(TODAY), ...twice },
  ]);
  expect(await usage.byDay(1, null)).toMatchObject([{ day: dayText(TODAY), requests: 6 }]);
  expect(await usage.byKey(30)).toMatchObject([
    { key: "a", requests: 6, last_day: dayText(TODAY) },
    { key: "b", requests: 2 },
  ]);
});

it("days beyond those that are kept go", async () => {
  const usage = env.USAGE.getByName("old");
  await usage.record([
    entry("a", TODAY - USAGE_DAYS_KEPT),
    entry("a", TODAY - USAGE_DAYS_KEPT + 1),
  ]);
  expect(await usage.byDay(10_000, "a")).toHaveLength(1);
});

it("so many keys are told apart, those of the most requests", async () => {
  const usage = env.USAGE.getByName("keys");
  const most = Array.from({ length: USAGE_KEYS_SHOWN_MAX }, (_, i) => entry(`k${i}`));
  await usage.record([{ ...entry("idle"), requests: 1 }, ...most.slice(1)]);
  const shown = async () => (await usage.byKey(1)).map(({ key }) => key);
  expect((await shown()).at(-1)).toBe("idle");
  expect(await shown()).toHaveLength(USAGE_KEYS_SHOWN_MAX);
  await usage.record([entry("k0")]);
  expect(await shown()).toHaveLength(USAGE_KEYS_SHOWN_MAX);
  expect(await shown()).not.toContain("idle");
});
