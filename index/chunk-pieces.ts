/** What passages are packed from: sentences, lines, and parts of those that are too long. */
import { PASSAGE_CHARS_MAX, PASSAGE_TOKENS_MAX } from "../src/limits.ts";
import type { CountTokens } from "./chunk-tokens.ts";
import { wholeCharacter } from "./cut.ts";
import { type Block, lines, type Span, trimmed } from "./sentences.ts";

export interface Piece extends Span {
  tokens: number;
  heading: boolean;
  /** Index of the section that it stands in; -1: before the first heading. */
  section: number;
  /** Cut inside a word: joined to its neighbour it may count more tokens than both. */
  alone: boolean;
}

/** Whether the piece can be a passage. */
export function fits(piece: Piece): boolean {
  return piece.tokens <= PASSAGE_TOKENS_MAX && piece.end - piece.start <= PASSAGE_CHARS_MAX;
}

/** The block as one piece; with more characters than a passage has, its tokens are infinite. */
export function wholePiece(text: string, block: Block, countTokens: CountTokens): Piece {
  const { start, end, kind, section } = block;
  const tokens =
    end - start > PASSAGE_CHARS_MAX
      ? Number.POSITIVE_INFINITY
      : countTokens(text.slice(start, end));
  return { start, end, tokens, heading: kind === "heading", section, alone: false };
}

/** The block's parts, each of them fit for a passage: `sentences` of prose, else lines; what is
 *  longer is cut at whitespace, and a longer word between characters. */
export function piecesOf(
  text: string,
  block: Block,
  parts: readonly Span[],
  countTokens: CountTokens,
): Piece[] {
  const out: Piece[] = [];
  for (const part of parts) {
    const whole = wholePiece(text, { ...block, ...part }, countTokens);
    if (fits(whole)) {
      out.push(whole);
      continue;
    }
    for (const match of text.slice(part.start, part.end).matchAll(/\S+/g)) {
      const start = part.start + match.index;
      const word = { ...block, start, end: start + match[0].length };
      out.push(...halved(text, word, countTokens, false));
    }
  }
  return out;
}

/** The block's lines that are not blank. */
export function linesOf(text: string, block: Block): Span[] {
  const slice = text.slice(block.start, block.end);
  const spans = Array.from(lines(slice), ({ start, end }) => {
    return { start: block.start + start, end: block.start + end };
  });
  return trimmed(text, spans);
}

/** A word, or its halves' halves where it is too long. */
function halved(text: string, word: Block, countTokens: CountTokens, alone: boolean): Piece[] {
  const piece = { ...wholePiece(text, word, countTokens), alone };
  if (fits(piece) || word.end - word.start < 4) return [piece];
  const middle = wholeCharacter(text, (word.start + word.end) >> 1);
  return [
    ...halved(text, { ...word, end: middle }, countTokens, true),
    ...halved(text, { ...word, start: middle }, countTokens, true),
  ];
}
