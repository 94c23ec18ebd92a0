/** Weighs what would be uploaded against the platform's limits. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DeployError, expectDone } from "./wrangler.ts";

const root = join(import.meta.dirname, "..");
const MIB = 1024 * 1024;
/** Limits on a Worker's compressed code: every plan takes 3 MB, which all but onnxruntime stays
 *  within; the paid ones take 10. And the limit on one static asset. */
const CODE_GZIP_BYTES_MAX = 3_000_000;
const ONNX_GZIP_BYTES_MAX = 10_000_000;
const ASSET_BYTES_MAX = 25 * MIB;

/** Throws DeployError for one that is over its limit; `say` gets a line for each. */
export async function checkSizes(
  configs: readonly string[],
  flags: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  for (const config of configs) {
    const bytesMax = config.includes("onnx.toml") ? ONNX_GZIP_BYTES_MAX : CODE_GZIP_BYTES_MAX;
    check(`${config}: code, gzip`, await weighCode(config, flags), bytesMax, say);
  }
  const assets = join(root, "build/assets");
  for (const name of readdirSync(assets, { recursive: true, encoding: "utf8" })) {
    const { size } = statSync(join(assets, name));
    if (size > MIB) check(name, size, ASSET_BYTES_MAX, say);
  }
}

/** Bytes of a Worker's bundle, each file compressed. */
async function weighCode(config: string, flags: readonly string[]): Promise<number> {
  const out = join(root, "build/deploy", config.replace(/\.toml$/, ""));
  rmSync(out, { recursive: true, force: true });
  const args = ["deploy", "--config", config, ...flags, "--minify", "--dry-run", "--outdir", out];
  await expectDone(`bundling ${config}`, args);
  const code = readdirSync(out).filter((name) => /\.(js|wasm)$/.test(name));
  return code.reduce((sum, name) => sum + gzipSync(readFileSync(join(out, name))).length, 0);
}

function check(what: string, bytes: number, bytesMax: number, say: (line: string) => void): void {
  say(`${what}: ${(bytes / 1e6).toFixed(2)} MB of ${(bytesMax / 1e6).toFixed(2)} MB`);
  if (bytes > bytesMax)
    throw new DeployError(`${what} is over the platform's limit: nothing was deployed`);
}
