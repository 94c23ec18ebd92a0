/** Texts to embeddings: WordPiece, BERT, mean over tokens, unit length. */
import { assert } from "../errors.ts";
import { ENCODER_TOKENS_MAX } from "../limits.ts";
import type { BertWeights, Precision } from "./bert.ts";
import { calibrate } from "./calibrate.ts";
import { GgufStream } from "./gguf-stream.ts";
import type { Kernels } from "./kernels.ts";
import { stringOf } from "./metadata.ts";
import { forwardEach } from "./ragged.ts";
import { contextOf, loadBert, type SharedTokens } from "./weights.ts";
import { WordPiece } from "./wordpiece.ts";

export class Encoder {
  /** The model's name in its file. */
  readonly id: string;
  readonly dim: number;
  readonly tokenizer: WordPiece;
  /** For a reader that was trained on the same token embeddings. */
  readonly tokens: SharedTokens;
  readonly precision: Precision;
  private readonly kernels: Kernels;
  private readonly weights: BertWeights;

  private constructor(
    id: string,
    kernels: Kernels,
    tokenizer: WordPiece,
    loaded: { weights: BertWeights; tokens: SharedTokens },
    precision: Precision,
  ) {
    this.id = id;
    this.dim = loaded.weights.config.dim;
    this.tokenizer = tokenizer;
    this.tokens = loaded.tokens;
    this.kernels = kernels;
    this.weights = loaded.weights;
    this.precision = precision;
  }

  /** Reads an encoder's GGUF into the kernels' memory; the kernels must not be used meanwhile. With
   *  precision "fast", which is the default, texts of MIXED_TOKENS_MIN tokens and more meet 7-bit
   *  activations; the model card gives what that costs.
   *  Errors: invalid_model_file, with nothing left allocated. */
  static async load(
    kernels: Kernels,
    stream: ReadableStream<Uint8Array>,
    precision: Precision = "fast",
  ): Promise<Encoder> {
    const file = await GgufStream.open(stream);
    try {
      const { metadata } = file.header;
      const tokenizer = new WordPiece(metadata);
      const id = stringOf(metadata, "general.name");
      contextOf(metadata, ENCODER_TOKENS_MAX);
      const loaded = await loadBert(kernels, file, tokenizer.vocab_size);
      if (precision === "fast") calibrate(kernels, loaded.weights, tokenizer);
      return new Encoder(id, kernels, tokenizer, loaded, precision);
    } catch (error) {
      await file.cancel();
      throw error;
    }
  }

  /** One unit vector f32 [dim] a text, in the order given. A text is cut to its first
   *  ENCODER_TOKENS_MAX tokens, [CLS] and [SEP] included. */
  embed(texts: readonly string[]): Float32Array[] {
    const { cls, sep } = this.tokenizer;
    const sequences = texts.map((text) => {
      const ids = [cls, ...this.tokenizer.encode(text, ENCODER_TOKENS_MAX - 2).ids, sep];
      return { ids, secondAt: ids.length };
    });
    const out: Float32Array[] = new Array(texts.length);
    forwardEach(this.kernels, this.weights, sequences, this.precision, (i, hidden) => {
      const pooled = this.kernels.alloc(this.dim * 4);
      this.kernels.meanPoolF32(pooled, hidden, sequences[i]!.ids.length, this.dim);
      out[i] = this.kernels.f32(pooled, this.dim).slice();
    });
    return out;
  }

  /** f32 [dim]: the mean of the token embeddings of a text's distinct pieces, before any layer;
   *  zeros for a text without pieces. The text is not cut: callers bound it. */
  averageTokens(text: string): Float32Array {
    const ids = new Set(this.tokenizer.encode(text).ids);
    ids.delete(this.tokenizer.unk);
    const mean = new Float32Array(this.dim);
    for (const id of ids) this.addToken(mean, id, 1 / ids.size);
    return mean;
  }

  /** sum += factor times the embedding of token `id`. */
  addToken(sum: Float32Array, id: number, factor: number): void {
    const { qs, d, vocab_size } = this.tokens;
    assert(id >= 0 && id < vocab_size, `token ${id} is no such one`);
    const row = this.kernels.i8(qs + id * this.dim, this.dim);
    const scale = factor * this.kernels.f32(d + id * 4, 1)[0]!;
    for (let j = 0; j < this.dim; j++) sum[j]! += scale * row[j]!;
  }

  /** How many tokens a text has, uncut, [CLS] and [SEP] not counted. */
  countTokens(text: string): number {
    return this.tokenizer.encode(text).ids.length;
  }
}
