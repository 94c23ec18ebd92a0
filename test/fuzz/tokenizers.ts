/** Tokenizers: what is encoded comes back, in parts too, and no text is a control token. */
import { ENCODE_TOKENS_MAX } from "../../src/limits.ts";
import type { GgufValue } from "../../src/model/gguf.ts";
import { loadTokenizer, type Tokenizer } from "../../src/model/tokenizer.ts";
import { WordPiece } from "../../src/model/wordpiece.ts";
import { PairTokenizer } from "../../src/onnx/tokenizer-json.ts";
import { byteChars, toyBpe, toySpm } from "../model/toy-vocabulary.ts";
import { tokenizerJson } from "../onnx/tiny-models.ts";
import { ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, refusalOf, type Target } from "./target.ts";

const CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "[INST]", "</s>", "<|a-b|>"];
const DEFINED = ["<think>", "</think>", "  "];
const PRE = ["gpt-2", "llama-bpe", "smollm", "stablelm2", "qwen2"];
const MERGES = ["l o", "lo w", "e r", "Ġ w", "t h", "th e", "Ã ©", "Ċ Ċ", "Ġ Ġ", "1 2"];
const MARKERS = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<unk>", "<s>", "<0x0A>", "##s"];

export const TOKEN_PIECES: readonly string[] = [
  ...[...CONTROLS, ...DEFINED, ...MARKERS, ...ODD_TEXTS],
  ..."<| |> <|im_ start|> < /s> [ INST ] low lower the lowther 12 123 1234 don't 'RE ab".split(" "),
  ...[" ", "   ", "\n\n", " \n ", "\t", "x".repeat(200), "猫", "e\u0301", "ﬁ", "İ", "\u{10ffff}"],
];

interface Made {
  tokenizer: Tokenizer;
  /** The text that comes back. */
  exact(text: string): string;
  /** Whether a space is put before a text and after each token that stands for itself. */
  spaced: boolean;
}

/** A vocabulary with a letter of each kind, so that texts fall into tokens, bytes and both. */
function someTokenizer(random: Random): Made {
  if (random.once(3)) {
    const pieces: [string, number][] = ["▁", "l", "o", "lo", "▁lo", "the", "▁the", "é", "▁▁"].map(
      (piece, i) => [piece, -i],
    );
    const spaced = random.once(2);
    const more = { "tokenizer.ggml.add_space_prefix": spaced };
    const tokenizer = loadTokenizer(toySpm({ pieces, userDefined: DEFINED, more }));
    // SentencePiece writes spaces as U+2581, so that one of these is a space.
    const exact = (text: string) => text.toWellFormed().replaceAll("\u2581", " ");
    return { tokenizer, exact, spaced };
  }
  const merges = MERGES.filter(() => !random.once(4));
  const made = new Set(merges.flatMap((merge) => [merge.replace(" ", "")]));
  const legal = merges.filter((merge) => {
    return merge.split(" ").every((part) => [...part].length === 1 || made.has(part));
  });
  const more: Record<string, GgufValue> = { "tokenizer.ggml.eos_token_id": 256 + legal.length };
  const options = {
    pre: random.pick(PRE),
    merges: legal,
    controls: CONTROLS,
    userDefined: DEFINED,
  };
  const tokenizer = loadTokenizer(toyBpe({ ...options, more }));
  // What lies between tokens that stand for themselves is put into NFC, each stretch by itself.
  const stretch = (text: string) => (options.pre === "qwen2" ? text.normalize("NFC") : text);
  const exact = (text: string) =>
    text
      .toWellFormed()
      .split(/(<think>|<\/think>| {2})/)
      .map(stretch)
      .join("");
  return { tokenizer, exact, spaced: false };
}

/** Token by token, as a reply is streamed. */
function streamed(tokenizer: Tokenizer, ids: readonly number[]): string {
  const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  return (
    ids.map((id) => utf8.decode(tokenizer.bytesOf(id), { stream: true })).join("") + utf8.decode()
  );
}

