/** Fusion as the formulas read, over plain objects and sorts. */
import type { Fusing, ScoredCandidates } from "../../index/fuse.ts";

export interface FusedUnit {
  place: number;
  score: number;
  bm25Rank: number | null;
  cosineRank: number | null;
}

/** Best first. */
export function fuseOracle(list: ScoredCandidates, how: Fusing): FusedUnit[] {
  const units = Array.from(list.row, (row, place) => ({
    place,
    row,
    seq: list.seq[place]!,
    bm25: list.bm25[place]!,
    cosine: list.cosine[place]!,
    lexical: list.lexical[place] === 1,
    estimated: !Number.isNaN(list.estimate[place]!),
  }));
  type Unit = (typeof units)[number];
  const sorted = (of: Unit[], scoreOf: (unit: Unit) => number) =>
    of.toSorted((a, b) => scoreOf(b) - scoreOf(a) || a.row - b.row || a.seq - b.seq);
  const byBm25 = sorted(
    units.filter(({ lexical }) => lexical),
    ({ bm25 }) => bm25,
  );
  const byCosine = sorted(
    units.filter(({ estimated }) => estimated),
    ({ cosine }) => cosine,
  );
  const rankIn = (ranked: Unit[], unit: Unit) => ranked.indexOf(unit) + 1 || null;
  const share = (score: number, least: number, best: number) =>
    best <= least ? 0 : Math.max(0, score - least) / (best - least);
  const scoreOf = (unit: Unit): number => {
    if (how.kind === "bm25") return unit.bm25;
    if (how.kind === "cosine") return unit.cosine;
    if (how.kind === "rrf") {
      const ranks = [rankIn(byBm25, unit), rankIn(byCosine, unit)];
      return ranks.reduce<number>((sum, rank) => sum + (rank === null ? 0 : 1 / (how.k + rank)), 0);
    }
    const bestBm25 = Math.max(how.bm25Least, ...units.map(({ bm25 }) => bm25));
    const bestCosine = Math.max(-1, ...units.map(({ cosine }) => cosine));
    return (
      how.cosineWeight * share(unit.cosine, -1, bestCosine) +
      (1 - how.cosineWeight) * share(unit.bm25, how.bm25Least, bestBm25)
    );
  };
  return sorted(units, scoreOf).map((unit) => ({
    place: unit.place,
    score: scoreOf(unit),
    bm25Rank: rankIn(byBm25, unit),
    cosineRank: rankIn(byCosine, unit),
  }));
}

/** The convex combination of everything there is, by id: what no cosine names is not found. */
export function convexOracle(
  bm25: ReadonlyMap<number, number>,
  cosine: ReadonlyMap<number, number>,
  cosineWeight: number,
): { id: number; score: number }[] {
  const best = { bm25: Math.max(0, ...bm25.values()), cosine: Math.max(-1, ...cosine.values()) };
  const hits = Array.from(cosine, ([id, score]) => {
    const lexical = best.bm25 > 0 ? (bm25.get(id) ?? 0) / best.bm25 : 0;
    const semantic = (score + 1) / (best.cosine + 1 || 1);
    return { id, score: cosineWeight * semantic + (1 - cosineWeight) * lexical };
  });
  return hits.sort((a, b) => b.score - a.score || a.id - b.id);
}
