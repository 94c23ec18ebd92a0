/** A model whose logits are a function of the ids it holds, and a tokenizer of bytes and words. */
import { assert } from "../../src/errors.ts";
import type { TokenModel } from "../../src/model/decoder.ts";
import type { Tokenizer } from "../../src/model/tokenizer.ts";

export class FakeModel implements TokenModel {
  readonly vocab_size: number;
  readonly context_length: number;
  readonly logitsOf: (ids: readonly number[]) => Float32Array;
  /** Ids that were appended, in calls of so many. */
  readonly calls: number[] = [];
  private ids: number[] = [];

  constructor(
    vocab_size: number,
    context_length: number,
    logitsOf: (ids: readonly number[]) => Float32Array,
  ) {
    this.vocab_size = vocab_size;
    this.context_length = context_length;
    this.logitsOf = logitsOf;
  }

  get length(): number {
    return this.ids.length;
  }

  append(ids: readonly number[], rows = 1): Float32Array {
    assert(ids.length > 0 && rows <= ids.length, "rows are of the ids appended");
    assert(this.length + ids.length <= this.context_length, "the ids fit the context");
    this.calls.push(ids.length);
    const logits = new Float32Array(rows * this.vocab_size);
    for (const [i, id] of ids.entries()) {
      assert(id >= 0 && id < this.vocab_size, "ids are of the vocabulary");
      this.ids.push(id);
      const row = i - (ids.length - rows);
      if (row >= 0) logits.set(this.logitsOf(this.ids), row * this.vocab_size);
    }
    return logits;
  }

  truncate(length: number): void {
    assert(length <= this.length, "truncation only forgets");
    this.ids.length = length;
  }
}

/** 32 random bits from a seed and integers: what a model "thinks" of a context. */
export function hash(seed: number, ...values: number[]): number {
  let h = seed | 0;
  for (const value of values) {
    h = Math.imul(h ^ value, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/** Uniform logits in [-spread, spread] from the last `order` ids. */
export function randomLogits(seed: number, vocab_size: number, order: number, spread = 4) {
  return (ids: readonly number[]): Float32Array => {
    const context = hash(seed, ...ids.slice(-order));
    return Float32Array.from(
      { length: vocab_size },
      (_, id) => (hash(context, id) / 2 ** 31 - 1) * spread,
    );
  };
}

/** Ids 0 to 255 are those bytes, then come `words`, and last a control token that ends a text. */
export function fakeTokenizer(words: readonly string[] = []): Tokenizer & { end: number } {
  const texts = words.map((word) => new TextEncoder().encode(word));
  const single = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const bytes: Uint8Array[] = [...single, ...texts];
  const end = bytes.length;
  const bytesOf = (id: number) => bytes[id] ?? new Uint8Array(0);
  return {
    end,
    vocab_size: end + 1,
    bos: null,
    eos: new Set([end]),
    eosToken: end,
    addBos: false,
    controls: new Map([[end, "<end>"]]),
    encode: (text) => Array.from(new TextEncoder().encode(text)),
    encodeSegments: (segments, ids) => {
      for (const part of segments)
        ids.push(...(typeof part === "number" ? [part] : new TextEncoder().encode(part)));
      return ids;
    },
    decode: (ids) =>
      new TextDecoder().decode(Uint8Array.from(ids.flatMap((id) => [...bytesOf(id)]))),
    bytesOf,
  };
}

/** Logits that make the model say `text`, byte by byte, after a prompt of so many ids, and end. */
export function sayer(
  tokenizer: { end: number; vocab_size: number },
  prompt: number,
  text: string,
) {
  const bytes = new TextEncoder().encode(text);
  return (ids: readonly number[]): Float32Array => {
    const logits = new Float32Array(tokenizer.vocab_size);
    logits[bytes[ids.length - prompt] ?? tokenizer.end] = 20;
    return logits;
  };
}
