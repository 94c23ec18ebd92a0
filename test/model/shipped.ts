/** The files in models/, for tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newKernels } from "../wasm-kernels/arena.ts";

export { newKernels };

const root = join(import.meta.dirname, "../..");

export const modelBytes = (name: string): Uint8Array =>
  readFileSync(join(root, "models", `${name}.gguf`));

export const golden = <T>(name: string): T[] =>
  JSON.parse(readFileSync(join(root, "models/golden", `${name}.json`), "utf8"));
