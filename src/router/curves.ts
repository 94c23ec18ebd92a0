/** What a calibration set says at every threshold: for pictures, which no request needs. */
import { type CalibrationSet, type Expected, expectAt, type LabelledScore } from "./calibration.ts";
import type { Prices } from "./target.ts";

const CURVE_POINTS = 50;
/** Thresholds that keep fewer answers say nothing of their risk. */
const KEPT_MIN = 10;
/** Answers from which on there are ten bins of reliability, else five. */
const TEN_BINS_FROM = 500;
const HISTOGRAM_BINS = 20;
const Z95 = 1.959964;

export interface Interval {
  value: number;
  low: number;
  high: number;
}

export interface CurvePoint extends Expected {
  threshold: number;
  /** The share of all questions, 0..1, that are answered right where the backend always is: an
   *  abstention that stays at the edge is not. */
  accuracy: number;
}

export interface ReliabilityBin {
  answers: number;
  /** Mean difficulty. */
  said: number;
  /** Share wrong, with its Wilson interval. */
  wrong: Interval;
}

export interface HistogramBin {
  from: number;
  to: number;
  right: number;
  wrong: number;
}

/** From the threshold that keeps nothing to the one that keeps all, CURVE_POINTS + 2 at most, by
 *  ascending threshold. O(points x scores). Empty for a set without scores. */
export function curveOf(
  set: CalibrationSet,
  prices: Prices | null,
  confidence: number,
): CurvePoint[] {
  const { scores, abstained } = set;
  if (scores.length === 0) return [];
  const sorted = scores.map(({ difficulty }) => difficulty).sort((a, b) => a - b);
  const cuts = new Set([-1]);
  for (let i = 1; i <= CURVE_POINTS; i++) {
    const kept = Math.round((i * sorted.length) / CURVE_POINTS);
    if (kept >= Math.min(KEPT_MIN, sorted.length)) cuts.add(sorted[kept - 1]!);
  }
  cuts.add(1);
  const questions = scores.length + abstained;
  return [...cuts].map((threshold) => {
    const expected = expectAt(threshold, set, prices, confidence);
    const unanswered = threshold >= 1 ? abstained : 0;
    const answered = expected.coverage * questions - unanswered;
    const wrong = expected.risk * answered + unanswered;
    return { threshold, ...expected, accuracy: 1 - wrong / questions };
  });
}

/** Bins of equally many answers, easiest first; equal difficulties are in one. */
export function reliabilityOf(scores: readonly LabelledScore[]): ReliabilityBin[] {
  const sorted = [...scores].sort((a, b) => a.difficulty - b.difficulty);
  const bins = sorted.length >= TEN_BINS_FROM ? 10 : 5;
  const endOf = (bin: number) => {
    const last = sorted[Math.round((bin * sorted.length) / bins) - 1]?.difficulty;
    return sorted.findLastIndex(({ difficulty }) => difficulty === last) + 1;
  };
  return Array.from({ length: bins }, (_, bin) => {
    const items = sorted.slice(endOf(bin), endOf(bin + 1));
    const wrong = items.filter((one) => one.wrong).length;
    const sum = items.reduce((total, { difficulty }) => total + difficulty, 0);
    return { answers: items.length, said: sum / items.length, wrong: wilson(wrong, items.length) };
  }).filter(({ answers }) => answers > 0);
}

/** The score interval of a share (Wilson 1927), which holds for few and for rare ones too. */
export function wilson(hits: number, n: number): Interval {
  const p = hits / n;
  const scale = 1 + Z95 ** 2 / n;
  const centre = (p + Z95 ** 2 / (2 * n)) / scale;
  const half = (Z95 / scale) * Math.sqrt((p * (1 - p)) / n + Z95 ** 2 / (4 * n * n));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

export function histogramOf(scores: readonly LabelledScore[]): HistogramBin[] {
  const bins = Array.from({ length: HISTOGRAM_BINS }, (_, i) => {
    return { from: i / HISTOGRAM_BINS, to: (i + 1) / HISTOGRAM_BINS, right: 0, wrong: 0 };
  });
  for (const { difficulty, wrong } of scores) {
    const bin = bins[Math.min(HISTOGRAM_BINS - 1, Math.floor(difficulty * HISTOGRAM_BINS))]!;
    bin[wrong ? "wrong" : "right"]++;
  }
  return bins;
}
