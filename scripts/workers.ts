/** Which Workers a deployment consists of, and the main one's configuration with those that are
 *  optional bound to it. wrangler.toml alone is the main Worker without any of them: a binding to
 *  a Worker that is not deployed would fail the deployment. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Where a deployment goes: Workers, objects and stores of its own, told apart by their names. */
export const ENVIRONMENTS = ["production", "staging"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** The words that have wrangler take the environment: production is what stands outside of all. */
export function environmentFlags(environment: Environment): string[] {
  return ["--env", environment === "production" ? "" : environment];
}

/** What an environment calls something that production calls `name`. */
export function nameIn(environment: Environment, name: string): string {
  return environment === "production" ? name : `${name}-${environment}`;
}

export interface OptionalWorker {
  /** Its own configuration. */
  config: string;
  /** The main Worker's binding to it, as fields of a table of `services`. */
  service: string;
  binding: string;
  entrypoint?: string;
}

export const OPTIONAL_WORKERS: Record<string, OptionalWorker> = {
  generator: {
    config: "wrangler.generator.toml",
    service: "brink-generator",
    binding: "GENERATOR",
    entrypoint: "Generator",
  },
  onnx: { config: "wrangler.onnx.toml", service: "brink-onnx", binding: "ONNX" },
};

export interface StoreBinding {
  kind: "r2_buckets" | "vectorize" | "analytics_engine_datasets";
  binding: string;
  /** The bucket, index or data set, in production. */
  name: string;
}

/** The store of models, which every optional Worker reads. */
export const MODEL_STORE: StoreBinding = {
  kind: "r2_buckets",
  binding: "MODELS",
  name: "brink-models",
};

/** What may be bound beside. `snapshots`: where the memory's go; `vectorize`: where namespaces with
 *  `vector_tier` "vectorize" search; `analytics`: where each request is a data point. `npm run
 *  deploy` makes those that it is asked for; a data set makes itself at its first point. */
export const STORES = {
  snapshots: { kind: "r2_buckets", binding: "SNAPSHOTS", name: "brink-snapshots" },
  vectorize: { kind: "vectorize", binding: "VECTORIZE", name: "brink-vectors" },
  analytics: { kind: "analytics_engine_datasets", binding: "ANALYTICS", name: "brink-requests" },
} as const satisfies Record<string, StoreBinding>;
export type Store = keyof typeof STORES;

/** The field of wrangler's configuration that holds the name. */
const NAMED: Record<StoreBinding["kind"], string> = {
  r2_buckets: "bucket_name",
  vectorize: "index_name",
  analytics_engine_datasets: "dataset",
};

/** Every store that a deployment with these parts has bound. */
export function storesOf(optional: readonly string[], stores: readonly Store[]): StoreBinding[] {
  const models = optional.length > 0 ? [MODEL_STORE] : [];
  return [...models, ...stores.map((store) => STORES[store])];
}

/** The environment that wrangler runs in: this very Node comes first in its PATH, for the command
 *  that bundles the main Worker. */
export function wranglerEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  return { ...process.env, PATH, WRANGLER_SEND_METRICS: "false", ...more };
}

/** The file name of the main Worker's configuration with these optional Workers and stores of the
 *  memory bound. It is written beside wrangler.toml, whose relative paths it shares, and
 *  only where it changes: a running service watches it. */
export function writeMainConfig(
  optional: readonly string[],
  stores: readonly Store[],
  environment: Environment = "production",
): string {
  const parts = [...optional, ...stores];
  if (parts.length === 0) return "wrangler.toml"; // it has every environment
  const name = `wrangler.with-${nameIn(environment, parts.join("-"))}.toml`;
  const base = readFileSync(join(root, "wrangler.toml"), "utf8");
  const tables = [
    ...storesOf(optional, stores).map(({ kind, binding, name }) => {
      return table(environment, kind, { binding, [NAMED[kind]]: nameIn(environment, name) });
    }),
    ...optional.map((worker) => {
      const { binding, service, entrypoint } = OPTIONAL_WORKERS[worker]!;
      const fields = { binding, service: nameIn(environment, service) };
      return table(environment, "services", entrypoint ? { ...fields, entrypoint } : fields);
    }),
  ];
  const text = [`# Written by scripts/workers.ts.\n${base}`, ...tables].join("");
  const path = join(root, name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return name;
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, path); // whole or not at all: another start may be reading it
  return name;
}

function table(environment: Environment, kind: string, fields: Record<string, string>): string {
  const path = environment === "production" ? kind : `env.${environment}.${kind}`;
  const lines = Object.entries(fields).map(([name, value]) => `${name} = "${value}"\n`);
  return `\n[[${path}]]\n${lines.join("")}`;
}
