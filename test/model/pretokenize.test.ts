/** Pre-tokenizers against a scanner written from the published patterns, character by character,
 *  and against what llama.cpp gives for vocabularies whose file is not at hand. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { preTokenizer } from "../../src/model/pretokenize.ts";
import { spmStrings } from "./spm-strings.ts";
import { wordpieceStrings } from "./wordpiece-strings.ts";

const vocabularies = join(import.meta.dirname, "../../../shared/data/tokenizers/gguf-vocab");
const fixture = (name: string) => join(vocabularies, `ggml-vocab-${name}.gguf`);
const textsOf = (name: string) =>
  readFileSync(`${fixture(name)}.inp`, "utf8").split("\n__ggml_vocab_test__\n");

const letter = /^\p{L}$/u;
const digit = /^\p{N}$/u;
/** Unicode's White_Space: not U+FEFF, but U+0085. */
const SPACES = new Set(
  [
    0x09,
    0x0a,
    0x0b,
    0x0c,
    0x0d,
    0x20,
    0x85,
    0xa0,
    0x1680,
    0x2028,
    0x2029,
    0x202f,
    0x205f,
    0x3000,
    ...Array.from({ length: 11 }, (_, i) => 0x2000 + i),
  ].map((point) => String.fromCodePoint(point)),
);
const isSpace = (char?: string) => char !== undefined && SPACES.has(char);
const isLetter = (char?: string) => char !== undefined && letter.test(char);
const isDigit = (char?: string) => char !== undefined && digit.test(char);
const isOther = (char?: string) =>
  char !== undefined && !isSpace(char) && !isLetter(char) && !isDigit(char);
const isNewline = (char?: string) => char === "\n" || char === "\r";

/** How many characters from `at` on satisfy `is`, at most `max`. */
function run(chars: string[], at: number, is: (char?: string) => boolean, max = Infinity): number {
  let n = 0;
  while (n < max && is(chars[at + n])) n++;
  return n;
}

function contraction(chars: string[], at: number, anyCase: boolean): number {
  if (chars[at] !== "'") return 0;
  const text = chars.slice(at + 1, at + 3).join("");
  const lower = anyCase ? text.replace(/[A-Z]/g, (char) => char.toLowerCase()) : text;
  if (/^[stmd]/.test(lower)) return 2;
  return /^(re|ve|ll)/.test(lower) ? 3 : 0;
}

/** A run of spaces: all of it at the end of the text, else all but the last, or the only one. */
function spaceRun(chars: string[], at: number): number {
  const n = run(chars, at, isSpace);
  return at + n < chars.length && n > 1 ? n - 1 : n;
}

/** Characters of the word at `at`, by GPT-2's pattern. */
function gpt2Word(chars: string[], at: number): number {
  const short = contraction(chars, at, false);
  if (short > 0) return short;
  const space = chars[at] === " " ? 1 : 0;
  for (const is of [isLetter, isDigit, isOther]) {
    const n = run(chars, at + space, is);
    if (n > 0) return space + n;
  }
  return spaceRun(chars, at);
}

/** Characters of the word at `at`, by the pattern of Llama 3 (3 digits) and Qwen2 (1). */
function tiktokenWord(digitsMax: number) {
  return (chars: string[], at: number): number => {
    const short = contraction(chars, at, true);
    if (short > 0) return short;
    const first = chars[at];
    const prefix = !isNewline(first) && !isLetter(first) && !isDigit(first) ? 1 : 0;
    const letters = run(chars, at + prefix, isLetter);
    if (letters > 0) return prefix + letters;
    const digits = run(chars, at, isDigit, digitsMax);
    if (digits > 0) return digits;
    const space = first === " " ? 1 : 0;
    const others = run(chars, at + space, isOther);
    if (others > 0) return space + others + run(chars, at + space + others, isNewline);
    const spaces = chars.slice(at, at + run(chars, at, isSpace));
    const newline = spaces.findLastIndex(isNewline);
    return newline >= 0 ? newline + 1 : spaceRun(chars, at);
  };
}

function scan(text: string, word: (chars: string[], at: number) => number): string[] {
  const chars = Array.from(text);
  const words: string[] = [];
  for (let at = 0; at < chars.length; at += Array.from(words.at(-1)!).length)
    words.push(chars.slice(at, at + word(chars, at)).join(""));
  return words;
}

