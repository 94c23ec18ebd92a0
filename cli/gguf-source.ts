/** A GGUF file as a source of rows. */
import { type FileHandle, open } from "node:fs/promises";
import { GGUF_HEADER_BYTES_MAX } from "../src/limits.ts";
import { dequantize } from "../src/model/dequantize.ts";
import {
  type GgufHeader,
  HeaderIncomplete,
  invalidModel,
  parseHeader,
  type TensorInfo,
} from "../src/model/gguf.ts";
import type { SourceModel, SourceTensor } from "./source.ts";

/** Keys that say how a file was made; of a converted one they would be wrong. */
const DROPPED = new Set(["general.alignment", "general.file_type", "general.quantization_version"]);

/** The file's header. Errors: invalid_model_file. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const handle = await open(path);
  try {
    return parseWhole(await readStart(handle));
  } finally {
    await handle.close();
  }
}

function parseWhole(bytes: Uint8Array): GgufHeader {
  try {
    return parseHeader(bytes);
  } catch (error) {
    if (!(error instanceof HeaderIncomplete)) throw error;
    throw invalidModel("the file ends inside its header");
  }
}

async function readStart(handle: FileHandle): Promise<Uint8Array> {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(Math.min(size, GGUF_HEADER_BYTES_MAX));
  await handle.read(bytes, 0, bytes.length, 0);
  return bytes;
}

/** Opens the file for reading by rows. Errors: invalid_model_file. */
export async function openGguf(path: string): Promise<SourceModel> {
  const handle = await open(path);
  try {
    const start = await readStart(handle);
    const header = parseWhole(start);
    const { size } = await handle.stat();
    if (size < header.endOffset)
      throw invalidModel(`the file has ${size} bytes, its tensors end at ${header.endOffset}`);
    const fields = Array.from(header.fieldSpans)
      .filter(([key]) => !DROPPED.has(key))
      .map(([, [from, to]]) => start.slice(from, to));
    return {
      fields,
      tensors: header.tensors.map((tensor) => tensorOf(handle, header, tensor)),
      name: String(header.metadata.get("general.name") ?? ""),
      files: [path],
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function tensorOf(handle: FileHandle, header: GgufHeader, tensor: TensorInfo): SourceTensor {
  const { name, dims, type, cols, rowBytes } = tensor;
  return {
    name,
    dims,
    type,
    async read(row, rows) {
      const bytes = new Uint8Array(rows * rowBytes);
      await handle.read(bytes, 0, bytes.length, header.dataOffset + tensor.offset + row * rowBytes);
      const out = new Float32Array(rows * cols);
      dequantize(type, new DataView(bytes.buffer), out);
      refuseInfinite(name, out);
      return out;
    },
  };
}

/** Throws `invalid_model_file` where a number is not finite. */
export function refuseInfinite(name: string, numbers: Float32Array): void {
  if (!numbers.every(Number.isFinite))
    throw invalidModel(`tensor ${name} holds a value that is not finite`);
}
