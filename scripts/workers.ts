/** Which Workers a deployment consists of, and the main one's configuration with those that are
 *  optional bound to it. wrangler.toml alone is the main Worker without any of them: a binding to
 *  a Worker that is not deployed would fail the deployment. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");

export interface OptionalWorker {
  /** Its own configuration. */
  config: string;
  /** What the main Worker's configuration gains. */
  bindings: string;
}

export const OPTIONAL_WORKERS: Record<string, OptionalWorker> = {
  generator: {
    config: "wrangler.generator.toml",
    bindings: `
[[services]]
binding = "GENERATOR"
service = "brink-generator"
entrypoint = "Generator"
`,
  },
  onnx: {
    config: "wrangler.onnx.toml",
    bindings: `
[[services]]
binding = "ONNX"
service = "brink-onnx"
`,
  },
};

/** The store of models, which every optional Worker reads. */
const BUCKET = `
[[r2_buckets]]
binding = "MODELS"
bucket_name = "brink-models"
`;

/** Where the memory's snapshots go. */
const SNAPSHOTS = `
[[r2_buckets]]
binding = "SNAPSHOTS"
bucket_name = "brink-snapshots"
`;

/** Where namespaces with `vector_tier` "vectorize" search. */
const VECTORIZE = `
[[vectorize]]
binding = "VECTORIZE"
index_name = "brink-vectors"
`;

/** What the memory may have bound, each made once by hand (docs/operations.md). */
export const STORES = { snapshots: SNAPSHOTS, vectorize: VECTORIZE } as const;
export type Store = keyof typeof STORES;

/** The environment that wrangler runs in: this very Node comes first in its PATH, for the command
 *  that bundles the main Worker. */
export function wranglerEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  return { ...process.env, PATH, WRANGLER_SEND_METRICS: "false", ...more };
}

/** The file name of the main Worker's configuration with these optional Workers and stores of the
 *  memory bound. It is written beside wrangler.toml, whose relative paths it shares, and
 *  only where it changes: a running service watches it. */
export function writeMainConfig(optional: readonly string[], stores: readonly Store[]): string {
  const parts = [...optional, ...stores];
  if (parts.length === 0) return "wrangler.toml";
  const name = `wrangler.with-${parts.join("-")}.toml`;
  const bindings = optional.map((worker) => OPTIONAL_WORKERS[worker]!.bindings);
  if (optional.length > 0) bindings.unshift(BUCKET);
  bindings.push(...stores.map((store) => STORES[store]));
  const base = readFileSync(join(root, "wrangler.toml"), "utf8");
  const text = [`# Written by scripts/workers.ts.\n${base}`, ...bindings].join("");
  const path = join(root, name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return name;
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, path); // whole or not at all: another start may be reading it
  return name;
}
