/** Long work in steps, between which the isolate turns to other requests. */

import { EMBEDDING_INPUTS_STEP } from "../limits.ts";
import type { Encoder } from "../model/encoder.ts";

/** What `work` gives for each item, in order; it is given `size` of them at a time, and gives as
 *  many. */
export async function inSteps<Item, Result>(
  items: readonly Item[],
  size: number,
  work: (step: readonly Item[]) => readonly Result[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += size) {
    if (at > 0) await new Promise((turn) => setTimeout(turn, 0));
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
