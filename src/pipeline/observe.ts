/** What an answer leaves behind once its last piece is out, or its reader left. */
import { cutText } from "../../index/cut.ts";
import type { Usage } from "../engine/engine.ts";
import type { EdgeAnswer } from "../engine/reader.ts";
import { NOTE_SOURCES_MAX, OUTCOME_CHARS_MAX } from "../limits.ts";
import type { SearchHit } from "../memory/types.ts";
import type { Outcome } from "../router/outcome.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import type { BeforeWork } from "./edge-work.ts";
import { standingOf } from "./notes-standing.ts";
import type { Note } from "./notes-types.ts";
import type { Tap } from "./tap.ts";
import type { AnswerRequest, AnswerStream, BrinkReport } from "./types.ts";

export interface Observed {
  request: AnswerRequest;
  question: string;
  /** In the order of a prompt's numbers. */
  hits: readonly SearchHit[];
  before: BeforeWork | null;
  /** Null where the reader was not asked. */
  edge: {
    reading: EdgeAnswer;
    difficulty: number | null;
    threshold: number;
    features: Record<string, number> | null;
    contributions?: Record<string, number> | null;
    router: ActiveRouter;
  } | null;
  /** Of like questions: what a backend's prompt says of them. */
  corrections: readonly Note[];
  /** Ids of the notes that stood in the prompt or gave the answer. */
  notes: string[];
}

/** An answer that is out. */
export interface Answered {
  outcome: Outcome;
  work: Observed;
  /** As the engine counted; null where it did not say. */
  usage: Usage | null;
  /** What the reply says of it. */
  report: BrinkReport;
  model: string;
}

/** Calls `observe` when the stream ended. */
export function observed(
  work: Observed,
  { model, report }: Pick<AnswerStream, "model" | "report">,
  observe: (answered: Answered) => void,
): Tap {
  let text = "";
  let finish: string | null = null;
  let refused = false;
  let usage: Usage | null = null;
  return {
    piece: (piece) => {
      if ((piece.index ?? 0) === 0) text += piece.text;
      refused ||= piece.refusal === true;
      finish = piece.finish_reason ?? finish;
      usage = piece.usage ?? usage;
    },
    ended: () => {
      const told = report();
      const outcome = outcomeOf(work, told, text, finish === "stop" && !refused);
      observe({ outcome, work, usage, report: told, model });
    },
  };
}

/** What an outcome has of the reader's answer, or null. */
export function answerKept({ answer }: EdgeAnswer): string | null {
  return answer === null ? null : cutText(answer, OUTCOME_CHARS_MAX);
}

/** A note is no document of the namespace. */
function documentsCited({ citations }: BrinkReport): string[] {
  const documents = citations.filter(({ note }) => !note).map(({ document_id }) => document_id);
  return [...new Set(documents)].slice(0, NOTE_SOURCES_MAX);
}

function outcomeOf(work: Observed, report: BrinkReport, text: string, whole: boolean): Outcome {
  const { request, question, hits, before, edge, notes } = work;
  const { route, engine, difficulty } = report;
  const kept = whole && text.length <= OUTCOME_CHARS_MAX;
  return {
    trace_id: request.trace_id,
    at: Date.now(),
    namespace: request.memory?.namespace ?? null,
    conversation: request.conversation ?? null,
    question: cutText(question, OUTCOME_CHARS_MAX),
    route,
    engine,
    edge_answer: edge === null ? null : answerKept(edge.reading),
    text: cutText(text, OUTCOME_CHARS_MAX),
    difficulty_before: before?.score ?? null,
    // What was known before reading is no score of an answer, which labels are about.
    difficulty: edge === null ? null : difficulty,
    features: edge?.features ?? null,
    threshold: edge?.threshold ?? -1,
    weights_version: edge?.router.model.version ?? "",
    passages: hits.map(({ document_id, passage_id, version, digest }) => {
      return { document_id, passage_id, version, digest };
    }),
    cited: documentsCited(report),
    notes,
    cost_usd: null,
    standing: kept ? standingOf(request) : "dependent",
    asked: request.route ?? request.model,
    whole: kept,
  };
}
