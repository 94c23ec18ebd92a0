/** Memory that learns: what becomes a note, and what takes one out of use. Notes hold text of
 *  backends and of users: it is data, wherever it goes. */
import { cutText } from "../../index/cut.ts";
import {
  NOTE_AGREED_CHARS_MAX,
  NOTE_AGREED_TIMES,
  NOTE_ANSWER_CHARS_MAX,
  NOTE_QUESTION_CHARS_MAX,
} from "../limits.ts";
import { normalForm } from "../model/normal-form.ts";
import type { Outcome } from "../router/outcome.ts";
import { sha256Hex } from "./digest.ts";
import { makeNotes, type NoteDeps, noteStore } from "./notes-find.ts";
import { saysTheSame } from "./notes-match.ts";
import { sourcesOf } from "./notes-sources.ts";
import type { Note, NotePolicy } from "./notes-types.ts";
import { citedNumbers } from "./prompt.ts";
import { type Caller, mayDo } from "./types.ts";

/** Shown as `brink.engine`. */
export const NOTE_ID = "brink-note";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The id of the note of a question: letters' case and white space do not count. */
export function noteIdOf(question: string): string {
  const plain = normalForm(question, "NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  return `note-${sha256Hex(plain).slice(0, 32)}`;
}

/** The id of a note that waits for an administrator beside others of its question: none must push
 *  out another. No text has a NUL, so that no question's note has this id. */
function waitingIdOf({ question, answer }: Note): string {
  return noteIdOf(`${question}\0${answer}`);
}

/** What a rating teaches. A good backend answer becomes a note; a bad rating takes a note that gave
 *  the answer, or was learned from it, out of use, and with a correction that becomes the
 *  question's note, or, where the caller may not write, waits for an administrator. Answers of the
 *  edge, of notes, and those written with notes in the prompt teach nothing: notes never feed on
 *  their own output. */
export async function learnNote(
  deps: NoteDeps,
  caller: Caller,
  outcome: Outcome,
  rating: "good" | "bad",
  correction: string | null,
): Promise<"note" | "pending" | null> {
  const { namespace } = outcome;
  if (namespace === null) return null;
  const policy = await deps.policies.read(caller.tenant, namespace);
  if (policy.notes === "off") return null;
  if (rating === "bad") await doubt(deps, caller, namespace, outcome);
  if (!mayBeNoted(caller, outcome)) return null;
  if (rating === "good") return learnAnswer(deps, caller, outcome, policy);
  return correction === null ? null : learnCorrection(deps, caller, outcome, policy, correction);
}

/** Whether the question stands for itself. Behind system messages an engine can be had say
 *  anything, so only who may write vouches for that. */
function mayBeNoted(caller: Caller, { standing, question }: Outcome): boolean {
  if (question.length > NOTE_QUESTION_CHARS_MAX) return false;
  return standing === "alone" || (standing === "instructed" && mayDo(caller, "memory:write"));
}

async function learnAnswer(
  deps: NoteDeps,
  { tenant }: Caller,
  outcome: Outcome,
  policy: NotePolicy,
): Promise<"note" | null> {
  const note = await answerNote(deps, tenant, outcome, policy, "rating");
  if (note === null) return null;
  return (await keep(deps, tenant, outcome.namespace!, note)) ? "note" : null;
}

async function learnCorrection(
  deps: NoteDeps,
  caller: Caller,
  outcome: Outcome,
  policy: NotePolicy,
  correction: string,
): Promise<"note" | "pending" | null> {
  const answer = correction.trim();
  const sources = await sourcesOf(deps, caller.tenant, outcome);
  if (answer === "" || answer.length > NOTE_ANSWER_CHARS_MAX || sources === null) return null;
  const trusted = mayDo(caller, "memory:write");
  const note: Note = {
    ...noteOf(outcome, policy, deps.now()),
    answer,
    sources,
    kind: "correction",
    learned_by: "correction",
    state: trusted ? "active" : "pending",
  };
  if (!trusted) note.id = waitingIdOf(note);
  await keep(deps, caller.tenant, outcome.namespace!, note);
  return trusted ? "note" : "pending";
}

/** What policy "agreed" makes of a backend's answer that nobody rated: a note at once where it says
 *  what the reader found by itself, else after the same answer NOTE_AGREED_TIMES. */
export async function noteAgreed(
  deps: NoteDeps,
  { tenant }: Caller,
  outcome: Outcome,
): Promise<void> {
  const { namespace } = outcome;
  if (namespace === null || outcome.standing !== "alone") return;
  if (outcome.question.length > NOTE_QUESTION_CHARS_MAX) return;
  const policy = await deps.policies.read(tenant, namespace);
  if (policy.notes !== "agreed") return;
  const note = await answerNote(deps, tenant, outcome, policy, "agreement");
  if (note === null || note.answer.length > NOTE_AGREED_CHARS_MAX) return;
  await makeNotes(deps, tenant, namespace);
  const waiting = await noteStore(deps, tenant, namespace, "pending").get(note.id);
  if (waiting !== null && isForAdmin(waiting)) return;
  const same = waiting !== null && saysTheSame(waiting.answer, note.answer);
  const seen = same ? waiting.seen + 1 : 1;
  const { edge_answer } = outcome;
  const agreed = edge_answer !== null && saysTheSame(edge_answer, note.answer);
  const state = agreed || seen >= NOTE_AGREED_TIMES ? "active" : "pending";
  await keep(deps, tenant, namespace, { ...note, seen, state });
}

/** The note that a backend's answer makes; null where it may make none. */
async function answerNote(
  deps: NoteDeps,
  tenant: string,
  outcome: Outcome,
  policy: NotePolicy,
  learned_by: Note["learned_by"],
): Promise<Note | null> {
  if (outcome.route !== "backend" || outcome.notes.length > 0) return null;
  const answer = withoutMarks(outcome.text, outcome.passages.length);
  if (answer === "" || answer.length > NOTE_ANSWER_CHARS_MAX) return null;
  const sources = await sourcesOf(deps, tenant, outcome);
  if (sources === null) return null;
  return { ...noteOf(outcome, policy, deps.now()), answer, sources, learned_by };
}

function noteOf(outcome: Outcome, policy: NotePolicy, now: number): Note {
  return {
    id: noteIdOf(outcome.question),
    question: outcome.question,
    answer: "",
    kind: "answer",
    state: "active",
    learned_by: "rating",
    trace_id: outcome.trace_id,
    engine: outcome.engine,
    edge_answer: outcome.edge_answer && cutText(outcome.edge_answer, NOTE_AGREED_CHARS_MAX),
    sources: [],
    seen: 1,
    learned_at: now,
    used_at: now,
    expires_at: now + policy.ttl_days * DAY_MS,
  };
}

/** The text without its [n] marks, which mean nothing beside other passages. */
function withoutMarks(text: string, passages: number): string {
  const marks = /(?<!\s)\s*\[\d{1,3}(?:\s*,\s*\d{1,3}){0,15}\]/g;
  const bare = text.replace(marks, (mark) => (citedNumbers(mark, passages).length > 0 ? "" : mark));
  return bare.trim();
}

/** Stores a note, unless it is an answer to a question that a correction or an administrator
 *  answered; whether it did. */
async function keep(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  note: Note,
): Promise<boolean> {
  await makeNotes(deps, tenant, namespace);
  if (note.kind === "answer") {
    const known = await noteStore(deps, tenant, namespace, "active").get(note.id);
    if (known !== null && isVouched(known)) return false;
  }
  await put(deps, tenant, namespace, note);
  return true;
}

/** Stores a note where its state says. One that answers replaces what waits under its id, too:
 *  whoever names a note by its id must not get hold of another. Only what was learned from an
 *  engine does not take the place of what somebody wrote and an administrator is still to judge:
 *  that waits under an id of its own from then on, where no rating of this one moves it. */
async function put(deps: NoteDeps, tenant: string, namespace: string, note: Note): Promise<void> {
  const vector = await deps.embed(note.question);
  const pending = noteStore(deps, tenant, namespace, "pending");
  if (note.state === "active" && !isVouched(note)) {
    const waiting = await pending.get(note.id);
    if (waiting !== null && isVouched(waiting))
      await pending.put({ ...waiting, id: waitingIdOf(waiting) }, vector);
  }
  await noteStore(deps, tenant, namespace, note.state).put(note, vector);
  if (note.state === "active") await pending.remove(note.id);
}

/** Whether a note that waits is an administrator's to judge, and not for engines to agree on. */
const isForAdmin = ({ learned_by, seen }: Note) => learned_by !== "agreement" || seen === 0;

/** Whether somebody wrote it who may write. */
const isVouched = ({ kind, learned_by }: Note) => kind === "correction" || learned_by === "admin";

/** A note whose answer was rated bad waits for an administrator from now on; a correction, and what
 *  an administrator wrote, does so only where the caller may write itself. */
async function doubt(
  deps: NoteDeps,
  caller: Caller,
  namespace: string,
  outcome: Outcome,
): Promise<void> {
  const note = await noteBehind(deps, caller.tenant, namespace, outcome);
  if (note === null) return;
  if (isVouched(note) && !mayDo(caller, "memory:write")) return;
  await replaceNote(deps, caller.tenant, namespace, note, setAside(note));
}

/** The note out of use, so that no agreement brings it back. */
export function setAside(note: Note): Note {
  return { ...note, state: "pending", seen: 0 };
}

/** The note that gave the answer, or else the one that was learned from it, or from another that
 *  said the same, if only as one to agree on; null where there is none. What somebody vouched for
 *  since is not from it. */
async function noteBehind(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  { engine, notes, standing, question, text, passages }: Outcome,
): Promise<Note | null> {
  const active = noteStore(deps, tenant, namespace, "active");
  const pending = noteStore(deps, tenant, namespace, "pending");
  if (engine === NOTE_ID) return notes[0] === undefined ? null : active.get(notes[0]);
  if (standing === undefined || standing === "dependent") return null;
  const id = noteIdOf(question);
  const said = withoutMarks(text, passages.length);
  const known = await Promise.all([active.get(id), pending.get(id)]);
  return known.find((note) => note && !isVouched(note) && note.answer === said) ?? null;
}

/** Puts a note in the place of another, where its state says: one that answers has the id of its
 *  question, so that it replaces what answered before. Resolves with it as it is stored. */
export async function replaceNote(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  before: Note,
  after: Note,
): Promise<Note> {
  const id = after.state === "active" ? noteIdOf(after.question) : after.id;
  const note = { ...after, id };
  await put(deps, tenant, namespace, note);
  if (note.state !== before.state || id !== before.id)
    await noteStore(deps, tenant, namespace, before.state).remove(before.id);
  return note;
}
