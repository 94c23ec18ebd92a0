import { expect, it } from "vitest";
import { DOCUMENT_CHARS_MAX } from "../../src/limits.ts";
import { countTokens, inSteps } from "../../src/pipeline/steps.ts";

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

it("tokens are counted a document at a time, between which others have their turn", async () => {
  const lengths = [DOCUMENT_CHARS_MAX, 1, DOCUMENT_CHARS_MAX / 2, DOCUMENT_CHARS_MAX / 2, 0];
  const seen: (number | string)[] = [];
  const encoder = {
    countTokens: (text: string) => {
      seen.push(text.length);
      return text.length;
    },
  };
  const other = setInterval(() => seen.push("other"), 0);
  const texts = lengths.map((length) => "x".repeat(length));
  const tokens = await countTokens(encoder, texts);
  clearInterval(other);
  expect(tokens).toBe(lengths.reduce((sum, length) => sum + length + 2, 0));
  expect(seen.filter((one) => one !== "other")).toEqual(lengths);
  const before = (i: number) => seen.slice(0, seen.indexOf(lengths[i]!)).includes("other");
  expect([before(0), before(1)]).toEqual([false, true]);
  expect(seen.lastIndexOf(lengths[3]!) - seen.indexOf(1)).toBeGreaterThan(2);
});
