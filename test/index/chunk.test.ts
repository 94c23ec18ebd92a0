import fc from "fast-check";
import { expect, it } from "vitest";
import { chunk, countByWord, sentences } from "../../index/chunk.ts";
import {
  PASSAGE_CHARS_MAX,
  PASSAGE_TOKENS_MAX,
  TOKEN_CACHE_WORD_CHARS_MAX,
  TOKEN_CACHE_WORDS_MAX,
} from "../../src/limits.ts";
import { countTokens, expectLossless } from "./passages.ts";

const seed = 20261123;

const PIECES = [
  "Dr. Smith went to D.C. on Jan. 5th.¦It cost $3.50!¦“Why?”¦\n¦\n\n¦\r\n\r\n¦# Title\n¦- item\n",
  "1. first\n¦| a | b |\n¦```js\n¦```\n¦  ¦\t¦\u00a0¦\u2028¦\u200b¦日本語です。¦😀¦😀😀¦word",
  "another ¦e.g. this ¦http://a.b/c?d=e¦x1y2z3¦...¦\ud800¦>¦\u0000¦'¦\"",
].flatMap((pieces) => pieces.split("¦"));
const LONG = ["long".repeat(120), "many words make one sentence ".repeat(60)];
const piece = fc.constantFrom(...PIECES, ...LONG);
const texts = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

it("sentences are in order, apart, and cover every character that is no whitespace", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (text) => expectLossless(text, await sentences(text))),
    { seed, numRuns: 300 },
  );
});

it("passages do so too, keep their bounds, and part no surrogate pair", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const passages = await chunk(text, countTokens);
      expectLossless(text, passages);
      for (const { start, end } of passages) {
        const passage = text.slice(start, end);
        expect(countTokens(passage)).toBeLessThanOrEqual(PASSAGE_TOKENS_MAX);
        expect(passage.length).toBeLessThanOrEqual(PASSAGE_CHARS_MAX);
        expect(/^[\udc00-\udfff]/.test(passage)).toBe(false);
      }
    }),
    { seed, numRuns: 300 },
  );
});

it("abbreviations end no sentence; stops, questions and wide stops do", async () => {
  const text = "Dr. Smith moved to Washington.  Why? Nobody knows! 猫が好き。犬も好き。";
  const found = (await sentences(text)).map(({ start, end }) => text.slice(start, end));
  expect(found).toEqual([
    "Dr. Smith moved to Washington.",
    "Why?",
    "Nobody knows!",
    "猫が好き。",
    "犬も好き。",
  ]);
});

it("Markdown's headings, items, rows and code lines are sentences of their own", async () => {
  const text =
    "# The lease\nIt ends\non 3 May.\n\n- one\n- two\n\n```\nlet a = 1. B\n\nb\n```\n| x | y |";
  const found = (await sentences(text)).map(({ start, end }) => text.slice(start, end));
  expect(found).toEqual([
    ..."# The lease|It ends\non 3 May.|- one|- two|```|let a = 1. B|b|```".split("|"),
    "| x | y |",
  ]);
});

it("a section starts a passage once the open one is not tiny", async () => {
  const section = (n: number) =>
    `## Part ${n}\n\n${"Some words that say a thing. ".repeat(12)}\n\n`;
  const text = section(1) + section(2) + section(3);
  const passages = await chunk(text, countTokens);
  expect(passages.map(({ start }) => text.slice(start, start + 9))).toEqual([
    "## Part 1",
    "## Part 2",
    "## Part 3",
  ]);
});

it("sentences fill a passage to about the target and are not cut", async () => {
  const text = "The tenant pays the rent each month in advance. ".repeat(100);
  const passages = await chunk(text, countTokens);
  for (const { start, end } of passages.slice(0, -1)) {
    expect(text.slice(start, end).endsWith("advance.")).toBe(true);
    expect(countTokens(text.slice(start, end))).toBeGreaterThan(150);
  }
});

it("text without a space, of one kind of character or of nothing is cut, not refused", async () => {
  const kinds = ["a", "😀", "日", "-", "'", "http://a.b/c?", "x-", "\n", " ", ""];
  for (const kind of kinds) {
    const text = kind.repeat(30_000);
    expectLossless(text, await chunk(text, countTokens));
  }
});

it("counts by word equal the counts, whatever was counted before", () => {
  const byWord = countByWord(countTokens);
  const words = fc.array(fc.constantFrom(...PIECES, ...LONG, "a", "b c", "\u0007x", "é", "'s"));
  fc.assert(
    fc.property(words, fc.string({ unit: "binary" }), (parts, other) => {
      for (const text of [parts.join(""), other]) expect(byWord(text)).toBe(countTokens(text));
    }),
    { seed, numRuns: 500 },
  );
});

it("counts by word equal the counts of more words than are remembered", () => {
  const byWord = countByWord(countTokens);
  const words = Array.from({ length: 60_000 }, (_, i) => (i * 7919).toString(36));
  for (let round = 0; round < 2; round++)
    expect(words.filter((word) => byWord(word) !== countTokens(word))).toEqual([]);
});

it("words are remembered up to a length, and at most as many as there are slots", () => {
  const asked: string[] = [];
  const byWord = countByWord((text) => asked.push(text) && 1);
  const longest = "x".repeat(TOKEN_CACHE_WORD_CHARS_MAX);
  expect(byWord(`${longest} ${longest} ${longest}y ${longest}y`)).toBe(4);
  expect(asked).toEqual([longest, `${longest}y`, `${longest}y`]);
  const words = Array.from({ length: 8 * TOKEN_CACHE_WORDS_MAX }, (_, i) =>
    (i * 7919).toString(36),
  );
  byWord(words.join(" "));
  asked.length = 0;
  // The newest word of a slot is the one remembered, so from the last to the first it comes first.
  byWord(words.reverse().join(" "));
  const remembered = words.length - asked.length;
  expect(remembered).toBeLessThanOrEqual(TOKEN_CACHE_WORDS_MAX);
  expect(remembered).toBeGreaterThan(TOKEN_CACHE_WORDS_MAX * 0.9);
});

it("a text of one passage is counted once, and no sentence is looked for", async () => {
  let counted = 0;
  const text = "The tenant pays. The landlord mends. ".repeat(5);
  const passages = await chunk(text, (part) => {
    counted += part.length;
    return countTokens(part);
  });
  expect(passages).toEqual([{ start: 0, end: text.length - 1, heading_path: [], anchor: null }]);
  expect(counted).toBe(text.length);
});
