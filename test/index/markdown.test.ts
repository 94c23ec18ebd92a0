import fc from "fast-check";
import { expect, it } from "vitest";
import { chunk } from "../../index/chunk.ts";
import { markdownBlocks } from "../../index/markdown-blocks.ts";
import { HEADING_CHARS_MAX, PASSAGE_TOKENS_MAX } from "../../src/limits.ts";
import { countTokens, expectLossless } from "./passages.ts";

const seed = 20261124;

function outline(text: string) {
  return markdownBlocks(text).sections.map(({ heading_path, anchor }) => [
    heading_path.join(" > "),
    anchor,
  ]);
}

function shown(text: string) {
  return markdownBlocks(text).blocks.map(({ start, end, kind }) => [kind, text.slice(start, end)]);
}

const PIECES = [
  "# Title\n¦## A *b* `c`\n¦Setext\n===\n¦two\nlines\n---\n¦- item\n¦  - inner\n¦    more\n",
  "1. one\n¦> quote\n¦> # in a quote\n¦```js\n¦~~~~\n¦```\n¦    code\n¦<div>\n¦</div>\n¦<!-- a\n",
  "[a]: /b\n¦---\n¦+++\n¦a | b\n¦-|-\n¦x|y|z\n¦***\n¦\n¦\n\n¦\r\n¦\r¦\t¦  ¦\u2028",
  "words of a paragraph. ¦\u0000¦😀",
].flatMap((pieces) => pieces.split("¦"));
const LONG = ["long".repeat(120), "many words make one sentence ".repeat(60), "x\n".repeat(300)];
const texts = fc
  .array(fc.constantFrom(...PIECES, ...LONG), { maxLength: 60 })
  .map((pieces) => pieces.join(""));

it("blocks and passages are in order, apart, and cover all that is no whitespace", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      expectLossless(text, markdownBlocks(text).blocks);
      const passages = await chunk(text, countTokens, "text/markdown");
      expectLossless(text, passages);
      for (const { start, end } of passages)
        expect(countTokens(text.slice(start, end))).toBeLessThanOrEqual(PASSAGE_TOKENS_MAX);
    }),
    { seed, numRuns: 400 },
  );
});

it("blocks are CommonMark's: a # in code is no heading, an underlined paragraph is one", () => {
  const text =
    "---\ntitle: x\n---\nLease\n=====\n\nText\nof it.\n\n```sh\n# no heading\n```\n\n" +
    "- one\n- two\n\n  ## in an item\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" +
    "## Rent ##\n";
  expect(shown(text)).toEqual([
    ["rows", "---\ntitle: x\n---"],
    ["heading", "Lease\n====="],
    ["prose", "Text\nof it."],
    ["code", "```sh\n# no heading\n```"],
    ["prose", "- one"],
    ["prose", "- two"],
    ["prose", "## in an item"],
    ["prose", "> quoted"],
    ["rows", "| a | b |\n|---|---|\n| 1 | 2 |"],
    ["heading", "## Rent ##"],
  ]);
  expect(outline(text)).toEqual([
    ["Lease", "lease"],
    ["Lease > Rent", "rent"],
  ]);
});

it("anchors are GitHub's, numbered where they repeat, unless the heading brings its own", () => {
  const text =
    "# What's *new* in `v1.2`?\n# Same\n# Same\n# same-1\n# Same\n# Ünïcode 猫 – x_y\n" +
    "# [Link](/a)\n# Own {#chosen}\n# ?!\n# a &amp; b\n";
  expect(outline(text).map(([, anchor]) => anchor)).toEqual([
    "whats-new-in-v12",
    "same",
    "same-1",
    "same-1-1",
    "same-2",
    "ünïcode-猫--x_y",
    "link",
    "chosen",
    null,
    "a--b",
  ]);
  expect(outline("# *A* `b` [c](d) &lt; e {#own}\n")).toEqual([["A b c < e", "own"]]);
});

it("a path holds a heading for each level above, whatever levels are left out", () => {
  const text = "### C\n# A\n### B\n## D\n###### E\n# F\n";
  expect(outline(text).map(([path]) => path)).toEqual([
    "C",
    "A",
    "A > B",
    "A > D",
    "A > D > E",
    "F",
  ]);
});

