/** A short run of each of `npm run torture -- fuzz`'s targets. */
import { expect, it } from "vitest";
import { fuzz, TARGETS } from "./fuzz.ts";
import { Random } from "./random.ts";
import type { Target } from "./target.ts";

const SEED = 7;

it.each(TARGETS.filter(({ short }) => short > 0).map((target) => [target.name, target] as const))(
  "what comes from outside is taken or refused as it must be: %s",
  async (_, target) => {
    const tally = await fuzz(target, SEED, [0, target.short]);
    expect(tally.cases).toBe(target.short);
    // Were every case refused, or none, the target would prove little.
    expect([...tally.ends.keys()]).toEqual(expect.arrayContaining([...target.ends]));
  },
);

it("a case is the same for the same seed and number, and the failing one is named", async () => {
  const numbers = (seed: number, number: number) => {
    const random = new Random(seed, "a", number);
    return Array.from({ length: 5 }, () => random.below(1_000));
  };
  expect(numbers(1, 2)).toEqual(numbers(1, 2));
  expect(numbers(1, 2)).not.toEqual(numbers(1, 3));
  expect(numbers(1, 2)).not.toEqual(numbers(2, 2));
  const target: Target = {
    ...{ name: "odd", about: "", cases: 9, short: 9, ends: ["even"] },
    prepare: () => (random, show) => {
      const n = random.below(50);
      show(`the number ${n}`);
      if (n % 7 === 3) throw new Error("three");
      return "even";
    },
  };
  const failure = await fuzz(target, 5, [0, 500]).then(String, String);
  const [, seed, number] = /fuzz --only odd --seed (\d+) --case (\d+)/.exec(failure)!;
  expect(failure).toContain('input: "the number');
  await expect(fuzz(target, Number(seed), [Number(number), 1])).rejects.toThrow("three");
});
