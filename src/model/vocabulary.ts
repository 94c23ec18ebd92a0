/** The tokens of a decoder's vocabulary, from tokenizer.ggml.*: their bytes, kinds and which of
 *  them are special. Held in typed arrays: an isolate has 128 MB, most of it the model's, and
 *  150,000 JavaScript strings with a Map of them would take 30 MB of it. */
import { ServiceError } from "../errors.ts";
import { TOKEN_BYTES_MAX } from "../limits.ts";
import { invalidModel, type Metadata } from "./gguf.ts";
import { HashSlots, hashBytes } from "./hash-slots.ts";
import { booleanOf, integerOf, numbersOf, stringsOf } from "./metadata.ts";
import { SpecialTokens } from "./special-tokens.ts";
import type { TextList } from "./text-list.ts";

/** tokenizer.ggml.token_type, as llama.cpp numbers them. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const BYTE = 6;

/** Control tokens whatever their type, and each of them ends a generation: llama.cpp's list. */
const ENDS = new Set(
  (
    "<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <end_of_turn> <|endoftext|> <|eom_id|> " +
    "<EOT> <|end_of_text|> <end_of_utterance> <|fim_pad|> <|repo_name|> <|file_sep|>"
  ).split(" "),
);
/** What llama.cpp's converter takes for a control token; files that are older than that rule, of
 *  July 2024, call some of them user-defined, which would let any text hold them. */
const CONTROL_LIKE = /^<[|｜].*[|｜]>$/u;

/** What differs between kinds of vocabularies. */
export interface VocabularyKind {
  /** The bytes that a normal token stands for when texts are matched, from its text in the file. */
  matchedBytes(text: string): Uint8Array;
  /** Ids where the file does not say; null for none. */
  readonly bos: number | null;
  readonly eos: number | null;
  readonly unknown: number | null;
  readonly addBos: boolean;
}

/** A text has more tokens than its caller has room for. */
export class TooLong extends ServiceError {}

/** Throws TooLong, as invalid_request. */
export function refuseTooLong(tokensMax: number): never {
  throw new TooLong("invalid_request", `the text takes more than ${tokensMax} tokens`);
}

export class Vocabulary {
  readonly size: number;
  /** UTF-8 bytes of the longest token: no text of n bytes has fewer than n / bytesMax tokens. */
  readonly bytesMax: number;
  readonly bos: number | null;
  readonly unknown: number | null;
  /** Every token that ends a generation. */
  readonly ends: ReadonlySet<number>;
  /** Whether a prompt begins with bos and ends with eos. */
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** The eos that addEos adds. */
  readonly eos: number | null;
  readonly specials = new SpecialTokens();
  /** Control tokens by id, with their texts. */
  readonly controls: ReadonlyMap<number, string>;
  private readonly types: Uint8Array;
  /** Token id's bytes are bytes[offsets[id]..offsets[id + 1]]. */
  private readonly bytes: Uint8Array;
  private readonly offsets: Uint32Array;
  private readonly slots: HashSlots;

  /** Errors: invalid_model_file. */
  constructor(metadata: Metadata, kind: VocabularyKind) {
    const tokens = stringsOf(metadata, "tokenizer.ggml.tokens");
    this.size = tokens.length;
    if (this.size === 0) throw invalidModel("tokenizer.ggml.tokens is empty");
    this.types = typesOf(metadata, tokens);
    const id = (name: string, absent: number | null) => {
      const key = `tokenizer.ggml.${name}_token_id`;
      return metadata.has(key) ? integerOf(metadata, key, 0, this.size - 1) : absent;
    };
    const known = (n: number | null) => (n !== null && n < this.size ? n : null);
    this.bos = id("bos", known(kind.bos));
    this.eos = id("eos", known(kind.eos));
    this.unknown = id("unknown", known(kind.unknown));
    this.addBos = booleanOf(metadata, "tokenizer.ggml.add_bos_token", kind.addBos);
    this.addEos = booleanOf(metadata, "tokenizer.ggml.add_eos_token", false);
    const named = [this.eos, id("eot", null), id("eom", null)].filter((end) => end !== null);
    this.ends = endsOf(tokens, named, this.types);
    for (const special of [this.bos, ...named]) if (special !== null) this.setControl(special);
    this.controls = controlsOf(tokens, this.types);
    const packed = this.pack(tokens, kind);
    this.bytes = packed.bytes;
    this.offsets = packed.offsets;
    this.bytesMax = packed.bytesMax;
    this.slots = this.slotsOf();
  }

