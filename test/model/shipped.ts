/** The shipped models on the built kernels, for tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Encoder } from "../../src/model/encoder.ts";
import type { GemmVariant } from "../../src/model/kernels.ts";
import { SpanReader } from "../../src/model/reader.ts";
import { newKernels } from "../wasm-kernels/arena.ts";
import { streamOf } from "./gguf-file.ts";

export { newKernels };

const root = join(import.meta.dirname, "../..");

export const modelBytes = (name: string): Uint8Array =>
  readFileSync(join(root, "models", `${name}.gguf`));

export const golden = <T>(name: string): T[] =>
  JSON.parse(readFileSync(join(root, "models/golden", `${name}.json`), "utf8"));

export async function shippedModels(variant?: GemmVariant) {
  const kernels = newKernels(variant);
  const encoder = await Encoder.load(kernels, streamOf(modelBytes("encoder")));
  const reader = await SpanReader.load(kernels, streamOf(modelBytes("reader")), encoder);
  return { kernels, encoder, reader };
}
