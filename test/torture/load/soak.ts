/** `soak`: the mixture at one rate for long. `load`: at a rate that doubles until the service is
 *  saturated, and then at the first one again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Refusal } from "../../../bench/client.ts";
import { quantile } from "../../../bench/report.ts";
import { openLoop } from "../../../bench/service/load.ts";
import { judgeMemory, type Reading } from "../../../bench/service/memory.ts";
import { startBackend } from "../../../bench/service/processes.ts";
import { collectGarbage, readMemory } from "../../../scripts/inspector.ts";
import { type RunningService, startService } from "../../../scripts/service.ts";
import { megabytes, memoryFaults, watchMemory } from "../memory-watch.ts";
import { type Kind, Mixture, SHARES } from "./mixture.ts";

export interface LoadOptions {
  minutes: number;
  /** Calls a second; of `load`, to begin with. */
  rate: number;
  seed: number;
  say(line: string): void;
}

/** Readings of the memory in a soak. */
const READINGS = 20;
const DRIFT_MAX = 0.1;
/** A tenth of a soak must have so many calls for its 99th percentile to rest on 30 of them. */
const DRIFT_CALLS_MIN = 3_000;
/** With the median over this, ms, more calls come than are answered. */
const SATURATED_MS = 1_000;
const DOUBLINGS_MAX = 5;
/** How much slower the median may be once the rate is the first one again. */
const RECOVERED_MAX = 2;
const ERRORS_SHOWN = 10;

/** What a load was. */
export interface Loaded {
  calls: number;
  /** Where it failed, in words; none where all is as it should be. */
  faults: string[];
}

export async function soak({ minutes, rate, seed, say }: LoadOptions): Promise<Loaded> {
  return withService(seed, async (service, mixture) => {
    const calls = Math.round(minutes * 60 * rate);
    const run = new Run(mixture, say);
    const readings: Reading[] = [];
    for (let part = 1; part <= READINGS; part++) {
      const upTo = Math.round((calls * part) / READINGS);
      await run.take(rate, upTo - run.calls.length);
      await collectGarbage(service);
      readings.push({ requests: upTo, ...(await readMemory(service)) });
      say(`${upTo} calls, ${run.failed + run.refused} failed, ${describe(readings.at(-1)!)}`);
    }
    run.table(say);
    const [first, last] = [run.calls.slice(0, calls / 10), run.calls.slice(-calls / 10)].map(of);
    say(`first tenth ${show(first!)}; last tenth ${show(last!)}, ms at P50, P95, P99`);
    const drift = last!.p99 / first!.p99 - 1;
    const judged = calls / 10 >= DRIFT_CALLS_MIN;
    const too = judged ? `bound ${100 * DRIFT_MAX} %` : "too few calls to judge it by";
    say(`the 99th percentile drifts by ${(100 * drift).toFixed(1)} % (${too})`);
    const { flat } = judgeMemory(readings, calls);
    const slower = judged && drift > DRIFT_MAX ? ["the 99th percentile drifts"] : [];
    const failed = run.failed + run.refused;
    const wrong = failed > 0 ? [`${failed} of ${calls} calls failed`] : [];
    const grown = flat ? [] : ["memory is not flat, or over its bound"];
    return { calls, faults: [...wrong, ...slower, ...grown] };
  });
}

export async function load(options: LoadOptions): Promise<Loaded> {
  return withService(options.seed, async (service, mixture) => {
    const climbed = await watchMemory(service, () => climb(mixture, options));
    options.say(`memory at most ${megabytes(climbed.peakBytes)}`);
    const { calls, faults } = climbed.result;
    return { calls, faults: [...faults, ...memoryFaults(climbed.peakBytes)] };
  });
}

