/** What a document takes where it travels whole: between objects, and as a line of a snapshot. */
import type { PreparedDocument, PreparedPassage } from "./types.ts";

type Texts = Pick<PreparedDocument, "id" | "text" | "title" | "metadata">;
type Headings = Pick<PreparedPassage, "heading_path" | "anchor">;

/** A character takes at most six bytes of JSON, as `\u0001` does, and two in an object call. */
const CHAR_BYTES = 6;
/** Base64 of a vector takes four bytes for three, names and numbers of a passage the rest. */
const VECTOR_SHARE = 4 / 3;
const PASSAGE_BYTES = 200;

/** UTF-16 units of all its texts, those of every passage's headings included. */
export function charsOf(
  { id, text, title, metadata }: Texts,
  passages: readonly Headings[],
): number {
  let chars = id.length + text.length + (title?.length ?? 0) + JSON.stringify(metadata).length;
  for (const { heading_path, anchor } of passages) {
    for (const heading of heading_path) chars += heading.length;
    chars += anchor?.length ?? 0;
  }
  return chars;
}

/** UTF-16 units of what a listing shows of it. */
export function listedChars(document: Omit<Texts, "text">): number {
  return charsOf({ ...document, text: "" }, []);
}

/** How many bytes the document takes at most, wherever it travels, with vectors of `dim`
 *  dimensions. */
export function documentBytes(document: Texts, passages: readonly Headings[], dim: number): number {
  const chars = CHAR_BYTES * charsOf(document, passages);
  return chars + passages.length * Math.ceil(dim * VECTOR_SHARE + PASSAGE_BYTES);
}
