/** From the marks in a written answer to the passages they mean. */
import { type Evidence, nearestEvidence } from "../engine/evidence.ts";
import type { SearchHit } from "../memory/types.ts";
import { citedNumbers } from "./prompt.ts";
import type { Citation } from "./types.ts";

/** The passages that the text's [n] marks name, each with its sentence nearest to the text. */
export async function citeMarks(text: string, passages: readonly SearchHit[]): Promise<Citation[]> {
  const citations: Citation[] = [];
  for (const number of citedNumbers(text, passages.length)) {
    const hit = passages[number - 1]!;
    const whole = { hit, start: 0, end: hit.text.length };
    citations.push(toCitation(number, (await nearestEvidence([hit], text)) ?? whole));
  }
  return citations;
}

export function toCitation(mark: number, { hit, start, end }: Evidence): Citation {
  const { document_id, passage_id, title, score } = hit;
  const quote = hit.text.slice(start, end).trim();
  return { mark, document_id, passage_id, title, quote, score };
}
