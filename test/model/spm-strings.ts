/** 10,000 strings for the SentencePiece test, always the same; bench/peers/spm-fixture.mjs asks
 *  llama.cpp about them. None has a lone surrogate, since the reference takes UTF-8, and none
 *  U+0000, at which its C strings would end. */
import { seeded } from "./wordpiece-strings.ts";

export const STRINGS = 10_000;

const SENTENCES = [
  "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.",
  "One day, Tim and his mom went to the store. They saw a big, red ball!",
  'The dog said, "Can I play with you?" The cat smiled and said, "Yes, let\'s play together."',
  "Ben was sad because he lost his toy car; he looked under the bed, but it was not there.",
  "They lived happily ever after. The end.",
  "for (let i = 0; i < n; i++) { sum += a[i] * b[i]; } // O(n)",
  "def f(x):\n    if x > 1:\n\treturn x * f(x - 1)\n    return 1\n",
  '{"id": 42, "tags": ["a", "b"], "ok": true, "price": 12.50}',
  "<s>[INST] <<SYS>> be kind <</SYS>> hi [/INST]</s> <unk> <0x0A> <0xFF>",
  "Naïve façades, crème brûlée at the Café Zoë cost £9.50 or €10–12…",
  "Съешь же ещё этих мягких французских булок, да выпей чаю.",
  "東京は日本の首都です。中华人民共和国 한국어 문장입니다",
  "العَرَبِيَّة لغة سامية עִבְרִית हिन्दी ภาษาไทย",
  "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 👍🏽 ok, 1️⃣ keycap, 🇫🇷 🦙",
  "a\u0001b\u0007c\u001bd\u007fe\u0085f\u200bg\ufeffh\u00adi\u202ej\ufffdk",
  "tab\tnewline\ncarriage\r\nnbsp\u00a0em\u2003ideographic\u3000line\u2028",
  "▁ ▁▁the▁cat ▁",
  "aaaaaaaaaaaaaaaa eeeee lllll mmmm ------ ...... !!!!!! ??? ''' \"\"\"",
] as const;

const SPACES = [
  " ",
  "  ",
  "   ",
  "\t",
  "\n",
  "\r\n",
  "\n\n\n",
  "\u00a0",
  "\u3000",
  " \n ",
  "        ",
];

/** Ranges that a random character is drawn from; none touches U+0000 or the surrogates. */
const RANGES = [
  [0x20, 0x7e],
  [0x61, 0x7a],
  [0x01, 0x1f],
  [0x7f, 0x24f],
  [0x370, 0x52f],
  [0x590, 0xdff],
  [0x2000, 0x2bff],
  [0x3000, 0x9fff],
  [0xe000, 0xffff],
  [0x10000, 0x10ffff],
] as const;

function randomChars(below: (n: number) => number, count: number): string {
  const [first, last] = RANGES[below(RANGES.length)]!;
  let text = "";
  for (let i = 0; i < count; i++) text += String.fromCodePoint(first + below(last - first + 1));
  return text;
}

function oneString(below: (n: number) => number): string {
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
  const sentence = Array.from(pick(SENTENCES));
  const at = below(sentence.length + 1);
  const [head, tail] = [sentence.slice(0, at).join(""), sentence.slice(at).join("")];
  switch (below(9)) {
    case 0:
      return head + randomChars(below, 1 + below(12)) + tail;
    case 1:
      return pick(SPACES) + head + pick(SPACES) + tail + pick(SPACES);
    case 2:
      return tail.toUpperCase() + head;
    case 3:
      return (head + tail).replaceAll(" ", "");
    case 4:
      return sentence.filter(() => below(4) > 0).join("");
    case 5:
      return Array.from({ length: 6 }, () => randomChars(below, below(9))).join(pick(SPACES));
    case 6:
      return Array.from({ length: 1 + below(12) }, () => pick(SPACES)).join("");
    case 7: {
      // Letters that tokens are made of, in no order that a language has: many ties of score.
      const letters = Array.from("etaoinshrdlu  ");
      return Array.from({ length: 1 + below(60) }, () => pick(letters)).join("");
    }
    default:
      return head + pick(SENTENCES) + tail;
  }
}

/** The strings, all different, in order. */
export function spmStrings(): string[] {
  const below = seeded(20261124);
  const strings = new Set<string>();
  while (strings.size < STRINGS) strings.add(oneString(below));
  return [...strings];
}
