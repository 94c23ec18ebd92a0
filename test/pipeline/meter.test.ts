import { expect, it, vi } from "vitest";
import type { Engine, EngineRequest } from "../../src/engine/engine.ts";
import { codeOf, ServiceError } from "../../src/errors.ts";
import { PART_TOKENS_MAX, SETTLE_ATTEMPTS_MAX, SETTLE_PAUSE_MS } from "../../src/limits.ts";
import type { QuotaPort } from "../../src/pipeline/meter.ts";
import { tapped } from "../../src/pipeline/tap.ts";
import type { AnswerStream, BrinkReport } from "../../src/pipeline/types.ts";
import { HIT } from "../api/fake-service.ts";
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

it("a key without limits asks no object anything", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota);
  expect(await meter.admit(50)).toBeNull();
  expect(await drain(meter.engine(speaks).answer(asking()))).toBe("four more");
  expect(calls).toEqual([]);
});

it("the most that an answer can cost is held before, and what it cost settled after", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1, budget_period: "day" });
  await drain(meter.engine(speaks).answer(asking()));
  const [[, held, budget], settled] = calls as [[string, number, object], unknown];
  expect(held).toBeGreaterThan(10_000 + 20_000);
  expect(budget).toEqual({ nanos: 1e9, period: "day" });
  expect(settled).toEqual(["settle", 20_000]);
});

it("an answer that its reader leaves, or that breaks off, is paid for by a guess", async () => {
  const breaks = engineOf(async function* () {
    yield { text: "four more" };
    throw new ServiceError("backend_unavailable", "it broke off");
  });
  for (const engine of [speaks, breaks]) {
    const { calls, quota } = openQuota();
    const { meter, kept } = meterOf(quota, { budget_usd: 1 });
    const pieces = meter.engine(engine).answer(asking())[Symbol.asyncIterator]();
    await pieces.next();
    if (engine === speaks) await pieces.return!();
    else await expect(pieces.next()).rejects.toThrow("it broke off");
    await Promise.all(kept);
    const guessed = engine === speaks ? 2 : 3; // tokens of "four " and of "four more"
    expect(calls.at(-1)).toEqual(["settle", (PROMPT_TOKENS + 2 * guessed) * 1_000]);
  }
});

it("who leaves pays for tools, parts and hidden reasoning as who stays does", async () => {
  const { calls, quota } = openQuota();
  const { meter, kept } = meterOf(quota, { budget_usd: 1 });
  const thinks = engineOf(async function* ({ hidden }) {
    hidden!(4_000);
    yield { text: "42" };
    yield { text: "and on", usage: USAGE };
  });
  const image = { type: "image_url", image_url: { url: "data:,A" } };
  const description = "word ".repeat(2_000);
  const tools = [{ type: "function", function: { name: "f", description } }];
  const pieces = meter
    .engine(thinks)
    .answer({
      ...asking(),
      messages: [{ role: "user", content: [{ type: "text", text: "Read it" }, image] }],
      parameters: { max_tokens: 10_000, tools },
    })
    [Symbol.asyncIterator]();
  await pieces.next();
  await pieces.return!();
  await Promise.all(kept);
  const settled = Number(calls.at(-1)![1]);
  const least = PART_TOKENS_MAX + description.length / 4 + 2 * (4_000 / 4);
  expect(settled).toBeGreaterThan(least * 1_000);
  expect(settled).toBeLessThanOrEqual(Number(calls[0]![1]));
});

it("a key with a budget cannot ask a backend for what its prices do not cover", async () => {
  const file = { type: "file", file: { file_id: "file-1" } };
  const content = [{ type: "text", text: "Read it" }, file];
  for (const [param, more] of Object.entries<Partial<EngineRequest>>({
    models: { parameters: { models: ["dear/model"] } },
    messages: { messages: [{ role: "user", content }] },
  })) {
    const bought = { ...asking(), ...more };
    const { calls, quota } = openQuota();
    const { meter } = meterOf(quota, { budget_usd: 1 });
    const refused = await drain(meter.engine(speaks).answer(bought)).catch((error) => error);
    expect([codeOf(refused), refused.param]).toEqual(["unsupported_parameter", param]);
    expect(calls).toEqual([]);
    const free = meterOf(quota).meter;
    expect(await drain(free.engine(speaks).answer(bought))).toBe("four more");
  }
});

