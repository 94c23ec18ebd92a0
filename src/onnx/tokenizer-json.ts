/** A model's tokenizer from the `tokenizers` package's tokenizer.json: WordPiece as uncased BERT
 *  has it, with the file's own markers around one text or a pair. */
import { z } from "zod";
import { ServiceError } from "../errors.ts";
import { ONNX_VOCAB_MAX } from "../limits.ts";
import type { GgufValue } from "../model/gguf.ts";
import { WordPiece } from "../model/wordpiece.ts";

/** A sequence as a BERT-like graph takes it. */
export interface TokenSequence {
  ids: number[];
  /** 0 for the first text and its markers, 1 for the second's, as the file says. */
  types: number[];
}

/** A place in a sequence: a marker's id, or one of the texts. */
type Place = { marker: number; type: number } | { text: "A" | "B"; type: number };

const refuse = (fact: string) => new ServiceError("invalid_model_file", `tokenizer.json: ${fact}`);

const Id = z
  .int()
  .min(0)
  .max(ONNX_VOCAB_MAX - 1);
const Marked = z.tuple([z.string(), Id]);
const TemplatePlace = z.union([
  z.object({ SpecialToken: z.object({ id: z.string(), type_id: z.int().min(0).max(1) }) }),
  z.object({ Sequence: z.object({ id: z.enum(["A", "B"]), type_id: z.int().min(0).max(1) }) }),
]);
const PostProcessor = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("TemplateProcessing"),
    single: z.array(TemplatePlace).max(16),
    pair: z.array(TemplatePlace).max(16),
    special_tokens: z.record(z.string(), z.object({ ids: z.array(Id).max(4) })),
  }),
  z.object({ type: z.literal("BertProcessing"), sep: Marked, cls: Marked }),
  z.object({ type: z.literal("RobertaProcessing"), sep: Marked, cls: Marked }),
]);

const TokenizerJson = z.object({
  normalizer: z.object({
    type: z.literal("BertNormalizer"),
    lowercase: z.literal(true),
    strip_accents: z.literal(true).nullish(),
    handle_chinese_chars: z.literal(true).default(true),
    clean_text: z.literal(true).default(true),
  }),
  pre_tokenizer: z.object({ type: z.literal("BertPreTokenizer") }),
  post_processor: PostProcessor,
  model: z.object({
    type: z.literal("WordPiece"),
    unk_token: z.string(),
    continuing_subword_prefix: z.literal("##").default("##"),
    max_input_chars_per_word: z.literal(100).default(100),
    vocab: z.record(z.string(), Id),
  }),
});
type TokenizerJson = z.infer<typeof TokenizerJson>;

/** Texts to the ids that a model was trained on. A marker's text within a text is text. */
export class PairTokenizer {
  readonly #words: WordPiece;
  readonly #single: Place[];
  readonly #pair: Place[];

  private constructor(words: WordPiece, single: Place[], pair: Place[]) {
    this.#words = words;
    this.#single = single;
    this.#pair = pair;
  }

