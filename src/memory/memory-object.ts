/** The Durable Object that holds one namespace of one tenant: documents, their passages, and the
 *  search over them. SQLite is the truth; the index in memory is loaded from it on first use. */
import { DurableObject } from "cloudflare:workers";
import { type Filter, matches } from "../../index/filter.ts";
import { quantizeVector, type VectorScan } from "../../index/vectors.ts";
import { WasmScan } from "../../index/wasm-scan.ts";
import { ServiceError } from "../errors.ts";
import {
  EXPORT_PAGE_CHARS_MAX,
  FILTERS_REMEMBERED_MAX,
  PAGE_DOCUMENTS_MAX,
  PASSAGES_MAX,
} from "../limits.ts";
import kernels from "../model/kernels-module.ts";
import { isMigrated, migrate } from "./migrations.ts";
import { Resident } from "./resident.ts";
import { search } from "./search.ts";
import { MemoryStore } from "./store.ts";
import type {
  DocumentPage,
  ExportPage,
  MemoryStats,
  NamespaceOptions,
  PreparedDocument,
  SearchHit,
  SearchRequest,
  StoredDocument,
  UpsertOutcome,
} from "./types.ts";

/** Object RPC. Every method sees all that was written before it and nothing that has expired, and
 *  resolves only once what it wrote is durable. Errors carry their code (see codeOf). */
export class MemoryObject extends DurableObject {
  #store: MemoryStore | null = null;
  #resident: Resident | null = null;
  /** Rows of the documents that pass a filter, by the filter's JSON; forgotten at every write. */
  readonly #allowed = new Map<string, ReadonlySet<number>>();

