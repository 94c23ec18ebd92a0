/** Runs the memory's own code under a scheduler that chooses every step by a seed, with faults, on
 *  some threads; what fails is made small and can be replayed. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Trace } from "./episode.ts";
import type { Done, Failure, Task } from "./thread.ts";

/** Steps of an episode, which begins with an empty namespace; settling adds some. */
const EPISODE_STEPS = 3_000;
const SHRINK_TRIES_MAX = 1_500;
const PROGRESS_STEPS = 100_000;

export interface SimulationOptions {
  steps: number;
  seed: number;
  threads: number;
  /** A rule to break, of MUTATIONS; none: ''. */
  mutation?: string;
  triesMax?: number;
  /** Hears of every 100,000 steps. */
  progress?(steps: number): void;
}

export interface Simulated {
  steps: number;
  episodes: number;
  /** Steps by kind, and ends of long work. */
  counts: Record<string, number>;
  /** The first that was found. */
  failure: Failure | null;
}

/** Runs episodes until so many steps were taken or one fails. What an episode does depends on its
 *  seed alone; which were begun when the last one ends does on the threads too. */
export async function simulate(options: SimulationOptions): Promise<Simulated> {
  const { steps, seed, threads, mutation = "", triesMax = SHRINK_TRIES_MAX } = options;
  const total: Simulated = { steps: 0, episodes: 0, counts: {}, failure: null };
  let next = seed;
  const work = async () => {
    await withThread(async (perform) => {
      while (total.steps < steps && total.failure === null) {
        const task = { seed: next++, steps: EPISODE_STEPS, trace: null, mutation, triesMax };
        const done = await perform(task);
        const before = Math.floor(total.steps / PROGRESS_STEPS);
        total.steps += done.steps;
        if (Math.floor(total.steps / PROGRESS_STEPS) > before) options.progress?.(total.steps);
        total.episodes += 1;
        for (const [name, n] of Object.entries(done.counts))
          total.counts[name] = (total.counts[name] ?? 0) + n;
        total.failure ??= done.failure;
      }
    });
  };
  await Promise.all(Array.from({ length: threads }, work));
  return total;
}

/** Runs a trace again: how it fails, or null where it does not. */
export async function replay(trace: Trace, mutation = ""): Promise<Failure | null> {
  const task = { seed: 0, steps: 0, trace, mutation, triesMax: 0 };
  let failure: Failure | null = null;
  await withThread(async (perform) => {
    ({ failure } = await perform(task));
  });
  return failure;
}

async function withThread(
  use: (perform: (task: Task) => Promise<Done>) => Promise<void>,
): Promise<void> {
  const worker = new Worker(join(import.meta.dirname, "thread.ts"), { execArgv: [] });
  const perform = (task: Task) =>
    new Promise<Done>((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", (done: Done) => {
        worker.off("error", reject);
        resolve(done);
      });
      worker.postMessage(task);
    });
  try {
    await use(perform);
  } finally {
    await worker.terminate();
  }
}
