/** BERT's tokenizer: clean, split, WordPiece. Its ids are those of the Python package `tokenizers`
 *  with all-MiniLM-L6-v2's tokenizer.json, except that "[SEP]" and the like in a text are text:
 *  a caller cannot forge the marks that part a question from a passage. */
import { invalidModel, type Metadata } from "./gguf.ts";
import { integerOf, stringOf, stringsOf } from "./metadata.ts";
import { DROPPED, PUNCTUATION, SPACES } from "./unicode-classes.ts";

/** A longer word, in code points after normalization, is one [UNK]. */
const WORD_CHARS_MAX = 100;
const WORD_START = "\u2581";

const LETTER = 0;
const DROP = 1;
const SPACE = 2;
const PUNCT = 3;
/** A word of its own, but not punctuation: Han characters. */
const IDEOGRAPH = 4;

/** What `tokenizers` calls Chinese characters; Kana and Hangul are not among them. */
const IDEOGRAPHS =
  "3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b73f 2b740-2b81f 2b920-2ceaf 2f800-2fa1f";

/** Code points below this have their class in a table; the few ranges above are searched. */
const TABLE_SIZE = 0x20000;

function parseRanges(text: string): [number, number][] {
  return text.split(" ").map((range) => {
    const [first, last] = range.split("-");
    return [Number.parseInt(first!, 16), Number.parseInt(last ?? first!, 16)];
  });
}

const classTable = new Uint8Array(TABLE_SIZE);
const classRanges: [number, number, number][] = [];
for (const [text, kind] of [
  [IDEOGRAPHS, IDEOGRAPH],
  [DROPPED, DROP],
  [SPACES, SPACE],
  [PUNCTUATION, PUNCT],
] as const) {
  for (const [first, last] of parseRanges(text)) {
    if (first < TABLE_SIZE) classTable.fill(kind, first, last + 1);
    else classRanges.push([first, last, kind]);
  }
}
// A lone surrogate stands for no character: it goes the way of U+FFFD.
classTable.fill(DROP, 0xd800, 0xe000);

function classOf(point: number): number {
  if (point < TABLE_SIZE) return classTable[point]!;
  for (const [first, last, kind] of classRanges) if (point >= first && point <= last) return kind;
  return LETTER;
}

/** Token ids and, for each, the [start, end) of its text in the string that was encoded, in UTF-16
 *  units: text.slice(start, end) is what the token stands for, combining marks included. */
export interface Encoding {
  ids: number[];
  starts: number[];
  ends: number[];
}

/** A word under way: its normalized characters, and where each came from in the text. */
class Word {
  chars: string[] = [];
  starts: number[] = [];
  ends: number[] = [];

  push(char: string, start: number, end: number): void {
    this.chars.push(char);
    this.starts.push(start);
    this.ends.push(end);
  }

  clear(): void {
    this.chars.length = this.starts.length = this.ends.length = 0;
  }
}

const isMark = /^\p{M}$/u;

/** A combining mark leaves no trace in the ids, but belongs to the text of the character that it
 *  follows, lest an answer lose its last accent. What it follows may be a token already. */
function extendOverMark(word: Word, out: Encoding, start: number, end: number): void {
  const { ends } = word.ends.length > 0 ? word : out;
  if (ends.at(-1) === start) ends[ends.length - 1] = end;
}

/** Pieces by their text, and how long those can be that begin with a character: what is longer need
 *  not be looked up, which is most of the time that a word of many pieces takes. */
class Pieces {
  readonly ids = new Map<string, number>();
  private readonly longest = new Map<string, number>();

  add(text: string, id: number): void {
    this.ids.set(text, id);
    const first = String.fromCodePoint(text.codePointAt(0) ?? 0);
    this.longest.set(first, Math.max(this.charsMax(first), Array.from(text).length));
  }

  /** Code points of the longest piece that begins with this one; 0 where none does. */
  charsMax(char: string): number {
    return this.longest.get(char) ?? 0;
  }
}

export class WordPiece {
  readonly vocab_size: number;
  readonly cls: number;
  readonly sep: number;
  readonly unk: number;
  readonly pad: number;
  /** Apart, because a piece that starts a word must not be found inside one. */
  private readonly first = new Pieces();
  private readonly inner = new Pieces();

