/** How well a text answers a question: a logistic model over what the reader, the encoder and the
 *  words alone say of the two. train/reranker.py fits it on these same features. */
import { assert } from "../errors.ts";
import {
  ENCODER_TOKENS_MAX,
  READER_QUESTION_TOKENS_MAX,
  RERANK_PIECE_STRIDE,
  RERANK_PIECES_MAX,
} from "../limits.ts";
import type { Encoder } from "./encoder.ts";
import type { PassageReading, SpanReader } from "./reader.ts";

/** The reranker's public name, for GET /v1/models and where a model is chosen. */
export const RERANKER_ID = "brink-reranker";

export const PAIR_FEATURES = ["log_sum", "cosine", "coverage"] as const;

/** Of a question and a piece of text:
 *    log_sum   the logarithm of the summed exp(score) of the reader's spans: by its softmax the
 *              log odds that the answer is here and not nowhere;
 *    cosine    of the two embeddings, -1..1;
 *    coverage  the share of the question's distinct tokens that the piece has, each weighing its
 *              rarity, 0..1. */
export type PairFeatures = Record<(typeof PAIR_FEATURES)[number], number>;

/** models/reranker.json, as it lies there: the logit is the bias and weight * feature. */
export interface RerankerFile {
  version: string;
  weights: PairFeatures;
  bias: number;
}

/** A piece of one of several texts, and what was seen of it. */
export interface PairReading {
  text: number;
  features: PairFeatures;
  reading: PassageReading;
}

/** The place in BERT's vocabulary after which whole words stand, the most frequent first; before it
 *  are single characters. */
const FIRST_WORD_ID = 1_995;

export class Reranker {
  readonly version: string;
  readonly #encoder: Encoder;
  readonly #reader: SpanReader;
  readonly #file: RerankerFile;

  /** `reader` was trained on `encoder`'s tokens. */
  constructor(encoder: Encoder, reader: SpanReader, file: RerankerFile) {
    const logit = PAIR_FEATURES.reduce((sum, name) => sum + file.weights[name], file.bias);
    assert(Number.isFinite(logit), `reranker weights of ${PAIR_FEATURES.join(", ")}`);
    this.version = file.version;
    this.#encoder = encoder;
    this.#reader = reader;
    this.#file = file;
  }

  /** How well each text answers, 0..1, in order: the best of its pieces; 0 of a text without
   *  tokens. Two model runs a piece. */
  score(question: string, texts: readonly string[], piecesMax = RERANK_PIECES_MAX): number[] {
    const scores = new Array<number>(texts.length).fill(0);
    for (const { text, features } of this.read(question, texts, piecesMax))
      scores[text] = Math.max(scores[text]!, this.scoreOf(features));
    return scores;
  }

  /** Every piece of every text, in order; of a text the first `piecesMax`. */
  read(question: string, texts: readonly string[], piecesMax = RERANK_PIECES_MAX): PairReading[] {
    const pieces = texts.flatMap((text, i) =>
      this.#cut(text, piecesMax).map((piece) => ({ ...piece, i })),
    );
    const passages = pieces.map(({ text }) => text);
    const [asked, ...vectors] = this.#encoder.embed([question, ...passages]);
    const readings = this.#reader.read(question, passages);
    const rarity = this.#rarities(question);
    return pieces.map(({ i, ids }, n) => {
      const reading = readings[n]!;
      const cosine = vectors[n]!.reduce((sum, x, j) => sum + x * asked![j]!, 0);
      const features = { log_sum: reading.logSum, cosine, coverage: coverageOf(rarity, ids) };
      return { text: i, features, reading };
    });
  }

  /** 0..1. */
  scoreOf(features: PairFeatures): number {
    const { weights, bias } = this.#file;
    const logit = PAIR_FEATURES.reduce((sum, name) => sum + weights[name] * features[name], bias);
    return 1 / (1 + Math.exp(-logit));
  }

  /** The pieces that the encoder sees whole, RERANK_PIECE_STRIDE tokens apart, up to the first that
   *  reaches the text's end or the bound. */
  #cut(text: string, piecesMax: number): { text: string; ids: number[] }[] {
    const room = ENCODER_TOKENS_MAX - 2;
    const tokensMax = room + (piecesMax - 1) * RERANK_PIECE_STRIDE;
    const { ids, starts, ends } = this.#encoder.tokenizer.encode(text, tokensMax);
    const out: { text: string; ids: number[] }[] = [];
    for (let first = 0; first < ids.length; first += RERANK_PIECE_STRIDE) {
      const last = Math.min(first + room, ids.length);
      out.push({ text: text.slice(starts[first], ends[last - 1]), ids: ids.slice(first, last) });
      if (last === ids.length) break;
    }
    return out;
  }

  /** The question's distinct tokens with their rarity: the logarithm of the place in a vocabulary
   *  that is sorted by frequency, which by Zipf's law is an inverse document frequency less a
   *  constant. No statistics are at hand here; single characters and punctuation weigh nothing. */
  #rarities(question: string): Map<number, number> {
    const { ids } = this.#encoder.tokenizer.encode(question, READER_QUESTION_TOKENS_MAX);
    return new Map(ids.map((id) => [id, Math.log(Math.max(1, id - FIRST_WORD_ID))]));
  }
}

/** The share of the weights whose token is among `ids`; 0 where all weigh nothing. */
function coverageOf(rarity: ReadonlyMap<number, number>, ids: readonly number[]): number {
  const held = new Set(ids);
  let [all, found] = [0, 0];
  for (const [id, weight] of rarity) {
    all += weight;
    if (held.has(id)) found += weight;
  }
  return all === 0 ? 0 : found / all;
}
