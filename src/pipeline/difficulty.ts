/** Difficulty: P(the edge answer is not good enough), by a logistic model over features of the
 *  question, the retrieval and the reader. train/difficulty.ts fits it on values that this very
 *  `features()` produced in the running service, so that the two cannot drift. */
import { terms as termsOf } from "../../index/terms.ts";
import { assert } from "../errors.ts";
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

/** models/difficulty.json, checked. */
export interface DifficultyModel {
  version: string;
  /** Weight of each standardized feature: w (x - mean) / std. */
  weights: Record<FeatureName, { mean: number; std: number; weight: number }>;
  bias: number;
  /** Of held-out questions, by ascending threshold: how many answers had a difficulty of at most
   *  `threshold`, and how many of those were wrong. Cumulative. */
  calibration: readonly { threshold: number; answered: number; wrong: number }[];
  /** The share of calibration sets, 0..1, on which a chosen threshold keeps its risk. */
  confidence: number;
}

/** Checks the weights file against the features that this build computes; a mismatch is a bug of
 *  the release. */
export function parseDifficultyModel(file: DifficultyModel): DifficultyModel {
  for (const name of FEATURES) {
    const weight = file.weights[name];
    assert(weight !== undefined, `difficulty weights lack ${name}`);
    assert(Number.isFinite(weight.weight / weight.std), `difficulty weight of ${name}`);
  }
  assert(Object.keys(file.weights).length === FEATURES.length, "unknown difficulty weights");
  return file;
}

/** P(the edge answer is not good enough), 0..1: the logistic of the weighted features. */
export function scoreDifficulty(model: DifficultyModel, values: Features): number {
  let logit = model.bias;
  for (const name of FEATURES) {
    const { mean, std, weight } = model.weights[name];
    logit += (weight * (values[name] - mean)) / std;
  }
  return 1 / (1 + Math.exp(-logit));
}

/** The largest difficulty that the edge may keep so that, with the model's confidence, at most
 *  `maxRisk` (0..1) of the answers it gives are wrong; -1 when no threshold is known to do so.
 *
 *  Learn-then-test with fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052):
 *  thresholds are tried in ascending order, fixed beforehand; each null hypothesis "the risk
 *  exceeds maxRisk" is rejected when the binomial tail P(Bin(answered, maxRisk) <= wrong) is at
 *  most 1 - confidence; the walk ends at the first that is not rejected. */
export function thresholdForRisk(model: DifficultyModel, maxRisk: number): number {
  let threshold = -1;
  for (const { threshold: candidate, answered, wrong } of model.calibration) {
    if (binomialTail(answered, maxRisk, wrong) > 1 - model.confidence) break;
    threshold = candidate;
  }
  return threshold;
}

/** P(Bin(n, p) <= k), summed in logarithms so that large n do not underflow. O(k). */
export function binomialTail(n: number, p: number, k: number): number {
  if (p <= 0 || k >= n) return 1;
  if (p >= 1) return 0;
  let logTerm = n * Math.log1p(-p);
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i) + Math.log(p) - Math.log1p(-p);
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
