/** Forgetting by policy: documents older than an age, and the oldest beyond a number. */
import { FORGET_DOCUMENTS_STEP, FORGET_INTERVAL_MS, SHARD_FANOUT } from "../limits.ts";
import { hashOf, shardOf } from "./shard-map.ts";
import { type AgedDocument, pooled, totalOf } from "./shard-port.ts";
import type { Change, ShardRange } from "./shard-types.ts";
import type { NamespaceOptions } from "./types.ts";
import type { WorkContext } from "./work.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A shard's oldest documents by time, then row; with `before` only those that are older. O(n log
 *  limit) in its documents. */
export function oldestDocuments(
  sql: SqlStorage,
  limit: number,
  before: number | null,
): AgedDocument[] {
  const select = `SELECT id, row, time FROM documents WHERE time < ?
    ORDER BY time, row LIMIT ?`;
  const rows = sql.exec(select, before ?? Number.MAX_VALUE, limit).toArray();
  return rows.map(({ id, row, time }) => {
    return { id: String(id), row: Number(row), time: Number(time) };
  });
}

/** Removes what the policy says, at most FORGET_DOCUMENTS_STEP documents; when to look again, Unix
 *  ms; null: there is no policy. Documents that change meanwhile are not removed. */
export async function forget(
  context: WorkContext,
  { forget: policy }: Pick<NamespaceOptions, "forget">,
): Promise<number | null> {
  if (policy === null) return null;
  const { store, call, writes } = context;
  return writes.run(async () => {
    const map = store.map();
    const now = context.now();
    const old = await tooOld(context, map, policy, now);
    const many = old.length < FORGET_DOCUMENTS_STEP ? await tooMany(context, map, policy) : [];
    const rows = new Set(old.map(({ row }) => row));
    const all = [...old, ...many.filter(({ row }) => !rows.has(row))];
    const gone = all.slice(0, FORGET_DOCUMENTS_STEP);
    const byShard = new Map<number, Change[]>();
    for (const { id, row } of gone) {
      const shard = shardOf(map, hashOf(id));
      byShard.set(shard, [...(byShard.get(shard) ?? []), { kind: "forget", id, row }]);
    }
    if (gone.length > 0)
      await store.changing(() =>
        pooled([...byShard], SHARD_FANOUT, ([shard, changes]) =>
          call(map[shard]!.object, "apply", changes),
        ),
      );
    return gone.length === FORGET_DOCUMENTS_STEP ? now : now + FORGET_INTERVAL_MS;
  }, true);
}

type Policy = NonNullable<NamespaceOptions["forget"]>;

async function tooOld(
  context: WorkContext,
  map: readonly ShardRange[],
  { max_age_days }: Policy,
  now: number,
): Promise<AgedDocument[]> {
  if (max_age_days === undefined) return [];
  return oldest(context, map, FORGET_DOCUMENTS_STEP, now - max_age_days * DAY_MS);
}

async function tooMany(
  context: WorkContext,
  map: readonly ShardRange[],
  { max_documents }: Policy,
): Promise<AgedDocument[]> {
  if (max_documents === undefined) return [];
  const counts = await pooled(map, SHARD_FANOUT, ({ object }) => context.call(object, "counts"));
  const { documents } = totalOf(counts);
  const excess = Math.min(documents - max_documents, FORGET_DOCUMENTS_STEP);
  return excess <= 0 ? [] : oldest(context, map, excess, null);
}

/** The oldest of all shards: each gives as many as all may have. */
async function oldest(
  context: WorkContext,
  map: readonly ShardRange[],
  limit: number,
  before: number | null,
): Promise<AgedDocument[]> {
  const lists = await pooled(map, SHARD_FANOUT, ({ object }) =>
    context.call(object, "oldest", limit, before),
  );
  const all = lists.flat().sort((a, b) => a.time - b.time || a.row - b.row);
  return all.slice(0, limit);
}
