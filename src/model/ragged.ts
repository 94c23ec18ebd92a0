/** Sequences of any number through the forward pass, as many together as it takes. */
import { FORWARD_TOKENS_MAX } from "../limits.ts";
import { type BertWeights, forward } from "./bert.ts";
import type { Kernels } from "./kernels.ts";

/** Token ids, specials included; those from `secondAt` on are of type 1. */
export interface Sequence {
  ids: readonly number[];
  secondAt: number;
}

/** Runs each of `sequences`, in order, and calls `visit(i, hidden)` with the byte offset of its
 *  hidden states f32 [ids.length, dim], valid during the call. No sequence is empty. */
export function forwardEach(
  kernels: Kernels,
  weights: BertWeights,
  sequences: readonly Sequence[],
  visit: (i: number, hidden: number) => void,
): void {
  for (let from = 0, to = 0; from < sequences.length; from = to) {
    let total = sequences[to++]!.ids.length;
    while (to < sequences.length && total + sequences[to]!.ids.length <= FORWARD_TOKENS_MAX)
      total += sequences[to++]!.ids.length;
    const batch = sequences.slice(from, to);
    const mark = kernels.mark();
    try {
      let hidden = forward(kernels, weights, concatenate(batch, total));
      for (const [i, { ids }] of batch.entries()) {
        visit(from + i, hidden);
        hidden += ids.length * weights.config.dim * 4;
      }
    } finally {
      kernels.release(mark);
    }
  }
}

function concatenate(batch: readonly Sequence[], total: number) {
  const ids = new Int32Array(total);
  const types = new Int32Array(total);
  let at = 0;
  for (const sequence of batch) {
    ids.set(sequence.ids, at);
    types.fill(1, at + sequence.secondAt, at + sequence.ids.length);
    at += sequence.ids.length;
  }
  return { ids, types, lengths: Int32Array.from(batch, (sequence) => sequence.ids.length) };
}
