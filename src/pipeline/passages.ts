/** A document's passages, by the shortest way. */
import { type CountTokens, chunk } from "../../index/chunk.ts";
import { PASSAGE_CHARS_MAX, PASSAGE_TOKENS_TARGET } from "../limits.ts";
import type { PreparedPassage } from "../memory/types.ts";
import type { SubmittedDocument } from "./types.ts";

export type Passage = Omit<PreparedPassage, "vector">;

/** Where `chunk` may cut a text that would fit one passage. */
const HEADING = /^ {0,3}#{1,6}\s/m;

/** What `chunk` makes of the text. Plain text that fits one passage whole is not searched for
 *  sentences, which would take ten times as long as all else. */
export async function passagesOf(
  { text, content_type }: Pick<SubmittedDocument, "text" | "content_type">,
  countTokens: CountTokens,
): Promise<Passage[]> {
  if (content_type === "text/plain") {
    const start = text.length - text.trimStart().length;
    const end = text.trimEnd().length;
    if (end - start <= PASSAGE_CHARS_MAX && !HEADING.test(text)) {
      const whole = text.slice(start, end);
      if (countTokens(whole) <= PASSAGE_TOKENS_TARGET)
        return [{ start, end, heading_path: [], anchor: null }];
    }
  }
  const spans = await chunk(text, countTokens);
  return spans.map(({ start, end }) => ({ start, end, heading_path: [], anchor: null }));
}
