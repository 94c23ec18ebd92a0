/** What a gateway adds to a call of its backend: the same calls to the backend itself and through
 *  the gateway, pair by pair, at a fixed rate. Beside Brink a Worker that only hands bodies on, one
 *  that only parses them and writes them anew, whose shares are the runtime's own, and the Portkey
 *  gateway, from bench/peers. */
import { loadavg } from "node:os";
import { LOCAL_KEY } from "../../scripts/service.ts";
import type { BenchOptions } from "../main.ts";
import { quantile } from "../report.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type LoadResult, runLoad, type Sample, type Target } from "./load.ts";
import {
  hasPortkey,
  type Running,
  startBackend,
  startBrink,
  startPlain,
  startPortkey,
} from "./processes.ts";

/** Calls a second, to each side. */
const RATE = 200;
const SECONDS = 60;
const ROUNDS = 3;
const WARM_UP_SECONDS = 10;

const PERCENTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
type Name = keyof typeof PERCENTILES;
const BOUNDS_MS: Record<Name, number> = { p50: 2, p95: 5, p99: 10 };

type Times = Record<Name, number>;

/** One gateway's round, ms. */
export interface Added {
  gateway: string;
  calls: number;
  failed: number;
  /** Until the first token, or a whole reply's end. */
  direct: Times;
  through: Times;
  /** The difference of the two's percentiles. */
  added: Times;
  /** Until a stream's end, likewise. */
  addedEnd: Times;
  /** Percentiles of the differences of the two calls of a pair. */
  paired: Times;
  /** How late calls were sent. */
  late: Times;
  /** CPU time of the gateway's process a call, ms; null where it is not known. */
  cpuMs: number | null;
  /** The machine's load over the last minute, at the round's end. */
  load: number;
}

interface Gateway {
  target: Target;
  running: Running;
}

/** Exits with 1 where Brink's medians over the rounds are over their bounds, where a call failed,
 *  or where the Portkey gateway adds less at P95. */
export async function run({ quick }: BenchOptions, portkey: boolean): Promise<Added[]> {
  if (portkey && !hasPortkey()) throw new Error("run `npm run bench:peers` first");
  const backend = await startBackend();
  const gateways = await startGateways(backend.url, portkey);
  const direct: Target = { name: "direct", url: backend.url, headers: {}, body: { model: "mock" } };
  const results: Added[] = [];
  try {
    for (const { target } of gateways)
      await runLoad([direct, target], { rate: RATE, seconds: quick ? 3 : WARM_UP_SECONDS });
    const seconds = quick ? 3 : SECONDS;
    for (let round = 0; round < (quick ? 1 : ROUNDS); round++)
      for (const { target, running } of gateways) {
        const before = cpuSeconds(running.owns);
        const result = await runLoad([direct, target], { rate: RATE, seconds });
        const used = before === null ? null : cpuSeconds(running.owns)! - before;
        for (const error of result.errors) console.error(error);
        const cpuMs = used === null ? null : (used * 1000) / result.samples.length;
        results.push({ ...describe(target.name, result), cpuMs });
        console.log(lineOf(results.at(-1)!));
      }
  } finally {
    for (const { running } of gateways) await running.stop();
    await backend.stop();
  }
  judge(results);
  return results;
}

async function startGateways(backendUrl: string, portkey: boolean): Promise<Gateway[]> {
  const gateways: Gateway[] = [];
  const add = (name: string, running: Running, headers: Record<string, string>, body: object) =>
    gateways.push({ target: { name, url: running.url, headers, body }, running });
  const body = { model: "mock" };
  add("bare Worker", await startPlain("floor", backendUrl), {}, body);
  add("least gateway", await startPlain("least", backendUrl), {}, body);
  const headers = { authorization: `Bearer ${LOCAL_KEY}` };
  add("Brink", await startBrink(backendUrl), headers, { model: "backend", memory: false });
  if (portkey)
    add(
      "Portkey gateway",
      await startPortkey(),
      {
        authorization: "Bearer k",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": backendUrl,
      },
      body,
    );
  return gateways;
}

function describe(gateway: string, { samples, failed, lateMs }: LoadResult): Omit<Added, "cpuMs"> {
  const whole = samples.filter((row) => row.every((sample) => sample !== null)) as Sample[][];
  const of = (rows: Sample[][], side: number, time: "firstMs" | "endMs") =>
    timesOf(rows.map((row) => row[side]![time]));
  const streamed = whole.filter((row) => row[0]!.stream);
  const [direct, through] = [of(whole, 0, "firstMs"), of(whole, 1, "firstMs")];
  return {
    ...{ gateway, calls: samples.length, failed, direct, through },
    added: minus(through, direct),
    addedEnd: minus(of(streamed, 1, "endMs"), of(streamed, 0, "endMs")),
    paired: timesOf(whole.map((row) => row[1]!.firstMs - row[0]!.firstMs)),
    late: timesOf(lateMs),
    load: loadavg()[0]!,
  };
}

function timesOf(ms: readonly number[]): Times {
  const sorted = [...ms].sort((a, b) => a - b);
  return each((name) => quantile(sorted, PERCENTILES[name]));
}

const minus = (a: Times, b: Times) => each((name) => a[name] - b[name]);

function each(of: (name: Name) => number): Times {
  return { p50: of("p50"), p95: of("p95"), p99: of("p99") };
}

const show = ({ p50, p95, p99 }: Times) =>
  [p50, p95, p99].map((ms) => ms.toFixed(2).padStart(7)).join("");

function lineOf(one: Added): string {
  const { gateway, calls, failed, added, addedEnd, direct, cpuMs, load } = one;
  return (
    `${gateway.padEnd(16)} adds${show(added)}  to a stream's end${show(addedEnd)}  ` +
    `direct${show(direct)}  ${cpuMs?.toFixed(2) ?? "?"} ms of CPU a call, ` +
    `${calls} calls, ${failed} failed, load ${load.toFixed(1)}`
  );
}

/** Medians over the rounds, and the bounds. */
function judge(results: readonly Added[]): void {
  console.log("median of the rounds (least .. greatest) of what is added, ms, at P50, P95, P99:");
  const medians = new Map<string, Times>();
  for (const [gateway, rounds] of Map.groupBy(results, (one) => one.gateway)) {
    const sorted = (name: Name) => rounds.map(({ added }) => added[name]).sort((a, b) => a - b);
    const median = each((name) => quantile(sorted(name), 0.5));
    medians.set(gateway, median);
    const cells = (Object.keys(PERCENTILES) as Name[]).map((name) => {
      const all = sorted(name);
      return `${median[name].toFixed(2)} (${all[0]!.toFixed(2)} .. ${all.at(-1)!.toFixed(2)})`;
    });
    console.log(`  ${gateway.padEnd(16)} ${cells.join("  ")}`);
  }
  const brink = medians.get("Brink")!;
  const over = (Object.keys(BOUNDS_MS) as Name[]).filter((name) => brink[name] > BOUNDS_MS[name]);
  const failed = results.filter((one) => one.gateway === "Brink" && one.failed > 0);
  const peer = medians.get("Portkey gateway");
  for (const name of over) fail(`Brink adds more than ${BOUNDS_MS[name]} ms at ${name}`);
  if (failed.length > 0) fail("calls through Brink failed");
  if (peer !== undefined && peer.p95 <= brink.p95) fail("the Portkey gateway adds less at p95");
}

function fail(fact: string): void {
  console.error(fact);
  process.exitCode = 1;
}
