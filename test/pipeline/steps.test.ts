import { expect, it } from "vitest";
import { inSteps } from "../../src/pipeline/steps.ts";

it("long work is done in order, in steps between which others have their turn", async () => {
  const seen: (string | number)[] = [];
  const other = setInterval(() => seen.push("other"), 0);
  const results = await inSteps([1, 2, 3, 4, 5], 2, (step) => {
    seen.push(...step);
    return step.map((one) => 10 * one);
  });
  clearInterval(other);
  expect(results).toEqual([10, 20, 30, 40, 50]);
  expect(seen.filter((one) => one !== "other")).toEqual([1, 2, 3, 4, 5]);
  expect(seen.indexOf("other")).toBeGreaterThan(1); // no step is torn
  expect(seen.indexOf("other")).toBeLessThan(seen.indexOf(5));
  expect(await inSteps([], 2, () => [])).toEqual([]);
});
