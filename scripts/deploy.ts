/** `npm run deploy [-- --dry-run] [-- --with-onnx]`: build, check sizes against the platform's
 *  limits, deploy; the Worker for ONNX models, which is checked always, only where it is asked
 *  for. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bindWorkers, OPTIONAL_WORKERS, type OptionalWorker } from "./bound-config.ts";

const root = join(import.meta.dirname, "..");
const MIB = 1024 * 1024;
/** The paid plan's limit on compressed code, and the limit on one static asset. */
const CODE_GZIP_BYTES_MAX = 10 * MIB;
const ASSET_BYTES_MAX = 25 * MIB;

const dryRun = process.argv.includes("--dry-run");
execFileSync(process.execPath, [join(root, "scripts/build.ts")], { stdio: "inherit" });
const bound: OptionalWorker[] = process.argv.includes("--with-onnx") ? ["ONNX"] : [];
const main = bindWorkers(bound);
const all = Object.entries(OPTIONAL_WORKERS) as [OptionalWorker, { config: string }][];
checkCode("main Worker", main);
for (const [name, { config }] of all) checkCode(`${name} Worker`, join(root, config));
checkAssets();
if (!dryRun) {
  // The bound ones first: a binding to a Worker that is not there fails the deployment.
  for (const name of bound) wrangler("deploy", "--minify", "-c", OPTIONAL_WORKERS[name].config);
  wrangler("deploy", "--minify", "-c", main);
}

function wrangler(...args: string[]): void {
  const binary = join(root, "node_modules/wrangler/bin/wrangler.js");
  execFileSync(process.execPath, [binary, ...args], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    stdio: "inherit",
  });
}

/** What the Worker would upload, against the platform's limit. */
function checkCode(what: string, config: string): void {
  const out = join(root, "build/deploy");
  rmSync(out, { recursive: true, force: true });
  wrangler("deploy", "--dry-run", "--minify", "--outdir", out, "-c", config);
  const code = readdirSync(out).filter((name) => /\.(js|wasm)$/.test(name));
  const gzipBytes = code.reduce(
    (sum, name) => sum + gzipSync(readFileSync(join(out, name))).length,
    0,
  );
  report(`${what}'s code, gzip`, gzipBytes, CODE_GZIP_BYTES_MAX);
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
