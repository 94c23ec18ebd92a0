/** `npm run build`: compiles the kernels to build/kernels.wasm and lays out the static assets
 *  (models, console, preloaded documentation) in build/assets, and bundles the main Worker. Skips
 *  what is up to date. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { bundleWorker } from "./bundle.ts";
import { readDocumentation } from "./documentation.ts";
import { newestMs } from "./fresh.ts";

const root = join(import.meta.dirname, "..");
const quiet = process.argv.includes("--quiet");
const say = (line: string) => quiet || console.log(line);

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

/** Writes only what has changed and removes what is gone: a running service watches this folder
 *  and restarts when a file in it is touched. */
function layOutAssets(): void {
  const documents = readDocumentation(root).map((document) => `${JSON.stringify(document)}\n`);
  const files = new Map<string, Buffer>([["docs.ndjson", Buffer.from(documents.join(""))]]);
  for (const name of readdirSync(join(root, "models")))
    if (name.endsWith(".gguf"))
      files.set(`models/${name}`, readFileSync(join(root, "models", name)));
  for (const name of readdirSync(join(root, "console")))
    files.set(`console/${name}`, readFileSync(join(root, "console", name)));
  const assets = join(root, "build/assets");
  for (const folder of ["models", "console"]) mkdirSync(join(assets, folder), { recursive: true });
  for (const [path, content] of files) {
    const target = join(assets, path);
    if (!existsSync(target) || !readFileSync(target).equals(content))
      writeFileSync(target, content);
  }
  for (const path of readdirSync(assets, { recursive: true, encoding: "utf8" }))
    if (statSync(join(assets, path)).isFile() && !files.has(path.replaceAll("\\", "/")))
      rmSync(join(assets, path));
  say(`build/assets: ${documents.length} documents of Brink's own, models, console`);
}

mkdirSync(join(root, "build"), { recursive: true });
buildKernels();
layOutAssets();
await bundleWorker();
