/** The tending of memories: between what the API asks and the objects that hold namespaces. */
import { codeOf, type ErrorCode, ServiceError } from "../errors.ts";
import type { LedgerObject } from "../ledger/ledger-object.ts";
import type { Job, JobStep } from "../memory/jobs.ts";
import type { MemoryObject } from "../memory/memory-object.ts";
import { checkOptions } from "../memory/namespace-options.ts";
import type { ChangeOutcome, DocumentPatch } from "../memory/shard-types.ts";
import { NAMESPACE_DEFAULTS, type NamespaceOptions } from "../memory/types.ts";
import { noCachePolicy } from "./cache-policy.ts";
import { type IngestEncoder, type IngestMemory, ingest } from "./ingest.ts";
import type { MemoryAdmin, MemorySnapshots } from "./memory-types.ts";
import { NotePolicies, noNotePolicy } from "./notes-policy.ts";
import { noteMemories } from "./notes-store.ts";
import { missingDocument, retitle } from "./retitle.ts";
import type { Trace } from "./trace.ts";
import type { Caller, MemoryChoice, NamespaceInfo, SubmittedDocument } from "./types.ts";

type Memory = DurableObjectStub<MemoryObject>;

/** Where memories and their list are found. */
export interface MemoryAccess {
  /** The object of a tenant's namespace. */
  memory(caller: Caller, namespace: string): Memory;
  ledger(): DurableObjectStub<LedgerObject>;
  encoder(): Promise<IngestEncoder>;
  /** The request's. */
  trace: Trace;
  /** Lets go of the answers that a tenant's namespace gave: what is remembered of them, and those
   *  that are kept to be given again. */
  forgetOutcomes(tenant: string, namespace: string): Promise<unknown>;
  forgetCache(tenant: string, namespace: string): Promise<unknown>;
}

export class NamespaceAdmin implements MemoryAdmin {
  readonly #access: MemoryAccess;

  constructor(access: MemoryAccess) {
    this.#access = access;
  }

