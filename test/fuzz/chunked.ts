/** What holds of every text that is cut into passages. */
import { chunk, type Span, type TextType } from "../../index/chunk.ts";
import {
  ANCHOR_CHARS_MAX,
  HEADING_CHARS_MAX,
  PASSAGE_CHARS_MAX,
  PASSAGE_TOKENS_MAX,
} from "../../src/limits.ts";
import { countTokens } from "../index/passages.ts";
import { must } from "./target.ts";

/** How often each character is counted at most, all in all: as a whole, as a block, in a sentence
 *  or line, and in the halves of a word that is too long, which are a tenth of PASSAGE_CHARS_MAX
 *  when they fit. */
const COUNTS_MAX = 12;

/** Cuts the text; throws where the passages leave anything out, overlap, are out of order or above
 *  a bound, or took more than linear work. Returns how many there are. */
export async function checkPassages(text: string, type: TextType): Promise<number> {
  let counted = 0;
  const counting = (part: string) => {
    counted += part.length;
    return countTokens(part);
  };
  const passages = await chunk(text, counting, type);
  checkSpans(text, passages);
  must(counted <= COUNTS_MAX * text.length + PASSAGE_CHARS_MAX, `${counted} characters counted`);
  for (const { start, end, heading_path, anchor } of passages) {
    must(end - start <= PASSAGE_CHARS_MAX, `a passage of ${end - start} characters`);
    must(
      countTokens(text.slice(start, end)) <= PASSAGE_TOKENS_MAX,
      `a passage at ${start} of more`,
    );
    must(heading_path.length <= 6, `${heading_path.length} headings`);
    must(
      heading_path.every((heading) => heading.length <= HEADING_CHARS_MAX),
      "a long heading",
    );
    must((anchor?.length ?? 0) <= ANCHOR_CHARS_MAX, "a long anchor");
  }
  return passages.length;
}

/** Spans are trimmed, in order, apart, and leave nothing out but white space. */
export function checkSpans(text: string, spans: readonly Span[]): void {
  let at = 0;
  for (const { start, end } of spans) {
    must(start >= at && end > start && end <= text.length, `a span ${start} to ${end} after ${at}`);
    must(text.slice(at, start).trim() === "", `left out before ${start}`);
    must(text.slice(start, end) === text.slice(start, end).trim(), `not trimmed at ${start}`);
    at = end;
  }
  must(text.slice(at).trim() === "", `left out after ${at}`);
}
