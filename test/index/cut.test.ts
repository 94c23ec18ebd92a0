import fc from "fast-check";
import { expect, it } from "vitest";
import { cutText, wholeCharacter } from "../../index/cut.ts";

const seed = 20261205;

it("a cut text is the longest beginning that parts no surrogate pair", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "ü", "語", "😀", "👩‍🚀"), maxLength: 20 });
  fc.assert(
    fc.property(text, fc.nat(40), (whole, charsMax) => {
      const begun = whole.slice(0, charsMax);
      const expected = begun.isWellFormed() ? begun : begun.slice(0, -1);
      expect(cutText(whole, charsMax)).toBe(expected);
      expect(expected.isWellFormed()).toBe(true);
    }),
    { seed, numRuns: 1_000 },
  );
});

it("an offset moves only where it would part a pair", () => {
  const text = "a😀\ud83d\udc00"; // two pairs, side by side
  expect([0, 1, 2, 3, 4, 5].map((at) => wholeCharacter(text, at))).toEqual([0, 1, 1, 3, 3, 5]);
  expect(wholeCharacter("\ud83da", 1)).toBe(1); // half of a pair that was sent so
});
