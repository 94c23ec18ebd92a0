import { mulberry32 } from "./random.ts";

/** What an evaluation gives back, and how a person reads it. */
export interface EvalOptions {
  data: string;
  /** A running service, or null to start one on a free port with fresh state. */
  url: string | null;
  setting: string;
  split: string;
  limit: number;
  /** More labelled questions, for the halves that set thresholds; null: none. */
  pool: string | null;
  /** Whether to search the fusion's weight on the training queries. */
  tune: boolean;
}

/** A figure with its 95 % bootstrap interval. */
export interface Figure {
  value: number;
  low: number;
  high: number;
}

/** What a figure is held to. */
export interface Bound {
  name: string;
  value: number;
  least?: number;
  most?: number;
}

export interface EvalReport {
  what: string;
  data: string;
  questions: number;
  figures: Record<string, Figure | number>;
  /** Absent: there are none. */
  bounds?: Bound[];
}

/** The mean of `values` with its 95 % percentile bootstrap interval (1,000 seeded resamplings of
 *  the questions). */
export function bootstrapMean(values: readonly number[]): Figure {
  const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
  return bootstrap(values, mean);
}

/** `statistic` of `items` with its 95 % percentile bootstrap interval; deterministic. */
export function bootstrap<T>(
  items: readonly T[],
  statistic: (items: readonly T[]) => number,
): Figure {
  const random = mulberry32(20_261_123);
  const samples = Array.from({ length: 1_000 }, () => {
    return statistic(items.map(() => items[Math.floor(random() * items.length)]!));
  }).sort((a, b) => a - b);
  return { value: statistic(items), low: samples[25]!, high: samples[974]! };
}

export function printReport(report: EvalReport): void {
  console.log(`\n${report.what} on ${report.data}, ${report.questions} questions`);
  const width = Math.max(36, ...Object.keys(report.figures).map((name) => name.length));
  for (const [name, figure] of Object.entries(report.figures)) {
    const text =
      typeof figure === "number"
        ? show(figure)
        : `${show(figure.value)}   95 % [${show(figure.low)}, ${show(figure.high)}]`;
    console.log(`  ${name.padEnd(width)} ${text}`);
  }
  for (const bound of report.bounds ?? []) {
    const { name, value, least, most } = bound;
    const within = [
      ...(least === undefined ? [] : [`at least ${show(least)}`]),
      ...(most === undefined ? [] : [`at most ${show(most)}`]),
    ].join(", ");
    console.log(`  ${isMet(bound) ? "ok    " : "MISSED"} ${name}: ${show(value)}, ${within}`);
  }
}

/** Whether every bound of a report is met. */
export function isWithinBounds(report: EvalReport): boolean {
  return (report.bounds ?? []).every(isMet);
}

function isMet({ value, least, most }: Bound): boolean {
  return (
    value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY)
  );
}

function show(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

/** One line on a terminal that is overwritten as work goes on; silent elsewhere. */
export function showProgress(label: string, done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${label} ${done}/${total}${done === total ? "\n" : ""}`);
}
