/** Features that are known before anything is read: the question and what retrieval found. */
import { terms as termsOf } from "../../index/terms.ts";
import type { SearchHit } from "../memory/types.ts";

/** What a question asks for, as far as its words tell. */
export type Kind = "person" | "time" | "number" | "place" | "reason" | "other";

const KINDS: readonly [Kind, RegExp][] = [
  ["person", /\bwho(se|m)?\b/],
  ["time", /\bwhen\b|\b(what|which) (year|date|day|month|century|decade)\b/],
  ["number", /\bhow (many|much|long|old|far|large|big|high|tall|often)\b/],
  ["number", /\bwhat (percent|percentage|number)\b/],
  ["place", /\bwhere\b|\b(what|which) (city|country|state|place|continent|region)\b/],
  ["reason", /\bwhy\b|\bwhat (reason|caused?)\b/],
];

/** The first kind that fits. */
export function kindOf(question: string): Kind {
  const words = question.toLowerCase();
  return KINDS.find(([, pattern]) => pattern.test(words))?.[0] ?? "other";
}

/** Words that ask and say nothing of what is asked about. */
const ASKING = new Set(
  "what which who whom whose when where why how many much did does do done doe".split(" "),
);

/** The distinct index terms of what a question is about. */
export function topicTerms(question: string): Set<string> {
  return new Set(termsOf(question, "query").filter((term) => !ASKING.has(term)));
}

/** The share of `part`'s terms, each weighing its length, that stand in `whole`, 0..1; 0 for an
 *  empty `part`. Long terms are the rarer ones, and no statistics are at hand here. */
export function termShare(part: ReadonlySet<string>, whole: ReadonlySet<string>): number {
  const weigh = (terms: ReadonlySet<string>) =>
    [...terms].reduce((sum, { length }) => sum + length, 0);
  return part.size === 0 ? 0 : weigh(part.intersection(whole)) / weigh(part);
}

export const QUESTION_FEATURES = [
  "question_terms",
  "asks_time",
  "asks_number",
  "bm25_top",
  "cosine_top",
  "rankings_agree",
  "score_margin",
  "coverage",
] as const;

type QuestionFeatures = Record<(typeof QUESTION_FEATURES)[number], number>;

/** All finite; of no hits, as of hits that match nothing. */
export function questionFeatures(question: string, hits: readonly SearchHit[]): QuestionFeatures {
  const topic = topicTerms(question);
  const kind = kindOf(question);
  const bm25 = hits.map((hit) => hit.bm25 ?? 0);
  const cosine = hits.map((hit) => hit.cosine ?? 0);
  const [bm25Top, cosineTop] = [Math.max(0, ...bm25), Math.max(0, ...cosine)];
  const first = hits[0];
  const scores = hits.map(({ score }) => score);
  return {
    question_terms: Math.log1p(topic.size),
    asks_time: Number(kind === "time"),
    asks_number: Number(kind === "number"),
    bm25_top: Math.log1p(bm25Top),
    cosine_top: cosineTop,
    rankings_agree: Number(bm25.indexOf(bm25Top) === cosine.indexOf(cosineTop)),
    score_margin: (scores[0] ?? 0) - (scores[1] ?? 0),
    coverage: first === undefined ? 0 : termShare(topic, passageTerms(first)),
  };
}

function passageTerms({ title, text }: SearchHit): Set<string> {
  return new Set(termsOf(`${title ?? ""} ${text}`, "document"));
}
