/** The part of a tokenizer.json that turns text into ids: WordPiece as uncased BERT has it, or
 *  byte-level BPE as RoBERTa and GPT-2 have it. */
import { z } from "zod";
import { ServiceError } from "../errors.ts";
import { ONNX_PIECE_CHARS_MAX, ONNX_VOCAB_MAX } from "../limits.ts";
import type { GgufValue } from "../model/gguf.ts";
import { normalForm } from "../model/normal-form.ts";
import { loadTokenizer } from "../model/tokenizer.ts";
import { WordPiece } from "../model/wordpiece.ts";

/** The first `tokensMax` ids of a text, without markers; a marker's text within it is text. */
export type Words = (text: string, tokensMax: number) => number[];

/** What is wrong with a tokenizer.json. */
export const refuse = (fact: string) =>
  new ServiceError("invalid_model_file", `tokenizer.json: ${fact}`);

export const Id = z
  .int()
  .min(0)
  .max(ONNX_VOCAB_MAX - 1);

const Vocab = z.record(z.string(), Id);

/** A special one is a marker; others are looked for in every text, before it is cut into words. */
const AddedTokens = z
  .array(
    z.object({
      id: Id,
      content: z.string(),
      special: z.boolean().default(true),
      lstrip: z.boolean().default(false),
      rstrip: z.boolean().default(false),
      single_word: z.boolean().default(false),
    }),
  )
  .default([]);

const WordPieceJson = z.object({
  normalizer: z.object({
    type: z.literal("BertNormalizer"),
    lowercase: z.literal(true),
    strip_accents: z.literal(true).nullish(),
    handle_chinese_chars: z.literal(true).default(true),
    clean_text: z.literal(true).default(true),
  }),
  pre_tokenizer: z.object({ type: z.literal("BertPreTokenizer") }),
  added_tokens: AddedTokens,
  model: z.object({
    unk_token: z.string(),
    continuing_subword_prefix: z.literal("##").default("##"),
    max_input_chars_per_word: z.literal(100).default(100),
    vocab: Vocab,
  }),
});

const BpeJson = z.object({
  normalizer: z.object({ type: z.literal("NFC") }).nullish(),
  pre_tokenizer: z.object({
    type: z.literal("ByteLevel"),
    add_prefix_space: z.boolean().default(true),
    use_regex: z.literal(true).default(true),
  }),
  added_tokens: AddedTokens,
  model: z.object({
    vocab: Vocab,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).max(ONNX_VOCAB_MAX),
    dropout: z.null().optional(),
    continuing_subword_prefix: z.literal("").nullish(),
    end_of_word_suffix: z.literal("").nullish(),
    byte_fallback: z.literal(false).default(false),
    ignore_merges: z.literal(false).default(false),
  }),
});

/** Throws `invalid_model_file` naming the tokenizer's type, or the setting, that is not read. */
export function readWords(json: unknown): Words {
  const type = (json as { model?: { type?: unknown } } | null)?.model?.type;
  if (type === "WordPiece") return readWordPiece(check(WordPieceJson, json, "uncased BERT"));
  if (type === "BPE") return readBpe(check(BpeJson, json, "byte-level BPE"));
  const found = JSON.stringify(type ?? null).slice(0, 40);
  throw refuse(`its model is ${found}; Brink reads WordPiece and byte-level BPE`);
}

/** `value` as the schema reads it; `like` says what it was made for. */
export function check<T>(schema: z.ZodType<T>, value: unknown, like: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw refuse(`${path.join(".")}: ${message} (read is what ${like} has)`.slice(0, 300));
}

/** The pieces by id. An id without one gets a text that no word can be, its own for each. */
function byId(entries: readonly (readonly [string, number])[]): string[] {
  const size = entries.reduce((max, [, id]) => Math.max(max, id + 1), 0);
  const pieces = Array.from({ length: size }, (_, id) => `[unused ${id}]`);
  for (const [piece, id] of entries) pieces[id] = piece;
  return pieces;
}

/** The vocabulary under llama.cpp's keys, which WordPiece reads: a piece that continues a word is
 *  bare there, and one that starts a word bears U+2581. */
function readWordPiece({ model, added_tokens }: z.infer<typeof WordPieceJson>): Words {
  const word = added_tokens.find(({ special }) => !special);
  if (word) throw refuseAdded(word.content, "is no marker");
  const pieces = Object.entries(model.vocab).map(([piece, id]): [string, number] => {
    const inner = piece.startsWith("##") && piece.length > 2;
    return [inner ? piece.slice(2) : `\u2581${piece}`, id];
  });
  const unk = Object.hasOwn(model.vocab, model.unk_token)
    ? model.vocab[model.unk_token]
    : undefined;
  if (unk === undefined) throw refuse(`the vocabulary lacks ${model.unk_token.slice(0, 40)}`);
  // Markers come from the post-processor, so WordPiece's own go unused; any id will do for them.
  const ids = ["unknown", "cls", "separator", "padding"].map((name): [string, GgufValue] => [
    `tokenizer.ggml.${name}_token_id`,
    unk,
  ]);
  const words = new WordPiece(
    new Map<string, GgufValue>([
      ["tokenizer.ggml.model", "bert"],
      ["tokenizer.ggml.tokens", byId(pieces)],
      ...ids,
    ]),
  );
  return (text, tokensMax) => words.encode(text, tokensMax).ids;
}

function refuseAdded(content: string, fact: string): ServiceError {
  return refuse(`added_tokens: ${JSON.stringify(content.slice(0, 40))} ${fact}, which is not read`);
}

/** GPT-2's words and merges. Only so much of a text is read as `tokensMax` tokens can cover. */
function readBpe({
  normalizer,
  pre_tokenizer,
  added_tokens,
  model,
}: z.infer<typeof BpeJson>): Words {
  const added = added_tokens.map(({ content, id }): [string, number] => [content, id]);
  const pieces = byId([...Object.entries(model.vocab), ...added]);
  // llama.cpp's 3 is a control token, which no text can be, 4 one that is looked for; 1 any other.
  const types = pieces.map(() => 1);
  for (const { id, special } of added_tokens) types[id] = special ? 3 : 4;
  for (const { content, special, lstrip, rstrip, single_word } of added_tokens)
    if (!special && (lstrip || rstrip || single_word || pre_tokenizer.add_prefix_space))
      throw refuseAdded(content, "is no marker and changes what is beside it");
  const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  const tokenizer = loadTokenizer(
    new Map<string, GgufValue>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", "gpt-2"],
      ["tokenizer.ggml.tokens", pieces],
      ["tokenizer.ggml.token_type", types],
      ["tokenizer.ggml.merges", merges.filter((merge) => !merge.startsWith("#version"))],
    ]),
  );
  return (text, tokensMax) => {
    const cut = text.slice(0, tokensMax * ONNX_PIECE_CHARS_MAX);
    const normal = normalizer == null ? cut : normalForm(cut, "NFC");
    const whole = pre_tokenizer.add_prefix_space && !normal.startsWith(" ") ? ` ${normal}` : normal;
    const options = { tokensMax: 4 * whole.length + 4 }; // a character has four bytes at most
    return tokenizer.encode(whole, options).slice(0, tokensMax);
  };
}
