/** The memory of the generator's isolate with a model of SmolLM2-135M's shape in Q4_0 and a context
 *  of 2,048 positions, in the local runtime: while it loads, while prompt and answer fill the whole
 *  context, and after. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { exitOnSignals } from "../scripts/service.ts";
import { type GeneratorMemory, measureGenerator } from "../test/support/generator-alone/measure.ts";
import type { BenchOptions } from "./main.ts";
import { writeSmollmFile } from "./smollm-file.ts";

/** What the isolate of 128 MB may come to. */
const PEAK_BYTES_MAX = 118e6;
const CONTEXT = 2_048;

export async function run({ json }: BenchOptions): Promise<void> {
  exitOnSignals();
  const state = mkdtempSync(join(tmpdir(), "brink-bench-"));
  process.once("exit", () => rmSync(state, { recursive: true, force: true }));
  const measured = await measureGenerator(state, writeSmollmFile(), CONTEXT);
  const { status, usage, ...phases } = measured;
  console.log("peak MB      heap   buffers  linear memory   total   readings");
  for (const [name, memory] of Object.entries(phases)) console.log(row(name, memory));
  const { prompt_tokens, total_tokens } = usage;
  console.log(`the context held ${total_tokens} of ${CONTEXT} tokens, ${prompt_tokens} of prompt`);
  const peak = Math.max(...Object.values(phases).map(({ peakBytes }) => peakBytes));
  console.log(`peak ${(peak / 1e6).toFixed(1)} MB, bound ${PEAK_BYTES_MAX / 1e6} MB`);
  if (json !== null) {
    const machine = { cpu: cpus()[0]?.model, node: process.version };
    const record = { bench: "generator", date: new Date().toISOString(), machine, ...measured };
    writeFileSync(json, `${JSON.stringify(record, null, 2)}\n`);
  }
  if (peak > PEAK_BYTES_MAX || total_tokens < CONTEXT - 1) {
    console.error("the peak is over its bound, or the context was not filled");
    process.exitCode = 1;
  }
  if (status.loaded?.context !== CONTEXT) throw new Error("another context was loaded");
}

function row(name: string, memory: GeneratorMemory): string {
  const { heapBytes, buffersBytes, linearBytes, peakBytes, readings } = memory;
  const cells = [heapBytes, buffersBytes, linearBytes, peakBytes].map((bytes) =>
    (bytes / 1e6).toFixed(1).padStart(9),
  );
  return `${name.padEnd(6)}  ${cells.join(" ")}  ${String(readings).padStart(9)}`;
}