const SCANNERS: Record<string, (text: string) => string[]> = {
  "gpt-2": (text) => scan(text, gpt2Word),
  "llama-bpe": (text) => scan(text, tiktokenWord(3)),
  qwen2: (text) => scan(text.normalize("NFC"), tiktokenWord(1)),
  stablelm2: (text) => scan(text, tiktokenWord(1)),
  smollm: (text) => {
    // Every digit is cut out first; the rest knows nothing of what was beside it.
    const parts: string[] = [""];
    for (const char of text)
      if (isDigit(char)) parts.push(char, "");
      else parts.push(parts.pop()! + char);
    return parts.flatMap((part) => scan(part, gpt2Word));
  },
};

const EDGES = [
  "",
  " ",
  "  ",
  " 1",
  "a  1  b",
  "x'S'll'LL'ſ 'rE're",
  "\u0085\ufeff\u180e a\u0085b \ufeffc",
  "\r\n \n\t\n  a",
  "!!\n\n!! \n",
  "½²①Ⅷ४ 12345 1.5",
  "\ud800 a\udc00b",
  "I'm 'midst I'M it’s",
  "e\u0301t\u0065\u0323\u0302 \u1112\u1161\u11ab 2\u0301 \u212b\u2126",
];

describe.each(Object.keys(SCANNERS))("%s", (name) => {
  const texts = [...EDGES, ...wordpieceStrings(), ...spmStrings().slice(0, 4_000)];
  if (existsSync(fixture("gpt-2"))) texts.push(...textsOf("gpt-2"));

  it("cuts texts as its published pattern says, and loses nothing", () => {
    const pre = preTokenizer(name);
    for (const text of texts) {
      const words = [...pre.words(text)];
      expect(words.join("")).toBe(name === "qwen2" ? text.normalize("NFC") : text);
      expect(words).toEqual(SCANNERS[name]!(text));
    }
  });
});

/** Each word of the fixture's texts has its ids: known where a text is one word, and inferred where
 *  all other words of a text are known. Where the words are cut wrongly, these contradict. */
function inferWords(
  name: string,
  pre = preTokenizer(name),
): { known: Map<string, string>; wrong: string[] } {
  const outs = readFileSync(`${fixture(name)}.out`, "utf8").split("\n");
  const texts = textsOf(name).map((text, i) => ({
    words: [...pre.words(text)],
    ids: outs[i]!.trim().split(" ").filter(Boolean),
  }));
  const known = new Map<string, string>();
  const wrong: string[] = [];
  for (let before = -1; before < known.size; ) {
    before = known.size;
    for (const { words, ids } of texts) {
      let [from, to, first, last] = [0, ids.length, 0, words.length];
      const take = (word: string) => known.get(word)?.split(" ");
      for (let id = take(words[first]!); first < last && id; id = take(words[first]!)) {
        if (ids.slice(from, from + id.length).join(" ") !== id.join(" ")) wrong.push(words[first]!);
        from += id.length;
        first++;
      }
      for (let id = take(words[last - 1]!); first < last && id; id = take(words[last - 1]!)) {
        if (ids.slice(to - id.length, to).join(" ") !== id.join(" ")) wrong.push(words[last - 1]!);
        to -= id.length;
        last--;
      }
      if (last - first === 1) known.set(words[first]!, ids.slice(from, to).join(" "));
      else if (to - from < last - first) wrong.push(words.join("|"));
    }
  }
  return { known, wrong };
}

describe.skipIf(!existsSync(vocabularies))("llama.cpp's ids (needs ../shared/data)", () => {
  it.each(["llama-bpe", "qwen2", "gpt-2"])("of %s agree with its words", (name) => {
    const { known, wrong } = inferWords(name);
    expect(wrong).toEqual([]);
    expect(known.size).toBeGreaterThanOrEqual(20);
  });

  it("of llama-bpe contradict the words of qwen2", () => {
    expect(inferWords("llama-bpe", preTokenizer("qwen2")).wrong).not.toEqual([]);
  });
});

it("a name that is not known is refused with those that are", () => {
  const refused = expect.objectContaining({
    code: "invalid_model_file",
    message: expect.stringMatching(/tekken; Brink knows gpt-2, .*llama-bpe, .*smollm, .*qwen2/),
  });
  expect(() => preTokenizer("tekken")).toThrow(refused);
});