  /** Throws `invalid_model_file` naming the tokenizer's type, or the setting, that is not read. */
  static parse(text: string): PairTokenizer {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new ServiceError("invalid_model_file", "tokenizer.json is not JSON", { cause });
    }
    const type = (value as { model?: { type?: unknown } } | null)?.model?.type;
    if (type !== "WordPiece")
      throw refuse(
        `its model is ${JSON.stringify(type ?? null).slice(0, 40)}; Brink reads WordPiece`,
      );
    const result = TokenizerJson.safeParse(value);
    if (!result.success) {
      const { path, message } = result.error.issues[0]!;
      throw refuse(`${path.join(".")}: ${message} (read is what uncased BERT has)`.slice(0, 300));
    }
    const json = result.data;
    const { single, pair } = places(json);
    return new PairTokenizer(new WordPiece(metadata(json)), single, pair);
  }

  /** One text, cut so that the sequence has at most `tokensMax` tokens, markers included. */
  encode(text: string, tokensMax: number): TokenSequence {
    const room = tokensMax - markersOf(this.#single);
    return fill(this.#single, this.#words.encode(text, room).ids, []);
  }

  /** A pair; where both do not fit, the longer one is cut first, token by token, so that a short
   *  query stays whole. */
  encodePair(first: string, second: string, tokensMax: number): TokenSequence {
    const room = tokensMax - markersOf(this.#pair);
    const a = this.#words.encode(first, room).ids;
    const b = this.#words.encode(second, room).ids;
    const half = room >> 1;
    const keptA = Math.min(a.length, Math.max(room - half, room - b.length));
    const keptB = Math.min(b.length, room - keptA);
    return fill(this.#pair, a.slice(0, keptA), b.slice(0, keptB));
  }
}

const markersOf = (places: readonly Place[]) => places.filter((place) => "marker" in place).length;

function fill(places: readonly Place[], a: readonly number[], b: readonly number[]): TokenSequence {
  const out: TokenSequence = { ids: [], types: [] };
  for (const place of places) {
    const ids = "marker" in place ? [place.marker] : place.text === "A" ? a : b;
    for (const id of ids) {
      out.ids.push(id);
      out.types.push(place.type);
    }
  }
  return out;
}

/** The two layouts. `tokenizers` gives BertProcessing and RobertaProcessing theirs in code. */
function places({ post_processor }: TokenizerJson): { single: Place[]; pair: Place[] } {
  if (post_processor.type === "TemplateProcessing") {
    const { single, pair, special_tokens } = post_processor;
    const read = (place: z.infer<typeof TemplatePlace>): Place[] => {
      if ("Sequence" in place) return [{ text: place.Sequence.id, type: place.Sequence.type_id }];
      const { id, type_id } = place.SpecialToken;
      const token = Object.hasOwn(special_tokens, id) ? special_tokens[id]! : null;
      if (token === null) throw refuse(`post_processor: no special token ${id.slice(0, 40)}`);
      return token.ids.map((marker) => ({ marker, type: type_id }));
    };
    return { single: single.flatMap(read), pair: pair.flatMap(read) };
  }
  const roberta = post_processor.type === "RobertaProcessing";
  const [cls, sep] = [post_processor.cls[1], post_processor.sep[1]];
  const second = roberta ? 0 : 1;
  const single: Place[] = [
    { marker: cls, type: 0 },
    { text: "A", type: 0 },
    { marker: sep, type: 0 },
  ];
  const between: Place[] = roberta ? [{ marker: sep, type: 0 }] : [];
  const rest: Place[] = [
    { text: "B", type: second },
    { marker: sep, type: second },
  ];
  return { single, pair: [...single, ...between, ...rest] };
}

/** The vocabulary under llama.cpp's keys, which WordPiece reads: a piece that continues a word is
 *  bare there, and one that starts a word bears U+2581. */
function metadata({ model }: TokenizerJson): Map<string, GgufValue> {
  const entries = Object.entries(model.vocab);
  const size = entries.reduce((max, [, id]) => Math.max(max, id + 1), 0);
  // An id without a piece gets a text that no word can be.
  const tokens: string[] = Array.from({ length: size }, () => "[ ]");
  for (const [piece, id] of entries)
    tokens[id] = piece.startsWith("##") && piece.length > 2 ? piece.slice(2) : `\u2581${piece}`;
  const unk = Object.hasOwn(model.vocab, model.unk_token)
    ? model.vocab[model.unk_token]
    : undefined;
  if (unk === undefined) throw refuse(`the vocabulary lacks ${model.unk_token.slice(0, 40)}`);
  // Markers come from the post-processor, so WordPiece's own go unused; any id will do for them.
  const markers = ["cls", "separator", "padding"].map((name): [string, GgufValue] => [
    `tokenizer.ggml.${name}_token_id`,
    unk,
  ]);
  return new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "bert"],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.unknown_token_id", unk],
    ...markers,
  ]);
}