  /** How many passages fit. A test lowers it. */
  protected get passagesMax(): number {
    return PASSAGES_MAX;
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  protected makeScan(dim: number): VectorScan {
    return new WasmScan(kernels, dim, this.passagesMax);
  }

  /** Makes the namespace; every other method throws `namespace_not_found` until then. The same
   *  options again are a no-op; others throw `conflict` once documents are stored, because they
   *  would silently re-rank. */
  configure(options: NamespaceOptions): void {
    migrate(this.ctx.storage);
    const store = new MemoryStore(this.ctx.storage.sql);
    const known = store.options();
    if (known !== null && sameOptions(known, options)) return;
    if (store.counts().documents > 0)
      throw new ServiceError("conflict", "the options of a namespace with documents are fixed");
    store.setOptions(options);
    this.#forget();
  }

  options(): NamespaceOptions {
    return this.#open().options()!;
  }

  /** The digests of those ids that are stored. */
  digests(ids: string[]): Record<string, string> {
    const store = this.#open();
    const found = ids.map((id) => [id, store.find(id)?.digest] as const);
    return Object.fromEntries(found.filter(([, digest]) => digest !== undefined)) as Record<
      string,
      string
    >;
  }

  /** Stores documents, all or none; one of a known id replaces it, and of the same id twice the
   *  last counts. Throws `memory_full` before anything is written, `invalid_request` for a vector
   *  of another dimension than those stored or with a value that is not finite. */
  async upsert(documents: PreparedDocument[]): Promise<UpsertOutcome> {
    const store = this.#open();
    const batch = [...new Map(documents.map((document) => [document.id, document])).values()];
    const resident = this.#index();
    const passages = this.#admit(store, resident, batch);
    this.#write(() => {
      for (const document of batch) this.#put(store, resident, document);
    });
    await this.#schedule();
    return { upserted: batch.length, passages };
  }

  /** The best hits, best first. Throws `invalid_request` for a vector of the wrong size. */
  search(request: SearchRequest): SearchHit[] {
    const store = this.#open();
    const allowed = request.filter === null ? null : this.#rowsPassing(request.filter);
    return search(store, this.#index(), request, allowed);
  }

  get(id: string): StoredDocument | null {
    return this.#open().get(id);
  }

  /** Documents by last change, oldest first. Throws `invalid_request` for a foreign cursor. */
  list(cursor: string | null, limit: number): DocumentPage {
    return this.#open().list(rowOf(cursor), clampLimit(limit));
  }

  /** Whole documents in the order of `list`; a page ends early at EXPORT_PAGE_CHARS_MAX. */
  export(cursor: string | null, limit = PAGE_DOCUMENTS_MAX): ExportPage {
    const page: ExportPage = { documents: [], cursor: null };
    let chars = 0;
    let last = rowOf(cursor);
    for (const { row, document } of this.#open().whole(last)) {
      const full = page.documents.length >= clampLimit(limit) || chars > EXPORT_PAGE_CHARS_MAX;
      if (full) return { ...page, cursor: String(last) };
      page.documents.push(document);
      chars += document.text.length + (document.embedding?.length ?? 0) * 4;
      last = row;
    }
    return page;
  }

  /** How many of the ids were there. */
  async remove(ids: string[]): Promise<number> {
    const store = this.#open();
    const rows = [...new Set(ids)].flatMap((id) => store.find(id)?.row ?? []);
    this.#removeRows(store, rows);
    await this.#schedule();
    return rows.length;
  }

  /** How many documents passed the filter and are gone. */
  async removeWhere(filter: Filter): Promise<number> {
    const store = this.#open();
    const rows = [...this.#rowsPassing(filter)];
    this.#removeRows(store, rows);
    await this.#schedule();
    return rows.length;
  }

  stats(): MemoryStats {
    const store = this.#open();
    const { bm25, bytes } = this.#index();
    return {
      ...store.counts(),
      terms: bm25.termCount(),
      avgdl: bm25.avgdl,
      sqlite_bytes: store.bytes,
      resident_bytes: bytes,
    };
  }

  /** Drops terms that no passage holds any more and rebuilds the index. Changes no result. */
  compact(): MemoryStats {
    const store = this.#open();
    const { bm25 } = this.#index();
    this.#write(() => {
      for (const { id } of store.terms()) if (bm25.df(id) === 0) store.deleteTerm(id);
    });
    this.#forget();
    return this.stats();
  }

  /** Deletes everything, the options included; `configure` makes the namespace anew. */
  async destroy(): Promise<void> {
    this.#forget();
    this.#store = null;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  /** Removes what has expired while nobody asked. */
  override async alarm(): Promise<void> {
    this.#open();
    await this.#schedule();
  }

  /** The tables, up to date and without what has expired. */
  #open(): MemoryStore {
    this.#store ??= this.#openTables();
    const expired = this.#store.expired(this.now());
    if (expired.length > 0) this.#removeRows(this.#store, expired);
    return this.#store;
  }

  /** Looks before it migrates: asking for a namespace that nobody made leaves no tables behind. */
  #openTables(): MemoryStore {
    if (isMigrated(this.ctx.storage)) {
      migrate(this.ctx.storage);
      const store = new MemoryStore(this.ctx.storage.sql);
      if (store.options() !== null) return store;
    }
    throw new ServiceError(
      "namespace_not_found",
      "there is no such namespace: PUT /admin/namespaces/NAME makes it",
      { param: "namespace" },
    );
  }

  #index(): Resident {
    this.#resident ??= Resident.load(this.#store!, this.#store!.options()!, (dim) =>
      this.makeScan(dim),
    );
    return this.#resident;
  }

  /** Drops what is derived; the next use loads it again. */
  #forget(): void {
    this.#resident = null;
    this.#allowed.clear();
  }

  /** Runs one transaction. Where it fails the tables are as before, so the index, which may be
   *  half way, is forgotten. */
  #write(change: () => void): void {
    this.#allowed.clear();
    try {
      this.ctx.storage.transactionSync(change);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Checks a batch against the bounds before anything is written; how many passages it brings. */
  #admit(store: MemoryStore, resident: Resident, batch: readonly PreparedDocument[]): number {
    const vectors = batch.flatMap(({ passages }) => passages.map(({ vector }) => vector));
    const replaced = batch.reduce((sum, { id }) => sum + (store.find(id)?.passages ?? 0), 0);
    const total = resident.passages - replaced + vectors.length;
    if (total > this.passagesMax)
      throw new ServiceError(
        "memory_full",
        `the memory would hold ${total} passages, the limit is ${this.passagesMax}`,
      );
    const dim = vectors[0]?.length;
    if (dim === undefined) return 0;
    if (vectors.some((vector) => vector.length !== dim || !vector.every(Number.isFinite)))
      throw new ServiceError("invalid_request", `a vector is not ${dim} finite numbers`);
    resident.reserve(dim, total);
    return vectors.length;
  }

  #put(store: MemoryStore, resident: Resident, document: PreparedDocument): void {
    const known = store.find(document.id);
    if (known !== null) {
      store.deleteDocument(known.row);
      resident.removeDocument(known.row);
    }
    const { text, passages } = document;
    const heading = document.title === null ? "" : `${document.title}\n`;
    const added: { id: number; term: string }[] = [];
    const byDocument = resident.options.bm25_unit === "document";
    const row = store.insertDocument(document, this.now());
    for (const [seq, { start, end, vector: values }] of passages.entries()) {
      const shown = text.slice(start, end);
      const vector = quantizeVector(values);
      const { counts, bytes } = resident.count(heading + shown, added);
      const passage = store.insertPassage(row, seq, { start, end, vector, counts: bytes }, shown);
      resident.addPassage(row, passage, vector);
      if (!byDocument) resident.bm25.add(passage, counts);
    }
    if (byDocument && passages.length > 0) {
      const { counts, bytes } = resident.count(heading + text, added);
      store.insertDocumentCounts(row, bytes);
      resident.bm25.add(row, counts);
    }
    if (passages.length > 0) store.setDim(passages[0]!.vector.length);
    store.insertTerms(added);
  }

  #removeRows(store: MemoryStore, rows: readonly number[]): void {
    if (rows.length === 0) return;
    this.#write(() => {
      for (const row of rows) {
        store.deleteDocument(row);
        this.#resident?.removeDocument(row);
      }
    });
  }

  #rowsPassing(filter: Filter): ReadonlySet<number> {
    const key = JSON.stringify(filter);
    const known = this.#allowed.get(key);
    if (known !== undefined) return known;
    const rows = new Set<number>();
    for (const { row, metadata } of this.#store!.metadata())
      if (matches(filter, metadata)) rows.add(row);
    if (this.#allowed.size >= FILTERS_REMEMBERED_MAX) this.#allowed.clear();
    this.#allowed.set(key, rows);
    return rows;
  }

  /** Sets the alarm for the next document to expire. */
  async #schedule(): Promise<void> {
    const next = this.#store!.nextExpiry();
    if (next === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }
}

function sameOptions(a: NamespaceOptions, b: NamespaceOptions): boolean {
  return a.bm25_unit === b.bm25_unit && a.k1 === b.k1 && a.b === b.b;
}

function rowOf(cursor: string | null): number {
  if (cursor === null) return 0;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new ServiceError("invalid_request", "the cursor is not one that this service gave", {
    param: "cursor",
  });
}

function clampLimit(limit: number): number {
  return Math.max(1, Math.min(PAGE_DOCUMENTS_MAX, Math.floor(limit)));
}