  /** From a model file's tokenizer.ggml keys, model "bert": pieces in llama.cpp's form, where one
   *  that starts a word bears U+2581. Errors: invalid_model_file. */
  constructor(metadata: Metadata) {
    const model = stringOf(metadata, "tokenizer.ggml.model");
    if (model !== "bert") throw invalidModel(`tokenizer is ${model}; Brink reads bert here`);
    const pieces = stringsOf(metadata, "tokenizer.ggml.tokens");
    this.vocab_size = pieces.length;
    const id = (name: string) =>
      integerOf(metadata, `tokenizer.ggml.${name}_token_id`, 0, pieces.length - 1);
    this.cls = id(metadata.has("tokenizer.ggml.cls_token_id") ? "cls" : "bos");
    // llama.cpp's converter wrote this key misspelt for years.
    this.sep = id(metadata.has("tokenizer.ggml.seperator_token_id") ? "seperator" : "separator");
    this.unk = id("unknown");
    this.pad = id("padding");
    for (const [i, piece] of pieces.entries()) {
      if (piece.length > 2 && piece.startsWith("[") && piece.endsWith("]")) continue;
      const starts = piece.startsWith(WORD_START);
      (starts ? this.first : this.inner).add(starts ? piece.slice(1) : piece, i);
    }
  }

  /** The first `tokensMax` tokens of `text`, without [CLS] and [SEP]; what comes after them in the
   *  text costs nothing. O(length of text). */
  encode(text: string, tokensMax = Number.POSITIVE_INFINITY): Encoding {
    const out: Encoding = { ids: [], starts: [], ends: [] };
    const word = new Word();
    for (let at = 0; at < text.length && out.ids.length < tokensMax; ) {
      const point = text.codePointAt(at)!;
      const end = at + (point > 0xffff ? 2 : 1);
      if (point < 128 && classTable[point] === LETTER) {
        const lower = point >= 65 && point <= 90 ? point + 32 : point;
        word.push(String.fromCharCode(lower), at, end);
      } else this.step(word, out, text, point, at, end);
      at = end;
    }
    this.flush(word, out);
    const n = Math.min(out.ids.length, tokensMax);
    out.ids.length = out.starts.length = out.ends.length = n;
    return out;
  }

  /** One code point that is no ASCII letter or digit. Decomposing each alone equals decomposing
   *  the text, but for the order of marks: those that survive as letters are in no piece. */
  private step(
    word: Word,
    out: Encoding,
    text: string,
    point: number,
    start: number,
    end: number,
  ): void {
    const kind = classOf(point);
    if (kind === DROP) {
      if (isMark.test(text.slice(start, end))) extendOverMark(word, out, start, end);
      return;
    }
    if (kind === SPACE || kind === IDEOGRAPH) this.flush(word, out);
    if (kind === SPACE) return;
    const source = String.fromCodePoint(point);
    const decomposed = point < 128 ? source : source.normalize("NFD");
    for (const part of decomposed) {
      const partKind = classOf(part.codePointAt(0)!);
      if (partKind === DROP) continue;
      if (partKind === PUNCT) {
        this.flush(word, out);
        word.push(part, start, end);
        this.flush(word, out);
      } else for (const lower of part.toLowerCase()) word.push(lower, start, end);
    }
    if (kind === IDEOGRAPH) this.flush(word, out);
  }

  /** Ends the word: greedily its longest pieces from the left, or one [UNK]. */
  private flush(word: Word, out: Encoding): void {
    const n = word.chars.length;
    if (n === 0) return;
    const kept = out.ids.length;
    const known = n <= WORD_CHARS_MAX && this.split(word, out);
    if (!known) {
      out.ids.length = out.starts.length = out.ends.length = kept;
      out.ids.push(this.unk);
      out.starts.push(word.starts[0]!);
      out.ends.push(word.ends[n - 1]!);
    }
    word.clear();
  }

  private split(word: Word, out: Encoding): boolean {
    const n = word.chars.length;
    const text = word.chars.join("");
    // Where each character begins in `text`: most are one unit, and then it is its own place.
    const at = text.length === n ? null : placesOf(word.chars);
    for (let from = 0; from < n; ) {
      const pieces = from === 0 ? this.first : this.inner;
      const start = at === null ? from : at[from]!;
      let to = Math.min(n, from + pieces.charsMax(word.chars[from]!));
      let id: number | undefined;
      for (; to > from; to--) {
        id = pieces.ids.get(text.slice(start, at === null ? to : at[to]!));
        if (id !== undefined) break;
      }
      if (id === undefined) return false;
      out.ids.push(id);
      out.starts.push(word.starts[from]!);
      out.ends.push(word.ends[to - 1]!);
      from = to;
    }
    return true;
  }
}

/** Where each character begins in the characters joined, and where the last one ends. */
function placesOf(chars: readonly string[]): number[] {
  const places = [0];
  for (const char of chars) places.push(places.at(-1)! + char.length);
  return places;
}
