/** One object's part of a namespace: documents in SQLite, and the index over them. Nothing here
 *  knows of other objects or of RPC, and every method is synchronous, so that nothing comes
 *  between a change and what reads it. */
import { type Filter, matches } from "../../index/filter.ts";
import { encodeCounts, type TermCounts } from "../../index/term-counts.ts";
import type { VectorScan } from "../../index/vectors.ts";
import { assert, ServiceError } from "../errors.ts";
import { EXPIRED_REMOVED_MAX } from "../limits.ts";
import { findCandidates } from "./candidates.ts";
import { type ChangePlan, idOf, type NewDocument, planChanges } from "./changes.ts";
import { readCopy, wholeDocument } from "./copy.ts";
import { Filters } from "./filters.ts";
import { isMigrated, migrate } from "./migrations.ts";
import { type NewPassage, PassageStore, textParts } from "./passage-store.ts";
import { Resident } from "./resident.ts";
import type {
  CandidateList,
  CandidateRequest,
  Change,
  ChangeOutcome,
  CopyPage,
  CorpusStatistics,
  ShardStats,
  ShownPassage,
  ShowRequest,
} from "./shard-types.ts";
import { showPassages } from "./show.ts";
import type { ShardStorage } from "./sql.ts";
import { type DocumentRow, type FoundDocument, listed, MemoryStore } from "./store.ts";
import type { NamespaceOptions, StoredDocument } from "./types.ts";

/** What a shard is told by its object: bounds, which tests lower, and the clock. */
export interface ShardSettings {
  /** How many passages fit. */
  passagesMax: number;
  /** Unix time in ms. */
  now(): number;
  makeScan(dim: number): VectorScan;
}

/** Every method but `configure` throws `namespace_not_found` before that was called, and sees
 *  nothing that has expired. */
export class Shard {
  readonly #storage: ShardStorage;
  readonly #settings: ShardSettings;
  readonly #filters = new Filters();
  #tables: { store: MemoryStore; passages: PassageStore } | null = null;
  #resident: Resident | null = null;
  /** When the next document expires; undefined: not read since the last write. */
  #nextExpiry: number | null | undefined;

  constructor(storage: ShardStorage, settings: ShardSettings) {
    this.#storage = storage;
    this.#settings = settings;
  }

