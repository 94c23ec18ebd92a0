/** SQuAD's file layout and its official metrics. */
import { readFileSync } from "node:fs";

export interface Question {
  id: string;
  article: string;
  question: string;
  context: string;
  /** Empty for a question that the paragraph does not answer (2.0). */
  answers: string[];
}

export interface SquadFile {
  data: {
    title: string;
    paragraphs: {
      context: string;
      qas: { id: string; question: string; answers: { text: string }[]; is_impossible?: boolean }[];
    }[];
  }[];
}

export function readSquad(path: string): Question[] {
  return squadQuestions(JSON.parse(readFileSync(path, "utf8")) as SquadFile);
}

export function squadQuestions(file: SquadFile): Question[] {
  return file.data.flatMap(({ title, paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) =>
      qas.map(({ id, question, answers, is_impossible }) => ({
        id,
        article: title,
        question,
        context,
        answers: is_impossible ? [] : answers.map(({ text }) => text),
      })),
    ),
  );
}

/** Lower case, without punctuation, articles and repeated white space: the official
 *  normalization (Rajpurkar et al. 2016). */
function normalize(text: string): string[] {
  const bare = text
    .toLowerCase()
    .replace(/[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g, "")
    .replace(/\b(a|an|the)\b/g, " ");
  return bare.split(/\s+/).filter((word) => word !== "");
}

/** Token F1 against the best of the gold answers, 0..1; for an unanswerable question 1 where the
 *  prediction is null too. */
export function f1Score(prediction: string | null, answers: readonly string[]): number {
  if (answers.length === 0 || prediction === null) return noAnswerScore(prediction, answers);
  return Math.max(...answers.map((answer) => pairF1(normalize(prediction), normalize(answer))));
}

/** Exact match against any gold answer after normalization, 0 or 1. */
export function exactMatch(prediction: string | null, answers: readonly string[]): number {
  if (answers.length === 0 || prediction === null) return noAnswerScore(prediction, answers);
  const said = normalize(prediction).join(" ");
  return answers.some((answer) => normalize(answer).join(" ") === said) ? 1 : 0;
}

function noAnswerScore(prediction: string | null, answers: readonly string[]): number {
  return prediction === null && answers.length === 0 ? 1 : 0;
}

function pairF1(said: string[], gold: string[]): number {
  if (said.length === 0 || gold.length === 0) return said.length === gold.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of said) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    common += 1;
    left.set(word, count - 1);
  }
  if (common === 0) return 0;
  const precision = common / said.length;
  const recall = common / gold.length;
  return (2 * precision * recall) / (precision + recall);
}
