/** Chooses among variants of a kernel by running them for a few milliseconds where the clock moves
 *  meanwhile. A deployed Worker's clock stands still during computation; there a probe of values
 *  must choose instead, and this module says so. */

/** One way to compute the same thing, with inputs already in place. */
export interface Contender<Name extends string> {
  name: Name;
  run(): void;
  /** Whether what `run` wrote is right; one that is not is never chosen. */
  correct(): boolean;
}

/** What was chosen, and whether by its time, by the fallback that the caller had, or by name. */
export interface Choice<Name extends string> {
  name: Name;
  by: "timing" | "probe" | "named";
}

/** A window of time, from one step of the clock to a later one: local runtimes' clocks step by up
 *  to a millisecond, and whole steps make the error one run, not one step. */
const WINDOW_MS = 1;
const ROUNDS = 3;
/** V8 starts with quickly compiled code and replaces it, in the background, once it is hot. */
const WARM_UP_MS = 8;
/** What one contender may run in one window where the clock stands still: at 0.1 ms a run, 6 ms. */
const RUNS_MAX = 64;

type Clock = () => number;

/** The fastest of the contenders that compute correctly, by the best of ROUNDS interleaved windows
 *  each; `fallback` where the clock does not move or none is correct. Takes about 12 ms a
 *  contender, given runs of 0.03 to 0.3 ms; ones that RUNS_MAX of take less than a step of the
 *  clock count as ones during which it stands still. */
export function fastestOf<Name extends string>(
  contenders: readonly Contender<Name>[],
  fallback: Name,
  now: Clock = () => performance.now(),
): Choice<Name> {
  const right = contenders.filter((contender) => {
    contender.run();
    return contender.correct();
  });
  if (right.length === 0) return { name: fallback, by: "probe" };
  for (const { run } of right)
    if (msPerRun(run, WARM_UP_MS, now) === null) return { name: fallback, by: "probe" };
  const best = right.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, { run }] of right.entries())
      best[i] = Math.min(best[i]!, msPerRun(run, WINDOW_MS, now) ?? Number.POSITIVE_INFINITY);
  return { name: right[best.indexOf(Math.min(...best))]!.name, by: "timing" };
}

/** Mean time of a run over a window of at least `windowMs`; null where the clock does not move. */
function msPerRun(run: () => void, windowMs: number, now: Clock): number | null {
  const start = runToNextStep(run, now);
  let runs = 0;
  for (let at = start; start !== null && at !== null; ) {
    at = runToNextStep(run, now);
    if (at === null) return null;
    runs += at.runs;
    if (at.ms - start.ms >= windowMs) return (at.ms - start.ms) / runs;
  }
  return null;
}

/** Runs until the clock moves; how often, and what it then says; null if it does not. */
function runToNextStep(run: () => void, now: Clock): { ms: number; runs: number } | null {
  const start = now();
  for (let runs = 1; runs <= RUNS_MAX; runs++) {
    run();
    const ms = now();
    if (ms > start) return { ms, runs };
  }
  return null;
}
