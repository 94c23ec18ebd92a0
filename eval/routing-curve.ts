/** How well a score parts the prompts that need the strong engine, as RouteLLM measures it (Ong et
 *  al., arXiv 2406.18665): accuracy over the share of prompts that the strong engine answers. */
import { createHash } from "node:crypto";
import { mulberry32 } from "./random.ts";
import type { Figure } from "./report.ts";

export interface Labelled {
  weakRight: boolean;
  strongRight: boolean;
}

/** Accuracy at the strong engine's shares 0, 1/DECILES, ..., 1. */
export type Curve = readonly number[];

export const DECILES = 10;
const RESAMPLINGS = 1_000;
const SEED = 20_261_129;

/** The indices of `scores`, highest first; ties in the order of a hash of the prompt, which no
 *  order of a file can favour. */
export function rankByScore(scores: readonly number[], prompts: readonly string[]): number[] {
  const hashes = prompts.map((prompt) => createHash("sha256").update(prompt).digest("hex"));
  return scores
    .map((_, i) => i)
    .sort((a, b) => scores[b]! - scores[a]! || (hashes[a]! < hashes[b]! ? -1 : 1));
}

/** The curve of items in the order in which they go to the strong engine. `times` says how often
 *  each counts; absent: once. */
export function curveOf(ranked: readonly Labelled[], times?: ArrayLike<number>): Curve {
  let [total, right] = [0, 0];
  for (const [i, { weakRight }] of ranked.entries()) {
    const n = times?.[i] ?? 1;
    total += n;
    right += n * Number(weakRight);
  }
  const curve = [right / total];
  let seen = 0;
  for (const [i, { weakRight, strongRight }] of ranked.entries()) {
    for (let n = times?.[i] ?? 1; n > 0; n--) {
      seen += 1;
      right += Number(strongRight) - Number(weakRight);
      while (curve.length <= DECILES && seen === Math.round((curve.length * total) / DECILES))
        curve.push(right / total);
    }
  }
  return curve;
}

/** (Area under the curve - weak) / (strong - weak), by trapezoids: .5 for a coin. */
export function apgr(curve: Curve): number {
  const [weak, strong] = [curve[0]!, curve.at(-1)!];
  const inner = curve.slice(1, -1).reduce((sum, y) => sum + y, 0);
  const area = (inner + (weak + strong) / 2) / DECILES;
  return (area - weak) / (strong - weak);
}

/** The share of prompts, in %, that the strong engine must get for `recovered` (0..1) of the way
 *  from the weak engine's accuracy to the strong one's, by interpolation. */
export function callShare(curve: Curve, recovered: number): number {
  const [weak, strong] = [curve[0]!, curve.at(-1)!];
  const wanted = weak + recovered * (strong - weak);
  const at = Math.max(
    1,
    curve.findIndex((y) => y >= wanted),
  );
  const [below, above] = [curve[at - 1]!, curve[at]!];
  const within = above === below ? 0 : (wanted - below) / (above - below);
  return (100 * (at - 1 + within)) / DECILES;
}

export interface RoutingFigures {
  apgr: number;
  cpt50: number;
  cpt80: number;
}

export function figuresOf(curve: Curve): RoutingFigures {
  return { apgr: apgr(curve), cpt50: callShare(curve, 0.5), cpt80: callShare(curve, 0.8) };
}

export type Intervals = Record<keyof RoutingFigures, Figure>;

/** The figures of two rankings of the same items and of their difference, each with its 95 %
 *  interval over the same seeded resamplings: paired. With `groups`, whole groups are drawn. */
export function compareRankings(
  items: readonly Labelled[],
  first: readonly number[],
  second: readonly number[],
  groups: readonly string[] | null = null,
): { first: Intervals; second: Intervals; difference: Intervals } {
  const of = (ranking: readonly number[], times?: ArrayLike<number>) =>
    figuresOf(
      curveOf(
        ranking.map((i) => items[i]!),
        times === undefined ? undefined : ranking.map((i) => times[i]!),
      ),
    );
  const draw = drawing(items.length, groups);
  const samples = Array.from({ length: RESAMPLINGS }, () => {
    const times = draw();
    return { first: of(first, times), second: of(second, times) };
  });
  const less = (a: RoutingFigures, b: RoutingFigures): RoutingFigures => ({
    apgr: a.apgr - b.apgr,
    cpt50: a.cpt50 - b.cpt50,
    cpt80: a.cpt80 - b.cpt80,
  });
  const [a, b] = [of(first), of(second)];
  return {
    first: intervals(
      a,
      samples.map((sample) => sample.first),
    ),
    second: intervals(
      b,
      samples.map((sample) => sample.second),
    ),
    difference: intervals(
      less(a, b),
      samples.map((sample) => less(sample.first, sample.second)),
    ),
  };
}

/** Draws how often each item counts in a resampling. */
function drawing(n: number, groups: readonly string[] | null): () => Uint16Array {
  const random = mulberry32(SEED);
  const pick = (length: number) => Math.floor(random() * length);
  const members =
    groups === null ? null : Object.values(Object.groupBy(range(n), (i) => groups[i]!));
  return () => {
    const times = new Uint16Array(n);
    if (members === null) for (let k = 0; k < n; k++) times[pick(n)]! += 1;
    else
      for (let k = 0; k < members.length; k++)
        for (const i of members[pick(members.length)]!) times[i]! += 1;
    return times;
  };
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function intervals(value: RoutingFigures, samples: readonly RoutingFigures[]): Intervals {
  const of = (name: keyof RoutingFigures): Figure => {
    const sorted = samples.map((sample) => sample[name]).sort((a, b) => a - b);
    return { value: value[name], low: sorted[25]!, high: sorted[974]! };
  };
  return { apgr: of("apgr"), cpt50: of("cpt50"), cpt80: of("cpt80") };
}
