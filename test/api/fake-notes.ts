/** Notes that stay the same, for tests of what the HTTP layer reads and writes. */
import { ServiceError } from "../../src/errors.ts";
import type { NoteAdmin, NoteView } from "../../src/pipeline/notes-types.ts";
import { knows } from "./fake-memory.ts";

export const NOTE: NoteView = {
  id: "note-1",
  question: "When does the lease end?",
  answer: "On 3 May.",
  kind: "answer",
  state: "active",
  learned_by: "rating",
  trace_id: "t1",
  engine: "backend:big",
  edge_answer: null,
  sources: [{ document_id: "d1", version: 3 }],
  seen: 1,
  learned_at: 1,
  used_at: 2,
  expires_at: 3,
  stale: false,
};

type Log = (name: string, ...args: unknown[]) => void;

export class FakeNotes implements NoteAdmin {
  readonly #note: Log;

  constructor(note: Log) {
    this.#note = note;
  }

  #done<T>(result: T, name: string, ...args: [unknown, string, ...unknown[]]): Promise<T> {
    knows(args[1]);
    this.#note(name, ...args);
    return Promise.resolve(result);
  }

  async list(...args: Parameters<NoteAdmin["list"]>) {
    return this.#done({ notes: [NOTE], cursor: "7" }, "listNotes", ...args);
  }

  async get(...args: Parameters<NoteAdmin["get"]>) {
    if (args[2] !== NOTE.id) throw new ServiceError("not_found", "no such note");
    return this.#done(NOTE, "getNote", ...args);
  }

  async patch(...args: Parameters<NoteAdmin["patch"]>) {
    return this.#done(NOTE, "patchNote", ...args);
  }

  async remove(...args: Parameters<NoteAdmin["remove"]>) {
    return this.#done(undefined, "removeNote", ...args);
  }

  async getPolicy(...args: Parameters<NoteAdmin["getPolicy"]>) {
    return this.#done({ notes: "rated" as const, ttl_days: 30 }, "getNotePolicy", ...args);
  }

  async putPolicy(...args: Parameters<NoteAdmin["putPolicy"]>) {
    const policy = { notes: "rated" as const, ttl_days: 30, ...args[2] };
    return this.#done(policy, "putNotePolicy", ...args);
  }
}
