/** Extracts answers: which span of a passage answers a question, and whether any does. The
 *  definition is train/reader.py's, on which the model was trained and its threshold fitted. */
import {
  READER_QUESTION_TOKENS_MAX,
  READER_TOKENS_MAX,
  READER_WINDOW_STRIDE,
  READER_WINDOWS_MAX,
} from "../limits.ts";
import type { BertWeights, Precision } from "./bert.ts";
import { calibrate } from "./calibrate.ts";
import type { Encoder } from "./encoder.ts";
import { GgufStream } from "./gguf-stream.ts";
import type { Kernels } from "./kernels.ts";
import { integerOf, numberOf } from "./metadata.ts";
import { forwardEach } from "./ragged.ts";
import { readSpans } from "./spans.ts";
import { contextOf, type LoadedBert, loadBert } from "./weights.ts";
import type { Encoding, WordPiece } from "./wordpiece.ts";

const READER_VERSION = 1;

/** A span [start, end) in UTF-16 units of the passage. Its score is start logit + end logit less
 *  those of [CLS], which stand for "no answer here": comparable between passages. */
export interface Span {
  start: number;
  end: number;
  score: number;
}

/** Of the passage's window with the greatest score. */
export interface PassageReading {
  /** Of the greatest scores, best first, at most READER_SPANS_MAX; none for a passage without
   *  tokens. */
  spans: Span[];
  /** The logarithm of the sum of exp(score) over all spans; -Infinity where there is none. */
  logSum: number;
  /** The entropies of the softmax over the tokens as starts and as ends, in nats. */
  startEntropy: number;
  endEntropy: number;
  /** Start logit + end logit of [CLS]; 0 without tokens. */
  nullScore: number;
  /** The logit of the answerability head; 0 without tokens. */
  answerable: number;
}

/** Of a passage without tokens. */
export const UNREAD: Readonly<PassageReading> = {
  spans: [],
  logSum: Number.NEGATIVE_INFINITY,
  startEntropy: 0,
  endEntropy: 0,
  nullScore: 0,
  answerable: 0,
};

export interface ReaderChoice extends Span {
  /** Index into the readings. */
  passage: number;
  /** Whether the score is below the threshold that the model's file names. */
  abstain: boolean;
  /** The chance that the span is right, 0..1: the logistic of its score, scaled and shifted as the
   *  model's file says. */
  probability: number;
}

/** Numbers that were fitted with the model, from the brink.reader.* keys of its file. */
interface Calibration {
  null_threshold: number;
  confidence_scale: number;
  confidence_bias: number;
}

/** A row of the batch: [CLS] question [SEP] passage tokens from `offset` on [SEP]. */
interface Window {
  ids: number[];
  secondAt: number;
  passage: number;
  offset: number;
}

export class SpanReader {
  readonly calibration: Readonly<Calibration>;
  private readonly kernels: Kernels;
  private readonly weights: BertWeights;
  private readonly heads: ReadonlyMap<string, number>;
  private readonly tokenizer: WordPiece;
  private readonly precision: Precision;

  private constructor(
    kernels: Kernels,
    tokenizer: WordPiece,
    loaded: LoadedBert,
    calibration: Calibration,
    precision: Precision,
  ) {
    this.kernels = kernels;
    this.tokenizer = tokenizer;
    this.weights = loaded.weights;
    this.heads = loaded.heads;
    this.calibration = calibration;
    this.precision = precision;
  }

  /** Reads a reader's GGUF into the kernels' memory, where `encoder`, whose vocabulary and token
   *  embeddings it shares, already is; the kernels must not be used meanwhile. `precision` as in
   *  Encoder.load. Errors:
   *  invalid_model_file, with nothing left allocated. */
  static async load(
    kernels: Kernels,
    stream: ReadableStream<Uint8Array>,
    encoder: Encoder,
    precision: Precision = "exact",
  ): Promise<SpanReader> {
    const file = await GgufStream.open(stream);
    try {
      const { metadata } = file.header;
      integerOf(metadata, "brink.reader.version", READER_VERSION, READER_VERSION);
      integerOf(metadata, "brink.reader.tokens_max", READER_TOKENS_MAX, 8192);
      contextOf(metadata, READER_TOKENS_MAX);
      const calibration = {
        null_threshold: numberOf(metadata, "brink.reader.null_threshold"),
        confidence_scale: numberOf(metadata, "brink.reader.confidence_scale"),
        confidence_bias: numberOf(metadata, "brink.reader.confidence_bias"),
      };
      const { dim } = encoder;
      const loaded = await loadBert(kernels, file, encoder.tokens, [
        { name: "qa_span.weight", rows: 2, cols: dim },
        { name: "qa_span.bias", rows: 1, cols: 2 },
        { name: "qa_answerable.weight", rows: 1, cols: dim },
        { name: "qa_answerable.bias", rows: 1, cols: 1 },
      ]);
      const { tokenizer } = encoder;
      if (precision === "fast") calibrate(kernels, loaded.weights, tokenizer);
      return new SpanReader(kernels, tokenizer, loaded, calibration, precision);
    } catch (error) {
      await file.cancel();
      throw error;
    }
  }

