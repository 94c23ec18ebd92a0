/** `npm run deploy [-- --dry-run] [--generator] [--onnx] [--snapshots] [--vectorize]`: build, check
 *  sizes against the platform's limits, deploy. The optional Workers go first, since the main one
 *  is bound to them; a dry run checks them all. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { OPTIONAL_WORKERS, STORES, type Store, wranglerEnv, writeMainConfig } from "./workers.ts";

const root = join(import.meta.dirname, "..");
const MIB = 1024 * 1024;
/** The paid plan's limit on compressed code, and the limit on one static asset. */
const CODE_GZIP_BYTES_MAX = 10 * MIB;
const ASSET_BYTES_MAX = 25 * MIB;

const { dryRun, optional, stores } = readOptions();
execFileSync(process.execPath, [join(root, "scripts/build.ts")], { stdio: "inherit" });
const configs = [
  ...optional.map((worker) => OPTIONAL_WORKERS[worker]!.config),
  writeMainConfig(optional, stores),
];
for (const config of configs) checkCode(config);
checkAssets();
if (!dryRun) for (const config of configs) wrangler("deploy", "--config", config, "--minify");

function readOptions(): { dryRun: boolean; optional: string[]; stores: Store[] } {
  const names = Object.keys(OPTIONAL_WORKERS);
  const storeNames = Object.keys(STORES) as Store[];
  const { values } = parseArgs({
    options: Object.fromEntries(
      ["dry-run", ...storeNames, ...names].map((name) => [name, { type: "boolean" as const }]),
    ),
  });
  const dryRun = values["dry-run"] === true;
  const asked = names.filter((name) => values[name] === true);
  const stores = storeNames.filter((name) => values[name] === true);
  if (dryRun && asked.length === 0 && stores.length === 0)
    return { dryRun, optional: names, stores: storeNames };
  return { dryRun, optional: asked, stores };
}

function wrangler(...args: string[]): void {
  const binary = join(root, "node_modules/wrangler/bin/wrangler.js");
  execFileSync(process.execPath, [binary, ...args], {
    cwd: root,
    env: wranglerEnv(),
    stdio: "inherit",
  });
}

/** Bundles a Worker and weighs what would be uploaded. */
function checkCode(config: string): void {
  const out = join(root, "build/deploy", config.replace(/\.toml$/, ""));
  rmSync(out, { recursive: true, force: true });
  wrangler("deploy", "--config", config, "--dry-run", "--minify", "--outdir", out);
  const code = readdirSync(out).filter((name) => /\.(js|wasm)$/.test(name));
  const gzipBytes = code.reduce(
    (sum, name) => sum + gzipSync(readFileSync(join(out, name))).length,
    0,
  );
  report(`${config}: code, gzip`, gzipBytes, CODE_GZIP_BYTES_MAX);
}

function checkAssets(): void {
  const assets = join(root, "build/assets");
  for (const name of readdirSync(assets, { recursive: true, encoding: "utf8" })) {
    const { size } = statSync(join(assets, name));
    if (size > MIB) report(name, size, ASSET_BYTES_MAX);
  }
}

function report(what: string, bytes: number, bytesMax: number): void {
  console.log(`${what}: ${(bytes / MIB).toFixed(2)} MiB of ${bytesMax / MIB} MiB`);
  if (bytes <= bytesMax) return;
  console.error(`${what} is over the platform's limit: nothing was deployed`);
  process.exit(1);
}
