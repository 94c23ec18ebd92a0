/** A decoder: a GGUF file's weights and tokenizer, and the tokens of one sequence. */
import { assert } from "../errors.ts";
import {
  DECODER_CONTEXT_DEFAULT,
  DECODER_CONTEXT_MAX,
  DECODER_LOGIT_ROWS_MAX,
  DECODER_ROWS_STEP,
  GGUF_PANEL_BYTES,
} from "../limits.ts";
import { allocCache, type CacheBits } from "./attend.ts";
import { ChatTemplate } from "./chat-template.ts";
import { readDecoderConfig } from "./decoder-config.ts";
import type { DecoderKernels } from "./decoder-kernels.ts";
import { checkDecoderFits } from "./decoder-memory.ts";
import { loadDecoderWeights, weightBytes } from "./decoder-weights.ts";
import { type GgufHeader, invalidModel } from "./gguf.ts";
import { GgufStream } from "./gguf-stream.ts";
import { contextBytes, forward, forwardBytes, type LlamaState } from "./llama.ts";
import { stringOf } from "./metadata.ts";
import { loadTokenizer, mergesIn, type Tokenizer } from "./tokenizer.ts";

/** A sequence of tokens and what a model says comes next: all that generation sees. */
export interface TokenModel {
  readonly vocab_size: number;
  /** Positions that the KV cache holds. */
  readonly context_length: number;
  /** Tokens in the KV cache. */
  readonly length: number;
  /** Appends ids; logits f32 [rows, vocab_size] after each of the last `rows` of them, 1 unless
   *  given, at most DECODER_LOGIT_ROWS_MAX. The view is valid until the next call. Throws when the
   *  context cannot hold the ids. */
  append(ids: readonly number[], rows?: number): Float32Array;
  /** Forgets the tokens from `length` on. */
  truncate(length: number): void;
}

/** What /v1/models tells of a decoder. */
export interface DecoderFacts {
  readonly architecture: string;
  /** Positions that the model was trained for. */
  readonly trainedContext: number;
  readonly parameters: number;
  /** Bytes of linear memory that the weights and the whole context take. */
  readonly weightBytes: number;
  readonly contextBytes: number;
}

export interface DecoderOptions {
  /** Positions of the KV cache, DECODER_CONTEXT_DEFAULT unless given; at most what the model was
   *  trained for. */
  context?: number;
  /** Of the KV cache's numbers: 8, unless 16 is worth twice the memory. */
  cacheBits?: CacheBits;
  /** Called at each read of the file; what it throws ends the load. */
  onRead?: () => void;
}

/** Checks a decoder's header and gives what it will take. Errors: invalid_model_file, and
 *  model_too_large when it cannot fit beside `usedBytes` in linear memory of `linearMax`. */
export function planDecoder(
  header: GgufHeader,
  { usedBytes, linearMax }: { usedBytes: number; linearMax: number },
  options: DecoderOptions = {},
) {
  const config = readDecoderConfig(header);
  const wanted = options.context ?? DECODER_CONTEXT_DEFAULT;
  assert(Number.isInteger(wanted) && wanted > 0, `a context of ${wanted} positions`);
  const context = Math.min(wanted, config.context_length, DECODER_CONTEXT_MAX);
  const bits = options.cacheBits ?? 8;
  const weights = weightBytes(header.tensors, config);
  const step = { m: Math.min(DECODER_ROWS_STEP, context), rows: DECODER_LOGIT_ROWS_MAX };
  const activations = Math.max(GGUF_PANEL_BYTES, forwardBytes(config, { bits, ...step }));
  const { vocab_size } = config;
  const merges = mergesIn(header.metadata);
  const kvCache = (positions: number) => contextBytes(config, bits, positions);
  const memory = { weights, kvCache, activations, vocab_size, merges };
  checkDecoderFits(memory, context, { usedBytes, linearMax });
  return { config, bits, context, weights, kvCache: kvCache(context), activations };
}

/** All that a file's header is needed for, which is then let go of. Not in line with what awaits:
 *  a suspended function keeps what its temporaries held. Errors: as planDecoder, loadTokenizer and
 *  ChatTemplate.from. */
function readHeader(kernels: DecoderKernels, file: GgufStream, options: DecoderOptions) {
  const { metadata, tensors } = file.header;
  const memory = { usedBytes: kernels.mark(), linearMax: kernels.bytesMax };
  const plan = planDecoder(file.header, memory, options);
  const id = stringOf(metadata, "general.name");
  const tokenizer = loadTokenizer(metadata);
  const template = ChatTemplate.from(metadata, tokenizer);
  file.dropMetadata();
  const facts: DecoderFacts = {
    architecture: plan.config.architecture,
    trainedContext: plan.config.context_length,
    parameters: tensors.reduce((sum, { rows, cols }) => sum + rows * cols, 0),
    weightBytes: plan.weights,
    contextBytes: plan.kvCache,
  };
  return { plan, named: { id, tokenizer, template, facts } };
}

