/** The Durable Object that holds one namespace of one tenant: documents, their passages, and the
 *  search over them. SQLite is the truth; the index in memory is loaded from it on first use. */
import { DurableObject } from "cloudflare:workers";
import type { Filter } from "../../index/filter.ts";
import { ServiceError } from "../errors.ts";
import { EXPORT_PAGE_CHARS_MAX, PAGE_DOCUMENTS_MAX } from "../limits.ts";
import kernels from "../model/kernels-module.ts";
import { search } from "./search.ts";
import { Shard, type ShardSettings } from "./shard.ts";
import type { Change } from "./shard-types.ts";
import type {
  DocumentPage,
  ExportedDocument,
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
  readonly #shard = new Shard(this.ctx.storage, kernels, {
    now: () => this.now(),
    ...this.settings,
  });

  /** Bounds of the shard that are not the usual ones. A test lowers some. */
  protected get settings(): Partial<ShardSettings> {
    return {};
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** Makes the namespace; every other method throws `namespace_not_found` until then. Other options
   *  than before rank anew; those that are fixed throw `conflict` once documents are stored. */
  configure(options: NamespaceOptions): void {
    this.#shard.configure(options);
  }

  options(): NamespaceOptions {
    return this.#shard.options();
  }

  /** The digests of those ids that are stored. */
  digests(ids: string[]): Record<string, string> {
    const found = this.#shard.find(ids);
    const stored = ids.flatMap((id, i) => (found[i] ? [[id, found[i].digest] as const] : []));
    return Object.fromEntries(stored);
  }

  /** Stores documents, all or none; one of a known id replaces it, and of the same id twice the
   *  last counts. Throws `memory_full` before anything is written, `invalid_request` for a vector
   *  of another dimension than those stored or with a value that is not finite. */
  async upsert(documents: PreparedDocument[]): Promise<UpsertOutcome> {
    const batch = [...new Map(documents.map((document) => [document.id, document])).values()];
    const next = this.#shard.lastRow + 1;
    const changes = batch.map((document, i): Change => {
      return { kind: "upsert", row: next + i, document, if_version: null };
    });
    const outcomes = this.#shard.apply(changes);
    await this.#schedule();
    const passages = outcomes.reduce((sum, outcome) => sum + outcome.passages, 0);
    return { upserted: batch.length, passages };
  }

  /** The best hits, best first. Throws `invalid_request` for a vector of the wrong size. */
  search(request: SearchRequest): SearchHit[] {
    return search(this.#shard, request);
  }

  get(id: string): StoredDocument | null {
    return this.#shard.get(id);
  }

  /** Documents by last change, oldest first. Throws `invalid_request` for a foreign cursor. */
  list(cursor: string | null, limit: number): DocumentPage {
    const { documents, row, end } = this.#shard.list(rowOf(cursor), clampLimit(limit));
    return { documents, cursor: end ? null : String(row) };
  }

  /** Whole documents in the order of `list`; a page ends early at EXPORT_PAGE_CHARS_MAX. */
  export(cursor: string | null, limit = PAGE_DOCUMENTS_MAX): ExportPage {
    const documents: ExportedDocument[] = [];
    let chars = 0;
    let row = rowOf(cursor);
    for (;;) {
      const page = this.#shard.copyPage(row, 0, 1);
      const copied = page.documents[0];
      if (copied === undefined) return { documents, cursor: null };
      if (documents.length >= clampLimit(limit) || chars > EXPORT_PAGE_CHARS_MAX)
        return { documents, cursor: String(row) };
      const document = exported(copied.document);
      documents.push(document);
      chars += document.text.length + (document.embedding?.length ?? 0) * 4;
      row = page.row;
    }
  }

  /** How many of the ids were there. */
  async remove(ids: string[]): Promise<number> {
    const changes = ids.map((id): Change => ({ kind: "remove", id, if_version: null }));
    const outcomes = this.#shard.apply(changes);
    await this.#schedule();
    return outcomes.filter(({ status }) => status === "removed").length;
  }

  /** How many documents passed the filter and are gone. */
  async removeWhere(filter: Filter): Promise<number> {
    const removed = this.#shard.removeWhere(filter);
    await this.#schedule();
    return removed;
  }

  stats(): MemoryStats {
    const { documents, passages, terms, ...counts } = this.#shard.stats();
    const avgdl = counts.units === 0 ? 0 : counts.length_sum / counts.units;
    const { sqlite_bytes, resident_bytes } = counts;
    return { documents, passages, terms, avgdl, sqlite_bytes, resident_bytes };
  }

  /** Drops terms that no passage holds any more and rebuilds the index. Changes no result. */
  compact(): MemoryStats {
    this.#shard.compact();
    return this.stats();
  }

  /** Deletes everything, the options included; `configure` makes the namespace anew. */
  async destroy(): Promise<void> {
    this.#shard.destroy();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  /** Does what is due while nobody asks. */
  override async alarm(): Promise<void> {
    this.#shard.maintain();
    await this.#schedule();
  }

  /** Sets the alarm for what is due next. */
  async #schedule(): Promise<void> {
    const next = this.#shard.dueAt();
    if (next === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }
}

function exported(document: PreparedDocument): ExportedDocument {
  const { id, text, title, metadata, expires_at, brought, passages } = document;
  const vector = brought ? passages[0]?.vector : undefined;
  const embedding = vector ? Array.from(vector.qs, (q) => q * vector.scale) : null;
  return { id, text, title, metadata, expires_at, embedding };
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
