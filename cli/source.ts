/** A model on its way to GGUF: metadata as it will stand, and tensors that can be read by rows. */
import type { TensorType } from "../src/model/tensor-types.ts";

export interface SourceTensor {
  /** GGUF's name, e.g. `blk.0.attn_q.weight`. */
  name: string;
  /** In GGUF's order: the length of a row first. */
  dims: readonly number[];
  /** What the source holds it as. */
  type: TensorType;
  /** f32 [rows, cols] of rows `row` on. Errors: invalid_model_file for what is not finite. */
  read(row: number, rows: number): Promise<Float32Array>;
}

export interface SourceModel {
  /** Encoded keys with values (see src/model/gguf-writer.ts). */
  fields: Uint8Array[];
  tensors: SourceTensor[];
  /** The model's own name, for want of one from the operator. */
  name: string;
  /** The paths of all that it was read from, and of what was looked for and may yet come. */
  files: readonly string[];
  close(): Promise<void>;
}
