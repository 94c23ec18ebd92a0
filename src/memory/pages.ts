/** Pages over all shards, in the order of rows. */
import { ServiceError } from "../errors.ts";
import { SHARD_FANOUT } from "../limits.ts";
import { pooled, type Rowed } from "./shard-port.ts";
import type { ShardRange } from "./shard-types.ts";

/** A shard's documents that were read and not yet taken. */
interface Front<T> {
  object: string | null;
  after: number;
  read: Rowed<T>[];
  ended: boolean;
}

/** At most `limit` documents after row `after`, in row order over all shards; with the cursor of
 *  the next page, null on the last. A page ends early where `sizeOf` its documents passes `size`. A
 *  shard is read in parts, so that what is read and not taken stays about one page; `read` gives
 *  fewer where documents are long, and none only behind the last. */
export async function mergedPage<T>(
  map: readonly ShardRange[],
  after: number,
  limit: number,
  read: (object: string | null, after: number, limit: number) => Promise<Rowed<T>[]>,
  { size, sizeOf }: { size: number; sizeOf: (document: T) => number },
): Promise<{ documents: T[]; cursor: string | null }> {
  const part = Math.ceil(limit / map.length) + 1;
  const fronts = map.map(({ object }): Front<T> => ({ object, after, read: [], ended: false }));
  const documents: T[] = [];
  let taken = 0;
  let last = after;
  for (;;) {
    const empty = fronts.filter(({ read: waiting, ended }) => waiting.length === 0 && !ended);
    await pooled(empty, SHARD_FANOUT, async (front) => {
      front.read = await read(front.object, front.after, part);
      front.ended = front.read.length === 0;
      front.after = front.read.at(-1)?.row ?? front.after;
    });
    const next = lowest(fronts);
    if (next === null) return { documents, cursor: null };
    if (documents.length >= limit || taken > size) return { documents, cursor: String(last) };
    const { row, document } = next.read.shift()!;
    documents.push(document);
    taken += sizeOf(document);
    last = row;
  }
}

function lowest<T>(fronts: readonly Front<T>[]): Front<T> | null {
  let best: Front<T> | null = null;
  for (const front of fronts) {
    if (front.read.length === 0) continue;
    if (best === null || front.read[0]!.row < best.read[0]!.row) best = front;
  }
  return best;
}

/** The row that a cursor stands for; null: the beginning. Throws `invalid_request` for a text that
 *  is no cursor. */
export function rowOf(cursor: string | null): number {
  if (cursor === null) return 0;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new ServiceError("invalid_request", "the cursor is not one that this service gave", {
    param: "cursor",
  });
}
