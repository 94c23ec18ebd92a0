/** 10,000 strings for the tokenizer's test, always the same. Run as a program, it prints them as
 *  JSON, which is how train/tokenizer_fixture.py gets them. None has a lone surrogate: the
 *  reference, whose strings are UTF-8, cannot be given one. */
import { pathToFileURL } from "node:url";

export const STRINGS = 10_000;

const SENTENCES = [
  "The quick brown fox jumps over the lazy dog.",
  "Who signed the lease on 3 May 1987, and for how much ($1,250.75)?",
  "It's a well-known fact: O'Neill's co-authors weren't consulted; e.g. Smith et al. (2019).",
  "Naïve façades, jalapeño and crème brûlée at the Café Zoë cost £9.50 or €10–12…",
  "ÀÉÎÕÜ Ångström Łódź Dvořák Škoda İstanbul ıssız Straße ẞ ﬁnance ﬂow ǅ",
  "Ελληνικά: ΟΔΥΣΣΕΥΣ, ὀδυσσεύς — τίς ἀνδρῶν;",
  "Съешь же ещё этих мягких французских булок, да выпей чаю. Ёлка й",
  "東京は日本の首都です。カタカナとひらがな、ガギグゲゴ。",
  "中华人民共和国的首都是北京，人口约2188万。繁體字與简体字",
  "한국어 문장입니다. 안녕하세요, 세계!",
  "العَرَبِيَّة لغة سامية، والقاهرة عاصمة مصر؟",
  "עִבְרִית היא שפה שמית.",
  "हिन्दी भारत की राजभाषा है। ক্ষ ภาษาไทย ខ្មែរ",
  "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 👍🏽 ok, 1️⃣ keycap, 🇫🇷, ©®™ ☃︎",
  "f(x) = ∑ᵢ αᵢ·xᵢ² ≤ ∞, ½ ¼ ² ³ № ℃ Å µm Ⅷ ⓐ ﷺ",
  "https://example.com/a_b?q=1&r=%20#frag user.name+tag@mail.example.org",
  "const x = { a: [1, 2], 'b': \"c\" }; // <T extends U> && !y || ~z ^ `w`",
  "a\u0000b\u0001c\u200bd\u200ce\u200df\u2060g\ufeffh\u00adi\u202ej\u2066k",
  "tab\tnewline\ncarriage\rvertical\u000bform\u000cnbsp\u00a0em\u2003ideographic\u3000line\u2028",
  "[CLS] [SEP] [MASK] [PAD] [UNK] [unused1] ##ing ▁the a▁the ▁",
  "pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism supercalifragilistic",
  "q\u0323\u0307 e\u0301\u0302 o\u0308\u0304 a\u0328\u0301 \u0301x \u0345 n\u0303n\u0303",
  "unaffable tokenization WordPiece embeddings transformers MiniLM GPT-4 BM25 Q8_0 GGUF",
];

/** Ranges that a random character is drawn from; what no release of Unicode will rename. */
const RANGES = [
  [0x20, 0x7e],
  [0x20, 0x7e],
  [0x61, 0x7a],
  [0x00, 0x1f],
  [0x7f, 0x24f],
  [0x250, 0x3ff],
  [0x400, 0x52f],
  [0x590, 0x6ff],
  [0x900, 0xdff],
  [0xe00, 0x11ff],
  [0x1e00, 0x1fff],
  [0x2000, 0x2bff],
  [0x3000, 0x30ff],
  [0x3400, 0x9fff],
  [0xac00, 0xd7a3],
  [0xe000, 0xfaff],
  [0xfb00, 0xffff],
  [0x10000, 0x1ffff],
  [0x20000, 0x2fa1f],
  [0xe0000, 0xe01ef],
] as const;

/** mulberry32: a seeded generator of integers below `n`. */
export function seeded(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** No range touches the surrogates. */
function randomChars(below: (n: number) => number, count: number): string {
  const [first, last] = RANGES[below(RANGES.length)]!;
  let text = "";
  for (let i = 0; i < count; i++) text += String.fromCodePoint(first + below(last - first + 1));
  return text;
}

/** A sentence with one thing done to it, or random characters. */
function oneString(below: (n: number) => number): string {
  const sentence = Array.from(SENTENCES[below(SENTENCES.length)]!);
  const at = below(sentence.length + 1);
  const [head, tail] = [sentence.slice(0, at).join(""), sentence.slice(at).join("")];
  const kind = below(10);
  if (kind === 0) return head + randomChars(below, 1 + below(12)) + tail;
  if (kind === 1) return head + String.fromCodePoint(0x300 + below(0x70)) + tail;
  if (kind === 2) return tail.toUpperCase() + head;
  if (kind === 3)
    return (
      head +
      tail
        .replaceAll(" ", "")
        .slice(0, 120)
        .replace(/\p{Cs}/gu, "")
    );
  if (kind === 4) return head.normalize("NFD") + tail.normalize("NFKC");
  if (kind === 5) return `${head} ${"ab".repeat(45 + below(8))}${below(2) ? "c" : ""} ${tail}`;
  if (kind === 6) return sentence.filter(() => below(4) > 0).join("");
  if (kind === 7) return Array.from({ length: 6 }, () => randomChars(below, below(9))).join(" ");
  if (kind === 8) return Array.from({ length: 6 }, () => randomChars(below, below(4))).join("");
  return head + (SENTENCES[below(SENTENCES.length)] ?? "") + tail;
}

/** The strings, in order. */
export function wordpieceStrings(): string[] {
  const below = seeded(20261123);
  return Array.from({ length: STRINGS }, () => oneString(below));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.stdout.write(JSON.stringify(wordpieceStrings()));
