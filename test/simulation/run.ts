/** The simulation as a command. */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { replay, type Simulated, simulate } from "./simulation.ts";
import type { Failure } from "./thread.ts";

interface Command {
  steps: number;
  seed: number;
  /** A trace to run again; null: a simulation. */
  replay: string | null;
  /** A rule to break, of MUTATIONS; none: ''. */
  mutation: string;
  say(line: string): void;
}

/** Runs it and says how it went; what failed is in a file, as a trace. Of a trace that was run
 *  again nothing is counted. */
export async function runSimulation(
  command: Command,
): Promise<Pick<Simulated, "failure"> & Partial<Simulated>> {
  const { steps, seed, mutation, say } = command;
  if (command.replay !== null) {
    const failure = await replay(JSON.parse(readFileSync(command.replay, "utf8")), mutation);
    say(failure === null ? "the trace does not fail" : `${failure.kind}: ${failure.message}`);
    return { failure };
  }
  const threads = availableParallelism();
  say(`${steps} steps from seed ${seed}, ${threads} threads`);
  const startMs = performance.now();
  const progress = (taken: number) => say(`${taken} steps`);
  const simulated = await simulate({ steps, seed, threads, mutation, progress });
  say(told(simulated, (performance.now() - startMs) / 1000));
  if (simulated.failure !== null) tellFailure(simulated.failure, say);
  return simulated;
}

function told({ steps, episodes, counts }: Simulated, seconds: number): string {
  const kinds = Object.entries(counts).sort(([, a], [, b]) => b - a);
  const said = kinds.map(([kind, n]) => `${n} ${kind}`).join(", ");
  const speed = `${seconds.toFixed(0)} s, ${Math.round(steps / seconds)} a second`;
  return `${steps} steps in ${episodes} episodes, ${speed}: ${said}`;
}

function tellFailure({ seed, kind, message, trace }: Failure, say: Command["say"]): void {
  const file = join(tmpdir(), `brink-simulation-${seed}.json`);
  writeFileSync(file, `[\n${trace.map((entry) => JSON.stringify(entry)).join(",\n")}\n]\n`);
  say(`seed ${seed} fails, ${kind}: ${message}`);
  for (const entry of trace) say(`  ${JSON.stringify(entry)}`);
  say(`npm run torture -- simulation --replay ${file}`);
}
