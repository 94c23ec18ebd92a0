/** Features of where the answer stands: its passage, its sentence and its form. */
import { terms as termsOf } from "../../index/terms.ts";
import type { SearchHit } from "../memory/types.ts";
import type { ReaderChoice } from "../model/reader.ts";
import { type Kind, kindOf, termShare, topicTerms } from "./features-question.ts";

export const ANSWER_FEATURES = [
  "terms_near",
  "better_sentence",
  "sentence_length",
  "position",
  "form_fits",
  "has_number",
  "date_unasked",
] as const;

type AnswerFeatures = Record<(typeof ANSWER_FEATURES)[number], number>;

/** Characters on each side of the answer that count as near to it: half a sentence. */
const NEAR_CHARS = 60;
const SENTENCE_END = /[.!?]["”)]?\s/g;
const NUMBER = anyOf(
  "one two three four five six seven eight nine ten hundred thousand million billion half third " +
    "quarter",
  "\\d",
);
const DATE = anyOf(
  "january february march april may june july august september october november december century " +
    "monday tuesday wednesday thursday friday saturday sunday",
  "\\b\\d{3,4}s?\\b",
);
const CAPITAL = /(?<![\p{L}\p{N}])\p{Lu}/u;

/** Matches any of the words, or the pattern. */
function anyOf(words: string, pattern: string): RegExp {
  return new RegExp(`${pattern}|\\b(${words.replaceAll(" ", "|")})\\b`, "i");
}

/** `read` are the passages that were read, of which `choice` names one. All finite. */
export function answerFeatures(
  question: string,
  read: readonly SearchHit[],
  choice: ReaderChoice,
): AnswerFeatures {
  const { text } = read[choice.passage]!;
  const answer = text.slice(choice.start, choice.end);
  const topic = topicTerms(question);
  const [start, end] = sentenceAround(text, choice);
  const around = (from: number, to: number) =>
    termSet(`${text.slice(Math.max(0, from), choice.start)} ${text.slice(choice.end, to)}`);
  const near = around(choice.start - NEAR_CHARS, choice.end + NEAR_CHARS);
  const best = Math.max(...read.flatMap((hit) => sentenceShares(topic, hit.text)));
  const kind = kindOf(question);
  const date = DATE.test(answer);
  return {
    terms_near: termShare(topic, near),
    better_sentence: best - termShare(topic, around(start, end)),
    sentence_length: Math.log1p(end - start),
    position: choice.start / text.length,
    form_fits: Number(fits(kind, answer, date)),
    has_number: Number(NUMBER.test(answer)),
    date_unasked: Number(date && kind !== "time"),
  };
}

/** Whether the answer looks like what is asked for; false where no form is expected. */
function fits(kind: Kind, answer: string, date: boolean): boolean {
  if (kind === "person" || kind === "place") return CAPITAL.test(answer);
  if (kind === "time") return date;
  return kind === "number" && NUMBER.test(answer);
}

/** By punctuation alone, which is a thousand times cheaper than a sentence finder and good enough
 *  for a feature. */
function sentenceAround(text: string, span: { start: number; end: number }): [number, number] {
  const before = text.slice(0, span.start).matchAll(SENTENCE_END);
  const start = Array.from(before, (match) => match.index + match[0].length).at(-1) ?? 0;
  const after = text.slice(span.end).search(/[.!?](\s|$)/);
  return [start, after === -1 ? text.length : span.end + after + 1];
}

function sentenceShares(topic: ReadonlySet<string>, text: string): number[] {
  return text.split(/(?<=[.!?])\s/).map((sentence) => termShare(topic, termSet(sentence)));
}

function termSet(text: string): Set<string> {
  return new Set(termsOf(text, "document"));
}
