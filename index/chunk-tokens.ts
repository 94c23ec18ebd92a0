/** Token counts that remember words: a text's words repeat, and counting is most of chunking. */
import { TOKEN_CACHE_WORD_CHARS_MAX, TOKEN_CACHE_WORDS_MAX } from "../src/limits.ts";

/** Counts a text's tokens, special ones not included. Must not count a text lower than it counts
 *  the text's parts when the cuts are at whitespace or beside punctuation; WordPiece does not. */
export type CountTokens = (text: string) => number;

/** The same counts, from words that are remembered in a table of fixed size (1.4 MB), where a word
 *  gives way to the next one of its hash. Requires that a text's count is the sum of its parts'
 *  counts where ASCII whitespace and punctuation part it, each mark a part, as WordPiece's is. Keep
 *  one for each tokenizer. About 10 ns a character where the words are known. */
export function countByWord(countTokens: CountTokens): CountTokens {
  const words = new WordCounts(countTokens);
  return (text) => {
    let tokens = 0;
    let start = 0;
    let hash = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const kind = unit < 128 ? KINDS[unit]! : IN_WORD;
      if (kind === IN_WORD) {
        hash = Math.imul(hash ^ unit, 0x01000193);
        continue;
      }
      if (i > start) tokens += words.count(text, start, i, hash);
      if (kind === MARK) tokens += words.count(text, i, i + 1, unit);
      start = i + 1;
      hash = 0;
    }
    return start < text.length ? tokens + words.count(text, start, text.length, hash) : tokens;
  };
}

const IN_WORD = 0;
const SPACE = 1;
const MARK = 2;
/** Of ASCII units. Control characters other than whitespace stand in words. */
const KINDS = Uint8Array.from({ length: 128 }, (_, unit) => {
  if (unit === 32 || unit === 9 || unit === 10 || unit === 13) return SPACE;
  return unit > 32 && unit < 127 && /[^0-9A-Za-z]/.test(String.fromCharCode(unit)) ? MARK : IN_WORD;
});

class WordCounts {
  /** The word of each slot, as UTF-16 units; of 0 units: none yet. */
  private readonly units = new Uint16Array(TOKEN_CACHE_WORDS_MAX * TOKEN_CACHE_WORD_CHARS_MAX);
  private readonly lengths = new Uint8Array(TOKEN_CACHE_WORDS_MAX);
  private readonly counts = new Uint8Array(TOKEN_CACHE_WORDS_MAX);
  private readonly countTokens: CountTokens;

  constructor(countTokens: CountTokens) {
    this.countTokens = countTokens;
  }

  /** Of `text.slice(start, end)`, whose units have this hash. */
  count(text: string, start: number, end: number, hash: number): number {
    const length = end - start;
    if (length > TOKEN_CACHE_WORD_CHARS_MAX) return this.countTokens(text.slice(start, end));
    const slot = ((hash ^ (hash >>> 15)) >>> 0) % TOKEN_CACHE_WORDS_MAX;
    const at = slot * TOKEN_CACHE_WORD_CHARS_MAX;
    if (this.lengths[slot] === length && this.holds(text, start, at, length))
      return this.counts[slot]!;
    const tokens = this.countTokens(text.slice(start, end));
    if (tokens > 255) return tokens;
    for (let i = 0; i < length; i++) this.units[at + i] = text.charCodeAt(start + i);
    this.lengths[slot] = length;
    this.counts[slot] = tokens;
    return tokens;
  }

  private holds(text: string, start: number, at: number, length: number): boolean {
    for (let i = 0; i < length; i++)
      if (this.units[at + i] !== text.charCodeAt(start + i)) return false;
    return true;
  }
}