  /** Makes the shard, or gives it new options: `bm25_unit` throws `conflict` once documents are
   *  stored. */
  configure(options: NamespaceOptions): void {
    migrate(this.#storage);
    const store = new MemoryStore(this.#storage.sql);
    const known = store.options();
    if (known !== null && known.bm25_unit !== options.bm25_unit && store.counts().documents > 0)
      throw new ServiceError("conflict", "what BM25 counts is fixed once documents are stored");
    store.setOptions(options);
    this.#forget();
  }

  options(): NamespaceOptions {
    return this.#open().store.options()!;
  }

  /** The greatest row that a change ever brought; 0 before the first. Rows are never used twice. */
  get lastRow(): number {
    return this.#open().store.number("last_row", 0);
  }

  /** Of each id what is stored under it; null: nothing. */
  find(ids: readonly string[]): (FoundDocument | null)[] {
    const found = this.#open().store.findAll(ids);
    return ids.map((id) => found.get(id) ?? null);
  }

  /** Makes changes, in order, in one transaction. Rows of new documents ascend and are above all
   *  before them. What a change meets alone is in its outcome; `memory_full` and, for a vector of
   *  another dimension or with a scale that is not finite, `invalid_request` are thrown before
   *  anything is written. */
  apply(changes: readonly Change[]): ChangeOutcome[] {
    const { store } = this.#open();
    const stored = store.findAll([...new Set(changes.map(idOf))]);
    const load = (id: string) => wholeDocument(this.#tables!, store.get(id)!).document;
    const plan = planChanges(changes, stored, load, this.#settings.now());
    this.#admit(plan);
    this.#write(() => this.#store(plan));
    return plan.outcomes;
  }

  /** Counts over this shard's living units. */
  statistics(terms: readonly string[]): CorpusStatistics {
    this.#open();
    const resident = this.#index();
    const { units, lengthSum } = resident;
    const df = terms.map((term) => {
      const id = resident.vocabulary.find(term);
      return id === undefined ? 0 : resident.df(id);
    });
    return { units, lengthSum, df };
  }

  /** See CandidateList. Throws `invalid_request` for a vector of the wrong size. */
  candidates(request: CandidateRequest): CandidateList {
    const { store, passages } = this.#open();
    const resident = this.#index();
    const { filter } = request;
    const passing = filter === null ? null : this.#filters.passing(store, resident.slots, filter);
    return findCandidates(passages, resident, request, passing);
  }

  /** The passages that are still there, in the order asked for. */
  show(request: ShowRequest): ShownPassage[] {
    this.#open();
    return showPassages(this.#storage.sql, request);
  }

  get(id: string): StoredDocument | null {
    const { store, passages } = this.#open();
    const document = store.get(id);
    if (document === null) return null;
    const text = passages.text(document.first, document.passages);
    return { ...listed(document), text: text + store.tail(document.row) };
  }

  /** Documents after row `afterRow`, oldest change first, with the row of the last; `end`: there
   *  are no more. */
  list(afterRow: number, limit: number) {
    const rows = this.#open().store.list(afterRow, limit + 1);
    const page = rows.slice(0, limit);
    const row = page.at(-1)?.row ?? afterRow;
    return { documents: page.map(listed), row, end: rows.length <= limit };
  }

  /** What a copy takes next; see CopyPage. */
  copyPage(row: number, removal: number, limit: number): CopyPage {
    return readCopy(this.#open(), row, removal, limit);
  }

  /** From here on removals are kept for `copyPage`. */
  startCopy(): void {
    const { store } = this.#open();
    store.forgetRemovals();
    store.setMeta("copying", "1");
  }

  endCopy(): void {
    const { store } = this.#open();
    store.deleteMeta("copying");
    store.forgetRemovals();
  }

  /** Takes a page of a copy over: documents as they were, then removals. */
  adopt(page: CopyPage): void {
    const { store } = this.#open();
    const stored = store.findAll(page.documents.map(({ document }) => document.id));
    const removed = Array.from(stored, ([id, found]) => ({ ...found, id }));
    const documents: ChangePlan = { removed, added: page.documents, outcomes: [] };
    this.#admit(documents);
    this.#write(() => this.#store(documents));
    this.apply(page.removed.map(({ id, row }) => ({ kind: "forget", id, row })));
  }

  /** Removes the documents that pass; how many they were. */
  removeWhere(filter: Filter): number {
    const { store } = this.#open();
    const rows: number[] = [];
    for (const { row, metadata } of store.metadata()) if (matches(filter, metadata)) rows.push(row);
    this.#removeRows(rows);
    return rows.length;
  }

  stats(): ShardStats {
    const { store } = this.#open();
    const resident = this.#index();
    const { units, lengthSum, slots } = resident;
    return {
      ...store.counts(),
      terms: resident.termCount,
      length_sum: lengthSum,
      units,
      sqlite_bytes: store.bytes,
      resident_bytes: resident.bytes,
      segments: 0,
      memtable_passages: slots.livePassages,
      tombstones: 0,
    };
  }

  /** Does one bounded piece of what is due; when to come again, Unix ms, or null: not before a
   *  change. */
  maintain(): number | null {
    const { store } = this.#open();
    this.#nextExpiry ??= store.nextExpiry();
    return this.#nextExpiry;
  }

  /** Drops terms that no unit holds any more and loads the index anew. Changes no result. */
  compact(): void {
    const { passages } = this.#open();
    const resident = this.#index();
    this.#write(() => {
      const unused = [...passages.terms()].filter(({ id }) => resident.df(id) === 0);
      passages.deleteTerms(unused.map(({ id }) => id));
    });
    this.#forget();
  }

  /** Deletes everything, the options included; `configure` makes the shard anew. */
  destroy(): void {
    const tables = "documents passages document_terms terms removals meta".split(" ");
    this.#storage.transactionSync(() => {
      for (const table of tables) this.#storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
    });
    this.#tables = null;
    this.#forget();
  }

  /** The tables, without what has expired. */
  #open(): { store: MemoryStore; passages: PassageStore } {
    this.#tables ??= this.#openTables();
    const { store } = this.#tables;
    for (;;) {
      if (this.#nextExpiry === undefined) this.#nextExpiry = store.nextExpiry();
      if (this.#nextExpiry === null || this.#nextExpiry > this.#settings.now()) break;
      const expired = store.expired(this.#settings.now(), EXPIRED_REMOVED_MAX);
      this.#removeRows(expired.map(({ row }) => row));
    }
    return this.#tables;
  }

  /** Looks before it migrates: asking for a namespace that nobody made leaves no tables behind. */
  #openTables(): { store: MemoryStore; passages: PassageStore } {
    if (isMigrated(this.#storage)) {
      migrate(this.#storage);
      const { sql } = this.#storage;
      const store = new MemoryStore(sql);
      if (store.options() !== null) return { store, passages: new PassageStore(sql) };
    }
    throw new ServiceError(
      "namespace_not_found",
      "there is no such namespace: PUT /admin/namespaces/NAME makes it",
      { param: "namespace" },
    );
  }

  #index(): Resident {
    const { store, passages } = this.#tables!;
    this.#resident ??= Resident.load(store, passages, store.options()!, this.#settings.makeScan);
    return this.#resident;
  }

  /** Drops what is derived; the next use loads it again. */
  #forget(): void {
    this.#resident = null;
    this.#filters.forget();
    this.#nextExpiry = undefined;
  }

  /** Runs one transaction. Where it fails the tables are as before, so the index, which may be
   *  half way, is forgotten. */
  #write(change: () => void): void {
    this.#filters.forget();
    this.#nextExpiry = undefined;
    try {
      this.#storage.transactionSync(change);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Checks a plan against the bounds before anything is written. */
  #admit({ removed, added }: ChangePlan): void {
    const vectors = added.flatMap(({ document }) => document.passages.map(({ vector }) => vector));
    const dim = vectors[0]?.qs.length;
    if (dim === undefined) return;
    if (vectors.some(({ qs, scale }) => qs.length !== dim || !Number.isFinite(scale)))
      throw new ServiceError("invalid_request", `a vector is not ${dim} finite numbers`);
    const resident = this.#index();
    resident.checkDimension(dim);
    const replaced = removed.reduce((sum, { passages }) => sum + passages, 0);
    const total = resident.slots.livePassages - replaced + vectors.length;
    const { passagesMax } = this.#settings;
    if (total > passagesMax)
      throw new ServiceError(
        "memory_full",
        `the memory would hold ${total} passages, the limit is ${passagesMax}`,
      );
    resident.reserve(dim, total);
  }

  #removeRows(rows: readonly number[]): void {
    if (rows.length === 0) return;
    const removed = this.#tables!.store.byRows(rows);
    this.#write(() => this.#delete(removed));
  }

  #store({ removed, added }: ChangePlan): void {
    this.#delete(removed);
    if (added.length === 0) return;
    const { store } = this.#tables!;
    const last = store.number("last_row", 0);
    assert(added[0]!.row > last, `row ${added[0]!.row} comes after row ${last}`);
    this.#insert(added);
    store.setMeta("last_row", String(added.at(-1)!.row));
  }

  #delete(removed: readonly (FoundDocument & { id: string })[]): void {
    if (removed.length === 0) return;
    const { store, passages } = this.#tables!;
    const byDocument = this.#index().options.bm25_unit === "document";
    for (const { row, first, passages: n } of removed) {
      if (n === 0) continue;
      const rows = byDocument ? [row] : Array.from({ length: n }, (_, seq) => first + seq);
      const counts = byDocument ? passages.documentCounts(rows) : passages.counts(rows);
      this.#resident!.remove(row, counts);
    }
    passages.delete(removed);
    store.delete(
      removed.map(({ row }) => row),
      byDocument,
    );
    if (store.meta("copying") !== null) store.logRemovals(removed);
  }

