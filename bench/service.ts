/** The built Worker under the local runtime, timed from a client. `--only` names the parts:
 *  answers (cold and warm edge answers), backend (what Brink adds to a backend's answer), portkey
 *  (the same beside the Portkey gateway), edge (edge answers under load), memory (the isolate's
 *  memory over 50,000 requests), largest (the CPU time of the largest requests), garbage (what
 *  calls leave to the collector). Without it: answers. */
import { refuseUnknown } from "../scripts/program.ts";
import { exitOnSignals } from "../scripts/service.ts";
import type { BenchOptions } from "./main.ts";
import { writeRecord } from "./report.ts";

const PARTS: Record<string, (options: BenchOptions) => Promise<unknown>> = {
  answers: async (options) => (await import("./service/answers.ts")).run(options),
  backend: async (options) => (await import("./service/added.ts")).run(options, false),
  portkey: async (options) => (await import("./service/added.ts")).run(options, true),
  edge: async (options) => (await import("./service/edge.ts")).run(options),
  memory: async (options) => (await import("./service/memory.ts")).run(options),
  garbage: async (options) => (await import("./service/garbage.ts")).run(options),
  largest: async (options) => (await import("./service/largest.ts")).run(options),
};

export async function run(options: BenchOptions): Promise<void> {
  exitOnSignals();
  const named = (options.only ?? "answers").split(",");
  refuseUnknown("service", named, PARTS);
  const results: Record<string, unknown> = {};
  for (const part of named) results[part] = await PARTS[part]!(options);
  if (options.json !== null) writeRecord("service", results, options.json);
}
