/** Candidates of several shards as one list. Merging is associative and commutative, and a shard's
 *  own list holds all of what it could give to the whole: what a namespace finds does not depend
 *  on how its documents lie on shards. */
import type { CandidateList, CandidateRequest, CorpusStatistics } from "./shard-types.ts";

type Asked = Pick<CandidateRequest, "mode" | "bm25Depth" | "vectorDepth" | "explain" | "terms">;

interface Place {
  list: CandidateList;
  at: number;
}

export function addStatistics(parts: readonly CorpusStatistics[], terms: number): CorpusStatistics {
  const sum: CorpusStatistics = { units: 0, lengthSum: 0, df: new Array(terms).fill(0) };
  for (const { units, lengthSum, df } of parts) {
    sum.units += units;
    sum.lengthSum += lengthSum;
    for (const [i, n] of df.entries()) sum.df[i]! += n;
  }
  return sum;
}

/** The best `bm25Depth` of those in the lists by BM25 and the best `vectorDepth` by estimate, ties
 *  by (row, seq); in that order. Timings are the slowest shard's. O(n log n). */
export function mergeCandidates(lists: readonly CandidateList[], asked: Asked): CandidateList {
  const places = lists.flatMap((list) => Array.from(list.row, (_, at): Place => ({ list, at })));
  const lexical = best(
    places.filter(({ list, at }) => list.lexical[at] === 1),
    ({ list, at }) => list.bm25[at]!,
    asked.bm25Depth,
  );
  const estimated = best(
    places.filter(({ list, at }) => !Number.isNaN(list.estimate[at]!)),
    ({ list, at }) => list.estimate[at]!,
    asked.vectorDepth,
  );
  const kept = [...new Set([...lexical, ...estimated])].sort(byAge);
  const merged = gathered(kept, lists, asked);
  const [isLexical, isEstimated] = [new Set(lexical), new Set(estimated)];
  for (const [i, place] of kept.entries()) {
    merged.lexical[i] = isLexical.has(place) ? 1 : 0;
    if (!isEstimated.has(place)) merged.estimate[i] = Number.NaN;
  }
  return merged;
}

function byAge(a: Place, b: Place): number {
  return a.list.row[a.at]! - b.list.row[b.at]! || a.list.seq[a.at]! - b.list.seq[b.at]!;
}

function best(places: Place[], scoreOf: (place: Place) => number, depth: number): Place[] {
  if (places.length <= depth) return places;
  return places.sort((a, b) => scoreOf(b) - scoreOf(a) || byAge(a, b)).slice(0, depth);
}

function gathered(
  places: readonly Place[],
  lists: readonly CandidateList[],
  { explain, mode, terms: { length: terms } }: Asked,
): CandidateList {
  const n = places.length;
  const of = (read: (list: CandidateList) => { [at: number]: number }) =>
    places.map(({ list, at }) => read(list)[at]!);
  const explained = explain && mode !== "vector";
  const tfs = explained ? new Uint32Array(n * terms) : null;
  for (const [i, { list, at }] of places.entries())
    tfs?.set(list.tfs!.subarray(at * terms, (at + 1) * terms), i * terms);
  return {
    passage: Float64Array.from(of(({ passage }) => passage)),
    row: Float64Array.from(of(({ row }) => row)),
    seq: Uint32Array.from(of(({ seq }) => seq)),
    bm25: Float64Array.from(of(({ bm25 }) => bm25)),
    lexical: new Uint8Array(n),
    estimate: Float32Array.from(of(({ estimate }) => estimate)),
    cosine: Float32Array.from(of(({ cosine }) => cosine)),
    time: Float64Array.from(of(({ time }) => time)),
    shard: Uint16Array.from(of(({ shard }) => shard)),
    tfs,
    lengths: explained ? Uint32Array.from(of((list) => list.lengths!)) : null,
    timings_ms: slowest(lists),
  };
}

function slowest(lists: readonly CandidateList[]): Record<string, number> {
  const timings: Record<string, number> = {};
  for (const list of lists)
    for (const [stage, ms] of Object.entries(list.timings_ms))
      timings[stage] = Math.max(ms, timings[stage] ?? 0);
  return timings;
}
