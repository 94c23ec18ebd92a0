/** What the decoders' tests share: a model loaded from bytes, and its greedy steps held against the
 *  reference's. */

import { Decoder, type DecoderOptions } from "../../src/model/decoder.ts";
import { type DecoderConfig, readDecoderConfig } from "../../src/model/decoder-config.ts";
import { DecoderKernels } from "../../src/model/decoder-kernels.ts";
import { parseHeader } from "../../src/model/gguf.ts";
import { streamOf } from "../model/gguf-file.ts";
import { type GreedyStep, greedy, ReferenceDecoder, tensorsOf } from "../oracle/llama.ts";
import { kernelsModule } from "../wasm-kernels/arena.ts";

/** Linear memory enough for every model of the tests. */
const BYTES_MAX = 64 * 1024 * 1024;

export const newDecoderKernels = (bytesMax = BYTES_MAX) =>
  DecoderKernels.create(kernelsModule, { bytesMax });

export async function loadDecoder(bytes: Uint8Array, options?: DecoderOptions, bytesMax?: number) {
  const kernels = newDecoderKernels(bytesMax);
  return { kernels, decoder: await Decoder.load(kernels, streamOf(bytes), options) };
}

export function bestOf(logits: ArrayLike<number>): number {
  let best = 0;
  for (let t = 1; t < logits.length; t++) if (logits[t]! > logits[best]!) best = t;
  return best;
}

/** The reference's greedy steps over the file's dequantized weights; `changes` to the file's config
 *  make it another model. */
export function referenceSteps(
  bytes: Uint8Array,
  prompt: readonly number[],
  count: number,
  changes: Partial<DecoderConfig> = {},
): GreedyStep[] {
  const config = { ...readDecoderConfig(parseHeader(bytes)), ...changes };
  return greedy(new ReferenceDecoder(config, tensorsOf(bytes)), prompt, count);
}

/** How a decoder's own greedy steps compare with the reference's. */
export interface Comparison {
  /** The tokens that the decoder chose, and those that the reference did. */
  tokens: number[];
  expected: number[];
  /** The greatest difference of a logit, over every step and token. */
  worst: number;
  /** The least distance of the reference's best logit from its second. */
  margin: number;
}

/** Prefills the prompt, then lets the decoder choose for as long as the reference did. Logits are
 *  compared as long as both chose alike, since what follows another token is another text. */
export function compareGreedy(
  decoder: Decoder,
  prompt: readonly number[],
  steps: readonly GreedyStep[],
): Comparison {
  const chosen = steps.slice(prompt.length - 1);
  const tokens: number[] = [];
  let worst = 0;
  let logits = decoder.append(prompt);
  for (const [i, step] of chosen.entries()) {
    const agreed = i === 0 || tokens[i - 1] === step.id;
    if (i > 0) logits = decoder.append([tokens[i - 1]!]);
    if (agreed)
      for (const [t, expected] of step.logits.entries())
        worst = Math.max(worst, Math.abs(logits[t]! - expected));
    tokens.push(bestOf(logits));
  }
  const expected = chosen.map(({ best }) => best);
  return { tokens, expected, worst, margin: Math.min(...chosen.map(({ margin }) => margin)) };
}