  /** The bytes of every token, one after another. */
  private pack(tokens: TextList, kind: VocabularyKind) {
    const utf8 = new TextEncoder();
    const offsets = new Uint32Array(this.size + 1);
    let bytes = new Uint8Array(this.size * 8);
    let bytesMax = 1;
    for (const [id, text] of tokens.entries()) {
      const type = this.types[id]!;
      const special = type === CONTROL || type === USER_DEFINED || type === UNKNOWN;
      const one = special
        ? utf8.encode(text)
        : type === BYTE
          ? Uint8Array.of(byteOf(text, id))
          : kind.matchedBytes(text);
      if (one.length > TOKEN_BYTES_MAX)
        throw invalidModel(`token ${id} has ${one.length} bytes, the limit is ${TOKEN_BYTES_MAX}`);
      if (special && text !== "") this.specials.add(text, id, type !== USER_DEFINED);
      const at = offsets[id]!;
      if (at + one.length > bytes.length) {
        const grown = new Uint8Array(2 * bytes.length + one.length);
        grown.set(bytes);
        bytes = grown;
      }
      bytes.set(one, at);
      offsets[id + 1] = at + one.length;
      bytesMax = Math.max(bytesMax, one.length);
    }
    return { bytes: bytes.slice(0, offsets[this.size]), offsets, bytesMax };
  }

  /** Tokens that a text may be cut into, by their bytes. Of two alike the normal one counts, then
   *  the first. Control tokens are not among them: no text, however it is merged, forges one. */
  private slotsOf(): HashSlots {
    const slots = new HashSlots(this.size);
    for (const userDefined of [false, true])
      for (let id = 0; id < this.size; id++) {
        const type = this.types[id]!;
        if (type === CONTROL || type === UNKNOWN || type === BYTE) continue;
        if ((type === USER_DEFINED) !== userDefined) continue;
        const [from, to] = [this.offsets[id]!, this.offsets[id + 1]!];
        if (from === to) continue;
        const same = (other: number) => this.equals(other, this.bytes, from, to);
        slots.add(hashBytes(this.bytes, from, to), id, same);
      }
    return slots;
  }

  private setControl(id: number): void {
    this.types[id] = CONTROL;
  }

  /** Whether the token stands for itself in a text: it is never merged from one. */
  isSpecial(id: number): boolean {
    const type = this.types[id];
    return type === CONTROL || type === UNKNOWN || type === USER_DEFINED;
  }

  isByte(id: number): boolean {
    return this.types[id] === BYTE;
  }

  /** Whether generated text shows the token at all: not control, unknown or unused. */
  isText(id: number): boolean {
    const type = this.types[id];
    return type === NORMAL || type === USER_DEFINED || type === BYTE;
  }

  /** The bytes of token `id`, as texts are matched with them; not to be written to. */
  bytesOf(id: number): Uint8Array {
    return this.bytes.subarray(this.offsets[id], this.offsets[id + 1]);
  }

  private equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const at = this.offsets[id]!;
    if (this.offsets[id + 1]! - at !== to - from) return false;
    for (let i = from; i < to; i++) if (this.bytes[at + i - from] !== bytes[i]) return false;
    return true;
  }

  /** The token whose bytes are bytes[from..to); -1 if no text may become one. */
  find(bytes: Uint8Array, from: number, to: number): number {
    if (to - from > this.bytesMax) return -1;
    const hash = hashBytes(bytes, from, to);
    return this.slots.find(hash, (id) => this.equals(id, bytes, from, to));
  }
}

function typesOf(metadata: Metadata, tokens: TextList): Uint8Array {
  const types = new Uint8Array(tokens.length).fill(NORMAL);
  const key = "tokenizer.ggml.token_type";
  if (metadata.has(key)) types.set(numbersOf(metadata, key, tokens.length));
  for (const [id, text] of tokens.entries())
    if (ENDS.has(text) || (types[id] === USER_DEFINED && CONTROL_LIKE.test(text)))
      types[id] = CONTROL;
  return types;
}

/** The byte that "<0x0A>" stands for. */
function byteOf(text: string, id: number): number {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)?.[1];
  if (hex === undefined)
    throw invalidModel(`token ${id}, of type byte, is ${text.slice(0, 80)}, not <0xXX>`);
  return Number.parseInt(hex, 16);
}

function controlsOf(tokens: TextList, types: Uint8Array): ReadonlyMap<number, string> {
  const controls = new Map<number, string>();
  for (let id = 0; id < types.length; id++)
    if (types[id] === CONTROL) controls.set(id, tokens.at(id)!);
  return controls;
}

function endsOf(
  tokens: TextList,
  named: readonly number[],
  types: Uint8Array,
): ReadonlySet<number> {
  const ends = new Set(named);
  for (const [id, text] of tokens.entries())
    if (types[id] === CONTROL && ENDS.has(text)) ends.add(id);
  return ends;
}
