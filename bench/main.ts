/** `npm run bench -- <what> [--json FILE] [--quick]`. */
import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Where to write the record; null prints only. */
  json: string | null;
  /** Fewer rounds: a smoke test rather than a figure. */
  quick: boolean;
}

const HELP = `usage: npm run bench -- <what> [--json FILE] [--quick]

  kernels   each kernel alone: GOP/s or GB/s, its answer checked first
  engine    one passage embedded by Brink and by onnxruntime-web, side by side
  service   the built Worker: first answer of a fresh isolate, warm answers, memory

  --json FILE   also write the figures, machine and date to FILE
  --quick       fewer rounds: a smoke test rather than a figure`;

const BENCHES: Record<string, () => Promise<{ run(options: BenchOptions): Promise<void> }>> = {
  kernels: () => import("./kernels.ts"),
  engine: () => import("./engine.ts"),
  service: () => import("./service.ts"),
};

function usage(problem: string): never {
  console.error(`${problem}\n\n${HELP}`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

const { positionals, values } = parse();
if (values.help) {
  console.log(HELP);
} else {
  const [what, ...rest] = positionals;
  if (what === undefined) usage("no bench named");
  if (!Object.hasOwn(BENCHES, what)) usage(`no bench is named ${what}`);
  if (rest.length > 0) usage(`unexpected ${rest.join(" ")}`);
  const bench = await BENCHES[what]!();
  await bench.run({ json: values.json ?? null, quick: values.quick });
}
