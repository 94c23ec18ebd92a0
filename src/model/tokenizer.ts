/** A decoder's tokenizer: text to ids and back. Which kind it is, the model's file says. */
import { ENCODE_TOKENS_MAX } from "../limits.ts";
import { Bpe } from "./bpe.ts";
import { invalidModel, type Metadata } from "./gguf.ts";
import { stringOf, stringsOf } from "./metadata.ts";
import { Spm } from "./spm.ts";
import { refuseTooLong } from "./vocabulary.ts";

export interface EncodeOptions {
  /** Whether the texts of control tokens become their ids: for what a template wrote, never for
   *  what a person did. User-defined tokens always do. False by default. */
  readonly special?: boolean;
  /** Whether to begin with bos and end with eos, each where the model's file asks for it. */
  readonly bos?: boolean;
  readonly eos?: boolean;
  /** More tokens than this are refused, mostly before they are computed. */
  readonly tokensMax?: number;
}

export interface Tokenizer {
  readonly vocab_size: number;
  /** Null for a vocabulary without one. */
  readonly bos: number | null;
  /** Every id that ends a generation. */
  readonly eos: ReadonlySet<number>;
  /** The one that the model's file calls eos; null without one. */
  readonly eosToken: number | null;
  /** Whether the model's file asks that prompts begin with bos. */
  readonly addBos: boolean;
  /** The ids of `text`. O(n log n). A lone surrogate is U+FFFD. Errors: invalid_request past
   *  tokensMax. */
  encode(text: string, options?: EncodeOptions): number[];
  /** Appends stretches of text, in which no control token is looked for, and ids to `ids`, which it
   *  returns. Errors: invalid_request past tokensMax tokens in all. */
  encodeSegments(
    segments: readonly (string | number)[],
    ids: number[],
    tokensMax?: number,
  ): number[];
  /** The text of ids; control and unused tokens leave nothing, bytes that are not UTF-8 are U+FFFD.
   *  decode(encode(text)) is `text`, of qwen2 its NFC, where every character has a token. */
  decode(ids: readonly number[]): string;
  /** The token's own bytes, which need not be whole characters; none for control and unused
   *  tokens. Not to be written to. */
  bytesOf(id: number): Uint8Array;
  /** Control tokens by id, with their texts: what only a template may write. */
  readonly controls: ReadonlyMap<number, string>;
}

const NO_BYTES = new Uint8Array(0);
const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

class ModelTokenizer implements Tokenizer {
  readonly vocab_size: number;
  readonly bos: number | null;
  readonly eos: ReadonlySet<number>;
  readonly eosToken: number | null;
  readonly addBos: boolean;
  private readonly model: Bpe | Spm;

  constructor(model: Bpe | Spm) {
    const { vocabulary } = model;
    this.model = model;
    this.vocab_size = vocabulary.size;
    this.bos = vocabulary.bos;
    this.eos = vocabulary.ends;
    this.eosToken = vocabulary.eos;
    this.addBos = vocabulary.addBos && vocabulary.bos !== null;
  }

  get controls(): ReadonlyMap<number, string> {
    return this.model.vocabulary.controls;
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { special = false, tokensMax = ENCODE_TOKENS_MAX } = options;
    const { eos, addEos } = this.model.vocabulary;
    const out: number[] = options.bos && this.addBos ? [this.bos!] : [];
    this.append(text, special, out, tokensMax);
    if (options.eos && addEos && eos !== null) out.push(eos);
    if (out.length > tokensMax) refuseTooLong(tokensMax);
    return out;
  }

  encodeSegments(
    segments: readonly (string | number)[],
    ids: number[],
    tokensMax = ENCODE_TOKENS_MAX,
  ): number[] {
    for (const segment of segments) {
      if (typeof segment === "string") this.append(segment, false, ids, tokensMax);
      else ids.push(segment);
      if (ids.length > tokensMax) refuseTooLong(tokensMax);
    }
    return ids;
  }

  private append(text: string, special: boolean, out: number[], tokensMax: number): void {
    const { specials, bytesMax } = this.model.vocabulary;
    // No token stands for more than bytesMax UTF-16 units: what cannot fit costs nothing. (NFC
    // makes one of up to four, but of none of which a token has so many.)
    if (out.length + text.length / bytesMax > tokensMax) refuseTooLong(tokensMax);
    let from = 0;
    for (let at = 0; at < text.length; ) {
      const match = specials.match(text, at, special);
      if (!match) {
        at++;
        continue;
      }
      if (at > from) this.model.encode(text.slice(from, at), out, tokensMax);
      if (out.push(match.id) > tokensMax) refuseTooLong(tokensMax);
      at += match.length;
      from = at;
    }
    if (from < text.length) this.model.encode(text.slice(from), out, tokensMax);
  }

  bytesOf(id: number): Uint8Array {
    return this.model.vocabulary.isText(id) ? this.model.bytesOf(id) : NO_BYTES;
  }

  decode(ids: readonly number[]): string {
    const pieces = ids.map((id) => this.bytesOf(id));
    if (this.model instanceof Spm && this.model.addSpacePrefix) this.dropPrefixes(ids, pieces);
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return utf8.decode(bytes);
  }

  /** Takes back the spaces that encoding put at the start and after special tokens. */
  private dropPrefixes(ids: readonly number[], pieces: Uint8Array[]): void {
    let afterSpecial = true;
    for (const [i, id] of ids.entries()) {
      const special = this.model.vocabulary.isSpecial(id);
      if (afterSpecial && !special && pieces[i]![0] === 0x20) pieces[i] = pieces[i]!.subarray(1);
      afterSpecial = special;
    }
  }
}

/** The tokenizer that the tokenizer.ggml keys of a file describe: model "gpt2" (byte-level BPE) or
 *  "llama" (SentencePiece). Takes what it needs: the metadata can be let go. Errors:
 *  invalid_model_file, naming what is not supported. */
export function loadTokenizer(metadata: Metadata): Tokenizer {
  const model = stringOf(metadata, "tokenizer.ggml.model");
  if (model === "gpt2") return new ModelTokenizer(new Bpe(metadata));
  if (model === "llama") return new ModelTokenizer(new Spm(metadata));
  throw invalidModel(
    `tokenizer.ggml.model is ${model.slice(0, 80)}; Brink reads gpt2 (byte-level BPE) and llama ` +
      "(SentencePiece) for decoders",
  );
}

/** How many merges loadTokenizer would take in. Errors: invalid_model_file. */
export function mergesIn(metadata: Metadata): number {
  const key = "tokenizer.ggml.merges";
  const has = metadata.get("tokenizer.ggml.model") === "gpt2" && metadata.has(key);
  return has ? stringsOf(metadata, key).length : 0;
}
