/** Markdown: blocks in blocks, broken in the middle, and pieces in any order. */
import { markdownBlocks } from "../../index/markdown-blocks.ts";
import { checkPassages, checkSpans } from "./chunked.ts";
import { mutatedText, ODD_TEXTS, type Random } from "./random.ts";
import type { Target } from "./target.ts";

/** What Markdown is made of. */
export const MARKDOWN_PIECES: readonly string[] = [
  ..."# |## |###### |> |- |* |1. |99) |```|````js\n|~~~\n|---\n|===\n|***|___|| |a|b\n|-|-\n".split(
    "|",
  ),
  ...["|", "[a]: /b\n", "[a](b)", "![x](y)", "<div>\n", "</div>", "<!--", "-->", "<?", "<![CDATA["],
  ...["{#id}", " {#", "}", "`", "*", "_", "~~", "\\", "&amp;", "&#0;", "<b>", "\n", "\n\n", "    "],
  ...[
    "\t",
    "\r\n",
    "\r",
    "word",
    "Two words. ",
    "Ends? ",
    "x".repeat(300),
    "e.g. ",
    "3.14 ",
    "...",
  ],
  ...["word ".repeat(60), ".".repeat(50), " ".repeat(200), "\n".repeat(9), "猫".repeat(40)],
];

const inline = (random: Random) => {
  const words = () => random.pick(["text", "*em*", "`code`", "[l](u)", "A sentence. ", "é", "<i>"]);
  return random.some(30, words).join(" ");
};

/** A block, which may hold others. */
function block(random: Random, depth: number): string {
  const kind = random.below(depth > 4 ? 4 : 8);
  if (kind === 0) return `${"#".repeat(1 + random.below(7))} ${inline(random)}\n\n`;
  if (kind === 1) return `${inline(random)}\n\n`;
  if (kind === 2) return `\`\`\`js\n${inline(random)}\n${random.once(4) ? "" : "```\n\n"}`;
  if (kind === 3) return `| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(random.below(80))}\n`;
  const inner = Array.from({ length: 1 + random.below(3) }, () => block(random, depth + 1)).join(
    "",
  );
  const mark = random.pick(["> ", "- ", "1. ", "    "]);
  const rest = mark === "> " ? "> " : " ".repeat(mark.length);
  return `${mark}${inner.trimEnd().replaceAll("\n", `\n${rest}`)}\n\n`;
}

function someText(random: Random): string {
  if (random.once(3)) return random.joined([...MARKDOWN_PIECES, ...ODD_TEXTS], 80);
  const text = Array.from({ length: random.below(9) }, () => block(random, 0)).join("");
  return random.once(2) ? text : mutatedText(text, random, MARKDOWN_PIECES);
}

export const markdownTexts: Target = {
  name: "markdown",
  about: "texts as Markdown and as plain text: passages cover them, in order, in bounds",
  cases: 30_000,
  short: 250,
  ends: ["blank", "one passage", "passages"],
  prepare: () => async (random, show) => {
    const text = someText(random);
    show(text);
    checkSpans(text, markdownBlocks(text).blocks);
    await checkPassages(text, "text/plain");
    const passages = await checkPassages(text, "text/markdown");
    return passages === 0 ? "blank" : passages === 1 ? "one passage" : "passages";
  },
};
