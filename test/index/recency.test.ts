import { expect, it } from "vitest";
import { DAY_MS, decayFactor, decayScore } from "../../index/recency.ts";

it("a score halves with every half life, and what is to come counts as now", () => {
  expect(decayFactor(0, 7)).toBe(1);
  expect(decayFactor(7 * DAY_MS, 7)).toBe(0.5);
  expect(decayFactor(21 * DAY_MS, 7)).toBe(0.125);
  expect(decayFactor(-5 * DAY_MS, 7)).toBe(1);
});

it("however old two documents are, the better one is first", () => {
  const factor = decayFactor(22 * 365 * DAY_MS, 7);
  expect(decayFactor(Number.MAX_VALUE, 1e-6)).toBeLessThanOrEqual(factor);
  expect(factor).toBeLessThan(decayFactor(10 * 365 * DAY_MS, 7));
  let before = 0;
  for (const score of [1e-30, 1e-9, 1 / 61, 1 / 60, 1 / 60 + 1e-15, 40]) {
    expect(decayScore(score, factor)).toBeGreaterThan(before);
    before = decayScore(score, factor);
  }
});

it("a cosine below 0 does not rise with age", () => {
  expect(decayScore(0.8, 0.25)).toBe(0.2);
  expect(decayScore(0, 0.25)).toBe(0);
  expect(decayScore(-0.4, 0.25)).toBe(-0.4);
});
