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
    const header = parseHeader(path, await readAt(handle, 8, length));
    const tensors = Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, entry]) => readEntry(handle, name, entry, 8 + length, size));
    return { tensors, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Bytes of the file, all of them: one that became shorter meanwhile is refused. */
async function readAt(handle: FileHandle, at: number, length: number) {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await handle.read(bytes, 0, length, at);
  if (bytesRead < length) throw invalidModel(`the file ends at byte ${at + bytesRead}`);
  return bytes;
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Told below.
  }
  if (typeof header === "object" && header !== null && !Array.isArray(header))
    return header as Record<string, unknown>;
  throw invalidModel(`${path} is no safetensors file: its header is no JSON object`);
}

/** Whether it is a list of integers that are exact. */
const areCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

function readEntry(
  handle: FileHandle,
  name: string,
  entry: unknown,
  dataStart: number,
  fileBytes: number,
): SafeTensor {
  const { dtype, shape, data_offsets } = (entry ?? {}) as Record<string, unknown>;
  const type = dtype as keyof typeof TYPES;
  const size = TYPES[type];
  if (size === undefined)
    throw invalidModel(`tensor ${name} is ${dtype}; Brink converts F32, F16 and BF16`);
  if (!areCounts(shape) || !areCounts(data_offsets) || shape.includes(0))
    throw invalidModel(`tensor ${name} has no shape of numbers, or no place`);
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const [from, to] = data_offsets as [number, number];
  if (to - from !== elements * size || dataStart + to > fileBytes)
    throw invalidModel(`tensor ${name} does not lie where its header says`);
  const cols = shape.at(-1) ?? 1;
  return {
    name,
    type,
    shape,
    rows: elements / cols,
    cols,
    async read(row, rows) {
      const at = dataStart + from + row * cols * size;
      const bytes = await readAt(handle, at, rows * cols * size);
      const out = new Float32Array(rows * cols);
      dequantize(type, new DataView(bytes.buffer), out);
      refuseInfinite(name, out);
      return out;
    },
  };
}
