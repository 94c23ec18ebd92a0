/** What a difficulty is computed from: the question, the retrieval and the reader. Training takes
 *  its values from the running service, so that the two cannot drift. */
import type { SearchHit } from "../memory/types.ts";
import type { PassageReading, ReaderChoice } from "../model/reader.ts";
import { ANSWER_FEATURES, answerFeatures } from "./features-answer.ts";
import { QUESTION_FEATURES, questionFeatures } from "./features-question.ts";
import { READER_FEATURES, readerFeatures } from "./features-reader.ts";

/** In the order of the weights file. */
export const FEATURES = [...QUESTION_FEATURES, ...READER_FEATURES, ...ANSWER_FEATURES] as const;

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
export function features({ question, hits, readings, choice }: DifficultyEvidence): Features {
  return {
    ...questionFeatures(question, hits),
    ...readerFeatures(hits, readings, choice),
    ...answerFeatures(question, hits.slice(0, readings.length), choice),
  };
}
