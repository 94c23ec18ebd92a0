/** `npm run build`: compiles the kernels to build/kernels.wasm and lays out the static assets
 *  (models, console, preloaded documentation) in build/assets. Skips what is up to date. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDocumentation } from "./documentation.ts";

const root = join(import.meta.dirname, "..");
const quiet = process.argv.includes("--quiet");
const say = (line: string) => quiet || console.log(line);

/** Newest modification time (ms) below a folder; 0 for a missing one. */
function newestMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function buildKernels(): void {
  const out = join(root, "build/kernels.wasm");
  if (newestMs(out) > newestMs(join(root, "wasm-kernels"))) return;
  const asc = join(root, "node_modules/assemblyscript/bin/asc.js");
  execFileSync(process.execPath, [asc, "--config", "wasm-kernels/asconfig.json"], {
    cwd: root,
    stdio: "inherit",
  });
  say(`build/kernels.wasm ${(statSync(out).size / 1024).toFixed(1)} KiB`);
}

function layOutAssets(): void {
  const assets = join(root, "build/assets");
  rmSync(assets, { recursive: true, force: true });
  mkdirSync(join(assets, "models"), { recursive: true });
  for (const name of readdirSync(join(root, "models")))
    if (name.endsWith(".gguf") || name.endsWith(".json"))
      cpSync(join(root, "models", name), join(assets, "models", name));
  cpSync(join(root, "console"), join(assets, "console"), { recursive: true });
  const documents = readDocumentation(root);
  const lines = documents.map((document) => JSON.stringify(document));
  writeFileSync(join(assets, "docs.ndjson"), `${lines.join("\n")}\n`);
  say(`build/assets: ${documents.length} documents of Brink's own, models, console`);
}

mkdirSync(join(root, "build"), { recursive: true });
buildKernels();
layOutAssets();
