/** A Worker's modules as they deploy. */
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { wranglerEnv } from "../../scripts/workers.ts";

const root = join(import.meta.dirname, "../..");

/** Bundles the Worker of a configuration into a folder, whatever was there. The paths of its
 *  modules, the entry first. */
export function bundle(config: string, folder: string): string[] {
  const binary = join(root, "node_modules/wrangler/bin/wrangler.js");
  const flags = ["deploy", "--dry-run", "--minify", "--config", config, "--outdir", folder];
  rmSync(folder, { recursive: true, force: true });
  execFileSync(process.execPath, [binary, ...flags], { cwd: root, env: wranglerEnv() });
  return readdirSync(folder)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort((a, b) => Number(b === "worker.js") - Number(a === "worker.js"))
    .map((name) => join(folder, name));
}
