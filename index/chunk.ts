/** Documents into passages: the unit that is embedded, found and cited. */
import { PASSAGE_CHARS_MAX, PASSAGE_TOKENS_MAX, PASSAGE_TOKENS_TARGET } from "../src/limits.ts";
import { fits, linesOf, type Piece, piecesOf, wholePiece } from "./chunk-pieces.ts";
import type { CountTokens } from "./chunk-tokens.ts";
import { MARKDOWN_HEADING, markdownBlocks, type Section } from "./markdown-blocks.ts";
import {
  type Block,
  loadFinder,
  PLAIN_HEADING,
  plainBlocks,
  type Span,
  sentencesOf,
  trimmed,
} from "./sentences.ts";

export { type CountTokens, countByWord } from "./chunk-tokens.ts";
export { type Span, sentences } from "./sentences.ts";

/** How a stored text is to be read. HTML is stored as Markdown: see html-to-markdown.ts. */
export type TextType = "text/plain" | "text/markdown";

/** `text.slice(start, end)` is the passage. */
export interface Passage extends Span {
  /** Headings above the place where the passage begins, outermost first; a heading that it begins
   *  with is the last of them. Plain text has none. */
  heading_path: string[];
  /** Of the innermost heading: what follows # in an address. */
  anchor: string | null;
}

/** A heading opens a new passage once the open one has this many tokens: a section should start a
 *  passage, but a row of short sections should share one. */
const SECTION_TOKENS_MIN = PASSAGE_TOKENS_TARGET / 4;

/** The passages of a text, in order: whole sentences up to about PASSAGE_TOKENS_TARGET tokens and
 *  never above PASSAGE_TOKENS_MAX tokens or PASSAGE_CHARS_MAX characters. A fence that fits a
 *  passage is not cut, a table is cut between rows, and a heading goes with what follows it. A
 *  sentence or line above the bounds is cut at whitespace, and a word above them between
 *  characters. Passages do not overlap and cover every character that is no whitespace; a text of
 *  whitespace has none. Linear. Sentences are looked for only in paragraphs that do not fit the
 *  open passage, so a text that fits one passage costs its tokens' count alone. */
export async function chunk(
  text: string,
  countTokens: CountTokens,
  type: TextType = "text/plain",
): Promise<Passage[]> {
  const whole = wholeText(text, countTokens, type);
  if (whole !== null) return whole;
  const { blocks, sections } =
    type === "text/markdown" ? markdownBlocks(text) : { blocks: plainBlocks(text), sections: [] };
  const packer = new Packer();
  for (const block of blocks) {
    const piece = wholePiece(text, block, countTokens);
    if (packer.takes(piece) || (block.kind === "code" && fits(piece))) packer.place(piece);
    else for (const part of await partsOf(text, block, countTokens)) packer.place(part);
  }
  return packer.finish().map((piece) => passageOf(piece, sections));
}

/** The text as one passage, or none where it is blank; null where it must be looked into. */
function wholeText(text: string, countTokens: CountTokens, type: TextType): Passage[] | null {
  if (text.length > PASSAGE_CHARS_MAX) return null;
  const heading = type === "text/markdown" ? MARKDOWN_HEADING : PLAIN_HEADING;
  if (heading.test(text) || countTokens(text) > PASSAGE_TOKENS_TARGET) return null;
  return trimmed(text, [{ start: 0, end: text.length }]).map((span) => {
    return { ...span, heading_path: [], anchor: null };
  });
}

async function partsOf(text: string, block: Block, countTokens: CountTokens): Promise<Piece[]> {
  const parts =
    block.kind === "prose"
      ? sentencesOf(text, block, await loadFinder())
      : block.kind === "heading"
        ? [block]
        : linesOf(text, block);
  return piecesOf(text, block, parts, countTokens);
}

function passageOf(piece: Piece, sections: readonly Section[]): Passage {
  const { start, end, section } = piece;
  const { heading_path, anchor } = sections[section] ?? { heading_path: [], anchor: null };
  return { start, end, heading_path, anchor };
}

/** A passage under way. */
interface Open extends Piece {
  /** Whether all of it so far is headings. */
  headingsOnly: boolean;
  /** The headings at its end, if anything is before them, and where that ends. */
  tail: { piece: Piece; endBefore: number } | null;
}

/** Joins neighbours greedily. */
class Packer {
  private readonly done: Open[] = [];

  /** Whether the open passage has room for the piece, or none is open and it could open one. */
  takes(piece: Piece): boolean {
    const open = this.done.at(-1);
    if (open === undefined) return piece.tokens <= PASSAGE_TOKENS_TARGET && fits(piece);
    const tokensMax = open.headingsOnly ? PASSAGE_TOKENS_MAX : PASSAGE_TOKENS_TARGET;
    return !opensSection(open, piece) && joins(open, piece, tokensMax);
  }

  place(piece: Piece): void {
    if (piece.heading) this.settle();
    const open = this.done.at(-1);
    const tail = open?.tail;
    if (open !== undefined && this.takes(piece)) extend(open, piece);
    else if (
      open &&
      tail &&
      !opensSection(open, piece) &&
      joins(tail.piece, piece, PASSAGE_TOKENS_MAX)
    ) {
      open.end = tail.endBefore;
      open.tokens -= tail.piece.tokens;
      open.tail = null;
      const moved = { ...tail.piece, headingsOnly: true, tail: null };
      this.done.push(moved);
      extend(moved, piece);
    } else this.done.push({ ...piece, headingsOnly: piece.heading, tail: null });
  }

  finish(): Piece[] {
    this.settle();
    return this.done;
  }

  /** At a section's end: a short passage that begins within it goes to the one before it where it
   *  fits, rather than to the next section or alone. */
  private settle(): void {
    const last = this.done.at(-1);
    const previous = this.done.at(-2);
    if (last === undefined || previous === undefined || last.heading || last.tail) return;
    if (last.tokens >= SECTION_TOKENS_MIN || !joins(previous, last, PASSAGE_TOKENS_MAX)) return;
    extend(previous, last);
    this.done.pop();
  }
}

function opensSection(open: Open, piece: Piece): boolean {
  return piece.heading && open.tokens >= SECTION_TOKENS_MIN && !open.headingsOnly;
}

function joins(open: Piece, next: Piece, tokensMax: number): boolean {
  if (open.alone || next.alone || open.tokens + next.tokens > tokensMax) return false;
  return next.end - open.start <= PASSAGE_CHARS_MAX;
}

function extend(open: Open, next: Piece): void {
  if (!next.heading) {
    open.headingsOnly = false;
    open.tail = null;
  } else if (open.headingsOnly) open.section = next.section;
  else if (open.tail === null) open.tail = { piece: { ...next }, endBefore: open.end };
  else {
    const { piece } = open.tail;
    piece.end = next.end;
    piece.tokens += next.tokens;
    piece.section = next.section;
  }
  open.end = next.end;
  open.tokens += next.tokens;
}
