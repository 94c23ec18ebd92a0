/** `npm run torture -- [SUITE]`: breaks things on purpose and checks what comes of it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { MUTATIONS } from "../test/simulation/mutations.ts";
import { runSimulation } from "../test/simulation/run.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { fuzzApi } from "../test/torture/api-fuzz.ts";
import { type FaultTally, runFaults } from "../test/torture/faults/run.ts";
import { load, soak } from "../test/torture/load/soak.ts";
import { megabytes, memoryFaults, watchMemory } from "../test/torture/memory-watch.ts";
import { crossTenants } from "../test/torture/tenants.ts";
import { torture } from "../test/torture/torture.ts";
import { endWrongUse, readNumber, readProgram } from "./program.ts";
import { exitOnSignals, startService } from "./service.ts";
import { type Ran, rowOf } from "./torture-row.ts";

const HELP = `usage: npm run torture -- [SUITE] [--seed S] [options]

Each suite prints its seed first, by which its choices come again, and ends with 1 where something
is not as it must be. docs/trust.md has what each covers, and found.

  crash       the default: kills the running service with SIGKILL at random moments of ingest,
              merge, split, snapshot and restore, and checks after every start that nothing
              acknowledged is lost, nothing deleted is back, that the index is as one made anew,
              and that a budget paid for every answer once; --kills N, 200 of about 3 s
  faults      backends and bindings of the platform that fail in every way of
              test/torture/faults, and what a client gets then; --quick leaves out what takes
              half a minute, --only NAME takes the cells with that in their name
  api         every operation of /openapi.json, by what its schemas allow and nearly allow: no
              reply is a 5xx, but for a 503 that says what is lacking or when to come back, nor
              breaks its schema; --minutes N, 10
  tenants     two tenants, of which one tries every operation with the ids, names, cursors and
              traces of the other, whose every text is marked; --minutes N, 10
  simulation  the memory's code under a scheduler that chooses every message, alarm and fault by
              the seed; --steps N, a million; --replay FILE runs a trace of what failed again;
              --mutation NAME breaks a rule on purpose
  soak        backend answers, searches, writes and edge answers at one rate: every reply must be
              right, the 99th percentile must not drift by more than a tenth, nor memory grow by
              more than 5 %; --minutes N, 60; --rate R, 50 a second
  load        the same at a rate that doubles until the service is saturated: what is answered
              must be right, and the first rate be served as before afterwards; --minutes N, 7;
              --rate R, 10 a second
  fuzz        every kind of input from outside, spoilt; --only NAME, --cases N, --case I`;

const { values, positionals } = readProgram(
  HELP,
  {
    seed: { type: "string" },
    kills: { type: "string" },
    minutes: { type: "string" },
    rate: { type: "string" },
    cases: { type: "string" },
    case: { type: "string" },
    steps: { type: "string" },
    replay: { type: "string" },
    mutation: { type: "string", default: "" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
  },
  1,
);

/** Of minutes and rates, which may be parts. */
const AMOUNT = { min: 0.001, whole: false };

/** Null where the run has no row of its own. */
const SUITES: Record<string, () => Promise<Ran | null> | null> = {
  crash: () => tortureMemory(readNumber("kills", values.kills, 200)),
  faults: tortureFaults,
  api: () => tortureApi(minutesOr(10)),
  tenants: () => tortureTenants(minutesOr(10)),
  soak: () => underLoad(soak, 60, 50),
  load: () => underLoad(load, 7, 10),
  simulation: () => tortureSimulation(readNumber("steps", values.steps, 1_000_000)),
  fuzz: fuzzInput,
};

exitOnSignals();
const say = (line: string) => console.log(line);
const minutesOr = (otherwise: number) => readNumber("minutes", values.minutes, otherwise, AMOUNT);
const seed = readNumber("seed", values.seed, 1, { min: 0 });
const [suite = "crash"] = positionals;
if (!Object.hasOwn(SUITES, suite))
  endWrongUse(`there is no suite ${suite}: there are ${Object.keys(SUITES).join(", ")}`);
if (values.mutation !== "" && !Object.hasOwn(MUTATIONS, values.mutation))
  endWrongUse(`there is no mutation ${values.mutation}: ${Object.keys(MUTATIONS).join(", ")}`);
if (values.replay !== undefined && !existsSync(values.replay))
  endWrongUse(`${values.replay} does not exist`);
say(`${suite}, seed ${seed}, node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`);
const startMs = performance.now();
const ran = await SUITES[suite]!();
const seconds = (performance.now() - startMs) / 1000;
say(`${suite}, seed ${seed}: ${seconds.toFixed(0)} s, load ${loadavg()[0]!.toFixed(1)}`);
if (ran !== null) say(rowOf(suite, ran, { seed, seconds }));

async function tortureMemory(kills: number): Promise<Ran> {
  const tally = await torture({ kills, seed, say });
  const { budget } = tally;
  const during = Object.entries(tally.during).map(([kind, n]) => `${n} during ${kind}`);
  say(
    `${tally.kills} kills (${during.join(", ")}), ${tally.operations} acknowledged operations, ` +
      `up to ${tally.documents} documents on ${tally.shards} shards: ` +
      "no acknowledged document lost, no deleted one back, the index equal to a rebuilt one; " +
      `${budget.asked} answers asked for, ${budget.answered} came, ${budget.paid} paid, ` +
      `${budget.untold} held or lapsed; memory at most ${megabytes(tally.peakBytes)}`,
  );
  return {
    cases: `${tally.operations} acknowledged operations, ${budget.asked} answers asked for`,
    injected: `${tally.kills} kills, each followed by a start and an audit`,
    failures: 0, // the first one throws
  };
}

