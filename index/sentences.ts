/** Where a text's sentences stand. Offsets are UTF-16 units of the text as it was given. */
import type { WinkMethods } from "wink-nlp";
import { wholeCharacter } from "./cut.ts";

/** `[start, end)` in UTF-16 units; begins and ends with a character that is no whitespace. */
export interface Span {
  start: number;
  end: number;
}

/** A stretch of text that no sentence or passage should straddle without need. Prose falls into
 *  sentences; code, which should not fall apart, and rows fall into lines. */
export interface Block extends Span {
  kind: "prose" | "heading" | "code" | "rows";
  /** Index of the section that it stands in; -1: in none. */
  section: number;
}

/** The sentence finder reads at most this much at once, to keep its cost linear and its working
 *  set small; longer paragraphs are cut at a sentence end, else at whitespace. */
const WINDOW_CHARS_MAX = 4_096;

const BLANK = /^\s*$/;
const FENCE = /^\s{0,3}(```|~~~)/;
const HEADING = /^ {0,3}#{1,6}\s/;
/** Matches a text that has a line which `plainBlocks` takes for a heading. */
export const PLAIN_HEADING = /^ {0,3}#{1,6}\s/m;
/** A list item, a table row or a quotation starts a block of its own. */
const ITEM = /^\s{0,12}([-*+•]\s|\d{1,9}[.)]\s|\||>)/;
const WIDE_STOP = /[。！？｡]+[」』”’）】]*/gu;

let finder: Promise<WinkMethods> | null = null;

/** The finder, loaded on first use: its model takes 3 MB of text and about 150 ms. */
export function loadFinder(): Promise<WinkMethods> {
  finder ??= Promise.all([import("wink-nlp"), import("wink-eng-lite-web-model")]).then(
    ([nlp, model]) => nlp.default(model.default, ["sbd"]),
  );
  return finder;
}

/** A text's sentences in order. They do not overlap, and together they cover every character that
 *  is no whitespace. A heading, a list item, a table row and a line of code count as sentences.
 *  Linear in the text; the first call loads the finder. */
export async function sentences(text: string): Promise<Span[]> {
  const nlp = await loadFinder();
  return plainBlocks(text).flatMap((block) => sentencesOf(text, block, nlp));
}

/** Splits at blank lines and at what Markdown marks, which plain text uses too: headings, list
 *  items, tables, fenced code, each line of which is a block. */
export function plainBlocks(text: string): Block[] {
  const out: Block[] = [];
  let open: Block | null = null;
  let fenced = false;
  const push = (block: Block) => {
    for (const { start, end } of trimmed(text, [block])) out.push({ ...block, start, end });
  };
  const close = () => {
    if (open !== null) push(open);
    open = null;
  };
  for (const { start, end } of lines(text)) {
    const line = text.slice(start, Math.min(end, start + 64));
    const fence = FENCE.test(line);
    if (BLANK.test(line) && BLANK.test(text.slice(start, end))) {
      close();
    } else if (fenced || fence) {
      close();
      push({ start, end, kind: "code", section: -1 });
      if (fence) fenced = !fenced;
    } else if (HEADING.test(line)) {
      close();
      push({ start, end, kind: "heading", section: -1 });
    } else if (open === null || ITEM.test(line)) {
      close();
      open = { start, end, kind: "prose", section: -1 };
    } else {
      (open as Block).end = end;
    }
  }
  close();
  return out;
}

/** The text's lines, without what ends them. */
export function* lines(text: string): Generator<Span> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    yield { start, end };
    start = end + 1;
  }
}

/** The sentences of a block of prose; a block of another kind is one. */
export function sentencesOf(text: string, block: Block, nlp: WinkMethods): Span[] {
  if (block.kind !== "prose") return trimmed(text, [block]);
  const found: Span[] = [];
  for (let at = block.start; at < block.end; ) {
    const end = windowEnd(text, at, block.end);
    found.push(...locate(text, at, end, nlp));
    at = end;
  }
  return trimmed(
    text,
    found.flatMap((span) => splitWide(text, span)),
  );
}

/** Where to stop reading: the block's end, or the last good place before the window is full. */
function windowEnd(text: string, start: number, end: number): number {
  if (end - start <= WINDOW_CHARS_MAX) return end;
  const window = text.slice(start, start + WINDOW_CHARS_MAX);
  const half = WINDOW_CHARS_MAX / 2;
  const stop = Math.max(...[". ", "? ", "! ", ".\n", "。"].map((mark) => window.lastIndexOf(mark)));
  if (stop >= half) return start + stop + 1;
  const space = Math.max(window.lastIndexOf(" "), window.lastIndexOf("\n"));
  if (space >= half) return start + space;
  return wholeCharacter(text, start + WINDOW_CHARS_MAX);
}

/** Finds the sentences that wink reports in the text again. wink may change whitespace but no
 *  other character; where it does nevertheless, the rest of the window is one sentence. */
function locate(text: string, start: number, end: number, nlp: WinkMethods): Span[] {
  const window = text.slice(start, end);
  if (hasUnbroken(window)) return splitPlainly(window, start);
  const spans: Span[] = [];
  let at = 0;
  for (const sentence of nlp.readDoc(window).sentences().out()) {
    const stop = endOf(sentence, window, at);
    if (stop === -1) break;
    spans.push({ start: start + at, end: start + stop });
    at = stop;
  }
  if (at < window.length) spans.push({ start: start + at, end });
  return spans;
}

/** wink takes seconds over a kilobyte without a space (base64, a list of addresses). */
const UNBROKEN_CHARS = 200;
const STOP = /[.!?]["')\]]*\s/g;

/** Whether UNBROKEN_CHARS characters stand together without whitespace. Looks at few of them. */
function hasUnbroken(window: string): boolean {
  for (let end = UNBROKEN_CHARS; end <= window.length; ) {
    let at = end - 1;
    while (at >= end - UNBROKEN_CHARS && !isSpace(window.charCodeAt(at))) at--;
    if (at < end - UNBROKEN_CHARS) return true;
    end = at + 1 + UNBROKEN_CHARS;
  }
  return false;
}

/** Cuts after every stop that whitespace follows. */
function splitPlainly(window: string, start: number): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const match of window.matchAll(STOP)) {
    const end = match.index + match[0].length;
    spans.push({ start: start + at, end: start + end });
    at = end;
  }
  return [...spans, { start: start + at, end: start + window.length }];
}

/** Whether `\s` of a regular expression matches the UTF-16 unit. */
function isSpace(unit: number): boolean {
  if (unit < 0x1680) return unit === 32 || (unit >= 9 && unit <= 13) || unit === 0xa0;
  return unit <= 0xfeff && SPACE.test(String.fromCharCode(unit));
}

const SPACE = /\s/;

/** Where `sentence` ends in `window` when it begins at `at`, whitespace aside; -1: not there. */
function endOf(sentence: string, window: string, at: number): number {
  let end = at;
  for (let i = 0; i < sentence.length; i++) {
    const unit = sentence.charCodeAt(i);
    if (isSpace(unit)) continue;
    while (end < window.length && isSpace(window.charCodeAt(end))) end++;
    if (window.charCodeAt(end) !== unit) return -1;
    end++;
  }
  return end;
}

/** wink knows no full stop but the Latin one. */
function splitWide(text: string, span: Span): Span[] {
  const out: Span[] = [];
  let start = span.start;
  for (const match of text.slice(span.start, span.end).matchAll(WIDE_STOP)) {
    const end = span.start + match.index + match[0].length;
    out.push({ start, end });
    start = end;
  }
  if (start < span.end) out.push({ start, end: span.end });
  return out;
}

/** Without whitespace at either end; what is nothing else goes. */
export function trimmed(text: string, spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    let { start, end } = span;
    while (start < end && isSpace(text.charCodeAt(start))) start++;
    while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
    if (start < end) out.push({ start, end });
  }
  return out;
}
