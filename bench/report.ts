/** What every bench shares: interleaved timing, medians with their spread, a table, a record. */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { assert } from "../src/errors.ts";

/** A thing to time. `work` is the number of operations or bytes one run stands for. */
export interface Candidate {
  name: string;
  unit: string; // what work / ns is: "GOP/s", "GB/s"
  work: number;
  /** The candidate of the same group that this one is measured against. */
  peer?: string;
  /** Stands beside the figures, e.g. that a peer's path looks broken. */
  note?: string;
  run(): unknown | Promise<unknown>;
}

export interface Result {
  name: string;
  msMedian: number;
  msQ1: number;
  msQ3: number;
  rate: number; // work per nanosecond at the median
  unit: string;
  peer?: string;
  ratio?: number; // the peer's median time / this one's
  note?: string;
}

/** CPU time of this process, ms: other work on the machine does not count, as it would in wall
 *  time. It includes the compiler's and collector's threads, which a warm-up keeps idle. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of numbers in ascending order, with linear interpolation between the two nearest; `p` from 0 to
 *  1. Hyndman and Fan's type 7, as numpy has it. */
export function quantile(sorted: readonly number[], p: number): number {
  const at = (sorted.length - 1) * p;
  const low = Math.floor(at);
  return sorted[low]! + (sorted[Math.ceil(at)]! - sorted[low]!) * (at - low);
}

/** Times each candidate once a round, in turn, so that a noisy minute strikes all alike. One sample
 *  is as many runs as fill `sampleMs` of CPU time. */
export async function timeInterleaved(
  candidates: readonly Candidate[],
  { rounds, sampleMs, warmUpMs }: { rounds: number; sampleMs: number; warmUpMs: number },
): Promise<Result[]> {
  const repeats: number[] = [];
  for (const { run } of candidates) {
    let runs = 0; // warm-up, until the optimizing compiler has had its turn
    const start = cpuMs();
    while (cpuMs() - start < warmUpMs || runs < 3) {
      await run();
      runs++;
    }
    repeats.push(Math.max(1, Math.round((runs * sampleMs) / (cpuMs() - start))));
  }
  const samples: number[][] = candidates.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, { run }] of candidates.entries()) {
      const start = cpuMs();
      for (let j = 0; j < repeats[i]!; j++) await run();
      samples[i]!.push((cpuMs() - start) / repeats[i]!);
    }
  const results = candidates.map(({ name, unit, work, note }, i): Result => {
    const result = summarize(name, samples[i]!);
    return { ...result, rate: work / result.msMedian / 1e6, unit, note };
  });
  for (const [i, { peer }] of candidates.entries())
    if (peer !== undefined) compare(results[i]!, results, peer);
  return results;
}

function compare(result: Result, results: readonly Result[], peer: string): void {
  const other = results.find(({ name }) => name === peer);
  assert(other, `no candidate is named ${peer}`);
  result.peer = peer;
  result.ratio = other.msMedian / result.msMedian;
}

/** Median and quartiles of times in ms; the rate is how many fit into a second. */
export function summarize(name: string, samplesMs: readonly number[]): Result {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const msMedian = quantile(sorted, 0.5);
  const [msQ1, msQ3] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  return { name, msMedian, msQ1, msQ3, rate: 1000 / msMedian, unit: "/s" };
}

/** Prints the results as a table and writes them to `file`, with the machine and the date. */
export function report(what: string, results: readonly Result[], file: string | null): void {
  const width = Math.max(...results.map(({ name }) => name.length));
  console.log(`${"".padEnd(width)}  ${"median ms".padStart(10)}  ${"quartiles".padStart(17)}`);
  for (const { name, msMedian, msQ1, msQ3, rate, unit, peer, ratio, note } of results) {
    const quartiles = `${msQ1.toFixed(3)} .. ${msQ3.toFixed(3)}`;
    const cells = [name.padEnd(width), msMedian.toFixed(3).padStart(10), quartiles.padStart(17)];
    const against = ratio === undefined ? "" : `${ratio.toFixed(2)} x ${peer}`;
    const notes = [against, note ?? ""].filter((text) => text !== "").join("; ");
    console.log([...cells, `${rate.toFixed(1)} ${unit}`.padStart(12), notes].join("  "));
  }
  if (file !== null) writeRecord(what, results, file);
}

/** Writes figures to `file`, with the machine and the date. */
export function writeRecord(what: string, results: unknown, file: string): void {
  const machine = { cpu: cpus()[0]?.model, node: process.version, flags: process.execArgv };
  const record = { bench: what, date: new Date().toISOString(), machine, results };
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
}
