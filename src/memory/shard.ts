/** One object's part of a namespace: documents in SQLite, and the index over them. Nothing here
 *  knows of other objects or of RPC, and every method is synchronous, so that nothing comes
 *  between a change and what reads it. */
import type { Filter } from "../../index/filter.ts";
import { ServiceError } from "../errors.ts";
import { EXPIRED_REMOVED_MAX } from "../limits.ts";
import { Archive } from "./archive.ts";
import { findCandidates } from "./candidates.ts";
import { type ChangePlan, idOf, planChanges } from "./changes.ts";
import { CodebookTable, NO_CODEBOOK } from "./codebook-table.ts";
import { readCopy, wholeDocument } from "./copy.ts";
import { slotsOfRows } from "./filters.ts";
import { IndexHolder } from "./index-holder.ts";
import { type Tables, unusedTerms } from "./index-store.ts";
import { LinkTable } from "./link-table.ts";
import { segmentsDue } from "./maintenance.ts";
import { MetadataIndex } from "./metadata-index.ts";
import { isMigrated, migrate } from "./migrations.ts";
import { checkOptions } from "./namespace-options.ts";
import { PassageStore } from "./passage-store.ts";
import type { Resident } from "./resident.ts";
import { type SegmentRow, SegmentTable } from "./segment-table.ts";
import { SETTINGS, type ShardSettings, TABLES } from "./shard-settings.ts";
import type { NearPassage, ShardTier } from "./shard-tier.ts";
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
import { type FoundDocument, listed, MemoryStore, noNamespace } from "./store.ts";
import type { NamespaceOptions, StoredDocument } from "./types.ts";
import { deleteDocuments, insertDocuments, sealMemtableDue, sealWhereLarge } from "./writer.ts";

/** More terms than this share that nothing has are dropped, once segments were made anew: a stream
 *  of documents then leaves no more behind than it has. */
const UNUSED_TERMS_SHARE = 0.5;

/** Every method but `configure` throws `namespace_not_found` before that was called, and sees
 *  nothing that has expired. */
export class Shard {
  readonly #storage: ShardStorage;
  readonly #settings: ShardSettings;
  readonly #index: IndexHolder;
  readonly #archive: Archive;
  #tables: Tables | null = null;
  #tier: ShardTier | null = null;
  /** When the next document expires; undefined: not read since the last write. */
  #nextExpiry: number | null | undefined;

  /** `kernels` is the compiled build/kernels.wasm. */
  constructor(
    storage: ShardStorage,
    kernels: WebAssembly.Module,
    settings: Partial<ShardSettings> = {},
  ) {
    this.#storage = storage;
    this.#settings = { ...SETTINGS, ...settings };
    this.#index = new IndexHolder(storage, kernels, this.#settings);
    this.#archive = new Archive(storage);
  }

