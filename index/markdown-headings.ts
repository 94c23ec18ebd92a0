/** What a Markdown heading says, and the anchor that leads to it. */
import type { MarkdownIt } from "markdown-it";
import { ANCHOR_CHARS_MAX, HEADING_CHARS_MAX } from "../src/limits.ts";
import { cutText } from "./cut.ts";

const MARKUP = /[\\`*_[\]<>&!~]/;
/** An anchor that the author chose, as Pandoc and PHP Markdown Extra write it. */
const OWN_ANCHOR = /(?<!\s)\s*\{#([^\s{}]+)\}\s*$/;
const NOT_IN_ANCHORS = /[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\- ]/gu;

/** A heading's text without its markup, and the anchor that stands in it as {#anchor}, or null.
 *  `inline` is the heading without its #s or underline. */
export function readHeading(md: MarkdownIt, inline: string): { text: string; own: string | null } {
  const [mark, own] = OWN_ANCHOR.exec(inline) ?? ["", null];
  const bare = mark === "" ? inline : inline.slice(0, -mark.length);
  return { text: withoutMarkup(md, bare), own: own && own.length <= ANCHOR_CHARS_MAX ? own : null };
}

function withoutMarkup(md: MarkdownIt, inline: string): string {
  // Markup of a heading of any length would be read again and again: a cut one has no anchor.
  const cut = cutText(inline, 4 * HEADING_CHARS_MAX);
  if (!MARKUP.test(cut)) return cut.replace(/\s+/g, " ").trim();
  let text = "";
  for (const token of md.parseInline(cut, {})[0]?.children ?? [])
    if (token.type === "softbreak" || token.type === "hardbreak") text += " ";
    else if (token.type !== "html_inline") text += token.content;
  return text.replace(/\s+/g, " ").trim();
}

/** Anchors as GitHub makes them: lower case, without punctuation, spaces as hyphens; one that is
 *  taken gets -1, -2 and so on. */
export class Anchors {
  private readonly taken = new Map<string, number>();

  /** The anchor for a heading; null where it would be empty or too long. */
  next(text: string): string | null {
    const slug = text.toLowerCase().replace(NOT_IN_ANCHORS, "").replaceAll(" ", "-");
    if (slug === "" || slug.length > ANCHOR_CHARS_MAX) return null;
    let anchor = slug;
    for (let n = this.taken.get(slug) ?? 0; this.taken.has(anchor); ) {
      anchor = `${slug}-${++n}`;
      this.taken.set(slug, n);
    }
    return anchor;
  }

  /** Makes the anchor one that is taken. */
  take(anchor: string): void {
    if (!this.taken.has(anchor)) this.taken.set(anchor, 0);
  }
}
