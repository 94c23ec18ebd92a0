import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { fingerprint, resemblance, saidBy, sketch } from "../../index/near-duplicates.ts";

const seed = 20261124;
const same = (a: string, b: string) => saidBy(a) === saidBy(b);

it("case, whitespace, punctuation and forms of characters change nothing that prose says", () => {
  const said = "The lease ends on 3 May; the rent is 1,200.50 a month (in advance).";
  expect(same(said, "the  lease\nends on 3 May: “The rent” is 1,200.50 a month - IN ADVANCE")).toBe(
    true,
  );
  expect(same("ﬁne Ｔext", "fine text")).toBe(true);
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

/** Passages of about 100 words from documents that tell of different things. */
const passages = ["engine.md", "generation.md", "kernels.md", "onnx.md", "routing.md"].flatMap(
  (name) => {
    const words = readFileSync(join(import.meta.dirname, "../../docs", name), "utf8").match(
      /[A-Za-z]+/g,
    )!;
    const starts = Array.from({ length: Math.floor(words.length / 100) }, (_, i) => i * 100);
    return starts.map((start) => words.slice(start, start + 100).join(" "));
  },
);

/** A seeded generator of numbers in [0, 1): mulberry32. */
function randomFrom(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** With each word dropped, replaced or doubled with this probability. */
function perturbed(text: string, rate: number, random: () => number): string {
  return text
    .split(" ")
    .flatMap((word) => {
      if (random() >= rate) return [word];
      const how = Math.floor(random() * 3);
      return how === 0 ? [] : how === 1 ? [`w${Math.floor(random() * 1e6)}`] : [word, word];
    })
    .join(" ");
}

function shingles(text: string): Set<string> {
  const words = saidBy(text).split(" ");
  return new Set(words.slice(0, -2).map((_, i) => words.slice(i, i + 3).join(" ")));
}

function jaccard(a: Set<string>, b: Set<string>): number {
  let both = 0;
  for (const shingle of a) if (b.has(shingle)) both++;
  return both / (a.size + b.size - both);
}

it("resemblance is Jaccard's of shingles, without bias and within five standard errors", () => {
  const random = randomFrom(seed);
  let [sum, squares, n] = [0, 0, 0];
  for (const text of passages)
    for (const rate of [0, 0.01, 0.03, 0.1, 0.3]) {
      const other = perturbed(text, rate, random);
      const truth = jaccard(shingles(text), shingles(other));
      const error = resemblance(sketch(saidBy(text)), sketch(saidBy(other))) - truth;
      // Bins that took from others agree together: their error is up to 1.3 times as great.
      expect(Math.abs(error)).toBeLessThanOrEqual(
        5 * 1.3 * Math.sqrt((truth * (1 - truth)) / 128) + 0.02,
      );
      sum += error;
      squares += error * error;
      n++;
    }
  expect(n).toBeGreaterThan(500);
  expect(Math.abs(sum / n)).toBeLessThan(4 * Math.sqrt(squares / n / n) + 0.002);
});

it("of passages with one word in fifty changed .65 finds 99 %, and none with one in four", () => {
  const random = randomFrom(seed + 1);
  let [found, wrong, strangers] = [0, 0, 0];
  for (const [i, text] of passages.entries()) {
    const own = sketch(saidBy(text));
    const close = (other: string) => resemblance(own, sketch(saidBy(other))) >= 0.65;
    if (close(perturbed(text, 0.02, random))) found++;
    if (close(perturbed(text, 0.25, random))) wrong++;
    for (let j = i + 1; j < passages.length; j++) if (close(passages[j]!)) strangers++;
  }
  expect(found / passages.length).toBeGreaterThanOrEqual(0.99);
  expect(wrong + strangers).toBe(0);
});

it("texts of few words, of none and without spaces have sketches", () => {
  const like = (a: string, b: string) => resemblance(sketch(saidBy(a)), sketch(saidBy(b)));
  expect(like("Yes.", "yes")).toBe(1);
  expect(like("", "...")).toBe(1);
  expect(like("yes", "no")).toBeLessThan(0.1);
  expect(like("two words", "two words more")).toBeLessThan(0.1);
  const chinese = "这份租约在五月三日结束,租金每月预先支付,房东负责维修屋顶和窗户。";
  expect(like(chinese, chinese.replace("五", "六"))).toBeGreaterThan(0.6);
  expect(like(chinese, "没有什么相同的内容可以在这里找到。")).toBeLessThan(0.1);
});
