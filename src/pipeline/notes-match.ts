/** Whether two questions ask the same thing, as far as their words tell: the guard behind a
 *  semantic hit, which alone takes "in 1990" for "in 1991". */
import { STOPWORDS, stem } from "../../index/terms.ts";
import { normalForm } from "../model/normal-form.ts";
import type { Note } from "./notes-types.ts";
import { normalOf, type Piece, piecesOf } from "./question-pieces.ts";

export interface QuestionWords {
  /** Content stems in order. */
  stems: string[];
  /** Numbers, in digits, in order. */
  numbers: Set<string>;
  /** Single letters that name something, in lower case; they are stems and names as well. */
  letters: string[];
  /** Signs with the numbers and letters between, in order; empty where there is no sign. */
  formula: string[];
  /** Stems of capitalized words that begin no sentence. */
  names: Set<string>;
  /** Words of which a change turns the question round: ordinals, extremes, directions, negation. */
  polar: Set<string>;
  kind: Kind | null;
}

export type Kind = "who" | "when" | "where" | "why" | "how" | "how many" | "what";

const set = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Words that frame a question and ask nothing of their own. */
export const FRAME: ReadonlySet<string> = set(`
  what which who whom whose when where why how many much name tell know like please can could would
  will you me i my we us do does did done is are was were be been being has have had may might must
  should shall about regarding reading question give find year date time place person
  people kind type sort number reason called named also 's s t`);

const POLAR = set(`
  not no never none neither nor without except excluding unlike besides only
  first second third fourth fifth sixth seventh eighth ninth tenth last final next previous former
  latter before after since until during
  most least more less fewer fewest few best worst better worse
  largest smallest larger smaller highest lowest higher lower high low oldest youngest
  older younger longest shortest longer shorter earliest latest earlier later early late
  minimum maximum majority minority increase decrease increased decreased rise fall
  north south east west northern southern eastern western left right up down upper above below
  begin end open close opened closed
  win won lose lost buy bought sell sold import export male female men women man woman boy girl
  son daughter father mother brother sister husband wife public private positive negative
  support oppose supported opposed born buried inside outside
  day week month century decade season weekly monthly yearly annual daily
  january february march april june july august september october november december
  monday tuesday wednesday thursday friday saturday sunday spring summer autumn winter`);

/** Words of POLAR by other names. */
const POLAR_FORMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    began: "begin",
    begun: "begin",
    start: "begin",
    started: "begin",
    ended: "end",
    finish: "end",
    finished: "end",
    big: "large",
    bigger: "larger",
    biggest: "largest",
  }),
);

export const NUMBER_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    zero: "0",
    one: "1",
    two: "2",
    three: "3",
    four: "4",
    five: "5",
    six: "6",
    seven: "7",
    eight: "8",
    nine: "9",
    ten: "10",
    eleven: "11",
    twelve: "12",
    twenty: "20",
    hundred: "100",
    thousand: "1000",
    million: "1000000",
    billion: "1000000000",
  }),
);

/** O(characters). */
export function wordsOf(question: string): QuestionWords {
  const kind = kindOf(normalOf(question).toLowerCase());
  const words: QuestionWords = {
    ...{ stems: [], numbers: new Set(), letters: [], formula: [] },
    ...{ names: new Set(), polar: new Set(), kind },
  };
  const pieces = piecesOf(question);
  for (const piece of pieces) addPiece(words, piece);
  if (!pieces.some((piece) => piece.kind === "sign")) words.formula = [];
  return words;
}

