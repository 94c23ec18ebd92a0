import fc from "fast-check";
import { expect, it } from "vitest";
import { followUp, joinHops, namesOf } from "../../index/second-hop.ts";
import { countQueryTerms } from "../../index/terms.ts";

const PASSAGE =
  "The alternating-current motor was built by Nikola Tesla, who sold it to George Westinghouse. " +
  "Later Tesla worked in New York.";

it("names are capitalized words within sentences, the most frequent first", () => {
  expect(namesOf(PASSAGE)).toEqual(["tesla", "nikola", "georg", "westinghous", "new", "york"]);
  expect(namesOf("東京は日本の首都である。")).toEqual([]);
});

it("a second query asks for what the passage leaves open, and for whom it names", () => {
  const query = countQueryTerms("when was the builder of the motor born");
  const weights = new Map(
    followUp(query, PASSAGE, null, null).terms.map(({ term, qtf }) => [term, qtf]),
  );
  expect(weights.get("born")).toBe(1);
  expect(weights.get("motor")).toBe(0.3);
  expect(weights.get("tesla")).toBe(0.3);
  expect(weights.get("nikola")).toBe(0.3);
});

const unit = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 })
  .filter((values) => Math.hypot(...values) > 0.01)
  .map((values) => Float32Array.from(values, (value) => value / Math.hypot(...values)));
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

it("its vector keeps unit length and is nearer to nothing that the passage says", () => {
  fc.assert(
    fc.property(unit, unit, (query, passage) => {
      const { vector } = followUp([], "", query, passage);
      expect(Math.hypot(...vector!)).toBeCloseTo(1, 5);
      expect(Math.abs(dot(vector!, passage))).toBeLessThanOrEqual(
        Math.abs(dot(query, passage)) + 1e-6,
      );
    }),
    { seed: 20261124 },
  );
  expect(followUp([], "", null, Float32Array.of(1)).vector).toBeNull();
  const zeros = new Float32Array(2);
  expect(followUp([], "", zeros, Float32Array.of(1, 0)).vector).toEqual(zeros);
});

it("joined hops are three quarters of the first, then the second, then more", () => {
  const join = (k: number, first: string, second: string) =>
    joinHops(k, [...first], [...second], (item) => item)
      .map(({ item, hop }) => `${item}${hop}`)
      .join(" ");
  expect(join(8, "abcdefgh", "axycz")).toBe("a1 b1 c1 d1 e1 f1 x2 y2");
  expect(join(8, "abcdefgh", "ab")).toBe("a1 b1 c1 d1 e1 f1 g1 h1");
  expect(join(8, "ab", "xyzabc")).toBe("a1 b1 x2 y2 z2 c2");
  expect(join(3, "abcd", "x")).toBe("a1 b1 c1");
});
