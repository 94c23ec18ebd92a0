/** Log probabilities of the model's own distribution, as OpenAI reports them. */
import type { Tokenizer } from "../model/tokenizer.ts";
import type { ChosenLogprob, TokenLogprob } from "./types.ts";

const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** `reportOf` before `logits` are changed, then called with the token that was chosen. One pass
 *  over the vocabulary with an exponential each: about 0.3 ms at 49,152 ids. */
export function reportOf(
  logits: Float32Array,
  tokenizer: Tokenizer,
  alternatives: number,
): (id: number) => ChosenLogprob {
  const raw = logits.slice();
  return (id) => {
    const normalizer = logSumExp(raw);
    const entry = (token: number): TokenLogprob => {
      const bytes = Array.from(tokenizer.bytesOf(token));
      // A probability of 0 has no number in JSON; OpenAI writes -9999 for it.
      const logprob = Math.max(raw[token]! - normalizer, -9_999);
      return { token: utf8.decode(Uint8Array.from(bytes)), logprob, bytes };
    };
    return { ...entry(id), top_logprobs: largest(raw, alternatives).map(entry) };
  };
}

function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - max);
  return max + Math.log(sum);
}

/** Ids of the `count` largest values, largest first, of equals the lowest id first. */
function largest(values: Float32Array, count: number): number[] {
  const ids: number[] = [];
  if (count === 0) return ids;
  for (let id = 0; id < values.length; id++) {
    const value = values[id]!;
    if (ids.length === count && value <= values[ids[count - 1]!]!) continue;
    let at = ids.length;
    while (at > 0 && value > values[ids[at - 1]!]!) at--;
    ids.splice(at, 0, id);
    if (ids.length > count) ids.pop();
  }
  return ids;
}
