/** Documents into passages: the unit that is embedded, found and cited. */
import { PASSAGE_CHARS_MAX, PASSAGE_TOKENS_MAX, PASSAGE_TOKENS_TARGET } from "../src/limits.ts";
import { type Span, sentencesByBlock, wholeCharacter } from "./sentences.ts";

export { type Span, sentences } from "./sentences.ts";

/** Counts a text's tokens, special ones not included. Must not count a text lower than it counts
 *  the text's parts when the cuts are at whitespace or beside punctuation; WordPiece does not. */
export type CountTokens = (text: string) => number;

/** A heading opens a new passage once the open one has this many tokens: a section should start a
 *  passage, but a row of short sections should share one. */
const SECTION_TOKENS_MIN = PASSAGE_TOKENS_TARGET / 4;

/** A sentence, or a part of one that is too long. */
interface Piece extends Span {
  tokens: number;
  heading: boolean;
  /** Cut inside a word: joined to its neighbour it may count more tokens than both. */
  alone: boolean;
}

/** The passages of a text, in order: whole sentences up to about PASSAGE_TOKENS_TARGET tokens and
 *  never above PASSAGE_TOKENS_MAX tokens or PASSAGE_CHARS_MAX characters. A sentence above that is
 *  cut at whitespace, and a word above it between characters. Passages do not overlap and cover
 *  every character that is no whitespace; a text of whitespace has none. Linear: each sentence is
 *  counted once. */
export async function chunk(text: string, countTokens: CountTokens): Promise<Span[]> {
  const pieces: Piece[] = [];
  for (const { block, parts } of await sentencesByBlock(text))
    for (const part of parts)
      for (const piece of piecesOf(text, part, countTokens))
        pieces.push({ ...piece, heading: block.kind === "heading" });
  return pack(pieces).map(({ start, end }) => ({ start, end }));
}

function fits(piece: Piece): boolean {
  return piece.tokens <= PASSAGE_TOKENS_MAX && piece.end - piece.start <= PASSAGE_CHARS_MAX;
}

/** A sentence, or its parts where it is too long for a passage. */
function piecesOf(text: string, sentence: Span, countTokens: CountTokens): Piece[] {
  const whole = measured(text, sentence, countTokens, false);
  if (fits(whole)) return [whole];
  const words: Piece[] = [];
  for (const match of text.slice(sentence.start, sentence.end).matchAll(/\S+/g)) {
    const start = sentence.start + match.index;
    words.push(...halved(text, { start, end: start + match[0].length }, countTokens, false));
  }
  return words;
}

/** A word, or its halves' halves where it is too long. */
function halved(text: string, span: Span, countTokens: CountTokens, cut: boolean): Piece[] {
  const piece =
    span.end - span.start > PASSAGE_CHARS_MAX
      ? { ...span, tokens: Number.POSITIVE_INFINITY, heading: false, alone: cut }
      : measured(text, span, countTokens, cut);
  if (fits(piece) || span.end - span.start < 4) return [piece];
  const middle = wholeCharacter(text, (span.start + span.end) >> 1);
  return [
    ...halved(text, { start: span.start, end: middle }, countTokens, true),
    ...halved(text, { start: middle, end: span.end }, countTokens, true),
  ];
}

function measured(text: string, span: Span, countTokens: CountTokens, alone: boolean): Piece {
  const tokens = countTokens(text.slice(span.start, span.end));
  return { ...span, tokens, heading: false, alone };
}

/** Joins neighbours greedily; a short last passage goes to the one before it where it fits. */
function pack(pieces: Piece[]): Piece[] {
  const out: Piece[] = [];
  for (const piece of pieces) {
    const open = out.at(-1);
    const section = piece.heading && open !== undefined && open.tokens >= SECTION_TOKENS_MIN;
    if (open === undefined || section || !joins(open, piece, PASSAGE_TOKENS_TARGET))
      out.push({ ...piece });
    else extend(open, piece);
  }
  const last = out.at(-1);
  const previous = out.at(-2);
  if (last === undefined || previous === undefined || last.heading) return out;
  if (last.tokens >= SECTION_TOKENS_MIN || !joins(previous, last, PASSAGE_TOKENS_MAX)) return out;
  extend(previous, last);
  return out.slice(0, -1);
}

function joins(open: Piece, next: Piece, tokensMax: number): boolean {
  if (open.alone || next.alone || open.tokens + next.tokens > tokensMax) return false;
  return next.end - open.start <= PASSAGE_CHARS_MAX;
}

function extend(open: Piece, next: Piece): void {
  open.end = next.end;
  open.tokens += next.tokens;
}
