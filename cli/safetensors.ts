/** Safetensors files: where each tensor lies, and its numbers as f32.
 *  Source: https://github.com/huggingface/safetensors#format */
import { type FileHandle, open } from "node:fs/promises";
import { dequantize } from "../src/model/dequantize.ts";
import { invalidModel } from "../src/model/gguf.ts";
import { refuseInfinite } from "./gguf-source.ts";

const TYPES = { F32: 4, F16: 2, BF16: 2 } as const;
/** The format's own bound. */
const HEADER_BYTES_MAX = 100_000_000;

export interface SafeTensor {
  name: string;
  type: keyof typeof TYPES;
  /** The slowest dimension first: a matrix is [rows, cols]. */
  shape: number[];
  rows: number;
  cols: number;
  /** f32 [rows, cols] of rows `row` on. */
  read(row: number, rows: number): Promise<Float32Array>;
}

/** The tensors of one file by name. The handle stays open until `close`. Errors:
 *  invalid_model_file for a header that does not describe the file. */
export async function openSafetensors(path: string) {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const start = new Uint8Array(8);
    await handle.read(start, 0, 8, 0);
    const length = Number(new DataView(start.buffer).getBigUint64(0, true));
    if (length > Math.min(HEADER_BYTES_MAX, size - 8))
      throw invalidModel(`${path} is no safetensors file: its header would have ${length} bytes`);
    const bytes = new Uint8Array(length);
    await handle.read(bytes, 0, length, 8);
    const header = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const tensors = Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, entry]) => readEntry(handle, name, entry, 8 + length, size));
    return { tensors, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function readEntry(
  handle: FileHandle,
  name: string,
  entry: unknown,
  dataStart: number,
  fileBytes: number,
): SafeTensor {
  const { dtype, shape, data_offsets } = entry as {
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  };
  const type = dtype as keyof typeof TYPES;
  const size = TYPES[type];
  if (size === undefined)
    throw invalidModel(`tensor ${name} is ${dtype}; Brink converts F32, F16 and BF16`);
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const [from, to] = data_offsets;
  if (to - from !== elements * size || from < 0 || dataStart + to > fileBytes)
    throw invalidModel(`tensor ${name} does not lie where its header says`);
  const cols = shape.at(-1) ?? 1;
  return {
    name,
    type,
    shape,
    rows: elements / cols,
    cols,
    async read(row, rows) {
      const bytes = new Uint8Array(rows * cols * size);
      await handle.read(bytes, 0, bytes.length, dataStart + from + row * cols * size);
      const out = new Float32Array(rows * cols);
      dequantize(type, new DataView(bytes.buffer), out);
      refuseInfinite(name, out);
      return out;
    },
  };
}
