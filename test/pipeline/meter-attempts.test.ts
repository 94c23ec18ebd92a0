import { expect, it } from "vitest";
import { ServiceError } from "../../src/errors.ts";
import {
  asking,
  drain,
  engineOf,
  meterOf,
  openQuota,
  PROMPT_TOKENS,
  speaks,
  USAGE,
} from "./metering.ts";

it("a backend that timed out, or was slower, costs its prompt, within the hold", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  const prices = { input_per_mtok: 1, output_per_mtok: 1 };
  meter.prices.backends = ["a", "b", "c"].map((name) => ({ name, prices }));
  const attempts = (["timed_out", "abandoned", "failed", "rate_limited"] as const).map(
    (outcome, i) => ({ backend: "abca"[i]!, outcome, ms: 3 }),
  );
  const members = meter.prices.backends.map(({ name }) => ({ id: `backend:${name}` }));
  const pool = { ...speaks, id: "backend", members };
  const settledOf = async (more: typeof attempts) => {
    calls.length = 0;
    pool.answer = async function* (request) {
      request.attempts!.push(...more);
      const served = { id: "backend:b", model: "m", attempts: request.attempts! };
      yield { text: "x", served, usage: USAGE };
    };
    await drain(meter.engine(pool).answer(asking()));
    const settled = calls.find(([name]) => name === "settle")![1];
    return [Number(calls[0]![1]), Number(settled)] as const;
  };
  expect((await settledOf(attempts))[1]).toBe(15_000 + 2 * PROMPT_TOKENS * 1_000);
  const [held, settled] = await settledOf(Array.from({ length: 20 }, () => attempts[0]!));
  expect(settled).toBe(held);
});

it("where none answers, who may have read costs its prompt, who refused nothing", async () => {
  const read = PROMPT_TOKENS * 1_000;
  for (const [outcomes, code, cost] of [
    [["failed"], "backend_unavailable", 0],
    [["timed_out"], "backend_timeout", read],
    [["timed_out", "failed"], "backend_unavailable", read],
    [["timed_out", "timed_out", "refused"], "backend_unavailable", 2 * read],
    [[], "backend_busy", 0],
  ] as const) {
    const { calls, quota } = openQuota();
    const fails = engineOf(async function* ({ attempts }) {
      yield* [];
      for (const outcome of outcomes) attempts!.push({ backend: "big", outcome, ms: 3 });
      throw new ServiceError(code, "no");
    });
    const { meter } = meterOf(quota, { budget_usd: 1 });
    await expect(drain(meter.engine(fails).answer(asking()))).rejects.toThrow("no");
    expect(calls.at(-1)).toEqual(["settle", cost]);
  }
});

it("who leaves before the first piece pays for the prompt and for what was reasoned", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  const left = new AbortController();
  const thinks = engineOf(async function* ({ attempts, hidden }) {
    yield* [];
    attempts!.push({ backend: "big", outcome: "abandoned", ms: 3 });
    hidden!(12);
    left.abort();
    throw left.signal.reason;
  });
  await expect(drain(meter.engine(thinks).answer(asking(left.signal)))).rejects.toThrow();
  expect(calls.at(-1)).toEqual(["settle", (PROMPT_TOKENS + 2 * 3) * 1_000]);
});

it("of a pool the dearest price is held, twice for a hedge; who answered is paid", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  meter.prices.backends = [
    { name: "a", prices: { input_per_mtok: 1, output_per_mtok: 2 } },
    { name: "b", prices: { input_per_mtok: 10, output_per_mtok: 1 } },
  ];
  const lost = { backend: "b", outcome: "abandoned", ms: 3, usage: USAGE } as const;
  const members = meter.prices.backends.map(({ name }) => ({ id: `backend:${name}` }));
  const pool = { ...speaks, id: "backend", members };
  const most = async (hedgeMs?: number, attempts: (typeof lost)[] = []) => {
    calls.length = 0;
    pool.answer = async function* (request) {
      request.attempts!.push(...attempts);
      yield { text: "x", served: { id: "backend:a", model: "m", attempts }, usage: USAGE };
    };
    await drain(meter.engine(pool).answer({ ...asking(), hedgeMs }));
    return [calls[0]![1], calls.find(([name]) => name === "settle")![1]] as number[];
  };
  const [held, settled] = await most();
  expect(settled).toBe(20_000); // of a: 10 tokens at 1 and 5 at 2 USD per million
  const [hedged, both] = await most(50, [lost]);
  expect(hedged).toBe(2 * held!);
  expect(both).toBe(20_000 + 105_000); // and of b, which lost, 10 at 10 and 5 at 1
});

it("a backend that cannot answer neither prices nor hinders those that can", async () => {
  const prices = { input_per_mtok: 1, output_per_mtok: 2 };
  const dear = { input_per_mtok: 1_000, output_per_mtok: 2_000 };
  const members = [{ id: "backend:a" }, { id: "backend:b" }];
  const held = new Set<unknown>();
  for (const other of [prices, dear, null]) {
    const { calls, quota } = openQuota();
    const { meter } = meterOf(quota, { budget_usd: 1 });
    meter.prices.backends = [
      { name: "a", prices },
      { name: "b", prices },
      { name: "c", prices: other },
    ];
    const pool = { ...speaks, id: "backend", members };
    expect(await drain(meter.engine(pool).answer(asking()))).toBe("four more");
    held.add(calls[0]![1]);
    expect(calls[1]).toEqual(["settle", 20_000]);
  }
  expect(held.size).toBe(1);
});

it("what a backend writes beyond its bound is paid for, not what it only tells", async () => {
  const used = { prompt_tokens: 10, completion_tokens: 2_000, total_tokens: 2_010 };
  const costOf = async (text: string) => {
    const { calls, quota } = openQuota();
    const { meter, kept } = meterOf(quota, { budget_usd: 1 });
    const heedless = engineOf(async function* () {
      yield { text, usage: used };
    });
    await drain(meter.engine(heedless).answer(asking()));
    await Promise.all(kept);
    const [[, held], [, settled]] = calls as [[string, number], [string, number]];
    return { held, settled };
  };
  expect((await costOf("four".repeat(2_000))).settled).toBe(10_000 + 2 * 2_000_000);
  const { held, settled } = await costOf("four");
  expect(settled).toBe(held);
});
