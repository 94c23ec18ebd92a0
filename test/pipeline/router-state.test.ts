/** What a tenant's answers are routed by, from what its router tells. */
import { expect, it, vi } from "vitest";
import { RouterStates } from "../../src/pipeline/router-state.ts";
import { type PriorForm, priorThreshold } from "../../src/router/prior.ts";
import {
  type RouterSettings,
  type RouterSnapshot,
  SETTINGS_DEFAULT,
  SHIPPED_VERSION,
} from "../../src/router/router-types.ts";
import type { Target } from "../../src/router/target.ts";

type Stub = ReturnType<ConstructorParameters<typeof RouterStates>[0]>;

/** 1,800 prompt and 150 completion tokens cost a USD for 1,000 questions. */
const PRICES = { input_per_mtok: 0.5, output_per_mtok: 2 / 3 };

function read(tenant: string, settings: Partial<RouterSettings>, prices: typeof PRICES | null) {
  const snapshot: RouterSnapshot = {
    ...{ revision: 3, settings: { ...SETTINGS_DEFAULT, ...settings }, version: SHIPPED_VERSION },
    ...{ unfit: null, model: null, engines: [] },
  };
  const stub = { snapshot: async () => snapshot } as unknown as Stub;
  return new RouterStates(() => stub, prices, []).read(tenant);
}

it("a budget is the share that it pays for, of prompts without memory too", async () => {
  const budget: Target = { budget_usd_per_1k: 0.25 };
  const active = await read("priced", { target: budget }, PRICES);
  expect(active.target).toEqual({ backend_share: expect.closeTo(0.25, 12) });
  const form = {
    percentiles: Array.from({ length: 101 }, (_, i) => i / 100),
  } as unknown as PriorForm;
  expect(priorThreshold(active.target, form)).toBe(0.75);
  const rich = await read("rich", { target: { budget_usd_per_1k: 5 } }, PRICES);
  expect(rich).toMatchObject({ target: { backend_share: 1 }, threshold: -1 });
  // Where the prices went nothing is spent, on these prompts neither.
  const unpriced = await read("unpriced", { target: budget }, null);
  expect(unpriced).toMatchObject({ target: { backend_share: 0 }, threshold: 1 });
  expect(priorThreshold(unpriced.target, form)).toBe(1);
});

it("other targets are as they were set", async () => {
  for (const target of [{ max_risk: 0.2, confidence: 0.9 }, { backend_share: 0.3 }])
    expect((await read(JSON.stringify(target), { target }, PRICES)).target).toEqual(target);
});

it("a router that does not answer leaves what is known, or else the release's own", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const failing = { snapshot: async () => Promise.reject(new Error("away")) } as unknown as Stub;
  const active = await new RouterStates(() => failing, PRICES, []).read("away");
  expect(active).toMatchObject({ target: SETTINGS_DEFAULT.target, revision: -1, shadow_rate: 0 });
  logged.mockRestore();
});
