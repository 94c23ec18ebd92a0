/** SentencePiece BPE, tokenizer.ggml.model "llama": the characters of a text, its spaces written
 *  U+2581, are merged into tokens, the highest score first, of equals the leftmost; a character
 *  that is no token falls back to the tokens of its bytes. Ids are those of llama.cpp, except that
 *  no text merges into a control or byte token.
 *  Source: https://github.com/google/sentencepiece, bpe_model.cc */
import { invalidModel, type Metadata } from "./gguf.ts";
import { Merger, mergeParts, type Symbols } from "./merge.ts";
import { booleanOf, numbersOf } from "./metadata.ts";
import { refuseTooLong, Vocabulary } from "./vocabulary.ts";

const SPACE = "\u2581";
const utf8 = new TextEncoder();

export class Spm implements Symbols {
  readonly vocabulary: Vocabulary;
  /** Whether a space is put before a text, and before what follows a special token. */
  readonly addSpacePrefix: boolean;
  /** A token's place when all are sorted by score, the highest first; equal scores share one. */
  private readonly ranks: Int32Array;
  /** The token that stands for each byte; -1 without one. */
  private readonly byteTokens = new Int32Array(256).fill(-1);
  private readonly merger = new Merger();
  /** The text in UTF-8, and where the symbols in it start and end. */
  private bytes: Uint8Array = new Uint8Array(0);
  private starts = new Int32Array(0);
  private ends = new Int32Array(0);

  /** From metadata: tokens, scores, token_type, special ids. Errors: invalid_model_file. */
  constructor(metadata: Metadata) {
    this.vocabulary = new Vocabulary(metadata, {
      matchedBytes: (text) => utf8.encode(text),
      bos: 1,
      eos: 2,
      unknown: 0,
      addBos: true,
    });
    const { size } = this.vocabulary;
    this.addSpacePrefix = booleanOf(metadata, "tokenizer.ggml.add_space_prefix", true);
    this.ranks = ranksOf(numbersOf(metadata, "tokenizer.ggml.scores", size));
    for (let id = 0; id < size; id++)
      if (this.vocabulary.isByte(id)) this.byteTokens[this.vocabulary.bytesOf(id)[0]!] = id;
    if (this.byteTokens.includes(-1) && this.vocabulary.unknown === null)
      throw invalidModel("the vocabulary has neither all byte tokens nor an unknown token");
  }

  priorityOf(left: number, right: number): number {
    const id = this.vocabulary.find(this.bytes, this.starts[left]!, this.ends[right]!);
    return id === -1 ? -1 : this.ranks[id]!;
  }

  join(left: number, right: number): void {
    this.ends[left] = this.ends[right]!;
  }

  /** Appends the tokens of `text`, a stretch without special tokens that begins the whole or
   *  follows one, to `out`. Errors: invalid_request once `out` would pass `tokensMax`. */
  encode(text: string, out: number[], tokensMax: number): void {
    const spaced = (this.addSpacePrefix ? " " : "") + text;
    for (const part of mergeParts(spaced)) this.encodePart(part, out, tokensMax);
  }

  private encodePart(part: string, out: number[], tokensMax: number): void {
    this.bytes = utf8.encode(part.replaceAll(" ", SPACE));
    const { length } = this.bytes;
    if (out.length + length / this.vocabulary.bytesMax > tokensMax) refuseTooLong(tokensMax);
    this.starts = new Int32Array(length);
    this.ends = new Int32Array(length);
    let n = 0;
    for (let i = 0; i < length; i++) {
      if ((this.bytes[i]! & 0xc0) === 0x80) continue;
      if (n > 0) this.ends[n - 1] = i;
      this.starts[n++] = i;
    }
    this.ends[n - 1] = length;
    this.merger.run(this, n, (at) => this.emit(at, out));
    this.bytes = new Uint8Array(0);
    this.starts = new Int32Array(0);
    this.ends = new Int32Array(0);
  }

  /** The token of a symbol, or those of its bytes. */
  private emit(position: number, out: number[]): void {
    const [from, to] = [this.starts[position]!, this.ends[position]!];
    const id = this.vocabulary.find(this.bytes, from, to);
    if (id !== -1) {
      out.push(id);
      return;
    }
    const bytes = this.bytes.subarray(from, to);
    if (bytes.every((byte) => this.byteTokens[byte] !== -1))
      for (const byte of bytes) out.push(this.byteTokens[byte]!);
    else out.push(this.vocabulary.unknown!);
  }

  /** The bytes of token `id` in a text: spaces are spaces. */
  bytesOf(id: number): Uint8Array {
    const bytes = this.vocabulary.bytesOf(id);
    if (this.vocabulary.isByte(id) || this.vocabulary.isSpecial(id)) return bytes;
    const out = new Uint8Array(bytes.length);
    let n = 0;
    for (let i = 0; i < bytes.length; i++) {
      const space = bytes[i] === 0xe2 && bytes[i + 1] === 0x96 && bytes[i + 2] === 0x81;
      out[n++] = space ? 0x20 : bytes[i]!;
      if (space) i += 2;
    }
    return out.subarray(0, n);
  }
}

function ranksOf(scores: readonly number[]): Int32Array {
  const order = scores.map((_, id) => id).sort((a, b) => scores[b]! - scores[a]!);
  const ranks = new Int32Array(scores.length);
  let rank = 0;
  for (const [i, id] of order.entries()) {
    if (i > 0 && scores[id] !== scores[order[i - 1]!]) rank++;
    ranks[id] = rank;
  }
  return ranks;
}
