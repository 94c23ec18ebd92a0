import { expect, it } from "vitest";
import type { Config } from "../../src/env.ts";
import { rungEngines } from "../../src/pipeline/rungs.ts";

/** USD per million tokens; 1,800 of a prompt and 150 of an answer are expected. */
const at = (usd: number | null) =>
  usd === null ? null : { input_per_mtok: usd, output_per_mtok: usd };
const FREE = { input_per_mtok: 0, output_per_mtok: 0 };

function rungsOf(
  backends: [name: string, order: number, usd: number | null][],
  { first = 4, generator = null as string | null, edge = FREE } = {} as {
    first?: number | null;
    generator?: string | null;
    edge?: typeof FREE;
  },
) {
  const config = {
    backends: backends.map(([name, order, usd]) => ({ name, order, prices: at(usd) })),
    ...{ prices: at(first), edgePrices: edge, generator: generator && { model: generator } },
  };
  return rungEngines(config as unknown as Config);
}

it("engines between are the cheaper ones that are not asked first, cheapest first", () => {
  const rungs = rungsOf([
    ["large", 1, 4],
    ["middle", 2, 2],
    ["equal", 2, 4],
    ["dear", 2, 5],
    ["unpriced", 2, null],
    ["small", 3, 1],
    ["cheap-but-first", 1, 1],
  ]);
  expect(rungs).toEqual([
    { engine: "backend:small", usd_per_1k: 1.95 },
    { engine: "backend:middle", usd_per_1k: 3.9 },
  ]);
});

it("the generator is one by what the edge costs, whatever the backends' prices", () => {
  const backends: Parameters<typeof rungsOf>[0] = [
    ["large", 0, 4],
    ["small", 1, 1],
  ];
  const cheap = rungsOf(backends, { generator: "smollm2" }).map(({ engine }) => engine);
  expect(cheap).toEqual(["generator:smollm2", "backend:small"]);
  const edge = { input_per_mtok: 1, output_per_mtok: 2 };
  const dear = rungsOf(backends, { generator: "smollm2", edge });
  expect(dear).toEqual([
    { engine: "backend:small", usd_per_1k: 1.95 },
    { engine: "generator:smollm2", usd_per_1k: expect.closeTo(2.1, 12) },
  ]);
  const unpriced = rungsOf(backends, { generator: "smollm2", first: null });
  expect(unpriced.map(({ engine }) => engine)).toEqual(["generator:smollm2"]);
});

it("without a backend nothing could be compared, and without a model's name none is meant", () => {
  expect(rungsOf([], { generator: "smollm2" })).toEqual([]);
  expect(rungsOf([["large", 0, 4]], { generator: "" })).toEqual([]);
  expect(rungsOf([["large", 0, 4]])).toEqual([]);
});