  #insert(added: readonly NewDocument[]): void {
    const { store, passages } = this.#tables!;
    const resident = this.#index();
    const terms: { id: number; term: string }[] = [];
    const rows: (DocumentRow & { tail: string })[] = [];
    const parts: NewPassage[] = [];
    const next = store.number("next_passage", 1);
    for (const { row, version, updated_at, document } of added) {
      const first = next + parts.length;
      const { parts: texts, tail } = textParts(document);
      const { passages: prepared, title, text } = document;
      const heading = title === null ? "" : `${title}\n`;
      const counts: TermCounts[] = [];
      for (const [seq, passage] of prepared.entries()) {
        const own = resident.count(heading + text.slice(passage.start, passage.end), terms);
        counts.push(own);
        parts.push({
          ...{ row: first + seq, document: row, passage, text: texts[seq]! },
          counts: encodeCounts(own),
        });
      }
      rows.push({ ...document, row, version, updated_at, first, passages: prepared.length, tail });
      if (prepared.length === 0) continue;
      const vectors = prepared.map(({ vector }) => vector);
      resident.append(row, first, vectors, counts, this.#countWhole(row, heading + text, terms));
    }
    store.insert(rows);
    passages.insert(parts);
    passages.insertTerms(terms);
    if (parts.length === 0) return;
    store.setMeta("next_passage", String(next + parts.length));
    store.setMeta("dim", String(parts[0]!.passage.vector.qs.length));
  }

  /** Counts and stores a whole document where it is BM25's unit. */
  #countWhole(row: number, text: string, terms: { id: number; term: string }[]): TermCounts | null {
    if (this.#resident!.options.bm25_unit === "passage") return null;
    const counts = this.#resident!.count(text, terms);
    this.#tables!.passages.insertDocumentCounts(row, counts);
    return counts;
  }
}
