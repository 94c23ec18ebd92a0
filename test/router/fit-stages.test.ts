/** Both stages of a difficulty, fitted together. */
import { expect, it } from "vitest";
import { mulberry32 } from "../../eval/random.ts";
import { fitFloors, scoreBefore } from "../../src/router/before.ts";
import { FEATURES } from "../../src/router/features.ts";
import { fitStages, type StagedExample } from "../../src/router/fit-stages.ts";

/** Of 40 groups. What retrieval found tells something before reading, and the reader more; one of
 *  eight abstains. */
const EXAMPLES = (() => {
  const random = mulberry32(7);
  return Array.from({ length: 1_000 }, (_, n): StagedExample => {
    const values = Object.fromEntries(FEATURES.map((name) => [name, random()]));
    const logit = 6 * (0.5 - values.coverage!) + 8 * (0.3 - values.terms_near!);
    const abstained = n % 8 === 0;
    const wrong = abstained || random() < 1 / (1 + Math.exp(-logit));
    return { group: `g${n % 40}`, values, wrong, abstained };
  });
})();
const ANSWERS = EXAMPLES.filter(({ abstained }) => !abstained);

it("floors are of answers alone, and no held-out difficulty lies below its own", () => {
  const { after, before, model, heldOut } = fitStages(EXAMPLES);
  const known = before.heldOut.filter((_, n) => !EXAMPLES[n]!.abstained);
  const both = known.map((chance, n) => ({ before: chance, after: after.heldOut[n]! }));
  expect(model.before.floors).toEqual(fitFloors(both));
  const floors = ANSWERS.map(({ values }) => scoreBefore(model.before, values).floor);
  expect(heldOut).toEqual(floors.map((floor, n) => Math.max(floor, after.heldOut[n]!)));
  expect(floors.some((floor, n) => floor > after.heldOut[n]!)).toBe(true);
});

it("what an abstention looked like moves nothing that is said after reading", () => {
  const others = EXAMPLES.map((one): StagedExample => {
    if (!one.abstained) return one;
    return { ...one, values: Object.fromEntries(FEATURES.map((name) => [name, 9])) };
  });
  const shares: number[] = [];
  const [one, other] = [fitStages(EXAMPLES), fitStages(others, (share) => shares.push(share))];
  expect(other.after).toEqual(one.after);
  expect(other.before.model).not.toEqual(one.before.model);
  expect([shares.at(-1), shares.every((share, i) => i === 0 || share > shares[i - 1]!)]).toEqual([
    ...[1, true],
  ]);
});