it("a budget that leaves too little refuses before the engine is asked", async () => {
  const { quota, state } = openQuota();
  quota.reserve = async () => ({ held: false, ...state, spent_nanos: 9e8 });
  const { meter } = meterOf(quota, { budget_usd: 1 });
  const never = engineOf(() => expect.unreachable());
  const refused = await drain(meter.engine(never).answer(asking())).catch((error) => error);
  expect(codeOf(refused)).toBe("insufficient_quota");
  expect(refused.message).toMatch(/USD 1 a month leaves too little: 0\.900000 are spent/);
});

it("a budget cannot be kept where nobody knows what the backend charges", async () => {
  const { quota } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  meter.prices.backends = [{ name: "big", prices: null }];
  const refused = await drain(meter.engine(speaks).answer(asking())).catch((error) => error);
  expect(codeOf(refused)).toBe("misconfigured");
});

it("tokens that were thought of before an answer are corrected after it", async () => {
  const { calls, quota } = openQuota();
  const { meter } = meterOf(quota, { tokens_per_minute: 1_000 });
  await meter.admit(100);
  await drain(meter.engine(speaks).answer(asking()));
  meter.used({ prompt_tokens: 3, completion_tokens: 0 }); // of a second engine, on top
  expect(calls.slice(1)).toEqual([
    ["correctTokens", 7, -85],
    ["correctTokens", 7, 3],
  ]);
});

it("where the ledger is away, deny refuses and allow goes on without limits", async () => {
  const away: QuotaPort = openQuota().quota;
  const fail = () => Promise.reject(new Error("network connection lost"));
  Object.assign(away, { admit: fail, reserve: fail });
  const limits = { requests_per_minute: 1, budget_usd: 1 };
  const denying = meterOf(away, limits).meter;
  expect(codeOf(await denying.admit(1).catch((error) => error))).toBe("ledger_unavailable");
  const refused = drain(denying.engine(speaks).answer(asking()));
  expect(codeOf(await refused.catch((error) => error))).toBe("ledger_unavailable");
  const allowing = meterOf(away, limits, "allow").meter;
  expect(await allowing.admit(1)).toBeNull();
  expect(await drain(allowing.engine(speaks).answer(asking()))).toBe("four more");
});

it("what may be held all the same, where the ledger did not answer, is given back", async () => {
  const { quota, calls } = openQuota();
  quota.reserve = async () => {
    throw new Error("network connection lost");
  };
  const { meter, kept } = meterOf(quota, { budget_usd: 1 });
  const answer = drain(meter.engine(speaks).answer(asking()));
  await expect(answer).rejects.toMatchObject({ code: "ledger_unavailable" });
  await Promise.all(kept);
  expect(calls).toEqual([["settle", 0]]);
});

it("a settlement that fails is tried again", async () => {
  const { calls, quota } = openQuota();
  const settle = quota.settle;
  let failures = 1;
  quota.settle = async (id, nanos) => {
    if (failures-- > 0) throw new Error("network connection lost");
    return settle(id, nanos);
  };
  const { meter, kept } = meterOf(quota, { budget_usd: 1 });
  await drain(meter.engine(speaks).answer(asking()));
  await Promise.all(kept);
  expect(calls.at(-1)).toEqual(["settle", 20_000]);
});

