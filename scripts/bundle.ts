/** Bundles the main Worker into build/worker.js, which wrangler.toml names: wrangler bundles that
 *  once more, for its own Node compatibility and minification, and leaves its text as it is. What
 *  stands between is that the text takes one byte a character (scripts/latin1.ts): 6.4 MB of an
 *  isolate's 128 instead of 12.9. Skips what is up to date. */
import { renameSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import { newestMs } from "./fresh.ts";
import { toLatin1 } from "./latin1.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "build/worker.js");
const SOURCES = ["src", "index", "models", "scripts", "package-lock.json", "tsconfig.json"];

/** What wrangler resolves itself: modules of WebAssembly, beside the bundle, and of Node. */
const leftToWrangler: Plugin = {
  name: "left-to-wrangler",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
      const beside = relative(join(root, "build"), resolve(resolveDir, path));
      return { path: `./${beside.replaceAll("\\", "/")}`, external: true };
    });
    onResolve({ filter: /^(node|cloudflare):|^[a-z_/]+$/ }, ({ path }) =>
      path.startsWith("cloudflare:") || isBuiltin(path) ? { path, external: true } : null,
    );
  },
};

export async function bundleWorker(): Promise<void> {
  const madeMs = newestMs(out);
  if (SOURCES.every((source) => newestMs(join(root, source)) < madeMs)) return;
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["src/worker.ts"],
    outfile: out,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"], // wrangler's own
    sourcemap: "external",
    plugins: [leftToWrangler],
    logLevel: "warning",
    write: false,
  });
  for (const { path, text } of outputFiles) {
    const isCode = path.endsWith(".js");
    const content = isCode ? `${toLatin1(text)}//# sourceMappingURL=worker.js.map\n` : text;
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, content);
    renameSync(fresh, path); // whole or not at all: another service may be starting from it
  }
}

if (import.meta.main) await bundleWorker();
