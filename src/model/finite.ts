/** Finds numbers that are no numbers in rows of GGUF tensors, before they spoil every product. */
import { TENSOR_TYPES, type TensorType } from "./tensor-types.ts";

/** Where a block's halves lie: in quantized types the scales, which alone can be no numbers. */
const HALVES: ReadonlyMap<TensorType, readonly number[]> = new Map([
  ["F16", [0]],
  ["Q8_0", [0]],
  ["Q4_0", [0]],
  ["Q4_1", [0, 2]],
  ["Q5_0", [0]],
  ["Q5_1", [0, 2]],
  ["Q4_K", [0, 2]],
  ["Q5_K", [0, 2]],
  ["Q6_K", [208]],
]);

const BLOCK_BYTES = new Map(Array.from(TENSOR_TYPES.values(), ({ name, bytes }) => [name, bytes]));

/** The byte offset of the first block that holds an infinity or a NaN, or -1. `bytes` are whole
 *  blocks. About 0.1 ms a megabyte of Q4_0. */
export function firstNotFinite(type: TensorType, bytes: Uint8Array): number {
  const blockBytes = BLOCK_BYTES.get(type)!;
  // All ones in the exponent, which ends in the second-to-last byte of an f32 and of a bf16.
  if (type === "F32" || type === "BF16") {
    for (let at = blockBytes - 2; at < bytes.length; at += blockBytes)
      if ((bytes[at + 1]! & 0x7f) === 0x7f && (bytes[at]! & 0x80) === 0x80)
        return at + 2 - blockBytes;
    return -1;
  }
  for (const half of HALVES.get(type)!)
    for (let at = half + 1; at < bytes.length; at += blockBytes)
      if ((bytes[at]! & 0x7c) === 0x7c) return at - half - 1;
  return -1;
}
