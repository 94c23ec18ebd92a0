/** What somebody thought of an answer: a label of the reader's, and perhaps a note. */
import { READER_ID } from "../engine/reader.ts";
import { ServiceError } from "../errors.ts";
import { FEEDBACK_LOOK_PAUSE_MS, FEEDBACK_LOOKS_MAX } from "../limits.ts";
import { isWrongBy } from "../router/agreement.ts";
import type { RouterObject } from "../router/router-object.ts";
import type { RecordedOutcome } from "../router/router-types.ts";
import type { FeedbackReply, FeedbackRequest } from "./learning-types.ts";
import { learnNote } from "./notes.ts";
import type { NoteDeps } from "./notes-find.ts";
import type { Caller } from "./types.ts";

export interface FeedbackDeps {
  router: (tenant: string) => Pick<DurableObjectStub<RouterObject>, "find" | "rate">;
  notes: NoteDeps;
  /** Forgets a cached answer. */
  forget: (tenant: string, id: string) => Promise<unknown>;
  pause: (ms: number) => Promise<void>;
}

/** Throws `not_found` for an answer that is not remembered, was another tenant's, or is from a
 *  namespace that the caller may not read: which of these, it does not say. */
export async function takeFeedback(
  { router, notes, forget, pause }: FeedbackDeps,
  caller: Caller,
  { trace_id, rating, correction }: FeedbackRequest,
): Promise<FeedbackReply> {
  const object = router(caller.tenant);
  let outcome = await object.find(trace_id);
  for (let look = 1; outcome === null && look < FEEDBACK_LOOKS_MAX; look++) {
    await pause(FEEDBACK_LOOK_PAUSE_MS);
    outcome = await object.find(trace_id);
  }
  const known =
    outcome !== null &&
    mayRead(caller, outcome.namespace) &&
    (await object.rate(trace_id, rating, isWrong(outcome, rating, correction)));
  if (!known) throw new ServiceError("not_found", `no answer with the trace ${trace_id} is known`);
  const { cache } = outcome!;
  if (rating === "bad" && cache !== undefined) await forget(caller.tenant, cache);
  // Kept without its text, it can teach no note.
  if (outcome!.question === "") return { recorded: true, learned: null };
  const learned = await learnNote(notes, caller, outcome!, rating, correction);
  return { recorded: true, learned };
}

function mayRead({ namespaces }: Caller, namespace: string | null): boolean {
  return namespace === null || namespaces === null || namespaces.includes(namespace);
}

/** What a rating says of the reader's answer, which is not always the one that was rated: a
 *  correction bears it out or not, and so does another engine's answer that was found good. */
export function isWrong(
  { edge_answer, engine, text }: Pick<RecordedOutcome, "edge_answer" | "engine" | "text">,
  rating: "good" | "bad",
  correction: string | null,
): boolean | null {
  if (edge_answer === null) return null;
  const ofReader = engine === READER_ID;
  const right = correction ?? (rating === "good" && !ofReader ? text : null);
  const said = right === null ? null : isWrongBy(edge_answer, right);
  return said ?? (ofReader ? rating === "bad" : null);
}
