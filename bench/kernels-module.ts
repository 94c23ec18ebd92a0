import { readFileSync } from "node:fs";
import { join } from "node:path";

// workerd's types forbid what a Worker may not do; Node compiles bytes.
const Module = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module;

export const compileWasm = (bytes: Uint8Array): WebAssembly.Module => new Module(bytes);

/** build/kernels.wasm, compiled. */
export function compileKernels(): WebAssembly.Module {
  return compileWasm(readFileSync(join(import.meta.dirname, "../build/kernels.wasm")));
}
