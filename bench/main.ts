/** `npm run bench -- <what> [options]`. */
import { spawnSync } from "node:child_process";
import { endWrongUse, readProgram, WrongUse } from "../scripts/program.ts";

export interface BenchOptions {
  /** Where to write the record; null prints only. */
  json: string | null;
  /** Fewer rounds: a smoke test rather than a figure. */
  quick: boolean;
  /** kernels, engine: the groups to time, separated by commas; null for all. */
  only: string | null;
  /** kernels: where to write the figure of shares of the ceilings; null for none. */
  svg: string | null;
  /** index: a folder with texts, see bench/corpus-text.ts; null where none is named. */
  data: string | null;
}

const HELP = `usage: npm run bench -- <what> [options]

  kernels   each kernel alone: GOP/s or GB/s, its answer checked first
  engine    embedding beside transformers.js and onnxruntime-web; decode: a decoder of
            SmolLM2-135M's shape, random Q4_0 weights, beside wllama
  generation  sampling, constrained decoding, prefix cache and drafts on that decoder
  ingest    documents on their way to the memory, by stage
  service   the built Worker: first answer of a fresh isolate, warm answers; --only backend: what
            Brink adds to a backend's answers at 200 a second; portkey: the same beside the
            Portkey gateway; edge: edge answers under load; memory: over 50,000 requests;
            largest: the CPU time of the largest requests; garbage: what calls leave to the
            collector
  router    what routing adds to a request before anything is written, in workerd
  generator the memory of the generator's isolate with a model of SmolLM2-135M's shape
  index     the memory's index on the texts of --data: its parts alone, and 100,000 passages
            through HTTP; --only million: 1,000,000 over shards, most of an hour

  --json FILE   also write the figures, machine and date to FILE
  --quick       fewer rounds: a smoke test rather than a figure
  --only GROUPS  kernels, engine, index, service: these alone, e.g. roofline,gemm-i8 or decode
  --data PATH   index: a folder with texts in SQuAD's or BEIR's layout
  --svg FILE    kernels: a figure of each against its ceiling
  --bounds-checks  with each load and store checked by code, as workerd seems to have it`;

const BENCHES: Record<string, () => Promise<{ run(options: BenchOptions): Promise<void> }>> = {
  kernels: () => import("./kernels.ts"),
  engine: () => import("./engine.ts"),
  generation: () => import("./generation.ts"),
  ingest: () => import("./ingest.ts"),
  service: () => import("./service.ts"),
  router: () => import("./router.ts"),
  generator: () => import("./generator.ts"),
  index: () => import("./index-parts.ts"),
};

/** Runs this very bench again in a V8 that may not leave bounds checks to guard pages. */
function reexecute(flag: string): never {
  const args = [flag, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  process.exit(status ?? 1);
}

const { positionals, values } = readProgram(
  HELP,
  {
    json: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    svg: { type: "string" },
    data: { type: "string" },
    "bounds-checks": { type: "boolean", default: false },
  },
  1,
);
const BOUNDS_CHECKS = "--wasm-enforce-bounds-checks";
const [what] = positionals;
if (what === undefined) endWrongUse("no bench named");
if (!Object.hasOwn(BENCHES, what))
  endWrongUse(`no bench is named ${what}: there are ${Object.keys(BENCHES).join(", ")}`);
if (values["bounds-checks"] && !process.execArgv.includes(BOUNDS_CHECKS)) reexecute(BOUNDS_CHECKS);
const bench = await BENCHES[what]!();
const { json = null, quick, only = null, svg = null, data = null } = values;
try {
  await bench.run({ json, quick, only, svg, data });
} catch (error) {
  if (error instanceof WrongUse) endWrongUse(error.message);
  throw error;
}
