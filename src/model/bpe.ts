/** Byte-level BPE, tokenizer.ggml.model "gpt2": a text is cut into words by the vocabulary's
 *  pre-tokenizer, and in each the bytes are merged by rank, the lowest first, of equals the
 *  leftmost. Source: Sennrich et al., ACL 2016, and encoder.py of https://github.com/openai/gpt-2 */
import { invalidModel, type Metadata } from "./gguf.ts";
import { HashSlots, spread } from "./hash-slots.ts";
import { Merger, mergeParts, type Symbols } from "./merge.ts";
import { stringOf, stringsOf } from "./metadata.ts";
import { type PreTokenizer, preTokenizer } from "./pretokenize.ts";
import type { TextList } from "./text-list.ts";
import { refuseTooLong, Vocabulary } from "./vocabulary.ts";

/** GPT-2 writes a byte as a printable character: itself where it is one, else the next from U+0100
 *  on. byByte[byte] is its code point, byPoint[code point] the byte or -1. */
const byPoint = new Int16Array(0x180).fill(-1);
let others = 0;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  byPoint[printable ? byte : 0x100 + others++] = byte;
}

const utf8 = new TextEncoder();

/** Buffers for a word of this many bytes stay; those of a longer one are let go. */
const WORD_BYTES_KEPT = 4_096;

/** The bytes that a token or a part of a merge stands for. A text in which a character stands for
 *  no byte, as in added tokens of early files, is its UTF-8. */
function bytesOfText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = byPoint[text.charCodeAt(i)] ?? -1;
    if (byte === -1) return utf8.encode(text);
    bytes[i] = byte;
  }
  return bytes;
}

/** The merges: by rank the two tokens joined and what they become, and by both the rank. */
class Merges {
  readonly result: Int32Array;
  private readonly left: Int32Array;
  private readonly right: Int32Array;
  private readonly slots: HashSlots;

  constructor(merges: TextList, vocabulary: Vocabulary) {
    const n = merges.length;
    this.left = new Int32Array(n);
    this.right = new Int32Array(n);
    this.result = new Int32Array(n);
    this.slots = new HashSlots(n);
    for (const [rank, merge] of merges.entries()) {
      const space = merge.indexOf(" ", 1);
      const first = bytesOfText(merge.slice(0, Math.max(0, space)));
      const second = bytesOfText(merge.slice(space + 1));
      const both = new Uint8Array(first.length + second.length);
      both.set(first);
      both.set(second, first.length);
      const left = vocabulary.find(both, 0, first.length);
      const right = vocabulary.find(both, first.length, both.length);
      const result = vocabulary.find(both, 0, both.length);
      if (space === -1 || left === -1 || right === -1 || result === -1)
        throw invalidModel(
          `merge ${rank}, "${merge.slice(0, 80)}", does not join two tokens into a third`,
        );
      this.left[rank] = left;
      this.right[rank] = right;
      this.result[rank] = result;
      this.slots.add(hashPair(left, right), rank, (other) => this.joins(other, left, right));
    }
  }

  private joins(rank: number, left: number, right: number): boolean {
    return this.left[rank] === left && this.right[rank] === right;
  }

  /** -1 if the two are not joined. */
  rankOf(left: number, right: number): number {
    return this.slots.find(hashPair(left, right), (rank) => this.joins(rank, left, right));
  }
}

function hashPair(left: number, right: number): number {
  return spread(Math.imul(left, 0x9e3779b1) ^ right);
}

export class Bpe implements Symbols {
  readonly vocabulary: Vocabulary;
  private readonly pre: PreTokenizer;
  private readonly merges: Merges;
  /** The token of each byte; -1 where the vocabulary lacks it. */
  private readonly byteTokens = new Int32Array(256);
  private readonly merger = new Merger();
  private scratch = new Uint8Array(WORD_BYTES_KEPT);
  /** Tokens at the positions of the word that is being merged. */
  private ids = new Int32Array(WORD_BYTES_KEPT);

  /** From metadata: tokens, merges, token_type, pre, special ids. Errors: invalid_model_file. */
  constructor(metadata: Metadata) {
    this.pre = preTokenizer(stringOf(metadata, "tokenizer.ggml.pre"));
    this.vocabulary = new Vocabulary(metadata, {
      matchedBytes: bytesOfText,
      bos: null,
      eos: null,
      unknown: null,
      addBos: this.pre.addBos,
    });
    this.merges = new Merges(stringsOf(metadata, "tokenizer.ggml.merges"), this.vocabulary);
    for (let byte = 0; byte < 256; byte++)
      this.byteTokens[byte] = this.vocabulary.find(Uint8Array.of(byte), 0, 1);
  }

  priorityOf(left: number, right: number): number {
    return this.merges.rankOf(this.ids[left]!, this.ids[right]!);
  }

  join(left: number, _right: number, rank: number): void {
    this.ids[left] = this.merges.result[rank]!;
  }

  /** Appends the tokens of `text`, a stretch without special tokens, to `out`. A byte that the
   *  vocabulary lacks leaves no token. Errors: invalid_request when that passes `tokensMax`. */
  encode(text: string, out: number[], tokensMax: number): void {
    for (const word of this.pre.words(text))
      for (const part of mergeParts(word)) {
        if (out.length >= tokensMax) refuseTooLong(tokensMax);
        this.encodeWord(part, out, tokensMax);
      }
  }

  /** The bytes of token `id`; not to be written to. */
  bytesOf(id: number): Uint8Array {
    return this.vocabulary.bytesOf(id);
  }

  private encodeWord(word: string, out: number[], tokensMax: number): void {
    if (this.scratch.length < 3 * word.length) this.allocate(3 * word.length);
    const length = utf8.encodeInto(word, this.scratch).written;
    if (out.length + length / this.vocabulary.bytesMax > tokensMax) refuseTooLong(tokensMax);
    const whole = this.pre.ignoreMerges ? this.vocabulary.find(this.scratch, 0, length) : -1;
    if (whole !== -1) out.push(whole);
    else this.mergeWord(length, out);
    if (this.scratch.length > WORD_BYTES_KEPT) this.allocate(WORD_BYTES_KEPT);
  }

  private mergeWord(length: number, out: number[]): void {
    let n = 0;
    for (let i = 0; i < length; i++) {
      const id = this.byteTokens[this.scratch[i]!]!;
      if (id !== -1) this.ids[n++] = id;
    }
    if (n > 0) this.merger.run(this, n, (at) => out.push(this.ids[at]!));
  }

  private allocate(bytes: number): void {
    this.scratch = new Uint8Array(bytes);
    this.ids = new Int32Array(bytes);
  }
}
