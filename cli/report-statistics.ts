/** What a report says of labelled answers: curves, bins and counts, with 95 % intervals by
 *  resampling the questions (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3). */
import { mulberry32 } from "../eval/random.ts";
import { bootstrapMean, type Figure } from "../eval/report.ts";
import { auroc, type Scored } from "../eval/scores.ts";
import {
  type HistogramBin,
  histogramOf as histogramOfScores,
  type Interval,
  type ReliabilityBin,
  reliabilityOf as reliabilityOfScores,
} from "../src/router/curves.ts";
import { FEATURES } from "../src/router/features.ts";
import type { Judged } from "./router-ask.ts";

const SEED = 20_261_129;
/** Enough for a band; the figures that are printed have 1,000. */
const RESAMPLES = 400;
const CURVE_POINTS = 50;
const SHARES = 20;
/** Curves begin where at least so many answers are kept: fewer say nothing. */
const KEPT_MIN = 10;

export function isAnswer({ answer }: Judged): boolean {
  return answer !== null;
}

/** Keeping what is no harder than `threshold`: which share of all questions that is, and how much
 *  of it is wrong. */
export interface RiskPoint {
  threshold: number;
  coverage: number;
  kept: number;
  wrong: number;
  risk: Interval;
}

/** By ascending threshold; an interval is of the risk at a fixed threshold. */
export function riskCurve(judged: readonly Judged[]): RiskPoint[] {
  const sorted = judged.filter(isAnswer).sort((a, b) => a.difficulty - b.difficulty);
  const ends = new Set<number>();
  for (let i = 1; i <= CURVE_POINTS; i++) {
    const kept = Math.round((i * sorted.length) / CURVE_POINTS);
    if (kept < Math.min(KEPT_MIN, sorted.length)) continue;
    // A threshold keeps all of its difficulty.
    const last = sorted.findLastIndex((one) => one.difficulty === sorted[kept - 1]!.difficulty);
    ends.add(last + 1);
  }
  const cuts = [...ends];
  const samples = resamples(sorted.length, (counts) => {
    let [n, wrong, at] = [0, 0, 0];
    return cuts.map((cut) => {
      for (; at < cut; at++) {
        n += counts[at]!;
        if (sorted[at]!.wrong) wrong += counts[at]!;
      }
      return n === 0 ? 0 : wrong / n;
    });
  });
  return cuts.map((kept, i) => {
    const wrong = sorted.slice(0, kept).filter((one) => one.wrong).length;
    return {
      threshold: sorted[kept - 1]!.difficulty,
      coverage: kept / judged.length,
      kept,
      wrong,
      risk: { value: wrong / kept, ...ends95(samples.map((sample) => sample[i]!)) },
    };
  });
}

/** Who gets the backend first. */
export interface Policy {
  name: "difficulty" | "length" | "random" | "perfect";
  /** Accuracy, 0..1, at SHARES + 1 equally spaced shares of questions sent to the backend. */
  accuracy: Interval[];
  /** Of the way from the edge's accuracy to the backend's, the mean over all shares (APGR of
   *  RouteLLM, arXiv 2406.18665): random is 0.5. Null where the backend is no better. */
  gained: Interval | null;
}

export interface Policies {
  shares: number[];
  edge: number;
  backend: number;
  policies: Policy[];
  /** By how much `gained` of the difficulty is above that of the length, on the same questions. */
  overLength: Interval | null;
}

/** Accuracy against the backend's share, where an abstention is wrong at the edge and the backend
 *  is right on `backend`, 0..1, of any questions. */
export function policiesOf(judged: readonly Judged[], backend: number): Policies {
  const right = judged.map((one) => (one.answer !== null && !one.wrong ? 1 : 0));
  const edge = mean(right);
  const order = (score: (one: Judged, i: number) => number) => {
    const scores = judged.map(score);
    return judged.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]! || a - b);
  };
  const random = mulberry32(SEED);
  const shuffled = judged.map(() => random());
  const orders = {
    difficulty: order((one, i) => one.difficulty + 1e-9 * shuffled[i]!),
    length: order(({ question }, i) => question.length + shuffled[i]! / 2),
    perfect: order((_, i) => 1 - right[i]!),
  };
  const shares = Array.from({ length: SHARES + 1 }, (_, i) => i / SHARES);
  const names = ["difficulty", "length", "perfect"] as const;
  const curves = (counts: ArrayLike<number>) =>
    names.map((name) => accuracyAt(shares, orders[name], right, counts, backend));
  const ones = new Uint8Array(judged.length).fill(1);
  const whole = curves(ones);
  const samples = resamples(judged.length, curves);
  const policies = names.map((name, p): Policy => {
    const accuracy = whole[p]!.map((value, i) => {
      return { value, ...ends95(samples.map((sample) => sample[p]![i]!)) };
    });
    const all = samples.map((sample) => gainedOf(sample[p]!));
    const gained = gainedOf(whole[p]!);
    return { name, accuracy, gained: backend > edge ? { value: gained, ...ends95(all) } : null };
  });
  const straight = shares.map((share) => {
    const value = edge + share * (backend - edge);
    return { value, low: value, high: value };
  });
  policies.push({ name: "random", accuracy: straight, gained: null });
  const over = (sample: number[][]) => gainedOf(sample[0]!) - gainedOf(sample[1]!);
  const overLength = { value: over(whole), ...ends95(samples.map(over)) };
  return { shares, edge, backend, policies, overLength: backend > edge ? overLength : null };
}

