/** Makes of a question another one that looks like it and asks for something else. */

export interface Edit {
  name: string;
  /** Null where the edit does not fit. `names` are others that its text has. */
  apply(question: string, names: readonly string[], random: () => number): string | null;
  /** What the question is made first, so that it has what is edited; null where it cannot be. */
  prepare?(question: string, random: () => number): string | null;
}

const OPPOSITES: [string, string][] = [
  ["first", "last"],
  ["largest", "smallest"],
  ["highest", "lowest"],
  ["most", "least"],
  ["more", "less"],
  ["oldest", "youngest"],
  ["before", "after"],
  ["north", "south"],
  ["northern", "southern"],
  ["east", "west"],
  ["eastern", "western"],
  ["begin", "end"],
  ["began", "ended"],
  ["start", "end"],
  ["increase", "decrease"],
  ["increased", "decreased"],
  ["win", "lose"],
  ["won", "lost"],
  ["born", "buried"],
  ["buy", "sell"],
  ["male", "female"],
  ["men", "women"],
  ["minimum", "maximum"],
  ["public", "private"],
  ["positive", "negative"],
  ["import", "export"],
  ["son", "daughter"],
  ["father", "mother"],
  ["support", "oppose"],
  ["upper", "lower"],
  ["majority", "minority"],
  ["early", "late"],
];

const QUALIFIERS = [
  "in the 18th century",
  "before the war",
  "in Asia",
  "after 1990",
  "according to critics",
  "in the second season",
  "for women",
];

const NAME = /(?<=[a-z,;] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*/g;

/** The runs of capitalized words within a question. */
export function namesIn(question: string): string[] {
  return Array.from(question.matchAll(NAME), ([name]) => name);
}

const pick = <T>(random: () => number, items: readonly T[]): T =>
  items[Math.floor(random() * items.length)]!;

function otherNumber(question: string, _: readonly string[], random: () => number): string | null {
  const numbers = [...question.matchAll(/\b\d{1,4}\b/g)];
  if (numbers.length === 0) return null;
  const { 0: number, index } = pick(random, numbers);
  const other = String(Math.max(1, Number(number) + pick(random, [-10, -2, -1, 1, 2, 10])));
  if (other === number) return null;
  return question.slice(0, index) + other + question.slice(index + number.length);
}

function otherName(question: string, names: readonly string[], random: () => number) {
  const own = namesIn(question);
  const others = names.filter((name) => !isNear(name, question));
  if (own.length === 0 || others.length === 0) return null;
  return question.replace(pick(random, own), pick(random, others));
}

/** Whether a name's words begin as words of the question do: "Tesla's" is no other than "Tesla". */
function isNear(name: string, question: string): boolean {
  const head = name.slice(0, 4).toLowerCase();
  return question.toLowerCase().includes(head);
}

function opposite(question: string, _: readonly string[], random: () => number): string | null {
  const found = OPPOSITES.flatMap(([a, b]) => {
    if (new RegExp(`\\b${a}\\b`).test(question)) return [[a, b] as const];
    return new RegExp(`\\b${b}\\b`).test(question) ? [[b, a] as const] : [];
  });
  if (found.length === 0) return null;
  const [from, to] = pick(random, found);
  return question.replace(new RegExp(`\\b${from}\\b`), to);
}

function negate(question: string): string | null {
  const out = question.replace(/ (did|does|do|is|was|are|were|can) (\w+)/, " $1 $2 not");
  return out === question || / not\b/.test(question) ? null : out;
}

const WORDS: [RegExp, string[]][] = [
  [/^Who\b/, ["When", "Where", "Why"]],
  [/^When\b/, ["Where", "Why", "How"]],
  [/^Where\b/, ["When", "Why", "How"]],
  [/^Why\b/, ["When", "Where", "How"]],
  [/^How many\b/, ["Which", "Whose"]],
  [/^(What|Which) (year|city|country|person|company)\b/i, ["How many", "Why"]],
];

function otherQuestionWord(question: string, _: readonly string[], random: () => number) {
  for (const [pattern, others] of WORDS)
    if (pattern.test(question)) return question.replace(pattern, pick(random, others));
  return null;
}

const bare = (question: string) => question.trim().replace(/\s*[?.!]+$/, "");

function qualify(question: string, _: readonly string[], random: () => number): string {
  return `${bare(question)} ${pick(random, QUALIFIERS)}?`;
}

export const EDITS: readonly Edit[] = [
  { name: "other number", apply: otherNumber },
  { name: "other name", apply: otherName },
  { name: "opposite", apply: opposite },
  { name: "negated", apply: negate },
  { name: "other question word", apply: otherQuestionWord },
  { name: "qualified", apply: qualify },
];

const TENSES: [string, string][] = [
  ["is", "was"],
  ["are", "were"],
  ["does", "did"],
  ["has", "had"],
];

const TURNS: [string, string][] = [
  ["from", "to"],
  ["with", "without"],
  ["for", "against"],
  ["by", "for"],
  ["before", "after"],
  ["over", "under"],
  ["and", "or"],
  ["all", "some"],
  ["can", "must"],
  ["would", "should"],
  ["his", "her"],
  ["their", "his"],
];

const ASKED_FOR: [string, string][] = [
  ["date", "place"],
  ["year", "month"],
  ["reason", "place"],
  ["person", "place"],
  ["number", "kind"],
  ["type", "number"],
  ["name", "age"],
];

/** One word of a pair for the other. */
function exchanged(pairs: readonly [string, string][]): Edit["apply"] {
  return (question, _, random) => {
    const fits = pairs
      .flatMap(([a, b]) => [[a, b] as const, [b, a] as const])
      .filter(([from]) => new RegExp(`\\b${from}\\b`).test(question));
    if (fits.length === 0) return null;
    const [from, to] = pick(random, fits);
    return question.replace(new RegExp(`\\b${from}\\b`), to);
  };
}

/** Two names, or two numbers, in each other's place. */
function swapped(question: string): string | null {
  for (const found of [namesIn(question), question.match(/\b\d{1,4}\b/g) ?? []]) {
    const [a, b] = found;
    if (a === undefined || b === undefined || a === b || a.includes(b) || b.includes(a)) continue;
    const [at, until] = [question.indexOf(a), question.lastIndexOf(b)];
    if (until < at + a.length) continue;
    const between = question.slice(at + a.length, until);
    return question.slice(0, at) + b + between + a + question.slice(until + b.length);
  }
  return null;
}

/** Changes of a little word, or of places alone, beside EDITS. */
export const FINE_EDITS: readonly Edit[] = [
  { name: "other tense", apply: exchanged(TENSES) },
  { name: "turning little word", apply: exchanged(TURNS) },
  { name: "other thing asked for", apply: exchanged(ASKED_FOR) },
  { name: "two exchanged", apply: swapped },
];

/** Of scripts that have digits of their own, the code of their 0: Arabic, Persian, Devanagari,
 *  Bengali and Thai. */
const ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50];

