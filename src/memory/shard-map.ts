/** Which shard a document lies on: its id's hash, and the ranges of hashes that shards hold. */
import { assert } from "../errors.ts";
import type { ShardRange } from "./shard-types.ts";

/** One more than the greatest hash. */
export const HASHES = 2 ** 32;

/** The hash of a document's id, 0 to 2^32 - 1: FNV-1a over the low and the high byte of each UTF-16
 *  unit, then MurmurHash3's finalizer, without which ids that count up would lie unevenly in the
 *  high bits. Stored maps depend on it: it never changes. */
export function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** [lo, hi) cut into `names.length` ranges whose sizes differ by at most one, in order. */
export function evenRanges(lo: number, hi: number, names: readonly (string | null)[]) {
  const cut = (i: number) => lo + Math.floor(((hi - lo) * i) / names.length);
  return names.map((object, i): ShardRange => ({ object, lo: cut(i), hi: cut(i + 1) }));
}

/** The place in the map of the shard that holds a hash. O(log shards). */
export function shardOf(map: readonly ShardRange[], hash: number): number {
  let [from, to] = [0, map.length - 1];
  while (from < to) {
    const middle = (from + to + 1) >>> 1;
    if (map[middle]!.lo <= hash) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** The map with one shard replaced by others that hold the same hashes. */
export function replaced(
  map: readonly ShardRange[],
  source: ShardRange,
  targets: readonly ShardRange[],
): ShardRange[] {
  const next = map.flatMap((range) => (range.lo === source.lo ? targets : [range]));
  assertWhole(next);
  return next;
}

/** Throws where ranges do not hold every hash exactly once, in ascending order. */
export function assertWhole(map: readonly ShardRange[]): void {
  let at = 0;
  for (const { lo, hi } of map) {
    assert(lo === at && hi > lo, `the shard map goes on at ${at}, not at ${lo}`);
    at = hi;
  }
  assert(at === HASHES, `the shard map ends at ${at}`);
}

/** Items by the place in the map of the shard that holds their id, with their own places. */
export function routed<T>(
  map: readonly ShardRange[],
  items: readonly T[],
  idOf: (item: T) => string,
): Map<number, { at: number; item: T }[]> {
  const byShard = new Map<number, { at: number; item: T }[]>();
  for (const [at, item] of items.entries()) {
    const shard = shardOf(map, hashOf(idOf(item)));
    const mine = byShard.get(shard);
    if (mine === undefined) byShard.set(shard, [{ at, item }]);
    else mine.push({ at, item });
  }
  return byShard;
}
