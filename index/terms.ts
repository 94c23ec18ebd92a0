/** Text to index terms. The same function serves documents and queries, so the two cannot drift. */
import porter2 from "wink-porter2-stemmer";
import { normalForm } from "../src/model/normal-form.ts";

/** Longer terms are cut: they are hashes and base64, and a cut one still equals itself. */
export const TERM_CHARS_MAX = 64;

/** Stems kept for reuse, twice: those found lately, and those of the round before. English texts
 *  repeat a few ten thousand word forms; 4 MB at most. */
const STEMS_CACHED_MAX = 20_000;

/** Lucene's English stopwords (EnglishAnalyzer.ENGLISH_STOP_WORDS_SET), all 33. */
export const STOPWORDS: ReadonlySet<string> = new Set(
  (
    "a an and are as at be but by for if in into is it no not of on or such that the their then " +
    "there these they this to was will with"
  ).split(" "),
);

const WORD = /[\p{L}\p{M}\p{N}_]+/gu;
const ASCII = /^\p{ASCII}*$/u;

/** Scripts written without spaces (Hangul too: its particles cling to the noun). */
const UNSPACED = new RegExp(
  `[${"Han Hiragana Katakana Hangul Thai Lao Khmer Myanmar"
    .split(" ")
    .map((script) => `\\p{Script=${script}}`)
    .join("")}\u30fc\u3005]+`,
  "gu",
);

let stems = new Map<string, string>();
let earlier = new Map<string, string>();

/** The Snowball English stem of a lower-case word; anything else comes back as it is or nearly so.
 *  The library marks consonant y with the digit 3, so a real 3 travels as U+0001. */
export function stem(word: string): string {
  const known = stems.get(word);
  if (known !== undefined) return known;
  const result = earlier.get(word) ?? stemmed(word);
  if (stems.size >= STEMS_CACHED_MAX) {
    earlier = stems;
    stems = new Map();
  }
  stems.set(word, result);
  return result;
}

function stemmed(word: string): string {
  if (!word.includes("3")) return porter2(word);
  return porter2(word.replaceAll("3", "\u0001")).replaceAll("\u0001", "3");
}

/** The terms of a text in order, repeated as often as they occur: lower case after NFKC, runs of
 *  two or more letters, digits, marks or underscores (Python's `(?u)\b\w\w+\b` on ASCII), without
 *  stopwords, stemmed. A run of an unspaced script becomes overlapping bigrams of characters;
 *  documents hold its single characters too, so that a query of one character finds them.
 *  O(characters). Never throws. */
export function terms(text: string, of: "document" | "query"): string[] {
  const out: string[] = [];
  const lower = normalForm(text, "NFKC").toLowerCase();
  for (const [word] of lower.matchAll(WORD)) {
    if (ASCII.test(word)) pushWord(word, out);
    else pushMixed(word, of, out);
  }
  return out;
}

/** A query's terms, each once, in the order of the text, with how often it has them. */
export function countQueryTerms(query: string): { term: string; qtf: number }[] {
  const counts = new Map<string, number>();
  for (const term of terms(query, "query")) counts.set(term, (counts.get(term) ?? 0) + 1);
  return Array.from(counts, ([term, qtf]) => ({ term, qtf }));
}

function pushWord(word: string, out: string[]): void {
  if (word.length < 2 || STOPWORDS.has(word)) return;
  out.push(word.length > TERM_CHARS_MAX ? cut(word) : stem(word));
}

/** A cut never leaves half a surrogate pair, which storage could not hold. */
function cut(word: string): string {
  return word.slice(0, TERM_CHARS_MAX).replace(/[\ud800-\udbff]$/, "");
}

function pushMixed(word: string, of: "document" | "query", out: string[]): void {
  let at = 0;
  for (const match of word.matchAll(UNSPACED)) {
    pushSpaced(word.slice(at, match.index), out);
    pushUnspaced([...match[0]], of, out);
    at = match.index + match[0].length;
  }
  pushSpaced(word.slice(at), out);
}

function pushSpaced(word: string, out: string[]): void {
  // One character beyond the BMP has length 2 and yet is one character.
  if (word.length === 2 && word.codePointAt(0)! > 0xffff) return;
  pushWord(word, out);
}

function pushUnspaced(characters: string[], of: "document" | "query", out: string[]): void {
  const alone = of === "document" || characters.length === 1;
  for (const [i, character] of characters.entries()) {
    if (alone) out.push(character);
    if (i > 0) out.push(characters[i - 1] + character);
  }
}