it("a settlement is tried so often, and then told as one that failed", async () => {
  vi.useFakeTimers();
  const told: [string, number][] = [];
  vi.spyOn(console, "error").mockImplementation((line) => told.push([line, Date.now()]));
  try {
    for (const failures of [SETTLE_ATTEMPTS_MAX - 1, SETTLE_ATTEMPTS_MAX]) {
      vi.setSystemTime(0);
      let attempts = 0;
      const { quota } = openQuota();
      quota.settle = async () => {
        if (++attempts <= failures) throw new Error("network connection lost");
        return true;
      };
      const { meter, kept } = meterOf(quota, { budget_usd: 1 });
      meter.settle("id", 5);
      await vi.runAllTimersAsync();
      await Promise.all(kept);
      expect(attempts).toBe(SETTLE_ATTEMPTS_MAX);
      if (failures < SETTLE_ATTEMPTS_MAX) expect(told).toEqual([]);
    }
    const pauses = 2 ** (SETTLE_ATTEMPTS_MAX - 1) - 1; // each twice the one before
    const line = expect.stringContaining("use of a budget not settled");
    expect(told).toEqual([[line, pauses * SETTLE_PAUSE_MS]]);
  } finally {
    vi.useRealTimers();
    vi.restoreAllMocks();
  }
});

it("an edge answer costs nothing, or what the edge charges, within the budget", async () => {
  const stream = () => {
    const pieces = [{ text: "07:40" }, { text: "", usage: USAGE }];
    const report = { route: "edge", engine: "brink-reader" } as BrinkReport;
    const all = async function* () {
      yield* pieces;
    };
    return {
      model: "m",
      route: "edge" as const,
      difficulty: 0,
      pieces: all(),
      report: () => report,
    };
  };
  const { calls, quota, state } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  expect(await drain((await meter.own(stream())).pieces)).toBe("07:40");
  expect(calls).toEqual([]);
  meter.prices.edgePrices = { input_per_mtok: 1, output_per_mtok: 0 };
  expect(await drain((await meter.own(stream())).pieces)).toBe("07:40");
  expect(calls).toMatchObject([
    ["reserve", 10_000, { period: "month" }],
    ["settle", 10_000],
  ]);
  quota.reserve = async () => ({ held: false, ...state });
  expect(codeOf(await meter.own(stream()).catch((error) => error))).toBe("insufficient_quota");
});

it("an edge answer that the budget refuses is left, not ended: no cache may keep it", async () => {
  const ends: boolean[] = [];
  const stream = (): AnswerStream => {
    const all = async function* () {
      yield* [{ text: "07:40" }, { text: "", usage: USAGE }];
    };
    const tap = { piece: () => {}, ended: (whole: boolean) => void ends.push(whole) };
    const report = { route: "edge", engine: "brink-reader" } as BrinkReport;
    const pieces = tapped(all(), [tap]);
    return { model: "m", route: "edge", difficulty: 0, pieces, report: () => report };
  };
  const { quota, state } = openQuota();
  const { meter } = meterOf(quota, { budget_usd: 1 });
  meter.prices.edgePrices = { input_per_mtok: 1, output_per_mtok: 0 };
  expect(await drain((await meter.own(stream())).pieces)).toBe("07:40");
  expect(ends).toEqual([true]);
  quota.reserve = async () => ({ held: false, ...state });
  expect(codeOf(await meter.own(stream()).catch((error) => error))).toBe("insufficient_quota");
  expect(ends).toEqual([true, false]);
});

it("passages that a generator puts into its prompt are held for, and guessed with", async () => {
  const text = "The lease of the boat house ends in May. ".repeat(30);
  const hits = [1, 2, 3].map((n) => ({ ...HIT, passage_id: `p${n}`, text }));
  for (const kind of ["generator", "backend"] as const) {
    const { calls, quota } = openQuota();
    const { meter, kept } = meterOf(quota, { budget_usd: 1 });
    meter.prices.edgePrices = { input_per_mtok: 1, output_per_mtok: 2 };
    const id = kind === "generator" ? "generator:x" : "backend:big";
    const engine = meter.engine<Engine>({ ...speaks, kind, id });
    const pieces = engine.answer({ ...asking(), hits })[Symbol.asyncIterator]();
    await pieces.next();
    await pieces.return!();
    await Promise.all(kept);
    const [held, settled] = [calls[0]![1], calls.at(-1)![1]] as [number, number];
    const passages = 3 * text.length * 1_000;
    if (kind === "generator") expect(held).toBeGreaterThan(passages);
    else expect(held).toBeLessThan(passages);
    if (kind === "generator") expect(settled).toBeGreaterThan(passages / 4);
    else expect(settled).toBeLessThan(passages / 4); // they stand in its messages, if at all
  }
});
