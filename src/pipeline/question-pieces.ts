/** What a question is made of, for what compares two of them: words, numbers and signs. Only white
 *  space and ordinary punctuation are left out. What a reader does not see, such as the tag
 *  characters of U+E0000, is a sign too, since a language model may read it as words. */
import { normalForm } from "../model/normal-form.ts";

export interface Piece {
  kind: "word" | "number" | "sign";
  /** As it stands in the normal form. */
  found: string;
  /** A word in lower case, its apostrophe straight; a number in ASCII digits, without the commas
   *  between thousands. */
  plain: string;
  /** Whether a sentence begins with it. */
  begins: boolean;
  /** Whether it is a letter that names something, as in "vitamin A" or "Elizabeth I"; an article,
   *  a pronoun and the s of a genitive are none. */
  letter: boolean;
}

const WORD = /(?:(?!\p{DI})[\p{L}\p{M}])+(?:'(?:(?!\p{DI})[\p{L}\p{M}])+)?/u;
/** The s of a decade is a part of it. */
const NUMBER = /(?:(?<![\p{L}\p{M}\p{Nd}.,])\.\d+|\d+)(?:[.,]\d+)*(?:'?s(?![\p{L}\p{M}\p{Nd}]))?/u;
/** A hyphen within a word joins, and is none; a mark of exclamation is one where it may be a
 *  factorial or a negation, a colon between digits. */
const SIGN = [
  /(?<![\p{L}\p{M}\p{Nd}])-|(?<=[\p{L}\p{M}])-(?![\p{L}\p{M}\p{Nd}])|(?<=\p{Nd})-(?![\p{L}\p{M}])/u,
  /(?<=[\p{Nd})\]}])!+|(?<=(?<![\p{L}\p{M}'])\p{L})!+|!(?=[=\p{L}\p{Nd}([{])|(?<=\d):(?=\d)/u,
  /\p{DI}|[^\p{L}\p{M}\p{Nd}\p{White_Space}.,;:?!'"“”„‟«»‹›¿¡…、。「」『』،؛؟।-]/u,
];
const PIECE = new RegExp(
  `(${WORD.source})|(${NUMBER.source})|${SIGN.map(({ source }) => source).join("|")}`,
  "gu",
);

/** O(characters). */
export function piecesOf(question: string): Piece[] {
  const text = normalOf(question);
  const pieces: Piece[] = [];
  let begins = true;
  let until = 0;
  let before: Piece | null = null;
  for (const { 0: found, 1: word, 2: number, index } of text.matchAll(PIECE)) {
    const between = text.slice(until, index);
    if (/[.?!:]\p{White_Space}/u.test(between)) begins = true;
    until = index + found.length;
    const kind = word !== undefined ? "word" : number !== undefined ? "number" : "sign";
    const plain = kind === "number" ? plainNumber(found) : found.toLowerCase();
    const piece: Piece = { kind, found, plain, begins, letter: false };
    piece.letter = kind === "word" && isLetter(piece, { text, until, before, between });
    pieces.push(piece);
    if (kind !== "sign") begins = false;
    before = piece;
  }
  return pieces;
}

/** NFKC, without what that makes alike and is not: 5² is no 52, 1½ no 11/2. Digits of all scripts
 *  become ASCII, dashes and apostrophes one of each. */
export function normalOf(text: string): string {
  const apart = text
    .replace(/[\u00b2\u00b3\u00b9\u2070-\u207f]+/g, "^$&")
    .replace(/[\u00bc-\u00be\u2150-\u215f\u2189]/g, " $&");
  return normalForm(apart, "NFKC")
    .replace(/[^\P{Nd}0-9]/gu, asciiDigit)
    .replace(/[\p{Pd}\u2212]/gu, "-")
    .replace(/[\u2018\u2019\u201a\u201b]/g, "'");
}

/** Unicode has the digits of a script in a row from 0, and rows that touch begin at multiples of
 *  ten from each other. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0)!;
  let zero = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String((code - zero) % 10);
}

/** Commas stand between thousands, or, as in India, between hundreds of them; elsewhere they may
 *  be a decimal point. */
function plainNumber(found: string): string {
  const bare = found.replace("'", "");
  const number = bare.startsWith(".") ? `0${bare}` : bare;
  return /^\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?$/.test(number)
    ? number.replaceAll(",", "")
    : number;
}

interface Place {
  text: string;
  /** Where the piece ends. */
  until: number;
  before: Piece | null;
  /** What stands between the piece before and this one. */
  between: string;
}

const set = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Words behind which an "a" is no article, though in lower case. */
const NAMED_BY_LETTER = set(`
  vitamin vitamins hepatitis influenza protein gate gates terminal platform group class section
  schedule appendix annex exhibit`);

/** Words behind which "I" is whoever asks, and those of them that may end a question with it. */
const BEFORE_LAST_I = set(`
  am was can could should would will must may might shall and or than can't couldn't shouldn't`);
const BEFORE_I = BEFORE_LAST_I.union(
  set(`
  do did have had don't didn't won't wouldn't haven't hadn't if when where how what which who whom
  why that but before after as because while until since so then know`),
);

function isLetter({ found, begins }: Piece, { text, until, before, between }: Place): boolean {
  const letter = found.replace(/'s$/i, "");
  if (!/^[\p{Lu}\p{Ll}]$/u.test(letter)) return false;
  // The s of "O'Brien's".
  if (between === "'" && before?.kind === "word") return false;
  const rest = text.slice(until);
  if (/^i$/i.test(letter)) return !begins && !between.includes(",") && !isAsker(before, rest);
  if (!/^a$/i.test(letter) || (letter === "A" && !begins)) return true;
  if (before !== null && NAMED_BY_LETTER.has(before.plain)) return true;
  // An article stands alone before a word.
  const at = until - found.length;
  const spaced = at === 0 || /[\p{White_Space}("']/u.test(text[at - 1]!);
  return !spaced || !/^\p{White_Space}+["'(]?[\p{L}\p{Nd}]/u.test(rest);
}

/** Whether an "I" behind that piece is a pronoun. "Doctor Who" is a name, for all its words. */
function isAsker(before: Piece | null, rest: string): boolean {
  if (before === null || (!before.begins && /^\p{Lu}/u.test(before.found))) return false;
  const last = /^[\p{White_Space}"']*(?:$|[.?!])/u.test(rest);
  return (last ? BEFORE_LAST_I : BEFORE_I).has(before.plain);
}
