/** Figures with their bounds: how a bench prints what it is held to. */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { quantile } from "./report.ts";

export interface BoundedFigure {
  name: string;
  value: number;
  unit: string;
  /** What the value may be at most, or at least; neither: it is only stated. */
  most?: number;
  least?: number;
}

/** Whether a figure is within its bound. */
export function isWithin({ value, most, least }: BoundedFigure): boolean {
  return (
    value <= (most ?? Number.POSITIVE_INFINITY) && value >= (least ?? Number.NEGATIVE_INFINITY)
  );
}

/** p50 and p99 of times in ms; p99 of fewer than a hundred samples is about their greatest. */
export function percentiles(
  name: string,
  samplesMs: readonly number[],
  bounds: { p50?: number; p99?: number } = {},
): BoundedFigure[] {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  return [
    { name: `${name}, p50`, value: quantile(sorted, 0.5), unit: "ms", most: bounds.p50 },
    { name: `${name}, p99`, value: quantile(sorted, 0.99), unit: "ms", most: bounds.p99 },
  ];
}

/** Prints figures beside their bounds, and makes the process exit with 1 where one is missed. */
export function printFigures(what: string, figures: readonly BoundedFigure[]): void {
  const width = Math.max(...figures.map(({ name }) => name.length));
  console.log(`\n${what}`);
  for (const figure of figures) {
    const { name, value, unit, most, least } = figure;
    const bound =
      most !== undefined ? `at most ${most}` : least !== undefined ? `at least ${least}` : "";
    const verdict = bound === "" ? "" : isWithin(figure) ? "ok" : "MISSED";
    const cells = [name.padEnd(width), show(value).padStart(12), unit.padEnd(12), bound.padEnd(16)];
    console.log(`  ${[...cells, verdict].join("  ").trimEnd()}`);
  }
  if (!figures.every(isWithin)) process.exitCode = 1;
}

/** Writes figures to `file`, with the machine and the date. */
export function writeFigures(what: string, figures: readonly BoundedFigure[], file: string): void {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const record = { bench: what, date: new Date().toISOString(), machine, figures };
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
}

function show(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}