function addPiece(words: QuestionWords, { kind, found, plain, begins, letter }: Piece): void {
  const { stems, numbers, letters, formula, names, polar } = words;
  if (/n't$/.test(plain) || plain === "cannot") polar.add("not");
  const word = plain.replace(/(n't|'s|'m|'re|'ve|'ll|'d)$/, "");
  const number = kind === "number" ? plain : NUMBER_WORDS.get(word);
  if (kind === "sign" || number !== undefined || letter) formula.push(number ?? plain);
  if (kind === "sign") return;
  if (letter) letters.push(word);
  if (number !== undefined) numbers.add(number);
  else if (polarOf(word) !== null) polar.add(polarOf(word)!);
  else if (letter || isContent(word, found)) {
    stems.push(stem(word));
    if (letter || (!begins && /^\p{Lu}/u.test(found))) names.add(stem(word));
  }
}

/** The word of POLAR that a lower-case word is, under whatever name; null: none. */
export function polarOf(word: string): string | null {
  const form = POLAR_FORMS.get(word) ?? word;
  return POLAR.has(form) ? form : null;
}

const MANY = "many|much|long|old|far|large|big|tall|high|often|deep|wide";
const AMOUNT = "number|percent|percentage|amount|proportion|quantity|share";
const TIME = "year|date|day|month|century|decade|time";

/** Words all in capitals, such as US and IT, are no pronouns. */
function isContent(word: string, found: string): boolean {
  if (found.length > 1 && found === found.toUpperCase() && /\p{Lu}/u.test(found)) return true;
  return !FRAME.has(word) && !STOPWORDS.has(word);
}

const KINDS: [Kind, RegExp][] = [
  ["how many", new RegExp(`\\bhow (${MANY})\\b|\\b(what|which) (${AMOUNT})\\b`)],
  ["when", new RegExp(`\\bwhen\\b|\\b(what|which) (${TIME})\\b`)],
  ["where", /\bwhere\b|\b(what|which) (place|location)\b/],
  ["why", /\bwhy\b|\b(what|which) (reason|cause)\b/],
  ["who", /\bwho(m|se)?\b|\b(what|which) person\b|\bname the person\b/],
  ["how", /\bhow\b/],
  ["what", /\b(what|which)\b/],
];

function kindOf(text: string): Kind | null {
  let best: { kind: Kind; at: number } | null = null;
  for (const [kind, pattern] of KINDS) {
    const at = text.search(pattern);
    if (at >= 0 && (best === null || at < best.at)) best = { kind, at };
  }
  return best?.kind ?? null;
}

/** How the words of a question that is asked differ from those of one that was answered. */
export interface Difference {
  /** What makes them different questions whatever else is alike; null: nothing does. */
  fact: "number" | "opposite" | "question word" | "sign" | "name" | null;
  /** Content stems of the one that the other lacks, and the share of all that both have. */
  extra: [number, number];
  shared: number;
  /** How many of those that both have are a typing error apart. */
  typos: number;
  /** Whether the stems that both have stand in the same order. */
  ordered: boolean;
}

export function compareWords(asked: QuestionWords, answered: QuestionWords): Difference {
  const { only, others, common, typos, ordered } = align(asked, answered);
  const total = only.length + others.length + common;
  return {
    fact: factOf(asked, answered, only, others),
    extra: [only.length, others.length],
    shared: total === 0 ? 0 : common / total,
    typos,
    ordered,
  };
}

function factOf(a: QuestionWords, b: QuestionWords, only: string[], others: string[]) {
  if (!isEqual([...a.numbers], [...b.numbers])) return "number";
  if (a.polar.symmetricDifference(b.polar).size > 0) return "opposite";
  if (a.kind !== null && b.kind !== null && a.kind !== b.kind) return "question word";
  if (!isEqual(a.formula, b.formula)) return "sign";
  if (!isEqual(a.letters.toSorted(), b.letters.toSorted())) return "name";
  // Another name on one side alone may be what the other leaves unsaid; one for another is another.
  const names = [only.some((word) => a.names.has(word)), others.some((word) => b.names.has(word))];
  if (names[0] ? others.length > 0 : names[1] && only.length > 0) return "name";
  return null;
}

/** What stems each question has alone, and how many pair up: equal, or one typing error apart,
 *  unless one is a name: Smyth is no error for Smith. What the answered question says twice must be
 *  asked twice, since it may have been said to a purpose; the other way round it adds nothing. */
function align(asked: QuestionWords, answered: QuestionWords) {
  const others: (string | null)[] = [...answered.stems];
  const only: string[] = [];
  let [common, typos, last] = [0, 0, -1];
  let ordered = true;
  const isLike = (word: string, other: string | null) =>
    other !== null && !answered.names.has(other) && isTypo(word, other);
  for (const word of asked.stems) {
    const exact = others.indexOf(word);
    const like = exact < 0 && !asked.names.has(word);
    const at = like ? others.findIndex((other) => isLike(word, other)) : exact;
    if (at >= 0) {
      others[at] = null;
      common += 1;
      if (like) typos += 1;
      ordered &&= at > last;
      last = at;
    } else if (!answered.stems.includes(word)) only.push(word);
  }
  return { only, others: others.filter((word) => word !== null), common, typos, ordered };
}

export function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}

/** Whether words of five letters or more are one edit or one exchange of neighbours apart. */
function isTypo(a: string, b: string): boolean {
  if (a.length < 5 || b.length < 5 || Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i += 1;
  const [restA, restB] = [a.slice(i), b.slice(i)];
  if (restA.slice(1) === restB || restA === restB.slice(1)) return true;
  if (restA.slice(1) === restB.slice(1)) return true;
  return restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
}

export interface NoteMatch {
  /** In words, for the explanation. */
  how: "word for word" | "the same words" | "like words and the same reading";
  /** P(the note's answer is wrong here), 0..1. */
  difficulty: number;
}

/** Whether the note's question asks what is asked: by the same words, or by words that differ in no
 *  fact where the reader, asked both, found the same. Null: it does not, as far as can be told. */
export function matchOf(
  question: string,
  edgeAnswer: string | null,
  { note, cosine }: { note: Pick<Note, "question" | "edge_answer" | "answer">; cosine: number },
): NoteMatch | null {
  if (isWordForWord(question, note.question)) return { how: "word for word", difficulty: 0.01 };
  if (cosine < COSINE_MIN) return null;
  const difference = compareWords(wordsOf(question), wordsOf(note.question));
  const { fact, shared, typos, ordered } = difference;
  if (fact !== null) return null;
  // What looks like a typing error may be another word, as country is to county.
  if (shared === 1 && typos === 0 && ordered) return { how: "the same words", difficulty: 0.02 };
  if (!isReadAlike(difference, edgeAnswer, { note, cosine })) return null;
  return { how: "like words and the same reading", difficulty: 0.05 };
}

/** Whether questions that differ in no fact have most words in common and had the reader find the
 *  same. */
export function isReadAlike(
  { extra, shared }: Difference,
  edgeAnswer: string | null,
  { note, cosine }: { note: Pick<Note, "edge_answer" | "answer">; cosine: number },
): boolean {
  // What is asked for in addition narrows the question, and the reading need not show it.
  if (extra[0] > 0 && extra[1] === 0) return false;
  if (edgeAnswer === null || cosine < AGREEING_COSINE_MIN || shared < SHARED_MIN) return false;
  // A question with more words than is asked may have had the backend say what nobody finds.
  const said = extra[1] > extra[0] ? note.answer : (note.edge_answer ?? note.answer);
  return saysTheSame(edgeAnswer, said) || saysTheSame(said, edgeAnswer);
}

// Chosen on the calibrate part of SQuAD 1.1: `npm run eval -- notes`, docs/learning.md.
const COSINE_MIN = 0.6;
const AGREEING_COSINE_MIN = 0.75;
const SHARED_MIN = 0.5;

/** But for case, white space and the mark at the end, unless that is a sign, as in "5!". */
export function isWordForWord(asked: string, answered: string): boolean {
  return plain(asked) === plain(answered) && isEqual(signsOf(asked), signsOf(answered));
}

const signsOf = (text: string) =>
  piecesOf(text).flatMap(({ kind, plain }) => (kind === "sign" ? [plain] : []));

const plain = (text: string) =>
  normalOf(text)
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/(?<![\s?.!])[\s?.!]+$/, "")
    .trim();

/** Whether a short answer stands in a text, or shares half its words with it: token F1 of 0.5. */
export function saysTheSame(answer: string, text: string): boolean {
  const [said, other] = [bareWords(answer), bareWords(text)];
  if (said.length === 0) return false;
  if (` ${other.join(" ")} `.includes(` ${said.join(" ")} `)) return true;
  const left = [...other];
  const common = said.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
  return (2 * common) / (said.length + other.length) >= 0.5;
}

/** As SQuAD's metric compares answers: lower case, without punctuation and articles. */
function bareWords(text: string): string[] {
  const words =
    normalForm(text, "NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return words.filter((word) => !/^(a|an|the)$/.test(word));
}
