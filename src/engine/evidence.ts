/** Which words of a passage an answer rests on. */
import { type Span, sentences } from "../../index/sentences.ts";
import { terms } from "../../index/terms.ts";
import type { SearchHit } from "../memory/types.ts";

/** A sentence or two of a hit: `[start, end)` in UTF-16 units of the hit's text, with no white
 *  space at either end. */
export interface Evidence extends Span {
  hit: SearchHit;
}

/** The sentences of the hit's text that `[start, end)` touches. */
export async function evidenceAround(hit: SearchHit, start: number, end: number) {
  const all = await sentences(hit.text);
  const first = all.findLast((sentence) => sentence.start <= start) ?? { start, end };
  const last = all.find((sentence) => sentence.end >= end) ?? { start, end };
  return trim({ hit, start: Math.min(first.start, start), end: Math.max(last.end, end) });
}

function trim({ hit, start, end }: Evidence): Evidence {
  const text = hit.text.slice(start, end);
  const lead = text.length - text.trimStart().length;
  return { hit, start: start + lead, end: end - (text.length - text.trimEnd().length) };
}

/** The sentence of the hits that shares most terms with `text`, the first of equals; null where
 *  none shares any. */
export async function nearestEvidence(
  hits: readonly SearchHit[],
  text: string,
): Promise<Evidence | null> {
  const wanted = new Set(terms(text, "query"));
  let best: Evidence | null = null;
  let shared = 0;
  for (const hit of hits)
    for (const sentence of await sentences(hit.text)) {
      const own = new Set(terms(hit.text.slice(sentence.start, sentence.end), "query"));
      const count = own.intersection(wanted).size;
      if (count > shared) [best, shared] = [trim({ hit, ...sentence }), count];
    }
  return best;
}
