/** `npm run torture -- [--kills N] [--seed S]`: kills the running service with SIGKILL at random
 *  moments of ingest, merge, split, snapshot and restore, 200 times unless told, and checks after
 *  every start that nothing acknowledged is lost, nothing deleted is back, and that the index is as
 *  one made anew. About 5 s a kill.
 *  `npm run torture -- api [--minutes N] [--seed S]`: sends every operation of /openapi.json what
 *  its schemas allow and what they nearly allow, for 10 minutes unless told, and checks that no
 *  reply is a 5xx, but for a 503 that says what is lacking or when to come back, nor breaks its
 *  schema.
 *  `npm run torture -- tenants [--minutes N] [--seed S]`: two tenants, of which one tries every
 *  operation with the ids, names, cursors and traces of the other, whose every text is marked.
 *  `npm run torture -- simulation [--steps N] [--seed S] [--mutation NAME] [--replay FILE]`: the
 *  memory's code under a scheduler that chooses every message, alarm and fault by the seed, for a
 *  million steps unless told; what fails is made small and written as a trace, which `--replay`
 *  runs again. A mutation breaks a rule on purpose. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runSimulation } from "../test/simulation/run.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { fuzzApi } from "../test/torture/api-fuzz.ts";
import { crossTenants } from "../test/torture/tenants.ts";
import { torture } from "../test/torture/torture.ts";
import { exitOnSignals, startService } from "./service.ts";

const { values, positionals } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "1000000" },
    replay: { type: "string" },
    mutation: { type: "string", default: "" },
  },
  allowPositionals: true,
});

exitOnSignals();
const say = (line: string) => console.log(line);
const seed = Number(values.seed);
if (positionals[0] === "api") await tortureApi(Number(values.minutes));
else if (positionals[0] === "tenants") await tortureTenants(Number(values.minutes));
else if (positionals[0] === "simulation") await tortureSimulation(Number(values.steps));
else await tortureMemory(Number(values.kills));

async function tortureSimulation(steps: number): Promise<void> {
  const { replay = null, mutation } = values;
  if (!(await runSimulation({ steps, seed, replay, mutation, say }))) process.exitCode = 1;
}

async function tortureMemory(kills: number): Promise<void> {
  say(`seed ${seed}, ${kills} kills`);
  const startMs = performance.now();
  const tally = await torture({ kills, seed, say });
  const during = Object.entries(tally.during).map(([kind, n]) => `${n} during ${kind}`);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  say(
    `${tally.kills} kills (${during.join(", ")}), ${tally.operations} acknowledged operations, ` +
      `up to ${tally.documents} documents on ${tally.shards} shards, ${seconds} s: ` +
      "no acknowledged document lost, no deleted one back, the index equal to a rebuilt one",
  );
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
  say(`seed ${seed}, ${minutes} minutes`);
  const state = mkdtempSync(join(tmpdir(), "brink-torture-"));
  const backend = await startOpenAiServer();
  const variables = { BACKEND_URL: backend.url, BACKEND_KEY: "k", BACKEND_MODEL: "big-model" };
  const service = await startService({ state, variables, onnx: true });
  const limits = { requestsMax: Number.POSITIVE_INFINITY, msMax: minutes * 60_000 };
  const tally = await work({ url: service.url, seed, ...limits, say });
  await service.stop();
  await backend.close();
  rmSync(state, { recursive: true, force: true });
  for (const fault of tally.faults) say(fault);
  if (tally.faults.length > 0) process.exitCode = 1;
  return tally;
}

async function tortureTenants(minutes: number): Promise<void> {
  const tally = await drive(minutes, crossTenants);
  say(
    `${tally.requests} requests with what is another tenant's: ${tally.known} places and traces, ` +
      `${tally.tried.size} operations that take an id, all ${tally.operations} by chance; ` +
      `${tally.unchanged} reads of the owner's unchanged, ${tally.faults.length} faults`,
  );
}

async function tortureApi(minutes: number): Promise<void> {
  const tally = await drive(minutes, fuzzApi);
  const statuses = Object.entries(tally.statuses).map(([status, n]) => `${n} of ${status}`);
  say(
    `${tally.requests} requests (${statuses.join(", ")}), ${tally.succeeded.size} of ` +
      `${tally.operations} operations succeeded at least once, ${tally.faults.length} faults`,
  );
}
