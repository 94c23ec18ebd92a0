/** Finding the note that answers a question. */
import { NOTE_TOUCH_MS, NOTES_IN_PROMPT_MAX } from "../limits.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import { matchOf, type NoteMatch } from "./notes-match.ts";
import type { NotePolicies } from "./notes-policy.ts";
import { isUnchanged } from "./notes-sources.ts";
import { type NoteMemory, NoteStore, noteMemories } from "./notes-store.ts";
import type { Note, NoteCandidate } from "./notes-types.ts";

export interface NoteDeps {
  /** The object of that name of the tenant. */
  memory: (
    tenant: string,
    name: string,
  ) => NoteMemory & Pick<DurableObjectStub<MemoryObject>, "find">;
  policies: Pick<NotePolicies, "read" | "markMade">;
  /** Unit-length, f32 [dim]. */
  embed: (text: string) => Promise<Float32Array>;
  /** Unix ms. */
  now: () => number;
  /** The request's waitUntil. */
  keepAlive: (work: Promise<unknown>) => void;
}

/** What notes have to say on a question. */
export interface FoundNotes {
  /** The note that answers it. */
  match: (NoteMatch & NoteCandidate) | null;
  /** Corrections of like questions, for a backend to read. */
  corrections: Note[];
}

export const NO_NOTES: FoundNotes = { match: null, corrections: [] };

/** Corrections of questions this near stand in a backend's prompt. */
const CORRECTION_COSINE_MIN = 0.7;

export function noteStore(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  state: Note["state"],
): NoteStore {
  return new NoteStore(deps.memory(tenant, noteMemories(namespace)[state]), state);
}

/** Makes the objects that notes lie in, once. */
export async function makeNotes(deps: NoteDeps, tenant: string, namespace: string): Promise<void> {
  if ((await deps.policies.read(tenant, namespace)).made) return;
  for (const state of ["active", "pending"] as const)
    await noteStore(deps, tenant, namespace, state).make();
  await deps.policies.markMade(tenant, namespace);
}

/** The notes whose questions are nearest to the one that `embed` embeds, best first. One search of
 *  a small object, and none where the namespace never had notes, which the isolate remembers. */
export async function findNotes(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  embed: () => Promise<Float32Array>,
): Promise<NoteCandidate[]> {
  const { notes, made } = await deps.policies.read(tenant, namespace);
  if (notes === "off" || !made) return [];
  return noteStore(deps, tenant, namespace, "active").search(await embed());
}

/** Of the notes near a question the one that answers it: a correction before an answer, then the
 *  surest; none whose sources changed. `edgeAnswer` is the reader's bare answer, or null. */
export async function chooseNote(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  candidates: readonly NoteCandidate[],
  { question, edgeAnswer }: { question: string; edgeAnswer: string | null },
): Promise<FoundNotes> {
  if (candidates.length === 0) return NO_NOTES;
  const stale = await areStale(
    deps,
    tenant,
    namespace,
    candidates.map(({ note }) => note),
  );
  const fresh = candidates.filter((_, i) => !stale[i]);
  const matches = fresh.flatMap((candidate) => {
    const match = matchOf(question, edgeAnswer, candidate);
    return match === null ? [] : [{ ...candidate, ...match }];
  });
  const rank = ({ note, difficulty }: (typeof matches)[number]) =>
    difficulty - (note.kind === "correction" ? 1 : 0);
  matches.sort((a, b) => rank(a) - rank(b) || b.cosine - a.cosine);
  const match = matches[0] ?? null;
  if (match !== null) {
    deps.keepAlive(touch(deps, tenant, namespace, match));
    return { match, corrections: [] };
  }
  const corrections = fresh
    .filter(({ note, cosine }) => note.kind === "correction" && cosine >= CORRECTION_COSINE_MIN)
    .slice(0, NOTES_IN_PROMPT_MAX);
  return { match, corrections: corrections.map(({ note }) => note) };
}

/** Of each note whether a document behind it changed or went since. At most one call of the
 *  content's memory, which reads no text. */
export async function areStale(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  notes: readonly Note[],
): Promise<boolean[]> {
  const ids = [...new Set(notes.flatMap(({ sources }) => sources.map((one) => one.document_id)))];
  if (ids.length === 0) return notes.map(() => false);
  const found = await deps.memory(tenant, namespace).find(ids);
  const now = new Map(ids.map((id, i) => [id, found[i]]));
  return notes.map(({ sources }) =>
    sources.some((source) => !isUnchanged(source, now.get(source.document_id))),
  );
}

/** Writes down that the note was used, once in NOTE_TOUCH_MS. Whoever changes it meanwhile wins. */
async function touch(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  { note, vector, version }: NoteCandidate,
): Promise<void> {
  const now = deps.now();
  if (now - note.used_at < NOTE_TOUCH_MS) return;
  const used = { ...note, used_at: now };
  await noteStore(deps, tenant, namespace, "active").put(used, vector, version);
}
