import { readFileSync } from "node:fs";
import { join } from "node:path";

// workerd's types forbid what a Worker may not do; Node compiles bytes.
const Module = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;

/** build/kernels.wasm, compiled. */
export function compileKernels(): WebAssembly.Module {
  return new Module(readFileSync(join(import.meta.dirname, "../build/kernels.wasm")));
}
