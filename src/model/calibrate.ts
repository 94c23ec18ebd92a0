/** Prepares a model's matrices for 7-bit activations, once, at load. A row of activations shares
 *  one step of rounding, so that a few columns which are much larger than the others (BERTs have
 *  some, ever the same) would take the bits of all. One exact pass over a fixed text finds them;
 *  they are then split into several columns each, which is exact in the weights: see
 *  wasm-kernels/quantize_rows_a7.ts. Other texts may have other outliers: these cost precision, but
 *  are never cut off, since each row's scale is taken from the row itself. */
import { SPLIT_COPIES_MAX } from "../limits.ts";
import { type BertWeights, forward, type LinearWeights } from "./bert.ts";
import type { Kernels } from "./kernels.ts";
import type { WordPiece } from "./wordpiece.ts";

/** English prose with names, numbers, punctuation and rare words, so that most outliers show. */
const CALIBRATION_TEXT = `In 1969, Apollo 11 carried three astronauts to the Moon; Neil Armstrong
stepped onto its surface on July 20. Who, however, designed the lander? The company (Grumman, of
Long Island) had won the contract seven years earlier, at $388 million. Inhibition of the p53
pathway was associated with lower expression of IL-6 in CD4+ T cells (P < 0.05), which suggests
that microRNA regulates apoptosis. "We can't wait," she said - "not until the server's API returns
an error 404!" Rain fell over Paris, Tokyo and northern Brazil.`;

/** Columns set aside in a matrix of k for splitting: they cost as much as any, 4 % at k = 384. */
export const extraColumns = (k: number) => (k < 1024 ? 16 : 32);

/** Runs the calibration text through the model, whose kernels must be idle, and readies each of its
 *  matrices for `precision: "fast"`. Takes the time of one pass over 128 tokens and about as much
 *  memory; keeps 8 k bytes a matrix. */
export function calibrate(kernels: Kernels, weights: BertWeights, tokenizer: WordPiece): void {
  const { ids } = tokenizer.encode(CALIBRATION_TEXT, 126);
  const tokens = Int32Array.of(tokenizer.cls, ...ids, tokenizer.sep);
  const maxima = new Map<LinearWeights, Float32Array>();
  const mark = kernels.mark();
  forward(
    kernels,
    weights,
    { ids: tokens, types: new Int32Array(tokens.length), lengths: Int32Array.of(tokens.length) },
    {
      observe: (matrix, x, m) => {
        maxima.set(matrix, columnMaxima(kernels.f32(x, m * matrix.k), matrix.k));
      },
    },
  );
  kernels.release(mark);
  for (const [matrix, largest] of maxima) {
    matrix.split = kernels.splitColumns(chooseCopies(largest, matrix.extra), matrix.extra);
    kernels.widenI8(matrix.packed, matrix.n, matrix.split);
  }
}

/** max |x| of each column of x f32 [m, k]. */
function columnMaxima(x: Float32Array, k: number): Float32Array {
  const maxima = new Float32Array(k);
  for (let at = 0; at < x.length; at += k)
    for (let j = 0; j < k; j++) maxima[j] = Math.max(maxima[j]!, Math.abs(x[at + j]!));
  return maxima;
}

/** How many columns stand for each, given their largest magnitudes, such that the largest share of
 *  one is least while at most `extra` columns are added and none has over SPLIT_COPIES_MAX. */
export function chooseCopies(maxima: Float32Array, extra: number): Uint8Array {
  const copies = new Uint8Array(maxima.length).fill(1);
  for (let added = 0; added < extra; added++) {
    let worst = 0;
    for (let j = 1; j < copies.length; j++)
      if (maxima[j]! / copies[j]! > maxima[worst]! / copies[worst]!) worst = j;
    if (copies[worst] === SPLIT_COPIES_MAX) break;
    copies[worst]!++;
  }
  return copies;
}