  async ingest(
    caller: Caller,
    namespace: string,
    documents: readonly SubmittedDocument[],
    embeddedMax?: number,
  ) {
    const memory = this.#memory(caller, namespace);
    return ingest(
      ingestMemory(memory, this.#access.trace),
      await this.#access.encoder(),
      documents,
      embeddedMax,
    );
  }

  async getDocument(caller: Caller, namespace: string, id: string) {
    const document = await this.#memory(caller, namespace).get(id);
    if (document === null) throw missingDocument(id);
    return document;
  }

  listDocuments(caller: Caller, namespace: string, page: { limit: number; cursor: string | null }) {
    return this.#memory(caller, namespace).list(page.cursor, page.limit);
  }

  async patchDocument(
    caller: Caller,
    namespace: string,
    id: string,
    patch: DocumentPatch,
    if_version: number | null,
  ): Promise<number> {
    const memory = this.#memory(caller, namespace);
    if (patch.title !== undefined) {
      const port = {
        ...ingestMemory(memory, this.#access.trace),
        get: (one: string) => memory.get(one),
      };
      const version = await retitle(port, this.#access.encoder, id, patch, if_version);
      if (version !== null) return version;
    }
    const [outcome] = await memory.apply([{ kind: "patch", id, patch, if_version }]);
    return versionOf(outcome!, id)!;
  }

  async deleteDocument(
    caller: Caller,
    namespace: string,
    id: string,
    if_version: number | null,
  ): Promise<void> {
    const memory = this.#memory(caller, namespace);
    const [outcome] = await memory.apply([{ kind: "remove", id, if_version }]);
    versionOf(outcome!, id);
  }

  async deleteWhere(caller: Caller, namespace: string, filter: MemoryChoice["filter"]) {
    return { deleted: await this.#memory(caller, namespace).removeWhere(filter!) };
  }

  exportPage(caller: Caller, namespace: string, cursor: string | null) {
    return this.#memory(caller, namespace).export(cursor);
  }

  stats(caller: Caller, namespace: string) {
    return this.#memory(caller, namespace).stats();
  }

  compact(caller: Caller, namespace: string, rebuild: boolean) {
    return this.#memory(caller, namespace).compact(rebuild);
  }

  /** A new one is listed first: the list alone knows how many a tenant may have. Where the memory
   *  then does not hear of it, the same call again tells it. The options of one that exists are the
   *  memory's, which may come from a snapshot, and it says which of them may change. */
  async putNamespace(
    caller: Caller,
    name: string,
    options: Partial<NamespaceOptions>,
  ): Promise<NamespaceInfo> {
    const ledger = this.#access.ledger();
    const memory = this.#memory(caller, name);
    const listed = await ledger.getNamespace(caller.tenant, name);
    const known = listed === null ? null : await optionsOf(memory);
    const wanted = { ...NAMESPACE_DEFAULTS, ...known, ...options };
    checkOptions(wanted);
    if (listed === null) await ledger.putNamespace(caller.tenant, name, wanted);
    await memory.configure(wanted);
    const record = await ledger.putNamespace(caller.tenant, name, wanted);
    return { name, created_at: record.created_at, ...wanted };
  }

  /** As the memory has it: a restored snapshot brings its options, of which the list hears here. */
  async getNamespace(caller: Caller, name: string): Promise<NamespaceInfo> {
    const ledger = this.#access.ledger();
    const record = await ledger.getNamespace(caller.tenant, name);
    if (record === null) throw missingNamespace(name);
    const options = await this.#memory(caller, name).options();
    if (JSON.stringify(options) !== JSON.stringify(record.options))
      await ledger.putNamespace(caller.tenant, name, options);
    return { name, created_at: record.created_at, ...options };
  }

  async listNamespaces(caller: Caller): Promise<NamespaceInfo[]> {
    const records = await this.#access.ledger().listNamespaces(caller.tenant);
    return records.map(({ name, created_at, options }) => ({ name, created_at, ...options }));
  }

  /** The memory goes first: were the list to forget it first, a failure would orphan its data. What
   *  is set for it meanwhile goes with its entry of the list. */
  async deleteNamespace(caller: Caller, name: string): Promise<void> {
    const ledger = this.#access.ledger();
    if ((await ledger.getNamespace(caller.tenant, name)) === null) throw missingNamespace(name);
    for (const notes of Object.values(noteMemories(name)))
      await this.#memory(caller, notes).destroy();
    await new NotePolicies(this.#access.ledger).reset(caller.tenant, name);
    await this.#access.forgetOutcomes(caller.tenant, name);
    await this.#access.forgetCache(caller.tenant, name);
    await this.#memory(caller, name).destroy();
    await ledger.deleteNamespace(caller.tenant, name, [noNotePolicy(name), noCachePolicy(name)]);
  }

  createJob(caller: Caller, namespace: string, name: string | null): Promise<Job> {
    return this.#memory(caller, namespace).createJob(name);
  }

  listJobs(caller: Caller, namespace: string) {
    return this.#memory(caller, namespace).listJobs();
  }

  getJob(caller: Caller, namespace: string, id: string): Promise<Job> {
    return this.#memory(caller, namespace).getJob(id);
  }

  advanceJob(
    caller: Caller,
    namespace: string,
    id: string,
    from: number,
    step: JobStep,
  ): Promise<Job> {
    return this.#memory(caller, namespace).advanceJob(id, from, step);
  }

  finishJob(caller: Caller, namespace: string, id: string): Promise<Job> {
    return this.#memory(caller, namespace).finishJob(id);
  }

  async deleteJob(caller: Caller, namespace: string, id: string): Promise<void> {
    await this.#memory(caller, namespace).deleteJob(id);
  }

  async split(caller: Caller, namespace: string, shard: string | undefined): Promise<void> {
    await this.#memory(caller, namespace).split(shard);
  }

  startSnapshot(caller: Caller, namespace: string): Promise<string> {
    return this.#memory(caller, namespace).snapshot();
  }

  snapshots(caller: Caller, namespace: string): Promise<MemorySnapshots> {
    return this.#memory(caller, namespace).snapshots();
  }

  async deleteSnapshot(caller: Caller, namespace: string, id: string): Promise<void> {
    await this.#memory(caller, namespace).deleteSnapshot(id);
  }

  async restore(caller: Caller, namespace: string, id: string): Promise<void> {
    await this.#memory(caller, namespace).restore(id);
  }

  cancelWork(caller: Caller, namespace: string): Promise<boolean> {
    return this.#memory(caller, namespace).cancelWork();
  }

  #memory(caller: Caller, namespace: string): Memory {
    return this.#access.memory(caller, namespace);
  }
}

function ingestMemory(memory: Memory, trace: Trace): IngestMemory {
  return {
    find: (ids) => trace.span("find", () => memory.find(ids)),
    upsert: (changes) => trace.span("store", () => memory.upsert(changes)),
  };
}

/** Null: the memory has not heard of the namespace. */
async function optionsOf(memory: Memory): Promise<NamespaceOptions | null> {
  try {
    return await memory.options();
  } catch (error) {
    if (codeOf(error) === "namespace_not_found") return null;
    throw error;
  }
}

/** The version that a change left. Throws what it was refused with, and `document_not_found`. */
function versionOf({ status, version, error }: ChangeOutcome, id: string): number | null {
  if (error !== null) throw refusalOf(error);
  if (status === "missing") throw missingDocument(id);
  return version;
}

function refusalOf({ code, message }: { code: ErrorCode; message: string }): ServiceError {
  return new ServiceError(
    code,
    message,
    code === "version_conflict" ? { param: "if_version" } : {},
  );
}

export function missingNamespace(name: string): ServiceError {
  return new ServiceError(
    "namespace_not_found",
    `there is no namespace "${name}": PUT /admin/namespaces/${name} makes it`,
    { param: "namespace" },
  );
}
