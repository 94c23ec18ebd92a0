/** The shipped models on the built kernels, in this process. */
import { openAsBlob } from "node:fs";
import { join } from "node:path";
import { compileKernels } from "../bench/kernels-module.ts";
import type { Precision } from "../src/model/bert.ts";
import { Encoder } from "../src/model/encoder.ts";
import { type GemmVariant, Kernels } from "../src/model/kernels.ts";
import { SpanReader } from "../src/model/reader.ts";

const root = join(import.meta.dirname, "..");

export async function loadModels(variant?: GemmVariant, precision?: Precision) {
  const kernels = Kernels.create(compileKernels(), { variant });
  const encoder = await Encoder.load(kernels, await openModel("encoder"), precision);
  const reader = await SpanReader.load(kernels, await openModel("reader"), encoder, precision);
  return { kernels, encoder, reader };
}

/** A model's file as it would arrive from the static assets. */
async function openModel(name: string): Promise<ReadableStream<Uint8Array>> {
  const blob = await openAsBlob(join(root, `models/${name}.gguf`));
  return blob.stream() as unknown as ReadableStream<Uint8Array>;
}