/** Accuracy at each share where the last of `order` go to the backend first. */
function accuracyAt(
  shares: readonly number[],
  order: readonly number[],
  right: readonly number[],
  counts: ArrayLike<number>,
  backend: number,
): number[] {
  const n = order.length;
  const cumulative = [0];
  const weights = [0];
  for (const [at, i] of order.entries()) {
    weights.push(weights[at]! + counts[i]!);
    cumulative.push(cumulative[at]! + counts[i]! * right[i]!);
  }
  let at = n;
  return shares.map((share) => {
    const keep = (1 - share) * n;
    while (at > 0 && weights[at - 1]! >= keep) at--;
    const before = Math.max(0, at - 1);
    const inside = weights[at]! - weights[before]!;
    const part = inside > 0 ? Math.min(1, (keep - weights[before]!) / inside) : 0;
    const kept = cumulative[before]! + part * (cumulative[at]! - cumulative[before]!);
    return (kept + share * n * backend) / n;
  });
}

function gainedOf(accuracy: readonly number[]): number {
  const [weak, strong] = [accuracy[0]!, accuracy.at(-1)!];
  const ends = (weak + strong) / 2;
  const area = (accuracy.reduce((sum, x) => sum + x, 0) - ends) / (accuracy.length - 1);
  return strong === weak ? 0.5 : (area - weak) / (strong - weak);
}

/** Bins of equally many answers, easiest first. */
export function reliabilityOf(judged: readonly Judged[]): ReliabilityBin[] {
  return reliabilityOfScores(judged.filter(isAnswer));
}

export function histogramOf(judged: readonly Judged[]): HistogramBin[] {
  return histogramOfScores(judged.filter(isAnswer));
}

export interface KindRow {
  kind: string;
  questions: number;
  answers: number;
  /** Null: no answers. */
  wrong: Figure | null;
  /** Mean of the answers. */
  difficulty: number;
  kept: number;
}

/** Per kind of question, the most frequent first. */
export function kindsOf(judged: readonly Judged[], threshold: number): KindRow[] {
  const rows = [...Map.groupBy(judged, ({ kind }) => kind)].map(([kind, all]) => {
    const answers = all.filter(isAnswer);
    const wrong = answers.map((one) => (one.wrong ? 1 : 0));
    return {
      kind,
      questions: all.length,
      answers: answers.length,
      wrong: answers.length === 0 ? null : bootstrapMean(wrong),
      difficulty: mean(answers.map(({ difficulty }) => difficulty)),
      kept: answers.filter(({ difficulty }) => difficulty <= threshold).length,
    };
  });
  return rows.sort((a, b) => b.questions - a.questions || (a.kind < b.kind ? -1 : 1));
}

export interface FeatureRow {
  name: string;
  /** Of the standardized feature; null where the weights are not at hand. */
  weight: number | null;
  /** AUROC of the feature alone: above 0.5 where a greater value goes with wrong answers. */
  alone: Interval;
}

/** Of this build's features that the answers have, the strongest first. */
export function featuresOf(
  judged: readonly Judged[],
  weights: Record<string, { weight: number }> | null,
  shown: number,
): FeatureRow[] {
  const answers = judged.filter(({ features }) => features !== null);
  const strength = ({ weight, alone }: { weight: number | null; alone: number }) =>
    weight === null ? Math.abs(alone - 0.5) : Math.abs(weight);
  const scored = (name: string) =>
    answers.map(({ features, wrong }) => ({ difficulty: features![name] ?? 0, wrong }));
  return FEATURES.filter((name) => answers.some(({ features }) => name in features!))
    .map((name) => {
      return { name, weight: weights?.[name]?.weight ?? null, alone: auroc(scored(name)) };
    })
    .sort((a, b) => strength(b) - strength(a))
    .slice(0, shown)
    .map(({ name, weight }) => ({ name, weight, alone: aurocOf(scored(name)) }));
}

/** The AUROC with its interval. The answers are sorted once, not anew for each resampling, which
 *  makes a dozen of features of 20,000 answers a matter of seconds. O(n) a resampling. */
export function aurocOf(scored: readonly Scored[]): Interval {
  const sorted = [...scored].sort((a, b) => a.difficulty - b.difficulty);
  const samples = resamples(sorted.length, (counts) => {
    let [right, wrong, pairs] = [0, 0, 0];
    for (let i = 0; i < sorted.length; ) {
      const { difficulty } = sorted[i]!;
      let [tiedRight, tiedWrong] = [0, 0];
      for (; i < sorted.length && sorted[i]!.difficulty === difficulty; i++) {
        if (sorted[i]!.wrong) tiedWrong += counts[i]!;
        else tiedRight += counts[i]!;
      }
      pairs += tiedWrong * (right + tiedRight / 2);
      right += tiedRight;
      wrong += tiedWrong;
    }
    return right * wrong === 0 ? 0.5 : pairs / (right * wrong);
  });
  return { value: auroc(scored), ...ends95(samples) };
}

/** `statistic` of how often each item was drawn, of RESAMPLES draws with replacement. */
function resamples<T>(n: number, statistic: (counts: ArrayLike<number>) => T): T[] {
  const random = mulberry32(SEED);
  const counts = new Uint16Array(n);
  return Array.from({ length: RESAMPLES }, () => {
    counts.fill(0);
    for (let i = 0; i < n; i++) counts[Math.floor(random() * n)]!++;
    return statistic(counts);
  });
}

function ends95(samples: number[]): { low: number; high: number } {
  const sorted = samples.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { low: at(0.025), high: at(0.975) };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, x) => sum + x, 0) / values.length;
}
