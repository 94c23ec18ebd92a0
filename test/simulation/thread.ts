/** A thread that runs episodes: the platform's globals there are the simulation's. */
import { parentPort } from "node:worker_threads";
import "./register.ts";
import type { Trace } from "./episode.ts";

/** An episode of so many steps, or the replay of a trace, with a mutation or ''; where it fails its
 *  trace is made smaller by so many tries. */
export interface Task {
  seed: number;
  steps: number;
  trace: Trace | null;
  mutation: string;
  triesMax: number;
}

export interface Failure {
  seed: number;
  kind: string;
  message: string;
  trace: Trace;
}

export interface Done {
  steps: number;
  counts: Record<string, number>;
  failure: Failure | null;
}

const { Episode } = await import("./episode.ts");
const { MUTATIONS } = await import("./mutations.ts");
const { takeOverGlobals } = await import("./platform.ts");
const { shrink } = await import("./shrink.ts");
const { Violation } = await import("./violation.ts");

takeOverGlobals();
parentPort!.on("message", async (task: Task) => {
  parentPort!.postMessage(await perform(task));
});

async function perform({ seed, steps, trace, mutation, triesMax }: Task): Promise<Done> {
  const rule = MUTATIONS[mutation] ?? null;
  const episode = new Episode(seed, rule);
  const found = await failureOf(() =>
    trace === null ? episode.run(steps) : episode.replay(trace),
  );
  const { counts } = episode;
  if (found === null) return { steps: episode.steps, counts, failure: null };
  const fails = async (other: Trace) => {
    const again = await failureOf(() => new Episode(0, rule).replay(other));
    return again?.kind === found.kind;
  };
  const { kind, message } = found;
  const small = triesMax === 0 ? episode.trace : await shrink(episode.trace, fails, triesMax);
  return { steps: episode.steps, counts, failure: { seed, kind, message, trace: small } };
}

async function failureOf(
  work: () => Promise<void>,
): Promise<{ kind: string; message: string } | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof Violation) return { kind: error.kind, message: error.message };
    return { kind: "harness", message: String((error as Error).stack) };
  }
}
