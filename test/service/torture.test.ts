/** A short form of `npm run torture`. */
import { expect, it } from "vitest";
import { torture } from "../torture/torture.ts";

it("after SIGKILL at random moments nothing is lost and nothing deleted is back", async () => {
  const tally = await torture({ kills: 3, seed: 4, say: () => {} });
  expect(tally.kills).toBe(3);
  expect(tally.operations).toBeGreaterThan(0);
  expect(tally.budget.answered).toBeGreaterThan(0);
}, 180_000);
