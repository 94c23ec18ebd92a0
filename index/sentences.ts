/** Where a text's sentences stand. Offsets are UTF-16 units of the text as it was given. */
import type { WinkMethods } from "wink-nlp";

/** `[start, end)` in UTF-16 units; begins and ends with a character that is no whitespace. */
export interface Span {
  start: number;
  end: number;
}

/** A stretch of text that no sentence or passage should straddle without need. */
export interface Block extends Span {
  kind: "prose" | "heading" | "code";
}

/** The sentence finder reads at most this much at once, to keep its cost linear and its working
 *  set small; longer paragraphs are cut at a sentence end, else at whitespace. */
const WINDOW_CHARS_MAX = 4_096;

const BLANK = /^\s*$/;
const FENCE = /^\s{0,3}(```|~~~)/;
const HEADING = /^ {0,3}#{1,6}\s/;
/** A list item, a table row or a quotation starts a block of its own. */
const ITEM = /^\s{0,12}([-*+•]\s|\d{1,9}[.)]\s|\||>)/;
const WIDE_STOP = /[。！？｡]+[」』”’）】]*/gu;

let finder: Promise<WinkMethods> | null = null;

/** The finder, loaded on first use: its model takes 3 MB of text and about 150 ms. */
function loadFinder(): Promise<WinkMethods> {
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
  return blocks(text).flatMap((block) => sentencesOf(text, block, nlp));
}

/** The blocks of a text with their sentences; what `sentences` returns, still grouped. */
export async function sentencesByBlock(text: string): Promise<{ block: Block; parts: Span[] }[]> {
  const nlp = await loadFinder();
  return blocks(text).map((block) => ({ block, parts: sentencesOf(text, block, nlp) }));
}

/** Splits at blank lines and at what Markdown marks: headings, list items, tables, fenced code. */
function blocks(text: string): Block[] {
  const out: Block[] = [];
  let open: Block | null = null;
  let fenced = false;
  const close = () => {
    if (open !== null) out.push(open);
    open = null;
  };
  for (const { start, end } of lines(text)) {
    const line = text.slice(start, Math.min(end, start + 64));
    const fence = FENCE.test(line);
    if (BLANK.test(line) && BLANK.test(text.slice(start, end))) {
      close();
    } else if (fenced || fence) {
      close();
      out.push({ start, end, kind: "code" });
      if (fence) fenced = !fenced;
    } else if (HEADING.test(line)) {
      close();
      out.push({ start, end, kind: "heading" });
    } else if (open === null || ITEM.test(line)) {
      close();
      open = { start, end, kind: "prose" };
    } else {
      (open as Block).end = end;
    }
  }
  close();
  return out;
}

function* lines(text: string): Generator<Span> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    yield { start, end };
    start = end + 1;
  }
}

function sentencesOf(text: string, block: Block, nlp: WinkMethods): Span[] {
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

/** The offset, moved back by one where it would part a surrogate pair. */
export function wholeCharacter(text: string, at: number): number {
  return /[\ud800-\udbff]/.test(text[at - 1] ?? "") && /[\udc00-\udfff]/.test(text[at] ?? "")
    ? at - 1
    : at;
}

/** Finds the sentences that wink reports in the text again. wink may change whitespace but no
 *  other character; where it does nevertheless, the rest of the window is one sentence. */
function locate(text: string, start: number, end: number, nlp: WinkMethods): Span[] {
  const window = text.slice(start, end);
  if (UNBROKEN.test(window)) return splitPlainly(window, start);
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
const UNBROKEN = /\S{200}/;
const STOP = /[.!?]+["')\]]*\s/g;

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

const SPACE = /\s/;

/** Where `sentence` ends in `window` when it begins at `at`, whitespace aside; -1: not there. */
function endOf(sentence: string, window: string, at: number): number {
  let end = at;
  for (let i = 0; i < sentence.length; i++) {
    if (SPACE.test(sentence[i]!)) continue;
    while (end < window.length && SPACE.test(window[end]!)) end++;
    if (window[end] !== sentence[i]) return -1;
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
function trimmed(text: string, spans: Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    let { start, end } = span;
    while (start < end && SPACE.test(text[start]!)) start++;
    while (end > start && SPACE.test(text[end - 1]!)) end--;
    if (start < end) out.push({ start, end });
  }
  return out;
}