export class Decoder implements TokenModel {
  /** The model's name in its file. */
  readonly id: string;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly facts: DecoderFacts;
  readonly vocab_size: number;
  readonly context_length: number;
  private readonly kernels: DecoderKernels;
  private readonly state: LlamaState;
  private tokens = 0;

  private constructor(
    kernels: DecoderKernels,
    state: LlamaState,
    context: number,
    named: Pick<Decoder, "id" | "tokenizer" | "template" | "facts">,
  ) {
    this.id = named.id;
    this.tokenizer = named.tokenizer;
    this.template = named.template;
    this.facts = named.facts;
    this.vocab_size = state.config.vocab_size;
    this.context_length = context;
    this.kernels = kernels;
    this.state = state;
  }

  /** Reads a decoder's GGUF into the kernels' memory; the kernels must not be used meanwhile. All
   *  that can be known from the header is checked before a weight is read. Errors:
   *  invalid_model_file and model_too_large, with nothing left allocated, the stream cancelled. */
  static async load(
    kernels: DecoderKernels,
    stream: ReadableStream<Uint8Array>,
    options: DecoderOptions = {},
  ): Promise<Decoder> {
    const file = await GgufStream.open(stream, undefined, options.onRead);
    const mark = kernels.mark();
    try {
      const { plan, named } = readHeader(kernels, file, options);
      const { config, bits, context } = plan;
      const weights = await loadDecoderWeights(kernels, file, config);
      const { rope_dim, rope_base } = config;
      const factors = weights.ropeFactors ?? undefined;
      const state = {
        config,
        weights,
        cacheBits: bits,
        caches: weights.layers.map(() => allocCache(kernels, bits, context, config)),
        ropeTable: kernels.ropeTable(context, rope_dim, rope_base, factors),
      };
      const end = kernels.mark();
      kernels.alloc(plan.activations); // so that memory grows now or never
      kernels.release(end);
      return new Decoder(kernels, state, context, named);
    } catch (error) {
      kernels.release(mark);
      await file.cancel();
      throw error;
    }
  }

  get length(): number {
    return this.tokens;
  }

  /** As TokenModel says. Errors: invalid_model_file when the logits are not finite, with the ids
   *  forgotten: the weights of a file can be finite and its products not. */
  append(ids: readonly number[], rows = 1): Float32Array {
    const { kernels, state, vocab_size, context_length } = this;
    const n = ids.length;
    assert(
      n > 0 && this.tokens + n <= context_length,
      `${this.tokens} + ${n} of ${context_length}`,
    );
    assert(Number.isInteger(rows) && rows >= 0 && rows <= n, `logits of ${rows} of ${n} tokens`);
    assert(rows <= DECODER_LOGIT_ROWS_MAX, `logits of ${rows}, limit ${DECODER_LOGIT_ROWS_MAX}`);
    for (const id of ids)
      assert(Number.isInteger(id) && id >= 0 && id < vocab_size, `token ${id} is no such one`);
    const mark = kernels.mark();
    try {
      // The last step holds every row whose logits are wanted.
      const last = Math.max(rows, n % DECODER_ROWS_STEP || DECODER_ROWS_STEP);
      let at = 0;
      for (; n - at > last; kernels.release(mark)) {
        const m = Math.min(DECODER_ROWS_STEP, n - at - last);
        forward(kernels, state, ids.slice(at, at + m), this.tokens + at, 0);
        at += m;
      }
      const offset = forward(kernels, state, ids.slice(at), this.tokens + at, rows);
      const logits = rows > 0 ? kernels.f32(offset, rows * vocab_size) : new Float32Array(0);
      if (!allFinite(logits)) throw invalidModel(`${this.id} gives logits that are not finite`);
      this.tokens += n;
      return logits;
    } finally {
      kernels.release(mark);
    }
  }

  truncate(length: number): void {
    const valid = Number.isInteger(length) && length >= 0 && length <= this.tokens;
    assert(valid, `truncate ${this.tokens} tokens to ${length}`);
    this.tokens = length;
  }
}

/** A sum of zeros unless one of the numbers is an infinity or a NaN. */
function allFinite(numbers: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]! * 0;
  return sum === 0;
}
