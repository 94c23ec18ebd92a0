/** Texts made of a few pieces, repeated: what reads them takes no more than linear time. Time is
 *  taken, so this is for the command alone; a case that seems slow is taken several times. */
import { chunk } from "../../index/chunk.ts";
import { htmlToMarkdown } from "../../index/html-to-markdown.ts";
import { markdownBlocks } from "../../index/markdown-blocks.ts";
import { ChatTemplate } from "../../src/model/chat-template.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { isWordForWord } from "../../src/pipeline/notes-match.ts";
import { citedNumbers } from "../../src/pipeline/prompt.ts";
import { redact } from "../../src/pipeline/redact.ts";
import { priorFeatures, splitPrompt } from "../../src/router/prior-features.ts";
import { countTokens } from "../index/passages.ts";
import { toyBpe } from "../model/toy-vocabulary.ts";
import { ROLE_PIECES } from "./chat-templates.ts";
import { writtenExpressions } from "./expressions.ts";
import { HTML_PIECES } from "./html.ts";
import { MARKDOWN_PIECES } from "./markdown.ts";
import { ODD_TEXTS, type Random } from "./random.ts";
import { must, refusalOf, type Target } from "./target.ts";
import { TOKEN_PIECES } from "./tokenizers.ts";

/** The longer text is four times the shorter: linear work takes four times as long, quadratic
 *  sixteen. Below SURE_MS the clock and the collector say more than the work. */
const CHARS = 12_000;
const TIMES = 4;
const RATIO_MAX = 9;
const SURE_MS = 40;
const SURELY_MS = 1_000;
const TRIES = 7;

interface Reader {
  name: string;
  pieces: readonly string[];
  read(text: string): unknown;
}

function readers(): Reader[] {
  const metadata = toyBpe({ pre: "qwen2", controls: ["<|im_start|>", "<|im_end|>"] });
  const tokenizer = loadTokenizer(metadata);
  const template = ChatTemplate.from(metadata, tokenizer);
  const marks = [
    "[",
    "1",
    ",",
    " ",
    "]",
    "12",
    "[1]",
    "?",
    "\n",
    "a",
    "<",
    "/",
    "passage",
    ".",
    "@",
  ];
  const secrets = [
    "key=",
    "sk-",
    "eyJ",
    "-----BEGIN ",
    "-----",
    "://",
    "a:b@",
    "bearer ",
    "555-",
    "+1",
  ];
  return [
    { name: "markdown", pieces: MARKDOWN_PIECES, read: markdownBlocks },
    { name: "passages", pieces: MARKDOWN_PIECES, read: (text) => chunk(text, countTokens) },
    {
      name: "markdown's passages",
      pieces: MARKDOWN_PIECES,
      read: (text) => chunk(text, countTokens, "text/markdown"),
    },
    { name: "html", pieces: HTML_PIECES, read: htmlToMarkdown },
    { name: "tokenizer", pieces: TOKEN_PIECES, read: (text) => tokenizer.encode(text) },
    {
      name: "chat",
      pieces: ROLE_PIECES,
      read: (content) => template.render([{ role: "user", content }]),
    },
    { name: "citations", pieces: marks, read: (text) => citedNumbers(text, 9) },
    {
      name: "redaction",
      pieces: [...secrets, ...marks],
      read: (text) => redact(text, text.length),
    },
    { name: "notes", pieces: marks, read: (text) => isWordForWord(text, "x") },
    {
      name: "difficulty",
      pieces: [...marks, "A) ", "who "],
      read: (text) => priorFeatures(splitPrompt(text)),
    },
  ];
}

/** Characters that an expression names: those that its parts could trade. */
function piecesOf({ source }: RegExp): string[] {
  const plain = source.replace(/\\[a-zA-Z]|\(\?<?[:=!]/g, "");
  const own = [...new Set(plain)].filter((one) => !"()|*+?^$\\".includes(one));
  const words = source.match(/[a-z]{2,}/gi) ?? [];
  return [...own, ...words, " ", "a", "A", "1", "\n", ".", "é"];
}

async function msOf(read: Reader["read"], text: string): Promise<number> {
  const start = performance.now();
  await read(text);
  return performance.now() - start;
}

/** Whether the text four times takes more than linear time, by the shortest of several, to which
 *  others' work and the collector add least. */
async function grows({ read }: Reader, text: string): Promise<boolean> {
  let [once, more] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let tries = 0; tries < TRIES; tries++) {
    once = Math.min(once, await msOf(read, text));
    more = Math.min(more, await msOf(read, text.repeat(TIMES)));
    if (more > SURELY_MS && more > RATIO_MAX * once) return true;
    // A shorter time of the short text may yet come, so the first is not believed.
    if (more <= SURE_MS || (tries > 0 && more <= RATIO_MAX * once)) return false;
  }
  return true;
}

/** Whether it grows so twice: from the text to four times it, and to sixteen. */
async function isSlow(reader: Reader, cycle: string): Promise<boolean> {
  const text = cycle.repeat(Math.ceil(CHARS / cycle.length));
  return (await grows(reader, text)) && (await grows(reader, text.repeat(TIMES)));
}

function someCycle(pieces: readonly string[], random: Random): string {
  const from = random.once(4) ? [...pieces, ...ODD_TEXTS] : pieces;
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(from)).join("") || " ";
}

export const longTexts: Target = {
  name: "long-texts",
  about: "pieces repeated, through every reader of texts and every expression: no more than linear",
  cases: 4_000,
  short: 0,
  ends: ["linear", "invalid_request"],
  prepare: () => {
    const own = readers();
    const expressions = writtenExpressions().literals.map(({ place, regex }): Reader => {
      const all = new RegExp(regex.source, `${regex.flags.replace("g", "")}g`);
      return { name: place, pieces: piecesOf(regex), read: (text) => text.replace(all, "") };
    });
    return async (random, show) => {
      const reader = random.pick(random.once(3) ? own : expressions);
      const cycle = someCycle(reader.pieces, random);
      const before = random.pick(["", "a", "# ", "<pre>", '{"'].concat(reader.pieces));
      show([reader.name, before, cycle]);
      const read = (text: string) => reader.read(`${before}${text}\u0001`);
      try {
        must(!(await isSlow({ ...reader, read }, cycle)), "more than linear");
        return "linear";
      } catch (error) {
        return refusalOf(error);
      }
    };
  },
};
