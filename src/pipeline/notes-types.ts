/** What a note is: the question that was asked, the answer that was found good, and where it is
 *  from. Names in snake_case are those of the HTTP contract. */
import type { Caller } from "./types.ts";

export interface Note {
  /** Of the question: the same question has one note. */
  id: string;
  question: string;
  answer: string;
  /** Corrections beat answers. */
  kind: "answer" | "correction";
  /** Pending notes answer nothing until an administrator makes them active. */
  state: "active" | "pending";
  /** What made it a note: a good rating, a correction, agreement by policy, or an administrator. */
  learned_by: "rating" | "correction" | "agreement" | "admin";
  /** The answer that it was learned from. */
  trace_id: string;
  /** As `brink.engine` named it. */
  engine: string;
  /** What the reader had answered, by which it is known whether a question is the like; null where
   *  it had no answer. */
  edge_answer: string | null;
  /** The documents behind the answer, as they were; one that changed since makes the note stale. */
  sources: NoteSource[];
  /** How often a backend has given the answer, up to what policy "agreed" asks for; 0 once the note
   *  was set aside. */
  seen: number;
  /** Unix ms. */
  learned_at: number;
  used_at: number;
  expires_at: number;
}

export interface NoteSource {
  document_id: string;
  version: number;
  /** SHA-256 of what was stored, in hexadecimal digits; absent in notes of earlier releases. */
  digest?: string;
}

/** A note that a search found near a question. */
export interface NoteCandidate {
  note: Note;
  passage_id: string;
  /** Of the two questions' embeddings, -1..1. */
  cosine: number;
  /** Of the note's question, f32 [dim]. */
  vector: Float32Array;
  version: number;
}

export interface NotePolicy {
  /** What becomes a note without an administrator: nothing, answers that were rated good, or those
   *  and what engines agree on. With "off" notes answer nothing either. */
  notes: "off" | "rated" | "agreed";
  /** How long a note lives, above 0, at most NOTE_TTL_DAYS_MAX. */
  ttl_days: number;
}

/** What an administrator may change of a note. */
export interface NotePatch {
  answer?: string;
  state?: Note["state"];
  /** Unix ms. */
  expires_at?: number;
  /** Takes the sources as they are now: the note is no longer stale. */
  confirm?: true;
}

export interface NotePage {
  notes: NoteView[];
  /** Hand it back to get the next page; null on the last. */
  cursor: string | null;
}

/** A note as it is shown. */
export interface NoteView extends Note {
  /** Whether a source changed or went since, so that it answers nothing until it is confirmed. */
  stale: boolean;
}

/** Every method throws `namespace_not_found` where the caller's tenant has none of that name; those
 *  that name a note throw `not_found`. */
export interface NoteAdmin {
  list(
    caller: Caller,
    namespace: string,
    page: { state: Note["state"]; limit: number; cursor: string | null },
  ): Promise<NotePage>;
  get(caller: Caller, namespace: string, id: string): Promise<NoteView>;
  /** The note as it is now; one that is made active gets the id of its question. */
  patch(caller: Caller, namespace: string, id: string, patch: NotePatch): Promise<NoteView>;
  remove(caller: Caller, namespace: string, id: string): Promise<void>;
  getPolicy(caller: Caller, namespace: string): Promise<NotePolicy>;
  putPolicy(caller: Caller, namespace: string, changes: Partial<NotePolicy>): Promise<NotePolicy>;
}