async function tortureSimulation(steps: number): Promise<Ran | null> {
  const { replay = null, mutation } = values;
  const simulated = await runSimulation({ steps, seed, replay, mutation, say });
  const failures = simulated.failure === null ? 0 : 1;
  process.exitCode = failures;
  if (simulated.counts === undefined) return null;
  const { kill = 0, cut = 0, drop = 0, again = 0 } = simulated.counts;
  const injected = `${kill} deaths, ${cut} calls cut, ${drop} lost, ${again} alarms twice`;
  return { cases: `${simulated.steps} steps`, injected, failures };
}

async function tortureFaults(): Promise<Ran> {
  const { only = null, quick } = values;
  return showFaults(await runFaults({ seed, only, slow: !quick, say }));
}

/** What failed, and a table of the cells by what they are of. */
function showFaults({ groups, failed, peakBytes }: FaultTally): Ran {
  for (const { name, faults } of failed) say(`FAILED ${name}: ${faults.join("; ")}`);
  const width = Math.max(...[...groups.keys()].map((name) => name.length), "all".length);
  const line = (name: string, figures: readonly (number | string)[]) =>
    say([name.padEnd(width), ...figures.map((one) => `${one}`.padStart(9))].join(""));
  line("", ["cells", "faulty", "passed", "failed"]);
  const sums = [0, 0, 0, 0];
  for (const [name, { cells, injected, passed }] of groups) {
    const figures = [cells, injected, passed, cells - passed];
    for (const [i, figure] of figures.entries()) sums[i]! += figure;
    line(name, figures);
  }
  line("all", sums);
  say(`memory at most ${megabytes(peakBytes)}`);
  if (failed.length > 0) process.exitCode = 1;
  const [cells, injected] = sums;
  return { cases: `${cells} cells`, injected: `in ${injected}`, failures: failed.length };
}

async function underLoad(work: typeof soak, minutes: number, rate: number): Promise<Ran> {
  const each = readNumber("rate", values.rate, rate, AMOUNT);
  const options = { minutes: minutesOr(minutes), rate: each, seed, say };
  const { calls, faults } = await work(options);
  for (const fault of faults) say(`FAILED ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  return { cases: `${calls} calls`, injected: "none", failures: faults.length };
}

/** By scripts/fuzz.ts, in a process whose heap is bound. */
function fuzzInput(): null {
  const program = join(import.meta.dirname, "fuzz.ts");
  const flags = ["--max-old-space-size=256", program, "--seed", `${seed}`];
  for (const name of ["only", "cases", "case"] as const)
    if (values[name] !== undefined) flags.push(`--${name}`, values[name]);
  const { status } = spawnSync(process.execPath, flags, { stdio: "inherit" });
  process.exitCode = status ?? 1;
  return null; // it prints its own
}

interface Driven {
  url: string;
  seed: number;
  requestsMax: number;
  msMax: number;
  say(line: string): void;
}

/** Drives a service of its own, with a backend, for so long; what is wrong fails the command. */
async function drive<T extends { faults: string[] }>(
  minutes: number,
  work: (options: Driven) => Promise<T>,
): Promise<T> {
  const state = mkdtempSync(join(tmpdir(), "brink-torture-"));
  const backend = await startOpenAiServer();
  const variables = { BACKEND_URL: backend.url, BACKEND_KEY: "k", BACKEND_MODEL: "big-model" };
  const service = await startService({ state, variables, onnx: true });
  const limits = { requestsMax: Number.POSITIVE_INFINITY, msMax: minutes * 60_000 };
  const watched = await watchMemory(service, () =>
    work({ url: service.url, seed, ...limits, say }),
  );
  await service.stop();
  await backend.close();
  rmSync(state, { recursive: true, force: true });
  const tally = watched.result;
  tally.faults.push(...memoryFaults(watched.peakBytes));
  for (const fault of tally.faults) say(fault);
  if (tally.faults.length > 0) process.exitCode = 1;
  say(`memory at most ${megabytes(watched.peakBytes)}`);
  return tally;
}

async function tortureTenants(minutes: number): Promise<Ran> {
  const tally = await drive(minutes, crossTenants);
  say(
    `${tally.requests} requests with what is another tenant's: ${tally.known} places and traces, ` +
      `${tally.tried.size} operations that take an id, all ${tally.operations} by chance; ` +
      `${tally.unchanged} reads of the owner's unchanged, ${tally.faults.length} faults`,
  );
  const [cases, injected] = [`${tally.requests} requests`, "what is another's, in each"];
  return { cases, injected, failures: tally.faults.length };
}

async function tortureApi(minutes: number): Promise<Ran> {
  const tally = await drive(minutes, fuzzApi);
  const statuses = Object.entries(tally.statuses).map(([status, n]) => `${n} of ${status}`);
  say(
    `${tally.requests} requests (${statuses.join(", ")}), ${tally.succeeded.size} of ` +
      `${tally.operations} operations succeeded at least once, ${tally.faults.length} faults`,
  );
  const refused = Object.entries(tally.statuses).filter(([status]) => status.startsWith("4"));
  const injected = `${refused.reduce((sum, [, n]) => sum + n, 0)} refused`;
  return { cases: `${tally.requests} requests`, injected, failures: tally.faults.length };
}
