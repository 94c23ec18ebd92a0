/** Whether a decoder fits its isolate, computed from the header before a weight is read. */
import { ServiceError } from "../errors.ts";
import {
  DECODER_BYTES_MAX,
  DECODER_RUNTIME_BYTES,
  DECODER_TOKENIZER_BYTES_PER_MERGE,
  DECODER_TOKENIZER_BYTES_PER_TOKEN,
} from "../limits.ts";

/** What a decoder takes, in bytes. The first three lie in linear memory. */
export interface DecoderMemory {
  weights: number;
  /** Of a context of so many positions, RoPE's table included. */
  kvCache(context: number): number;
  /** At their peak. */
  activations: number;
  vocab_size: number;
  /** Of byte pairs; 0 of a vocabulary without. */
  merges: number;
}

const mb = (bytes: number) => (bytes / 1e6).toFixed(1);

/** What the tokenizer takes, in bytes: a merge for each token is in what a token takes. */
function tokenizerBytes({ vocab_size, merges }: DecoderMemory): number {
  const more = Math.max(0, merges - vocab_size);
  return vocab_size * DECODER_TOKENIZER_BYTES_PER_TOKEN + more * DECODER_TOKENIZER_BYTES_PER_MERGE;
}

/** The greatest context up to `max` whose total is within `limit`; 0 if none is. */
function fittingContext(total: (context: number) => number, limit: number, max: number): number {
  let fits = 0;
  for (let step = 2 ** Math.floor(Math.log2(max)); step >= 1; step /= 2)
    if (fits + step <= max && total(fits + step) <= limit) fits += step;
  return fits;
}

/** Throws model_too_large unless the model fits with `context` positions beside `usedBytes` that
 *  linear memory holds already: at most `linearMax` there, and DECODER_BYTES_MAX with tokenizer and
 *  runtime. The message has the sum, in MB of 10^6 bytes, and what would fit. */
export function checkDecoderFits(
  memory: DecoderMemory,
  context: number,
  { usedBytes, linearMax }: { usedBytes: number; linearMax: number },
): void {
  const { weights, activations } = memory;
  const rest = DECODER_RUNTIME_BYTES + tokenizerBytes(memory);
  const total = (positions: number) =>
    usedBytes + weights + memory.kvCache(positions) + activations + rest;
  const limit = Math.min(DECODER_BYTES_MAX, linearMax + rest);
  if (total(context) <= limit) return;
  const fits = fittingContext(total, limit, context);
  const used = usedBytes >= 50_000 ? `${mb(usedBytes)} MB in use + ` : "";
  throw new ServiceError(
    "model_too_large",
    `${used}weights ${mb(weights)} MB + KV cache ${mb(memory.kvCache(context))} MB for ` +
      `${context} positions + activations ${mb(activations)} MB + ` +
      `tokenizer and runtime ${mb(rest)} MB = ` +
      `${mb(total(context))} MB, the limit is ${mb(limit)} MB; ` +
      (fits > 0 ? `a context of ${fits} positions would fit` : "no context would fit"),
  );
}
