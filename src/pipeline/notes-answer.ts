/** The stage of notes in an answer: what `answer.ts` calls. */
import { nearestEvidence } from "../engine/evidence.ts";
import { loggedOf } from "../errors.ts";
import { NOTE_QUESTION_CHARS_MAX, NOTES_MS_MAX } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import type { SearchHit } from "../memory/types.ts";
import { toCitation } from "./citations.ts";
import { chooseNote, type FoundNotes, findNotes, NO_NOTES, type NoteDeps } from "./notes-find.ts";
import { standingOf } from "./notes-standing.ts";
import type { NoteCandidate } from "./notes-types.ts";
import { questionOf } from "./question.ts";
import type { AnswerRequest, BrinkReport, Citation } from "./types.ts";
import { within } from "./within.ts";

/** Documents behind a note that its answer cites beside it, where retrieval found them too. */
const SOURCES_CITED_MAX = 2;

/** The notes of one answer. Nothing here rejects: no answer fails for want of notes. Null where
 *  they could not be asked in time. */
export interface AnswerNotes {
  /** Notes near the request's question; none where that does not stand for itself. */
  find(request: AnswerRequest): Promise<NoteCandidate[] | null>;
  /** Which of them answers it. `edgeAnswer` is the reader's bare answer, or null. */
  choose(
    request: AnswerRequest,
    question: string,
    candidates: readonly NoteCandidate[],
    edgeAnswer: string | null,
  ): Promise<FoundNotes | null>;
}

/** `embed` gives the question's embedding, which the search for passages shares. */
export function answerNotes(deps: NoteDeps, embed: () => Promise<Float32Array>): AnswerNotes {
  const orNull = async <T>(work: Promise<T>): Promise<T | null> => {
    try {
      return await within(NOTES_MS_MAX, () => work);
    } catch (error) {
      logEvent("notes not asked", loggedOf(error));
      return null;
    }
  };
  return {
    async find(request) {
      if (standingOf(request) === "dependent") return [];
      // None is as long, and looking how alike they are takes time by the words of both.
      if (questionOf(request.messages).length > NOTE_QUESTION_CHARS_MAX) return [];
      const { caller, memory } = request;
      return orNull(findNotes(deps, caller.tenant, memory!.namespace, embed));
    },
    async choose({ caller, memory }, question, candidates, edgeAnswer) {
      if (candidates.length === 0) return NO_NOTES;
      const { namespace } = memory!;
      const asked = { question, edgeAnswer };
      return orNull(chooseNote(deps, caller.tenant, namespace, candidates, asked));
    },
  };
}

/** What a note answers: its text with marks, and the citations that they mean: the note itself,
 *  whose quote is its answer word for word, then documents behind it. */
export async function noteReply(
  { note, passage_id, cosine }: NoteCandidate,
  hits: readonly SearchHit[],
): Promise<{ text: string; citations: Citation[] }> {
  const { id: document_id, question: title, answer: quote } = note;
  const citations: Citation[] = [
    { mark: 1, document_id, passage_id, title, quote, score: cosine, note: true },
  ];
  const sources = new Set(note.sources.map((source) => source.document_id));
  for (const hit of hits) {
    if (!sources.delete(hit.document_id)) continue;
    const evidence = await nearestEvidence([hit], note.answer);
    if (evidence !== null) citations.push(toCitation(citations.length + 1, evidence));
    if (citations.length > SOURCES_CITED_MAX) break;
  }
  const marks = citations.map(({ mark }) => `[${mark}]`).join(" ");
  return { text: `${note.answer} ${marks}`, citations };
}

/** Why a note answered, for `brink.reason`. */
export function noteReason({ how, cosine, difficulty, note }: FoundMatch): string {
  const what = note.kind === "correction" ? "a correction" : "a note";
  const day = new Date(note.learned_at).toISOString().slice(0, 10);
  const likeness = `${how}, cosine ${cosine.toFixed(3)}, difficulty ${difficulty.toFixed(3)}`;
  return `${what} of ${day} answers the same question (${likeness})`;
}

/** Where a note is from, for `brink.note`. */
export function noteReport({ how, cosine, note }: FoundMatch): NonNullable<BrinkReport["note"]> {
  const { id, question, kind, learned_by, learned_at, engine, trace_id } = note;
  const sources = note.sources.map(({ document_id, version }) => ({ document_id, version }));
  return { id, question, kind, learned_by, learned_at, engine, trace_id, sources, how, cosine };
}

type FoundMatch = NonNullable<FoundNotes["match"]>;
