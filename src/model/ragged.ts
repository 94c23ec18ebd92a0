/** Sequences of any number through the forward pass, as many together as it takes. */
import { FAST_TOKENS_MIN, FORWARD_TOKENS_MAX, MIXED_TOKENS_MIN } from "../limits.ts";
import { type BertWeights, forward, type Precision } from "./bert.ts";
import type { Kernels } from "./kernels.ts";

/** Token ids, specials included; those from `secondAt` on are of type 1. */
export interface Sequence {
  ids: readonly number[];
  secondAt: number;
}

/** Runs each of `sequences` and calls `visit(i, hidden)` with the byte offset of its hidden states
 *  f32 [ids.length, dim], valid during the call. No sequence is empty. With `fast`, the
 *  path of each is chosen by its length, and each path's have batches of their own: what a sequence
 *  gives depends on itself alone, whatever it is batched with. */
export function forwardEach(
  kernels: Kernels,
  weights: BertWeights,
  sequences: readonly Sequence[],
  precision: Precision,
  visit: (i: number, hidden: number) => void,
): void {
  const byPath: Record<Precision, number[]> = { exact: [], mixed: [], fast: [] };
  for (const [i, { ids }] of sequences.entries())
    byPath[precision === "fast" ? pathFor(ids.length) : precision].push(i);
  for (const path of ["exact", "mixed", "fast"] as const)
    for (const batch of batches(sequences, byPath[path])) runBatch(batch, path);

  function runBatch(batch: readonly number[], path: Precision): void {
    const mark = kernels.mark();
    try {
      const input = concatenate(batch.map((i) => sequences[i]!));
      let hidden = forward(kernels, weights, input, { precision: path });
      for (const i of batch) {
        visit(i, hidden);
        hidden += sequences[i]!.ids.length * weights.config.dim * 4;
      }
    } finally {
      kernels.release(mark);
    }
  }
}

/** The fastest path that keeps a text of n tokens near to the exact one. */
function pathFor(n: number): Precision {
  if (n < MIXED_TOKENS_MIN) return "exact";
  return n < FAST_TOKENS_MIN ? "mixed" : "fast";
}

/** Cuts a list of sequences' numbers into runs of at most FORWARD_TOKENS_MAX tokens. */
function batches(sequences: readonly Sequence[], numbers: readonly number[]): number[][] {
  const out: number[][] = [];
  let total = FORWARD_TOKENS_MAX;
  for (const i of numbers) {
    const { length } = sequences[i]!.ids;
    if (total + length > FORWARD_TOKENS_MAX) {
      out.push([]);
      total = 0;
    }
    out.at(-1)!.push(i);
    total += length;
  }
  return out;
}

function concatenate(batch: readonly Sequence[]) {
  const total = batch.reduce((sum, { ids }) => sum + ids.length, 0);
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
