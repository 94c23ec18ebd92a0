import fc from "fast-check";
import { expect, it } from "vitest";
import { fingerprint, saidBy } from "../../index/near-duplicates.ts";

const seed = 20261124;
const same = (a: string, b: string) => saidBy(a) === saidBy(b);

it("case, whitespace, punctuation and forms of characters change nothing that prose says", () => {
  const said = "The lease ends on 3 May; the rent is 1,200.50 a month (in advance).";
  expect(same(said, "the  lease\nends on 3 May: “The rent” is 1,200.50 a month - IN ADVANCE")).toBe(
    true,
  );
  expect(same("ﬁne Ｔext", "fine text")).toBe(true);
  expect(same("the 90’s, a 5” nail", "The 90's: a 5\" nail!")).toBe(true);
  expect(same("# The title\n- **one** item", "The title\n* One item")).toBe(true);
  expect(saidBy("...")).toBe("");
});

it("numbers, signs, negations, questions and words do change it", () => {
  const pairs = [
    ["It costs 3.5 pounds", "It costs 35 pounds"],
    ["It costs 3.5 pounds", "It costs 3 5 pounds"],
    ["It is -5 outside", "It is 5 outside"],
    ["It costs $5", "It costs €5"],
    ["It grew by 5 %.", "It grew by 5."],
    ["He has left.", "He has left?"],
    ["He has not left.", "He has left."],
    ["a b c", "a c b"],
    ["naïve", "naive"],
    ["Unit tests: passed ✅", "Unit tests: passed ❌"],
    ["The review: 👍", "The review: 👎"],
    ["Who invented C#?", "Who invented C?"],
    ["Issue #5 is open", "Issue 5 is open"],
    ["It is 5' long", 'It is 5" long'],
    ["It is 5′ long", "It is 5″ long"],
    ["A box of 10² items", "A box of 102 items"],
    ["A box of 10² items", "A box of 10³ items"],
    ["5! is what we seek", "5 is what we seek"],
    ["His blood group is A-", "His blood group is A"],
    ["Serve it and/or eat it", "Serve it and or eat it"],
    ["The flag of 🇩🇪", "The flag of 🇫🇷"],
    ["The flag of 🏴\u{e0067}\u{e0062}\u{e007f}", "The flag of 🏴\u{e0067}\u{e0073}\u{e007f}"],
  ];
  for (const [a, b] of pairs) expect(`${a} | ${b} ${same(a!, b!)}`).toBe(`${a} | ${b} false`);
});

it("code says the same only where it differs in whitespace alone", () => {
  expect(same("if (a) {\n  b(c);\n}", "if (a) { b(c); }")).toBe(true);
  for (const other of ["if (!a) { b(c); }", "if (A) { b(c); }", "if (a) { b(c) }"])
    expect(same("if (a) { b(c); }", other)).toBe(false);
});

it("fingerprints are equal where the passages say the same, and not otherwise", () => {
  const seen = new Map<string, string>();
  const text = fc.array(fc.constantFrom(..."a b A . 1 -1 é 猫 x=y".split(" "), " ", "\n", "aa"));
  fc.assert(
    fc.property(text, (parts) => {
      const said = saidBy(parts.join(" "));
      const key = Buffer.from(fingerprint(said)).toString("hex");
      expect(seen.get(key) ?? said).toBe(said);
      seen.set(key, said);
    }),
    { seed, numRuns: 5_000 },
  );
  expect(seen.size).toBeGreaterThan(2_000);
  const bits = new Set<string>();
  for (let i = 0; i < 200_000; i++) bits.add(Buffer.from(fingerprint(`word ${i}`)).toString("hex"));
  expect(bits.size).toBe(200_000);
});
