/** The tensor types of GGUF that Brink reads, and the size of their blocks.
 *  Source: ggml's ggml-common.h and gguf.md. */

export type TensorType =
  | "F32"
  | "F16"
  | "BF16"
  | "Q8_0"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K";

export interface BlockType {
  name: TensorType;
  /** Numbers a block. */
  elements: number;
  bytes: number;
}

/** By the number that a file names it with. */
export const TENSOR_TYPES: ReadonlyMap<number, BlockType> = new Map([
  [0, { name: "F32", elements: 1, bytes: 4 }],
  [1, { name: "F16", elements: 1, bytes: 2 }],
  [2, { name: "Q4_0", elements: 32, bytes: 18 }],
  [3, { name: "Q4_1", elements: 32, bytes: 20 }],
  [6, { name: "Q5_0", elements: 32, bytes: 22 }],
  [7, { name: "Q5_1", elements: 32, bytes: 24 }],
  [8, { name: "Q8_0", elements: 32, bytes: 34 }],
  [12, { name: "Q4_K", elements: 256, bytes: 144 }],
  [13, { name: "Q5_K", elements: 256, bytes: 176 }],
  [14, { name: "Q6_K", elements: 256, bytes: 210 }],
  [30, { name: "BF16", elements: 1, bytes: 2 }],
]);