it("a passage bears the headings above its beginning, its own among them", async () => {
  const prose = "Some words that say a thing. ".repeat(12);
  const text = `# Doc\n\n## First\n\n${prose}\n\n${prose}\n\n## Second\n\n${prose}`;
  const passages = await chunk(text, countTokens, "text/markdown");
  expect(passages.map(({ heading_path, anchor }) => [...heading_path, anchor])).toEqual([
    ["Doc", "First", "first"],
    ["Doc", "Second", "second"],
  ]);
  const plain = await chunk(text, countTokens);
  expect(plain.every(({ heading_path, anchor }) => heading_path.length === 0 && !anchor)).toBe(
    true,
  );
});

it("a fence that fits a passage is not cut, a longer one is cut between its lines", async () => {
  const prose = "Some words that say a thing. ".repeat(15);
  const fence = (n: number) => `\`\`\`\n${"let a = 1. Then b;\n".repeat(n)}\`\`\``;
  for (const n of [3, 10, 20]) {
    const text = `${prose}\n\n${fence(n)}\n\n${prose}`;
    const passages = await chunk(text, countTokens, "text/markdown");
    expect(passages.some(({ start, end }) => text.slice(start, end).includes(fence(n)))).toBe(true);
  }
  const text = fence(100);
  const passages = await chunk(text, countTokens, "text/markdown");
  expect(passages.length).toBeGreaterThan(3);
  for (const { end } of passages.slice(0, -1)) expect(text[end]).toBe("\n");
});

it("a heading that is cut ends with a whole character, with markup and without", () => {
  for (const before of ["", "a", "*b* ", "*b* a", "**".repeat(398), `${"**".repeat(398)}a`]) {
    const text = `# ${before}${"😀".repeat(500)}\n\nText.\n`;
    const [heading] = markdownBlocks(text).sections[0]!.heading_path;
    expect(heading!.isWellFormed()).toBe(true);
    expect(heading!.length).toBeLessThanOrEqual(HEADING_CHARS_MAX);
  }
});

it("a heading is not parted from what follows it", async () => {
  const prose = "Some words that say a thing. ".repeat(3);
  const fence = `\`\`\`\n${"let a = 1. Then b;\n".repeat(22)}\`\`\``;
  const text = `${prose}\n\n## Code\n\n### Of it\n\n${fence}\n`;
  const passages = await chunk(text, countTokens, "text/markdown");
  expect(passages.map(({ start, end }) => text.slice(start, end))).toEqual([
    prose.trim(),
    `## Code\n\n### Of it\n\n${fence}`,
  ]);
  expect(passages[1]!.heading_path).toEqual(["Code", "Of it"]);
});

it("a short Markdown text is one passage, with its heading", async () => {
  expect(await chunk("# Rent\n\nIt is due.\n", countTokens, "text/markdown")).toEqual([
    { start: 0, end: 18, heading_path: ["Rent"], anchor: "rent" },
  ]);
  expect(await chunk("It is due.\n", countTokens, "text/markdown")).toEqual([
    { start: 0, end: 10, heading_path: [], anchor: null },
  ]);
});

it("a byte order mark hides neither the first heading nor front matter", async () => {
  const text = "# Birds\n\nThe heron is back.";
  const [first] = await chunk(`\ufeff${text}`, countTokens, "text/markdown");
  expect(first).toEqual({ start: 1, end: 28, heading_path: ["Birds"], anchor: "birds" });
  const long = `\ufeff${text}\n\n${"The heron is back. ".repeat(200)}`;
  const passages = await chunk(long, countTokens, "text/markdown");
  expectLossless(long, passages);
  for (const { heading_path } of passages) expect(heading_path).toEqual(["Birds"]);
  const front = "---\ntitle: # no heading\n---";
  expect(shown(`\ufeff${front}\n${text}`)).toEqual([
    ["rows", front],
    ["heading", "# Birds"],
    ["prose", "The heron is back."],
  ]);
});

it("texts made to be slow are cut too", async () => {
  const kinds = [
    ...[
      ">",
      "> ",
      "- ",
      "> - ",
      "1. ",
      "#",
      "# ",
      "`",
      "```\n",
      "~~~ ",
      "[a]: ",
      "[a\n",
      "*a",
      "[",
    ],
    ...[
      "a\n",
      "a\n-\n",
      "\t",
      "<!--\n\n",
      "<div>\n",
      "\\",
      "&amp;",
      "|a",
      "a|b\n-|-\n",
      "---\n",
      "\r",
    ],
  ];
  for (const kind of kinds) {
    const text = kind.repeat(Math.ceil(50_000 / kind.length));
    expectLossless(text, await chunk(text, countTokens, "text/markdown"));
    expectLossless(`# ${text}`, await chunk(`# ${text}`, countTokens, "text/markdown"));
  }
});