async function climb(mixture: Mixture, { minutes, rate, say }: LoadOptions): Promise<Loaded> {
  const seconds = (minutes * 60) / (DOUBLINGS_MAX + 2);
  const faults: string[] = [];
  let calls = 0;
  const step = async (at: number) => {
    const run = new Run(mixture, say);
    await run.take(at, Math.round(at * seconds));
    calls += run.calls.length;
    const times = of(run.calls);
    say(
      `${at}/s: ${show(times)} ms at P50, P95, P99; ${run.calls.length} calls, ` +
        `${run.refused} refused, ${run.failed} failed`,
    );
    if (run.failed > 0) faults.push(`${run.failed} calls failed at ${at}/s`);
    return times;
  };
  const before = await step(rate);
  let times = before;
  for (let i = 1; i <= DOUBLINGS_MAX && times.p50 < SATURATED_MS; i++)
    times = await step(rate * 2 ** i);
  const after = await step(rate);
  if (after.p50 > RECOVERED_MAX * before.p50)
    faults.push(`the median is ${after.p50.toFixed(0)} ms afterwards`);
  return { calls, faults };
}

async function withService<T>(
  seed: number,
  work: (service: RunningService, mixture: Mixture) => Promise<T>,
): Promise<T> {
  const state = mkdtempSync(join(tmpdir(), "brink-load-"));
  const backend = await startBackend();
  const variables = {
    ...{ BACKEND_URL: backend.url, BACKEND_MODEL: "mock" },
    ...{ BRINK_LOG: "errors", BRINK_PRELOAD: "none" },
  };
  const service = await startService({ state, variables });
  const mixture = new Mixture(service.url, seed);
  try {
    await mixture.prepare();
    return await work(service, mixture);
  } finally {
    mixture.close();
    await service.stop();
    await backend.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

interface Call {
  kind: Kind;
  /** From when it was due. */
  ms: number;
}

class Run {
  readonly calls: Call[] = [];
  /** Replies that were wrong or never came. */
  failed = 0;
  /** By the service, because it is too busy. */
  refused = 0;
  readonly #mixture: Mixture;
  readonly #say: (line: string) => void;

  constructor(mixture: Mixture, say: (line: string) => void) {
    this.#mixture = mixture;
    this.#say = say;
  }

  async take(rate: number, calls: number): Promise<void> {
    const before = this.calls.length;
    this.calls.length += calls; // each has its place, whenever it ends
    await openLoop({ rate, calls }, async (i, dueMs) => {
      const { kind, make } = this.#mixture.next(before + i);
      await make().catch((error: unknown) => this.#count(kind, error));
      this.calls[before + i] = { kind, ms: performance.now() - dueMs };
    });
  }

  #count(kind: Kind, error: unknown): void {
    if (error instanceof Refusal && error.code.endsWith("_busy")) this.refused += 1;
    else this.failed += 1;
    if (this.failed + this.refused <= ERRORS_SHOWN) this.#say(`${kind} failed: ${String(error)}`);
  }

  table(say: (line: string) => void): void {
    for (const kind of Object.keys(SHARES) as Kind[]) {
      const calls = this.calls.filter((call) => call.kind === kind);
      if (calls.length > 0) say(`${kind.padEnd(8)} ${calls.length} calls, ${show(of(calls))} ms`);
    }
  }
}

function describe({ totalBytes, heapBytes, buffersBytes, linearBytes }: Reading): string {
  const [all, heap, buffers, linear] = [totalBytes, heapBytes, buffersBytes, linearBytes].map((n) =>
    (n / 1e6).toFixed(1),
  );
  return `${all} MB: heap ${heap}, buffers ${buffers}, linear memory ${linear}`;
}

interface Times {
  p50: number;
  p95: number;
  p99: number;
}

function of(calls: readonly Call[]): Times {
  const sorted = calls.map(({ ms }) => ms).sort((a, b) => a - b);
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((p) => quantile(sorted, p));
  return { p50: p50!, p95: p95!, p99: p99! };
}

const show = ({ p50, p95, p99 }: Times) => [p50, p95, p99].map((ms) => ms.toFixed(1)).join(" / ");
