/** Lets Node load the service's own modules: `cloudflare:workers` is a file beside this one, and a
 *  `.wasm` file is its compiled module. To be imported before anything that needs it. */
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "cloudflare:workers") return next(specifier, context);
    return { url: new URL("workers-module.ts", import.meta.url).href, shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.endsWith(".wasm")) return next(url, context);
    const source = `import { readFileSync } from "node:fs";
      export default new WebAssembly.Module(readFileSync(new URL(${JSON.stringify(url)})));`;
    return { format: "module", source, shortCircuit: true };
  },
});
