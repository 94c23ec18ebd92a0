/** The shard in an object's own tables, with what its root may have it do. */
import { dequantizeVector } from "../../index/vectors.ts";
import { ServiceError } from "../errors.ts";
import { EXPORT_PAGE_CHARS_MAX } from "../limits.ts";
import { idOf } from "./changes.ts";
import { listedChars } from "./document-size.ts";
import { oldestDocuments } from "./forget.ts";
import { refused } from "./namespace-changes.ts";
import type { Shard } from "./shard.ts";
import type { AgedDocument, Listed, Rowed, ShardMethods } from "./shard-port.ts";
import type { Change, ChangeOutcome, CopyPage } from "./shard-types.ts";
import { listed, MemoryStore } from "./store.ts";
import type { ExportedDocument, NamespaceOptions, PreparedDocument } from "./types.ts";

/** What the object does for its shard. */
export interface ShardOwner {
  sql: SqlStorage;
  shard(): Shard;
  /** Has an alarm run for what changes made due. */
  changed(): Promise<void>;
  /** Makes an empty shard in the place of whatever was there. */
  create(options: NamespaceOptions): Promise<void>;
  destroy(): Promise<void>;
}

/** One object's shard. */
export function ownShard(owner: ShardOwner): ShardMethods {
  const shard = () => owner.shard();
  const changed = async <T>(result: T): Promise<T> => {
    await owner.changed();
    return result;
  };
  return {
    create: (options) => owner.create(options),
    destroy: () => owner.destroy(),
    configure: async (options) => changed(shard().configure(options)),
    apply: async (changes) => changed(applyEach(shard(), changes)),
    find: (ids) => shard().find(ids),
    get: (id) => shard().get(id),
    list: (after, limit) => listPage(owner, after, limit),
    export: (after, limit, bytesMax) => exportPage(shard(), after, limit, bytesMax),
    removeWhere: async (filter) => changed(shard().removeWhere(filter)),
    oldest: (limit, before): AgedDocument[] => {
      shard().options(); // what has expired goes first
      return oldestDocuments(owner.sql, limit, before);
    },
    counts: () => shard().counts(),
    stats: () => shard().stats(),
    compact: async (rebuild) => changed(shard().compact(rebuild)),
    startCopy: (copy) => shard().startCopy(copy),
    endCopy: (copy) => shard().endCopy(copy),
    copyPage: (row, removal, limit) => shard().copyPage(row, removal, limit),
    adopt: async (page) => changed(adoptOnce(shard(), page)),
  };
}

/** Applies changes together, or, where the shard refuses them together, each for itself: the
 *  refusal falls on those that earn it. */
function applyEach(shard: Shard, changes: readonly Change[]): ChangeOutcome[] {
  try {
    return shard.apply(changes);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (changes.length === 1) return [refused(idOf(changes[0]!), error.code, error.message)];
    return changes.flatMap((change) => applyEach(shard, [change]));
  }
}

/** Takes of a page what was not taken before: rows ascend, so that is what lies above the last. */
function adoptOnce(shard: Shard, page: CopyPage): void {
  const last = shard.lastRow;
  shard.adopt({ ...page, documents: page.documents.filter(({ row }) => row > last) });
}

function listPage(owner: ShardOwner, after: number, limit: number): Rowed<Listed>[] {
  owner.shard().options(); // what has expired goes first
  const page: Rowed<Listed>[] = [];
  let chars = 0;
  for (const document of new MemoryStore(owner.sql).list(after, limit)) {
    chars += listedChars(document);
    if (page.length > 0 && chars > EXPORT_PAGE_CHARS_MAX) break;
    page.push({ row: document.row, document: listed(document) });
  }
  return page;
}

function exportPage(
  shard: Shard,
  after: number,
  limit: number,
  bytesMax: number,
): Rowed<ExportedDocument>[] {
  const { documents } = shard.copyPage(after, Number.MAX_SAFE_INTEGER, limit, bytesMax);
  return documents.map(({ row, document }) => ({ row, document: exported(document) }));
}

function exported(document: PreparedDocument): ExportedDocument {
  const { id, text, title, metadata, expires_at, time, content_type } = document;
  const vector = document.brought ? document.passages[0]?.vector : undefined;
  const embedding = vector ? dequantizeVector(vector) : null;
  return { id, text, title, metadata, expires_at, time, content_type, embedding };
}