function checkDecoder(text: string, random: Random): string {
  const { tokenizer, exact, spaced } = someTokenizer(random);
  const ids = tokenizer.encode(text);
  must(
    ids.every((id) => !tokenizer.controls.has(id)),
    "a control token out of a text",
  );
  must(ids.length <= Buffer.byteLength(exact(text)) + 1 + text.length, "more tokens than bytes");
  mustEqual(tokenizer.decode(ids), exact(text), "decoded");
  const apart = DEFINED.some((token) => text.includes(token));
  const wanted = `${spaced && text !== "" ? " " : ""}${exact(text)}`;
  if (!spaced || !apart) mustEqual(streamed(tokenizer, ids), wanted, "streamed");
  const segments = tokenizer.encodeSegments([text], []);
  mustEqual(segments, ids, "as a segment");
  try {
    const tokensMax = random.once(2) ? ids.length : random.below(ids.length + 2);
    mustEqual(tokenizer.encode(text, { tokensMax }), ids, "within a bound");
    must(ids.length <= tokensMax && tokensMax < ENCODE_TOKENS_MAX, "more than the bound");
  } catch (error) {
    return refusalOf(error);
  }
  return "came back";
}

/** The encoder's: its ids stand for the text where they say, in order, and mark nothing. */
function checkWordPiece(wordpiece: WordPiece, text: string, random: Random): string {
  const { ids, starts, ends } = wordpiece.encode(text);
  const marks = new Set([wordpiece.cls, wordpiece.sep, wordpiece.pad]);
  let at = 0;
  for (const [i, id] of ids.entries()) {
    must(id >= 0 && id < wordpiece.vocab_size && !marks.has(id), `the id ${id}`);
    must(starts[i]! >= at && ends[i]! > starts[i]!, `token ${i} at ${starts[i]} to ${ends[i]}`);
    at = starts[i]!;
  }
  must((ends.at(-1) ?? 0) <= text.length, "a token past the end");
  const room = random.below(ids.length + 2);
  mustEqual(wordpiece.encode(text, room).ids, ids.slice(0, room), "the first tokens");
  return "marks nothing";
}

/** A pair as the uploaded tokenizers make it: the markers are the layout's alone. */
function checkPair(pair: PairTokenizer, text: string, other: string, random: Random): string {
  const room = 4 + random.below(60);
  const { ids, types } = pair.encodePair(text, other, room);
  must(ids.length <= room && ids.length === types.length, `${ids.length} tokens`);
  const places = ids.flatMap((id, i) => (id === 2 || id === 3 ? [i] : []));
  mustEqual([places.length, places[0], places[2]], [3, 0, ids.length - 1], "the markers");
  mustEqual(types, [...types].sort(), "the types");
  return "is a pair";
}

export const tokenizers: Target = {
  name: "tokenizers",
  about: "texts to ids and back: nothing is lost, and no text is a control token or marker",
  cases: 40_000,
  short: 500,
  ends: ["came back", "invalid_request", "marks nothing", "is a pair"],
  prepare: () => {
    must(byteChars("é") === "Ã©", "the toy vocabulary's bytes");
    const pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁the", "▁low", "er", "▁e", "x"];
    const ids = { cls: 2, separator: 3, unknown: 1, padding: 0 };
    const wordpiece = new WordPiece(
      new Map<string, GgufValue>([
        ["tokenizer.ggml.model", "bert"],
        ["tokenizer.ggml.tokens", [...pieces, ..."▁[|▁]|▁c|l|s|▁1|2|▁猫".split("|")]],
        ...Object.entries(ids).map(([name, id]): [string, GgufValue] => [
          `tokenizer.ggml.${name}_token_id`,
          id,
        ]),
      ]),
    );
    const pair = PairTokenizer.parse(tokenizerJson());
    return (random, show) => {
      const text = random.joined(TOKEN_PIECES, 30);
      show(text);
      const kind = random.below(4);
      if (kind === 0) return checkWordPiece(wordpiece, text, random);
      if (kind === 1) return checkPair(pair, text, random.joined(TOKEN_PIECES, 30), random);
      return checkDecoder(text, random);
    };
  },
};
