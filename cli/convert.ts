/** Writes a source as GGUF with its matrices quantized, a portion of rows at a time. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { dequantize } from "../src/model/dequantize.ts";
import { encodeHeader, type NewTensor, padded, tensorBytes } from "../src/model/gguf-writer.ts";
import {
  QUANTIZED_BLOCK,
  QUANTIZED_BLOCK_BYTES,
  type QuantizedType,
  quantizeRow,
} from "../src/model/quantize.ts";
import type { TensorType } from "../src/model/tensor-types.ts";
import type { SourceModel, SourceTensor } from "./source.ts";

/** What quantizing a tensor cost. */
export interface TensorError {
  name: string;
  from: TensorType;
  to: TensorType;
  /** Root of the mean squared error over the root of the mean square. */
  rmse: number;
  /** The greatest error, in the weights' own unit. */
  max: number;
}

export interface Converted {
  bytes: number;
  sha256: string;
  /** One a tensor that was quantized, in the file's order. */
  errors: TensorError[];
  /** Matrices that stay F32, since their rows are no whole number of blocks. */
  kept: string[];
}

/** f32 values held at a time: 4 MiB. */
const VALUES_MAX = 1024 * 1024;

/** Matrices whose rows are whole blocks become `type`; vectors, and rows that are no whole number
 *  of blocks, F32. `onProgress` gets the bytes written so far and the total. Writes `path` anew.
 *  Errors: invalid_model_file. */
export async function convert(
  source: SourceModel,
  type: QuantizedType,
  path: string,
  onProgress: (done: number, total: number) => void,
): Promise<Converted> {
  const plan = source.tensors.map((tensor): NewTensor => {
    const whole = tensor.dims.length > 1 && tensor.dims[0]! % QUANTIZED_BLOCK === 0;
    return { name: tensor.name, dims: tensor.dims, type: whole ? type : "F32" };
  });
  const header = encodeHeader(source.fields, plan);
  const total = plan.reduce((sum, tensor) => sum + padded(tensorBytes(tensor)), header.length);
  const hash = createHash("sha256");
  const out = await open(path, "w");
  let done = 0;
  const write = async (bytes: Uint8Array) => {
    await out.write(bytes);
    hash.update(bytes);
    done += bytes.length;
    onProgress(done, total);
  };
  try {
    await write(header);
    const errors: TensorError[] = [];
    for (const [i, tensor] of source.tensors.entries()) {
      const to = plan[i]!;
      const error = await writeTensor(tensor, to, write);
      if (error !== null) errors.push(error);
      await write(new Uint8Array(padded(tensorBytes(to)) - tensorBytes(to)));
    }
    const kept = plan.filter(({ dims, type }) => dims.length > 1 && type === "F32");
    const names = kept.map(({ name }) => name);
    return { bytes: done, sha256: hash.digest("hex"), errors, kept: names };
  } finally {
    await out.close();
  }
}

async function writeTensor(
  tensor: SourceTensor,
  to: NewTensor,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<TensorError | null> {
  const cols = tensor.dims[0]!;
  const rows = tensor.dims.slice(1).reduce((product, dim) => product * dim, 1);
  const step = Math.max(1, Math.floor(VALUES_MAX / cols));
  const tally = new Tally();
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const values = await tensor.read(row, count);
    if (to.type === "F32")
      await write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    else await write(quantizeRows(values, cols, to.type as QuantizedType, tally));
  }
  if (to.type === "F32") return null;
  const { name, type: from } = tensor;
  return { name, from, to: to.type, ...tally.result() };
}

/** A row holds whole blocks, so rows can be quantized as one. */
function quantizeRows(
  values: Float32Array,
  cols: number,
  type: QuantizedType,
  tally: Tally,
): Uint8Array {
  const rowBytes = (cols / QUANTIZED_BLOCK) * QUANTIZED_BLOCK_BYTES[type];
  const bytes = new Uint8Array((values.length / cols) * rowBytes);
  quantizeRow(type, values, bytes);
  const back = new Float32Array(values.length);
  dequantize(type, new DataView(bytes.buffer), back);
  tally.add(values, back);
  return bytes;
}

/** Sums in f64, over all portions of a tensor. */
class Tally {
  #squares = 0;
  #errors = 0;
  #max = 0;

  add(values: Float32Array, back: Float32Array): void {
    for (let i = 0; i < values.length; i++) {
      const error = back[i]! - values[i]!;
      this.#squares += values[i]! ** 2;
      this.#errors += error ** 2;
      this.#max = Math.max(this.#max, Math.abs(error));
    }
  }

  result(): { rmse: number; max: number } {
    const rmse = this.#squares === 0 ? 0 : Math.sqrt(this.#errors / this.#squares);
    return { rmse, max: this.#max };
  }
}