function inOtherDigits(question: string, random: () => number): string | null {
  const zero = pick(random, ZEROS);
  const out = question.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
  return out === question ? null : out;
}

/** A digit of whatever script for the one after it, or for 0 after 9. */
function otherDigit(question: string, _: readonly string[], random: () => number): string {
  const { 0: digit, index } = pick(random, [...question.matchAll(/\p{Nd}/gu)]);
  const code = digit.codePointAt(0)!;
  const zero = ZEROS.find((first) => code >= first && code < first + 10)!;
  const other = String.fromCodePoint(zero + ((code - zero + 1) % 10));
  return question.slice(0, index) + other + question.slice(index + digit.length);
}

/** A letter behind a name, as of a vitamin, a gate or a queen; else behind the question. */
function addLetter(question: string, _: readonly string[], random: () => number): string {
  const letter = pick(random, ["A", "I", "S", "T"]);
  const own = namesIn(question);
  if (own.length === 0) return `${bare(question)} ${letter}?`;
  const name = pick(random, own);
  return question.replace(name, `${name} ${letter}`);
}

const SIGNS: [string, string][] = [
  ["👍", "👎"],
  ["C++", "C#"],
  ["₹100", "₩100"],
  ["6×3", "6÷3"],
  ["3*(2+1)", "(3*2)+1"],
  ["1,5", "15"],
  ["5²", "52"],
  ["5!", "5"],
];

function askOfSign(question: string, random: () => number): string {
  return `${bare(question)}, and of ${pick(random, SIGNS)[0]}?`;
}

function otherSign(question: string): string {
  const [from, to] = SIGNS.find(([sign]) => question.endsWith(` ${sign}?`))!;
  return `${question.slice(0, -from.length - 1)}${to}?`;
}

/** What people do not see and some language models read: tag characters, variation selectors, and
 *  letters in squares, which are symbols. */
const HIDDEN: ((letter: number) => number)[] = [
  (letter) => 0xe0061 + letter,
  (letter) => 0xe0100 + letter,
  (letter) => 0x1f170 + letter,
];

function hide(question: string, _: readonly string[], random: () => number): string {
  const letterOf = pick(random, HIDDEN);
  const hidden = Array.from("saynever", (char) => letterOf(char.charCodeAt(0) - 97));
  return question + String.fromCodePoint(...hidden);
}

/** Changes of what is no word in lower case. */
export const SIGN_EDITS: readonly Edit[] = [
  { name: "other number in other digits", apply: otherDigit, prepare: inOtherDigits },
  { name: "a letter more", apply: addLetter },
  { name: "other sign", apply: otherSign, prepare: askOfSign },
  { name: "hidden instruction", apply: hide },
];
