/** The edge's answer and its difficulty. */
import { type EdgeAnswer, readAnswer } from "../engine/reader.ts";
import type { SearchHit } from "../memory/types.ts";
import { contributions, logistic } from "../router/difficulty.ts";
import { type Features, features } from "../router/features.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import type { Models } from "./models.ts";
import type { Trace } from "./trace.ts";

/** Worked out before the route is chosen: the edge's confidence is the best evidence there is of
 *  whether its answer is good enough. */
export interface EdgeWork {
  reading: EdgeAnswer;
  difficulty: number | null;
  threshold: number;
  features: Features | null;
  /** What makes up the difficulty, in logits; null where nothing was scored. */
  contributions: Record<string, number> | null;
  router: ActiveRouter;
}

export async function readAtEdge(
  { reader }: Models,
  router: ActiveRouter,
  trace: Trace,
  question: string,
  hits: readonly SearchHit[],
  withMemory: boolean,
): Promise<EdgeWork> {
  const reading = await trace.time("read", () => readAnswer(reader, question, hits));
  const { choice, readings } = reading;
  const found = choice !== null && !choice.abstain;
  const values = choice === null ? null : features({ question, hits, readings, choice });
  const parts = found ? contributions(router.model, values!) : null;
  // An abstention is no answer, so it is certainly not good enough.
  const difficulty = parts === null ? (withMemory ? 1 : null) : logistic(parts);
  const { threshold } = router;
  return { reading, difficulty, threshold, features: values, contributions: parts, router };
}
