import fc from "fast-check";
import { expect, it } from "vitest";
import { Lexicon } from "../../index/lexicon.ts";
import { Vocabulary } from "../oracle/vocabulary.ts";

const seed = 20261124;
/** Any string of UTF-16 units, halves of surrogate pairs included, with many near misses. */
const anyTerm = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc
    .array(fc.constantFrom(0x61, 0x62, 0x7f, 0x80, 0x7ff, 0x800, 0xd800, 0xdc00, 0xffff), {
      maxLength: 4,
    })
    .map((units) => String.fromCharCode(...units)),
  fc.integer({ min: 100, max: 400 }).map((length) => "é".repeat(length)),
);

it("gives every string the number that a map gives it", () => {
  fc.assert(
    fc.property(fc.array(anyTerm, { maxLength: 300 }), (terms) => {
      const [lexicon, vocabulary] = [new Lexicon(), new Vocabulary()];
      const [added, expected]: { id: number; term: string }[][] = [[], []];
      for (const term of terms)
        expect(lexicon.idOf(term, added!)).toBe(vocabulary.idOf(term, expected!));
      expect(added).toEqual(expected);
      expect(lexicon.limit).toBe(vocabulary.limit);
      for (const term of terms) {
        expect(lexicon.find(term)).toBe(vocabulary.find(term));
        expect(lexicon.find(`${term}?`)).toBe(vocabulary.find(`${term}?`));
      }
    }),
    { seed, numRuns: 300 },
  );
});

it("holds restored pairs in any order and with holes, and gives the lowest free number", () => {
  const lexicon = new Lexicon();
  for (let id = 3_000; id >= 0; id -= 3) lexicon.restore(id, `t${id}`);
  expect(lexicon.terms).toBe(1_001);
  for (let id = 0; id <= 3_000; id++)
    expect(lexicon.find(`t${id}`)).toBe(id % 3 === 0 ? id : undefined);
  const given = Array.from({ length: 2_001 }, (_, i) => lexicon.idOf(`new ${i}`, []));
  expect(given.slice(0, 4)).toEqual([1, 2, 4, 5]);
  expect(given.slice(-2)).toEqual([2_999, 3_001]);
  expect([...lexicon.ids()]).toEqual(Array.from({ length: 3_002 }, (_, id) => id));
});

it("is loaded from what a loaded one with holes encodes, again and again", () => {
  let bytes = new Uint8Array(0);
  for (let turn = 0; turn < 3; turn++) {
    const lexicon = new Lexicon();
    if (turn > 0) lexicon.load(bytes);
    for (let id = turn * 100; id < (turn + 1) * 100; id += 3) lexicon.restore(id, `t${id}`);
    bytes = lexicon.encode() as Uint8Array<ArrayBuffer>;
    const again = new Lexicon();
    again.load(bytes);
    expect(again.terms).toBe(lexicon.terms);
    expect(again.limit).toBe(lexicon.limit);
    for (let id = 0; id < lexicon.limit; id++)
      expect(again.find(`t${id}`)).toBe(lexicon.find(`t${id}`));
  }
});

it("refuses a second number for a term, and a second term for a number", () => {
  const lexicon = new Lexicon();
  lexicon.restore(4, "amber");
  expect(() => lexicon.restore(5, "amber")).toThrow(/one number/);
  expect(() => lexicon.restore(4, "birch")).toThrow(/one term/);
});

it("takes at most 25 bytes a term of 7 characters, at every size from 100,000 terms on", () => {
  const lexicon = new Lexicon();
  for (let id = 0; id < 300_000; id++) {
    lexicon.restore(id, id.toString(36).padStart(7, "_"));
    if (id >= 100_000 && id % 1_000 === 0) expect(lexicon.bytes / (id + 1)).toBeLessThan(25);
  }
});

it("has the same numbers after it was encoded and loaded, holes included, and goes on", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyTerm, { maxLength: 300 }),
      fc.integer({ min: 1, max: 3 }),
      (terms, step) => {
        const [lexicon, loaded] = [new Lexicon(), new Lexicon()];
        const stored = terms.filter((term) => term !== ""); // no text has a term of no characters
        for (const [i, term] of stored.entries()) lexicon.restore(i * step, term);
        loaded.load(lexicon.encode());
        expect(loaded.limit).toBe(lexicon.limit);
        expect(loaded.terms).toBe(stored.length);
        for (const term of stored) expect(loaded.find(term)).toBe(lexicon.find(term));
        for (let i = 0; i < 300; i++)
          expect(loaded.idOf(`new ${i}`, [])).toBe(lexicon.idOf(`new ${i}`, []));
        expect(loaded.encode()).toEqual(lexicon.encode());
      },
    ),
    { seed, numRuns: 100 },
  );
});

it("refuses a vocabulary that is cut, or longer than its terms", () => {
  const lexicon = new Lexicon();
  for (const term of ["amber", "birch", "cedar"]) lexicon.idOf(term, []);
  const bytes = lexicon.encode();
  for (let length = 0; length < bytes.length; length++)
    expect(() => new Lexicon().load(bytes.slice(0, length))).toThrow(/damaged|ends/);
  expect(() => new Lexicon().load(Uint8Array.of(...bytes, 0))).toThrow(/ends/);
});
