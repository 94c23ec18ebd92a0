/** Where notes lie: in two memory objects beside the namespace's own, one for those that answer and
 *  one for those that wait, so that they never mix with the content owner's documents. Their names
 *  hold a "~", which no namespace's name does. */
import { quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../errors.ts";
import { NOTE_CANDIDATES, NOTES_MAX, NOTES_PENDING_MAX } from "../limits.ts";
import { documentDigest } from "../memory/document-digest.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import {
  type Metadata,
  NAMESPACE_DEFAULTS,
  type SearchHit,
  type StoredDocument,
} from "../memory/types.ts";
import type { Note, NoteCandidate } from "./notes-types.ts";

export type NoteMemory = Pick<
  DurableObjectStub<MemoryObject>,
  "configure" | "export" | "get" | "remove" | "search" | "upsert"
>;

/** The names of the companions of a namespace. */
export function noteMemories(namespace: string): Record<Note["state"], string> {
  return { active: `${namespace}~notes`, pending: `${namespace}~pending` };
}

const MOST = { active: NOTES_MAX, pending: NOTES_PENDING_MAX };

/** The notes of one namespace in one state: none until `make` was called. */
export class NoteStore {
  readonly #memory: NoteMemory;
  readonly #state: Note["state"];

  constructor(memory: NoteMemory, state: Note["state"]) {
    this.#memory = memory;
    this.#state = state;
  }

  /** Makes the object. Beyond the bound it forgets by itself those that were unused for longest. */
  async make(): Promise<void> {
    const forget = { max_documents: MOST[this.#state] };
    await this.#memory.configure({ ...NAMESPACE_DEFAULTS, forget });
  }

  /** The NOTE_CANDIDATES notes whose questions are nearest, best first. */
  async search(vector: Float32Array): Promise<NoteCandidate[]> {
    const request = { query: "", vector, k: NOTE_CANDIDATES, filter: null, explain: false };
    const reply = await orNull(() =>
      this.#memory.search({ ...request, mode: "vector", vectors: true }),
    );
    return (reply?.hits ?? []).map((hit) => candidateFrom(hit, this.#state));
  }

  async get(id: string): Promise<Note | null> {
    const document = await orNull(() => this.#memory.get(id));
    return document === null ? null : noteFrom(document, this.#state);
  }

  /** By last use, the longest unused first. Throws `invalid_request` for a foreign cursor. */
  async list(cursor: string | null, limit: number) {
    const page = await orNull(() => this.#memory.export(cursor, limit));
    if (page === null) return { notes: [], cursor: null };
    const notes = page.documents.map((document) => noteFrom(document, this.#state));
    return { notes, cursor: page.cursor };
  }

  /** Stores a note in the place of any of its id; with `ifVersion` only where that has it. */
  async put(note: Note, vector: Float32Array, ifVersion: number | null = null): Promise<void> {
    const document = documentOf(note, vector);
    await this.#memory.upsert([{ document, if_version: ifVersion }]);
  }

  /** Whether it was there. */
  async remove(id: string): Promise<boolean> {
    return (await orNull(() => this.#memory.remove([id]))) === 1;
  }
}

/** Null where nobody has made the object. */
async function orNull<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (codeOf(error) === "namespace_not_found") return null;
    throw error;
  }
}

/** The question is the title and its embedding the vector: by it a note is found. The answer is the
 *  text, so that a citation can quote it. The document's time is that of the last use. */
function documentOf(note: Note, vector: Float32Array) {
  const { id, question: title, answer: text, state: _, ...rest } = note;
  const { expires_at, used_at: time } = note;
  const metadata: Metadata = { ...rest };
  const content = { text, title, metadata, expires_at, content_type: "text/plain" as const };
  const quantized = quantizeVector(vector);
  const span = { start: 0, end: text.length, heading_path: [], anchor: null };
  const passages = [{ ...span, vector: quantized }];
  const digest = documentDigest(content, quantized.qs);
  return { ...content, id, digest, passages, brought: true, time };
}

type NoteDocument = Pick<StoredDocument, "id" | "text" | "title" | "metadata">;

function noteFrom({ id, text, title, metadata }: NoteDocument, state: Note["state"]): Note {
  const rest = metadata as unknown as Omit<Note, "id" | "question" | "answer" | "state">;
  return { ...rest, id, question: title!, answer: text, state };
}

function candidateFrom(hit: SearchHit, state: Note["state"]): NoteCandidate {
  const { passage_id, cosine, vector, version } = hit;
  const note = noteFrom({ ...hit, id: hit.document_id }, state);
  return { note, passage_id, cosine: cosine ?? 0, vector: vector!, version: version ?? 0 };
}
