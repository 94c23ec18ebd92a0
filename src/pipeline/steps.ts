/** Long work in steps, between which the isolate turns to other requests. */

import { DOCUMENT_CHARS_MAX, EMBEDDING_INPUTS_STEP } from "../limits.ts";
import type { Encoder } from "../model/encoder.ts";

const othersTurn = () => new Promise<void>((turn) => setTimeout(turn, 0));

/** What `work` gives for each item, in order; it is given `size` of them at a time, and gives as
 *  many. */
export async function inSteps<Item, Result>(
  items: readonly Item[],
  size: number,
  work: (step: readonly Item[]) => readonly Result[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += size) {
    if (at > 0) await othersTurn();
    results.push(...work(items.slice(at, at + size)));
  }
  return results;
}

/** A vector a text, in their order. */
export function embedInSteps(
  encoder: Pick<Encoder, "embed">,
  texts: readonly string[],
): Promise<Float32Array[]> {
  return inSteps(texts, EMBEDDING_INPUTS_STEP, (step) => encoder.embed(step));
}

/** Tokens of the texts, uncut, the two markers of each included. A step is one document of the
 *  greatest length, or texts of as many characters. */
export async function countTokens(
  encoder: Pick<Encoder, "countTokens">,
  texts: readonly string[],
): Promise<number> {
  let tokens = 0;
  let chars = 0;
  for (const text of texts) {
    if (chars > 0 && chars + text.length > DOCUMENT_CHARS_MAX) {
      await othersTurn();
      chars = 0;
    }
    tokens += encoder.countTokens(text) + 2;
    chars += text.length;
  }
  return tokens;
}
