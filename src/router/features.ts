/** What a difficulty is computed from: the question, the retrieval and the reader. Training takes
 *  its values from the running service, so that the two cannot drift. */
import { terms as termsOf } from "../../index/terms.ts";
import type { SearchHit } from "../memory/types.ts";
import type { PassageReading, ReaderChoice } from "../model/reader.ts";

/** In the order of the weights file. */
export const FEATURES = [
  "question_terms",
  "asks_who",
  "asks_when",
  "asks_where",
  "asks_which",
  "asks_how_many",
  "asks_how",
  "asks_why",
  "bm25_top",
  "bm25_margin",
  "cosine_top",
  "cosine_margin",
  "rankings_agree",
  "coverage",
  "span_score",
  "span_margin",
  "passage_margin",
  "answerable",
  "passage_rank",
  "answer_terms",
  "answer_echoes",
  "same_answer",
] as const;

export type FeatureName = (typeof FEATURES)[number];
export type Features = Record<FeatureName, number>;

export interface DifficultyEvidence {
  question: string;
  /** Best first; the reader read the first `readings.length` of them. */
  hits: readonly SearchHit[];
  readings: readonly PassageReading[];
  choice: ReaderChoice;
}

/** The features of an answer that the reader gave; all finite. */
export function features(evidence: DifficultyEvidence): Features {
  const { question, hits, readings, choice } = evidence;
  const words = question.toLowerCase();
  const terms = new Set(termsOf(question, "query"));
  const passage = hits[choice.passage]!;
  const answer = passage.text.slice(choice.start, choice.end);
  const answerTerms = termsOf(answer, "query");
  return {
    question_terms: Math.log1p(terms.size),
    asks_who: flag(/\bwho(se|m)?\b/.test(words)),
    asks_when: flag(/\bwhen\b|\bwhat (year|date|day|month|century)\b/.test(words)),
    asks_where: flag(/\bwhere\b|\bwhat (city|country|state|place)\b/.test(words)),
    asks_which: flag(/\bwhich\b/.test(words)),
    asks_how_many: flag(/\bhow (many|much|long|old|far|large|big)\b/.test(words)),
    asks_how: flag(/\bhow\b/.test(words)),
    asks_why: flag(/\bwhy\b|\bwhat (reason|caused?)\b/.test(words)),
    ...retrievalFeatures(hits),
    coverage: share(terms, new Set(termsOf(`${passage.title ?? ""} ${passage.text}`, "document"))),
    ...readerFeatures(readings, choice),
    answer_terms: Math.log1p(answerTerms.length),
    answer_echoes: share(new Set(answerTerms), terms),
    same_answer: flag(countSameAnswer(evidence, answer) > 0),
  };
}

function retrievalFeatures(hits: readonly SearchHit[]) {
  const bm25 = hits.map((hit) => hit.bm25 ?? 0);
  const cosine = hits.map((hit) => hit.cosine ?? 0);
  const [bm25First, bm25Second] = twoLargest(bm25);
  const [cosineFirst, cosineSecond] = twoLargest(cosine);
  return {
    bm25_top: Math.log1p(bm25First),
    bm25_margin: (bm25First - bm25Second) / (bm25First || 1),
    cosine_top: cosineFirst,
    cosine_margin: cosineFirst - cosineSecond,
    rankings_agree: flag(bm25.indexOf(bm25First) === cosine.indexOf(cosineFirst)),
  };
}

function readerFeatures(readings: readonly PassageReading[], choice: ReaderChoice) {
  const chosen = readings[choice.passage]!;
  const others = readings
    .filter((_, i) => i !== choice.passage)
    .map((reading) => reading.best?.score ?? choice.score - FAR);
  return {
    span_score: choice.score,
    span_margin: Math.min(FAR, choice.score - chosen.runnerUpScore),
    passage_margin: Math.min(FAR, choice.score - Math.max(choice.score - FAR, ...others)),
    answerable: chosen.answerable,
    passage_rank: choice.passage,
  };
}

/** Logits further apart than this are as good as certain; keeps features bounded. */
const FAR = 20;

function countSameAnswer({ hits, readings, choice }: DifficultyEvidence, answer: string): number {
  const wanted = answer.toLowerCase();
  return readings.filter(({ best }, i) => {
    if (best === null || i === choice.passage) return false;
    return hits[i]!.text.slice(best.start, best.end).toLowerCase() === wanted;
  }).length;
}

function twoLargest(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => b - a);
  return [sorted[0] ?? 0, sorted[1] ?? 0];
}

/** The share of `part`'s members that stand in `whole`, 0..1; 0 for an empty `part`. */
function share(part: ReadonlySet<string>, whole: ReadonlySet<string>): number {
  return part.size === 0 ? 0 : part.intersection(whole).size / part.size;
}

function flag(condition: boolean): number {
  return condition ? 1 : 0;
}