  /** Makes the shard, or gives it new options: `bm25_unit` throws `conflict` once documents are
   *  stored, and options that do not go together `invalid_request`. */
  configure(options: NamespaceOptions): void {
    checkOptions(options);
    migrate(this.#storage);
    const store = new MemoryStore(this.#storage.sql);
    const known = store.options();
    if (known !== null && known.bm25_unit !== options.bm25_unit && store.counts().documents > 0)
      throw new ServiceError("conflict", "what BM25 counts is fixed once documents are stored");
    store.setOptions(options);
    this.#archive.forget();
    this.#forget();
  }

  options(): NamespaceOptions {
    return this.#open().store.options()!;
  }

  /** The greatest row that a change ever brought; 0 before the first. Rows are never used twice. */
  get lastRow(): number {
    return this.#open().store.numbers().last_row;
  }

  /** Of each id what is stored under it; null: nothing. */
  find(ids: readonly string[]): (FoundDocument | null)[] {
    const { store, passages } = this.#open();
    const found = store.findAll(ids);
    for (const one of found.values()) one.lost = passages.lacks(one.first, one.passages);
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
    this.#store(plan);
    return plan.outcomes;
  }

  /** Counts over this shard's living units. */
  statistics(terms: readonly string[]): CorpusStatistics {
    this.#open();
    const resident = this.#resident();
    const { units, lengthSum } = resident.lexical;
    const df = terms.map((term) => {
      const id = resident.lexicon.find(term);
      return id === undefined ? 0 : resident.lexical.df(id);
    });
    return { units, lengthSum, df };
  }

  /** Where the vectors are searched besides; null: nowhere. */
  get tier(): ShardTier | null {
    this.#open();
    return this.#tier;
  }

  /** Whether the passage of that row is there to be found as itself. */
  holds(row: number): boolean {
    this.#open();
    return this.#resident().slots.findPassage(row) >= 0;
  }

  /** See CandidateList; `near` is what a tier found. Throws `invalid_request` for a vector of the
   *  wrong size. */
  candidates(request: CandidateRequest, near: readonly NearPassage[] | null = null): CandidateList {
    const { passages, metadata } = this.#open();
    const resident = this.#resident();
    const { filter } = request;
    const passing = filter === null ? null : slotsOfRows(metadata.rows(filter), resident.slots);
    return findCandidates(passages, resident, request, passing, near);
  }

  /** The passages that are still there, in the order asked for. */
  show(request: ShowRequest): ShownPassage[] {
    const { codebooks } = this.#open();
    return showPassages(this.#storage.sql, codebooks, request);
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
  copyPage(row: number, removal: number, limit: number, bytesMax?: number): CopyPage {
    return readCopy(this.#open(), row, removal, limit, bytesMax);
  }

  /** From here on removals are kept for `copyPage`. Copies have numbers, which ascend: a call that
   *  comes late, of an older copy or of one that was ended, changes nothing. */
  startCopy(copy: number): void {
    const { store } = this.#open();
    if (copy <= store.numbers().copy) return;
    store.forgetRemovals();
    store.setMeta("copying", "1");
    store.setNumbers({ copy });
  }

  /** Removals are kept no longer, unless it is for a copy that is newer. */
  endCopy(copy: number): void {
    const { store } = this.#open();
    if (copy < store.numbers().copy) return;
    store.setNumbers({ copy });
    store.deleteMeta("copying");
    store.forgetRemovals();
  }

  /** Takes a page of a copy over: documents as they were, then removals. */
  adopt(page: CopyPage): void {
    const { store, codebooks } = this.#open();
    for (const bytes of page.codebooks) {
      const codebook = codebooks.put(bytes);
      if (store.numbers().codebook === NO_CODEBOOK) store.setNumbers({ codebook });
    }
    const stored = store.findAll(page.documents.map(({ document }) => document.id));
    const removed = Array.from(stored, ([id, found]) => ({ ...found, id }));
    this.#store({ removed, added: page.documents, outcomes: [] });
    this.apply(page.removed.map(({ id, row }) => ({ kind: "forget", id, row })));
  }

  /** Removes the documents that pass; how many they were. */
  removeWhere(filter: Filter): number {
    const rows = this.#open().metadata.rows(filter);
    this.#removeRows([...rows]);
    return rows.length;
  }

  /** What it holds, without its index; O(documents). */
  counts(): Pick<ShardStats, "documents" | "passages"> {
    return this.#open().store.counts();
  }

  /** Counts; O(documents). */
  stats(): ShardStats {
    const { store, segments, passages } = this.#open();
    const { lexical, lexicon, memtablePassages, bytes } = this.#resident();
    return {
      ...store.counts(),
      archived_passages: passages.archived(),
      lost_vectors: passages.lost(),
      terms: lexicon.terms,
      length_sum: lexical.lengthSum,
      units: lexical.units,
      sqlite_bytes: store.bytes,
      resident_bytes: bytes,
      segments: segments.list().length,
      memtable_passages: memtablePassages,
      tombstones: segments.tombstoneCount(),
      rebuilt: store.numbers().rebuilt,
    };
  }

  /** When `maintain` has something to do, Unix ms; null: not before the next change. */
  dueAt(): number | null {
    const tables = this.#open();
    if (this.#sealIsDue() || this.#segmentsDue() !== null) return this.#settings.now();
    this.#nextExpiry ??= tables.store.nextExpiry();
    const coldAt = this.#archive.dueAt(tables);
    if (coldAt === null) return this.#nextExpiry;
    return Math.min(this.#nextExpiry ?? Number.POSITIVE_INFINITY, coldAt);
  }

  /** Does one bounded piece of what is due: drops what has expired, seals a full memtable, makes
   *  segments anew and drops the terms that went with them, or archives vectors. When to come
   *  again, as `dueAt` says. Changes no result, but for the cosines of what it archives. */
  maintain(): number | null {
    const tables = this.#open();
    if (this.#sealIsDue()) {
      const resident = this.#resident();
      this.#write(() => sealMemtableDue(tables, resident));
    } else {
      const due = this.#segmentsDue();
      if (due === null) this.#archiveWhatIsDue(tables);
      else {
        this.#index.rebuild(tables, due);
        this.#dropTerms(tables, UNUSED_TERMS_SHARE);
      }
    }
    return this.dueAt();
  }

  #archiveWhatIsDue(tables: Tables): void {
    const now = this.#settings.now();
    const coldAt = this.#archive.dueAt(tables);
    if (coldAt !== null && coldAt <= now) this.#archive.step(tables, now);
  }

  #sealIsDue(): boolean {
    const { next_passage, sealed_passage } = this.#tables!.store.numbers();
    return next_passage - sealed_passage >= this.#settings.sealPassages;
  }

  #segmentsDue(): SegmentRow[] | null {
    return segmentsDue(this.#tables!.segments.list(), this.#settings);
  }

  /** Drops terms that no unit holds any more, and all that is dead in segments. Changes no result.
   *  With `rebuild` every segment is made anew from the passages. O(passages). */
  compact(rebuild = false): void {
    const tables = this.#open();
    this.#dropTerms(tables, 0);
    for (const segment of tables.segments.list())
      if (rebuild || segment.dead > 0) this.#index.rebuild(tables, [segment], rebuild);
  }

  /** Drops the terms that nothing has, where they are more than that share of all. Their numbers
   *  are given again, though dead units of segments may hold them still: what those add to a df,
   *  their tombstones take off. */
  #dropTerms(tables: Tables, share: number): void {
    const unused = unusedTerms(tables, this.#resident(), share);
    if (unused.length === 0) return;
    this.#write(() => {
      tables.passages.deleteTerms(unused);
      tables.segments.putVocabulary(null);
    });
    this.#forget();
  }

  /** Deletes everything, the options included; `configure` makes the shard anew. */
  destroy(): void {
    this.#storage.transactionSync(() => {
      for (const table of TABLES) this.#storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
    });
    this.#tables = null;
    this.#tier = null;
    this.#nextExpiry = undefined;
    this.#index.release();
  }

  /** The tables, without what has expired. */
  #open(): Tables {
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
  #openTables(): Tables {
    if (isMigrated(this.#storage)) {
      migrate(this.#storage);
      const { sql } = this.#storage;
      const store = new MemoryStore(sql);
      const metadata = new MetadataIndex(sql, (row) => store.metadataOf(row));
      const codebooks = new CodebookTable(sql);
      const derived = { segments: new SegmentTable(sql), links: new LinkTable(sql), metadata };
      const options = store.options();
      if (options !== null) {
        if (options.vector_tier === "vectorize") this.#tier ??= this.#settings.tier?.() ?? null;
        const passages = new PassageStore(sql, codebooks, this.#tier);
        return { store, passages, codebooks, ...derived };
      }
    }
    throw noNamespace();
  }

  #resident(): Resident {
    return this.#index.get(this.#tables!);
  }

  /** Drops what is derived; the next use loads it again. */
  #forget(): void {
    this.#index.forget();
    this.#nextExpiry = undefined;
  }

  /** Runs one transaction. Where it fails the tables are as before, so the index, which may be
   *  half way, is forgotten. */
  #write(change: () => void): void {
    this.#nextExpiry = undefined;
    try {
      const write = () => this.#storage.transactionSync(change);
      if (this.#tier === null) write();
      else this.#tier.transaction(write);
    } catch (error) {
      this.#forget();
      this.#tables?.metadata.forget();
      throw error;
    }
  }

  #removeRows(rows: readonly number[]): void {
    if (rows.length === 0) return;
    const tables = this.#tables!;
    const resident = this.#resident();
    this.#write(() => {
      if (!deleteDocuments(tables, resident, tables.store.places(rows))) this.#index.forget();
    });
  }

  #store(plan: ChangePlan): void {
    const { removed, added } = plan;
    if (removed.length === 0 && added.length === 0) return;
    const tables = this.#tables!;
    this.#index.admit(tables, plan);
    const resident = this.#resident();
    this.#write(() => {
      if (!deleteDocuments(tables, resident, removed)) this.#index.forget();
      if (added.length === 0) return;
      const current = this.#resident();
      sealWhereLarge(tables, current, this.#settings.sealPassages * 2);
      insertDocuments(tables, current, added);
    });
  }
}
