import fc from "fast-check";
import { expect, it } from "vitest";
import { countTerms, decodeCounts, encodeCounts } from "../../index/term-counts.ts";

it("stored counts decode to what was encoded", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2 ** 31), { maxLength: 200 }), (ids) => {
      const counts = countTerms([...ids, ...ids.slice(0, 20)]);
      expect(decodeCounts(encodeCounts(counts))).toEqual(counts);
    }),
    { seed: 20261123 },
  );
});
