/** The main Worker's configuration with service bindings to the Workers that a run or a deployment
 *  has. They cannot stand in wrangler.toml: a binding to a Worker that is not there fails a
 *  deployment, and locally every call through it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** The optional Workers, each by its binding's name. */
export const OPTIONAL_WORKERS = {
  ONNX: { service: "brink-onnx", config: "wrangler.onnx.toml" },
} as const;
export type OptionalWorker = keyof typeof OPTIONAL_WORKERS;

/** Writes the configuration into build/ and returns its path; wrangler.toml's own where none is
 *  bound. Relative paths in it start from build/. */
export function bindWorkers(workers: readonly OptionalWorker[]): string {
  const own = join(root, "wrangler.toml");
  if (workers.length === 0) return own;
  const moved = readFileSync(own, "utf8")
    .replace('main = "src/', 'main = "../src/')
    .replace('directory = "build/', 'directory = "');
  const bindings = workers.map((name) => {
    const { service } = OPTIONAL_WORKERS[name];
    return `\n[[services]]\nbinding = "${name}"\nservice = "${service}"\n`;
  });
  const path = join(root, `build/wrangler.${workers.join("-").toLowerCase()}.toml`);
  mkdirSync(join(root, "build"), { recursive: true });
  writeFileSync(path, moved + bindings.join(""));
  return path;
}
