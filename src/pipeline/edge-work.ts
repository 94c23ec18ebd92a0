/** The edge's answer and its difficulty, before and after reading. */
import { type EdgeAnswer, readAnswer } from "../engine/reader.ts";
import type { SearchHit } from "../memory/types.ts";
import { type BeforeScore, scoreBefore } from "../router/before.ts";
import { type Features, features } from "../router/features.ts";
import { questionFeatures } from "../router/features-question.ts";
import { contributions, logistic } from "../router/logistic.ts";
import { priorThreshold, scorePrior } from "../router/prior.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import type { Models } from "./models.ts";
import type { Trace } from "./trace.ts";

/** What is known of a question whose passages were found and not read. */
export interface BeforeWork extends BeforeScore {
  features: Record<string, number>;
  threshold: number;
  /** The largest difficulty that any engine below the backend may answer. */
  reach: number;
}

/** Null where nothing was found, or the weights have no stage before reading. */
export function judgeBefore(
  { model, threshold, ladder }: ActiveRouter,
  question: string,
  hits: readonly SearchHit[],
): BeforeWork | null {
  if (model.before === null || hits.length === 0) return null;
  const features = questionFeatures(question, hits);
  const reach = ladder.at(-1)?.threshold ?? threshold;
  return { ...scoreBefore(model.before, features), features, threshold, reach };
}

/** Whether the question goes to the backend whatever the reader would find. Where a threshold keeps
 *  nothing, what nothing was promised of is read all the same: the service learns from it. */
export function leavesUnread(before: BeforeWork | null): boolean {
  return before !== null && before.floor > 0 && before.floor > before.reach;
}

export interface EdgeWork {
  reading: EdgeAnswer;
  difficulty: number | null;
  threshold: number;
  features: Features | null;
  /** What makes up the difficulty, in logits; null where nothing was scored. */
  contributions: Record<string, number> | null;
  router: ActiveRouter;
  /** Where no memory was consulted: P(an engine at the edge does worse than the backend), 0..1, by
   *  the prompt alone, and the largest that may stay; null elsewhere. */
  prior: { difficulty: number; threshold: number } | null;
}

export async function readAtEdge(
  models: Models,
  router: ActiveRouter,
  before: BeforeWork | null,
  trace: Trace,
  question: string,
  hits: readonly SearchHit[],
  withMemory: boolean,
): Promise<EdgeWork> {
  const reading = await trace.time("read", () => readAnswer(models.reader, question, hits));
  const scoring = trace.begin("score_after");
  const { choice, readings } = reading;
  const found = choice !== null && !choice.abstain;
  const values = choice === null ? null : features({ question, hits, readings, choice });
  const parts = found ? contributions(router.model, values!) : null;
  // An abstention is no answer, so it is certainly not good enough.
  const missing = withMemory ? 1 : null;
  const difficulty = parts === null ? missing : Math.max(logistic(parts), before?.floor ?? 0);
  const prior = withMemory ? null : priorOf(models, router, question);
  const { threshold } = router;
  scoring.end();
  return { reading, difficulty, threshold, features: values, contributions: parts, router, prior };
}

function priorOf({ prior, encoder }: Models, { target }: ActiveRouter, question: string) {
  const average = (text: string) => encoder.averageTokens(text);
  const { difficulty, form } = scorePrior(prior, question, average);
  return { difficulty, threshold: priorThreshold(target, form) };
}

/** What is known of the difficulty, and what weighs most in it. */
export interface Judgement {
  /** Null where nothing was scored. */
  difficulty: number | null;
  contributions: Record<string, number> | null;
  /** -1 where nothing was scored. */
  threshold: number;
  /** Whether it is the first stage's alone, as nothing was read. */
  unread: boolean;
}

/** Of a question that leaves unread, its chance before reading or what was promised, whichever is
 *  the greater. */
export function judgementOf(before: BeforeWork | null, edge: EdgeWork | null): Judgement {
  if (edge !== null) {
    const { difficulty, contributions, threshold } = edge;
    const promised = contributions !== null && difficulty === before?.floor;
    return {
      difficulty,
      contributions: promised ? before.contributions : contributions,
      threshold,
      unread: false,
    };
  }
  if (before === null) return { ...NOTHING, unread: false };
  const { score, floor, contributions, threshold } = before;
  return { difficulty: Math.max(score, floor), contributions, threshold, unread: true };
}

const NOTHING = { difficulty: null, contributions: null, threshold: -1 };
