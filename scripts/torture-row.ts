/** A suite's row in the table of docs/trust.md, as the suite prints it when it ends. */
import { cpus } from "node:os";

/** What a run of a suite comes to. */
export interface Ran {
  /** How many, of what. */
  cases: string;
  /** What was made to go wrong. */
  injected: string;
  failures: number;
}

/** Of each suite, what it is about. */
export const COVERS: Record<string, string> = {
  faults: "what a client gets when backends and the platform fail",
  crash: "write paths under SIGKILL; documents, index, owners of shards, budget",
  simulation: "the memory's own code under a scheduler (below)",
  api: "every operation of /openapi.json, by what its schemas allow and nearly allow",
  tenants: "every operation with the ids, names and cursors of another tenant",
  soak: "replies, times and memory over an hour, 50 calls a second",
  load: "more calls than can be answered, at a rate that doubles",
  fuzz: "what comes from outside, thirteen targets",
};

/** In Markdown: suite, what it covers, cases, faults injected, failures, seed, took, machine. */
export function rowOf(
  suite: string,
  { cases, injected, failures }: Ran,
  { seed, seconds }: { seed: number; seconds: number },
): string {
  const took = seconds < 600 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
  const day = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${day}`;
  const cells = [`\`${suite}\``, COVERS[suite], cases, injected, failures, seed, took, machine];
  return `| ${cells.join(" | ")} |`;
}
