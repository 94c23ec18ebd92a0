/** The tending of notes: between what the API asks and the objects that hold them. */
import { ServiceError } from "../errors.ts";
import type { MemoryAccess } from "./memory-admin.ts";
import { replaceNote, setAside } from "./notes.ts";
import { areStale, type NoteDeps, noteStore } from "./notes-find.ts";
import type { NotePolicies } from "./notes-policy.ts";
import { refreshSources } from "./notes-sources.ts";
import type { Note, NoteAdmin, NotePage, NotePatch, NotePolicy, NoteView } from "./notes-types.ts";
import type { Caller } from "./types.ts";

export class NamespaceNotes implements NoteAdmin {
  readonly #deps: NoteDeps;
  readonly #policies: NotePolicies;
  readonly #ledger: MemoryAccess["ledger"];

  constructor(deps: NoteDeps, policies: NotePolicies, ledger: MemoryAccess["ledger"]) {
    this.#deps = deps;
    this.#policies = policies;
    this.#ledger = ledger;
  }

  async list(
    caller: Caller,
    namespace: string,
    { state, limit, cursor }: { state: Note["state"]; limit: number; cursor: string | null },
  ): Promise<NotePage> {
    await this.#check(caller, namespace);
    const page = await noteStore(this.#deps, caller.tenant, namespace, state).list(cursor, limit);
    return { notes: await this.#views(caller, namespace, page.notes), cursor: page.cursor };
  }

  async get(caller: Caller, namespace: string, id: string): Promise<NoteView> {
    await this.#check(caller, namespace);
    return this.#view(caller, namespace, await this.#find(caller, namespace, id));
  }

  async patch(
    caller: Caller,
    namespace: string,
    id: string,
    { answer, state, expires_at, confirm }: NotePatch,
  ): Promise<NoteView> {
    await this.#check(caller, namespace);
    const before = await this.#find(caller, namespace, id);
    const note: Note = { ...before, ...(expires_at === undefined ? {} : { expires_at }) };
    if (answer !== undefined) Object.assign(note, { answer, learned_by: "admin" });
    if (confirm) note.sources = await refreshSources(this.#deps, caller.tenant, namespace, note);
    const after = state === "pending" ? setAside(note) : { ...note, state: state ?? note.state };
    const stored = await replaceNote(this.#deps, caller.tenant, namespace, before, after);
    return this.#view(caller, namespace, stored);
  }

  async remove(caller: Caller, namespace: string, id: string): Promise<void> {
    await this.#check(caller, namespace);
    const { state } = await this.#find(caller, namespace, id);
    await noteStore(this.#deps, caller.tenant, namespace, state).remove(id);
  }

  async getPolicy(caller: Caller, namespace: string): Promise<NotePolicy> {
    await this.#check(caller, namespace);
    return policyOf(await this.#policies.read(caller.tenant, namespace));
  }

  async putPolicy(
    caller: Caller,
    namespace: string,
    changes: Partial<NotePolicy>,
  ): Promise<NotePolicy> {
    await this.#check(caller, namespace);
    return policyOf(await this.#policies.write(caller.tenant, namespace, changes));
  }

  async #find(caller: Caller, namespace: string, id: string): Promise<Note> {
    for (const state of ["active", "pending"] as const) {
      const note = await noteStore(this.#deps, caller.tenant, namespace, state).get(id);
      if (note !== null) return note;
    }
    throw new ServiceError("not_found", `there is no note ${JSON.stringify(id)}`);
  }

  async #view(caller: Caller, namespace: string, note: Note): Promise<NoteView> {
    return (await this.#views(caller, namespace, [note]))[0]!;
  }

  async #views(caller: Caller, namespace: string, notes: readonly Note[]): Promise<NoteView[]> {
    const stale = await areStale(this.#deps, caller.tenant, namespace, notes);
    return notes.map((note, i) => ({ ...note, stale: stale[i]! }));
  }

  async #check({ tenant }: Caller, namespace: string): Promise<void> {
    if ((await this.#ledger().getNamespace(tenant, namespace)) === null)
      throw new ServiceError("namespace_not_found", `there is no namespace "${namespace}"`, {
        param: "namespace",
      });
  }
}

function policyOf({ notes, ttl_days }: NotePolicy): NotePolicy {
  return { notes, ttl_days };
}
