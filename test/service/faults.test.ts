/** A short run of `npm run torture -- faults`. */
import { expect, it } from "vitest";
import { runFaults } from "../torture/faults/run.ts";

it("whatever fails, a client gets what is written down, and pays for no more", async () => {
  const tally = await runFaults({ seed: 7, slow: false, backends: 20, say: () => {} });
  expect(tally.failed).toEqual([]);
  const cells = [...tally.groups.values()].reduce((sum, group) => sum + group.cells, 0);
  expect(cells).toBeGreaterThan(40);
}, 240_000);
