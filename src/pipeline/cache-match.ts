/** Whether a question asks what another one asked, for the semantic cache. Stricter than the match
 *  of notes, which somebody vouched for: what that leaves aside, as little words, tenses and the
 *  order of numbers, must be alike too. */
import { STOPWORDS } from "../../index/terms.ts";
import {
  compareWords,
  FRAME,
  isEqual,
  isReadAlike,
  isWordForWord,
  NUMBER_WORDS,
  polarOf,
  wordsOf,
} from "./notes-match.ts";
import { normalOf, piecesOf } from "./question-pieces.ts";

/** What was asked before, and what came of it. */
export interface AnsweredQuestion {
  question: string;
  /** What the reader had found; null: nothing, or it was not asked. */
  edge_answer: string | null;
  answer: string;
  /** With the question that is asked. */
  cosine: number;
}

export type Likeness = "word for word" | "the same words" | "like words and the same reading";

/** Null: it asks something else, as far as can be told. `edgeAnswer` is what the reader found for
 *  the question, or null. O(characters). */
export function likenessOf(
  asked: string,
  edgeAnswer: string | null,
  answered: AnsweredQuestion,
): Likeness | null {
  if (isWordForWord(asked, answered.question)) return "word for word";
  const [one, other] = [wordsOf(asked), wordsOf(answered.question)];
  const difference = compareWords(one, other);
  if (difference.fact !== null) return null;
  const [ours, theirs] = [bearersOf(asked), bearersOf(answered.question)];
  // Who leaves a tense out leaves it open; but no question is of two.
  const tensed = ours.tenses.length > 0 && theirs.tenses.length > 0;
  if (tensed && !isEqual(ours.tenses, theirs.tenses)) return null;
  if (ours.words.length > 0 && isEqual(ours.words, theirs.words)) return "the same words";
  if (!difference.ordered || !isEqual(ours.turns, theirs.turns)) return null;
  // What looks like a typing error in a name may be another name.
  if (!one.names.isSubsetOf(new Set(other.stems))) return null;
  if (!other.names.isSubsetOf(new Set(one.stems))) return null;
  const { cosine } = answered;
  if (!isReadAlike(difference, edgeAnswer, { note: answered, cosine })) return null;
  return "like words and the same reading";
}

/** What a question's sense hangs on. */
interface Bearers {
  /** All words that may not be missing, in order. */
  words: string[];
  /** Of these, what a reader may overlook: numbers, signs, words of no content, and those of
   *  which a change turns a question round. */
  turns: string[];
  /** In order. */
  tenses: ("past" | "present")[];
}

const set = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Words that a question has or lacks and asks the same. Its kind (who, when, how many) is compared
 *  elsewhere, and so is the tense. */
const DROPPABLE = set(`
  a an the do does did done is are was were be been being has have had of in on at that which who
  whom whose what when where why how much many named called please just so there s t`);

/** These too, right behind what or which: the question's kind has them. */
const ASKED_FOR = set("year date time place person people kind type sort number reason");

const CONTRACTED = /^(what|who|where|when|why|how|which|it|he|she|that|there|here)'s$/;

/** Words of content by which, as by little ones, a question is turned into another. */
const TURNS = set(`
  from onto out off against without than nor unless per between among over under through via toward
  towards within beyond behind never only except all any some every each both either neither other
  another same different mine yours he him his she her hers them its now here today tomorrow
  yesterday age answer say`);

/** How people begin and end a question without asking anything. */
const POLITE = [
  /^(hi|hello|hey)\b[,.! ]*/i,
  /^(please,? )?((can|could|would|will) you )?(please )?(tell me|let me know) /i,
  /^(i would|i'd) like to know /i,
  /^i want to know /i,
  /^do you know /i,
  /,? please\b(?=[\s?.!]*$)/i,
];

function bearersOf(question: string): Bearers {
  let text = normalOf(question).trim();
  for (const phrase of POLITE) text = text.replace(phrase, "");
  const words: string[] = [];
  const tenses: Bearers["tenses"] = [];
  let before = "";
  for (const { kind, plain, letter } of piecesOf(text)) {
    const bare = kind === "word" ? plain.replace(/('s|'m|'re|'ve|'ll|'d)$/, "") : plain;
    if (/^(did|was|were|had)(n't)?$/.test(bare)) tenses.push("past");
    else if (/^(do|does|is|are|has|have)(n't)?$/.test(bare) || CONTRACTED.test(plain))
      tenses.push("present");
    const asked = ASKED_FOR.has(bare) && /^(what|which)$/.test(before);
    if (/n't$/.test(bare) || bare === "cannot") words.push("not");
    else if (letter || !(DROPPABLE.has(bare) || asked)) words.push(NUMBER_WORDS.get(bare) ?? bare);
    before = bare;
  }
  return { words, turns: words.flatMap(turnOf), tenses };
}

function turnOf(word: string): string[] {
  const polar = polarOf(word);
  if (polar !== null) return [polar];
  const little = TURNS.has(word) || FRAME.has(word) || STOPWORDS.has(word);
  return little || !/^\p{L}/u.test(word) ? [word] : [];
}