  /** One reading a passage, in order. The question is cut to READER_QUESTION_TOKENS_MAX tokens. */
  read(question: string, passages: readonly string[]): PassageReading[] {
    const asked = this.tokenizer.encode(question, READER_QUESTION_TOKENS_MAX).ids;
    const room = READER_TOKENS_MAX - 3 - asked.length;
    const tokensMax = room + (READER_WINDOWS_MAX - 1) * READER_WINDOW_STRIDE;
    const encodings = passages.map((text) => this.tokenizer.encode(text, tokensMax));
    const windows = encodings.flatMap(({ ids }, i) => this.windows(asked, ids, i, room));
    const readings: PassageReading[] = passages.map(() => ({ ...UNREAD }));
    forwardEach(this.kernels, this.weights, windows, this.precision, (i, hidden) => {
      const window = windows[i]!;
      const reading = this.readWindow(window, encodings[window.passage]!, hidden);
      const before = readings[window.passage]!.spans[0];
      if (before === undefined || reading.spans[0]!.score > before.score)
        readings[window.passage] = reading;
    });
    return readings;
  }

  /** The best span over all passages, the first of equals; null when no passage has a token. */
  choose(readings: readonly PassageReading[]): ReaderChoice | null {
    const { null_threshold, confidence_scale, confidence_bias } = this.calibration;
    let choice: ReaderChoice | null = null;
    for (const [passage, { spans }] of readings.entries()) {
      const best = spans[0];
      if (best === undefined || (choice !== null && best.score <= choice.score)) continue;
      const logit = confidence_scale * best.score + confidence_bias;
      const probability = 1 / (1 + Math.exp(-logit));
      choice = { ...best, passage, abstain: best.score < null_threshold, probability };
    }
    return choice;
  }

  private windows(asked: number[], tokens: number[], passage: number, room: number): Window[] {
    const { cls, sep } = this.tokenizer;
    const out: Window[] = [];
    for (let offset = 0; offset < tokens.length; offset += READER_WINDOW_STRIDE) {
      const ids = [cls, ...asked, sep, ...tokens.slice(offset, offset + room), sep];
      out.push({ ids, secondAt: asked.length + 2, passage, offset });
      if (offset + room >= tokens.length) break;
    }
    return out;
  }

  private readWindow(window: Window, encoding: Encoding, hidden: number): PassageReading {
    const { kernels, heads } = this;
    const { dim } = this.weights.config;
    const n = window.ids.length;
    const at = kernels.alloc(n * 2 * 4);
    const one = kernels.alloc(4);
    const weight = (name: string) => heads.get(name)!;
    const span = { m: n, n: 2, k: dim };
    kernels.linearF32(at, hidden, weight("qa_span.weight"), weight("qa_span.bias"), span);
    const yes = { m: 1, n: 1, k: dim };
    const [w, b] = [weight("qa_answerable.weight"), weight("qa_answerable.bias")];
    kernels.linearF32(one, hidden, w, b, yes);
    const logits = kernels.f32(at, n * 2); // [n, 2]: start and end of each token
    const nullScore = logits[0]! + logits[1]!;
    const found = readSpans(logits.subarray(window.secondAt * 2, (n - 1) * 2));
    return {
      spans: found.spans.map(({ first, last, score }) => ({
        start: encoding.starts[window.offset + first]!,
        end: encoding.ends[window.offset + last]!,
        score: score - nullScore,
      })),
      logSum: found.logSum - nullScore,
      startEntropy: found.startEntropy,
      endEntropy: found.endEntropy,
      nullScore,
      answerable: kernels.f32(one, 1)[0]!,
    };
  }
}
