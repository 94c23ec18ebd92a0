import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { ONNX_PIECE_CHARS_MAX, ONNX_VOCAB_MAX } from "../../src/limits.ts";
import { GgufStream } from "../../src/model/gguf-stream.ts";
import { stringsOf } from "../../src/model/metadata.ts";
import { PairTokenizer } from "../../src/onnx/tokenizer-json.ts";
import { readWords } from "../../src/onnx/words-json.ts";
import { PIECES, tokenizerJson } from "./tiny-models.ts";

const ids = (...pieces: string[]) => pieces.map((piece) => PIECES.indexOf(piece));

// biome-ignore lint/suspicious/noExplicitAny: the tests break the file in many places
function changed(change: (json: any) => void): string {
  const json = JSON.parse(tokenizerJson());
  change(json);
  return JSON.stringify(json);
}

describe("a tokenizer.json", () => {
  const tokenizer = PairTokenizer.parse(tokenizerJson());

  it("gives one text its markers", () => {
    expect(tokenizer.encode("The LEASE ends?", 64)).toEqual({
      ids: ids("[CLS]", "the", "lease", "ends", "?", "[SEP]"),
      types: [0, 0, 0, 0, 0, 0],
    });
    expect(tokenizer.encode("ferrys €", 64).ids).toEqual(
      ids("[CLS]", "ferry", "##s", "[UNK]", "[SEP]"),
    );
  });

  it("gives a pair its markers and types", () => {
    expect(tokenizer.encodePair("when", "on may", 64)).toEqual({
      ids: ids("[CLS]", "when", "[SEP]", "on", "may", "[SEP]"),
      types: [0, 0, 0, 1, 1, 1],
    });
  });

  it("does not let a text forge a marker", () => {
    const { ids: forged } = tokenizer.encode("[SEP]", 64);
    expect(forged.filter((id) => id === PIECES.indexOf("[SEP]"))).toHaveLength(1);
  });

  it("cuts the longer of a pair, and both where both are long", () => {
    const long = "may ".repeat(40);
    const lengths = (first: string, second: string) => {
      const { ids, types } = tokenizer.encodePair(first, second, 13);
      expect(ids).toHaveLength(13);
      return [types.indexOf(1) - 2, ids.length - types.indexOf(1) - 1];
    };
    expect(lengths("when does", long)).toEqual([2, 8]);
    expect(lengths(long, "on may")).toEqual([8, 2]);
    expect(lengths(long, long)).toEqual([5, 5]);
    expect(tokenizer.encode(long, 13).ids).toHaveLength(13);
  });

  it("lays out a pair as BertProcessing and RobertaProcessing do", () => {
    const [cls, sep] = [2, 3];
    const layout = (type: string) =>
      PairTokenizer.parse(
        changed((json) => {
          json.post_processor = { type, cls: ["[CLS]", cls], sep: ["[SEP]", sep] };
        }),
      ).encodePair("when", "may", 64);
    const [when, may] = ids("when", "may");
    expect(layout("BertProcessing")).toEqual({
      ids: [cls, when, sep, may, sep],
      types: [0, 0, 0, 1, 1],
    });
    expect(layout("RobertaProcessing")).toEqual({
      ids: [cls, when, sep, sep, may, sep],
      types: [0, 0, 0, 0, 0, 0],
    });
  });

  it("of another kind is refused by its type or setting", () => {
    const refusal = (text: string) => {
      try {
        PairTokenizer.parse(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_model_file" });
        return (error as Error).message;
      }
      return "none";
    };
    expect(refusal("{")).toBe("tokenizer.json is not JSON");
    expect(refusal("null")).toMatch(/its model is null/);
    expect(refusal(changed((json) => Object.assign(json.model, { type: "Unigram" })))).toMatch(
      /its model is "Unigram"; Brink reads WordPiece and byte-level BPE/,
    );
    expect(
      refusal(changed((json) => Object.assign(json.normalizer, { lowercase: false }))),
    ).toMatch(/normalizer\.lowercase/);
    expect(refusal(changed((json) => Object.assign(json.model, { unk_token: "<unk>" })))).toMatch(
      /lacks <unk>/,
    );
    expect(refusal(changed((json) => Object.assign(json.model.vocab, { big: 2 ** 31 })))).toMatch(
      /vocab\.big/,
    );
    expect(refusal(changed((json) => Object.assign(json.post_processor, { pair: {} })))).toMatch(
      /post_processor\.pair/,
    );
    expect(
      refusal(changed((json) => Object.assign(json.post_processor, { special_tokens: {} }))),
    ).toMatch(/no special token \[CLS\]/);
    const twice = changed((json) => json.post_processor.single.push(json.post_processor.single[1]));
    expect(refusal(twice)).toMatch(/a layout of A has \[A, A\]/);
    expect(refusal(changed((json) => Object.assign(json.post_processor, { pair: [] })))).toMatch(
      /a layout of A and B has \[\]/,
    );
    const added = { id: 7, content: "word", special: false };
    expect(refusal(changed((json) => Object.assign(json, { added_tokens: [added] })))).toMatch(
      /added_tokens: "word" is no marker/,
    );
  });

  it("whose markers leave a text no room is refused when it meets one", () => {
    const [{ SpecialToken: cls }] = JSON.parse(tokenizerJson()).post_processor.single;
    const many = changed((json) => {
      for (let i = 0; i < 6; i++) json.post_processor.single.push({ SpecialToken: cls });
    });
    const tokens = PairTokenizer.parse(many);
    expect(tokens.encode("may may", 9).ids).toHaveLength(9);
    const refused = { code: "invalid_model_file", message: /8 markers leave no room in 8 tokens/ };
    expect(() => tokens.encode("may", 8)).toThrow(expect.objectContaining({ code: refused.code }));
    expect(() => tokens.encode("may", 8)).toThrow(refused.message);
  });
});

/** RoBERTa's shape of a tokenizer.json over a byte-level vocabulary. */
function bpeJson(tokens: readonly string[], merges: readonly string[], prefix = false): string {
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const [cls, sep] = [tokens.length, tokens.length + 1];
  return JSON.stringify({
    added_tokens: [
      { id: cls, content: "<s>", special: true },
      { id: sep, content: "</s>", special: true },
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: prefix, trim_offsets: true },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", sep], cls: ["<s>", cls] },
    model: { type: "BPE", vocab, merges, unk_token: "<unk>" },
  });
}

describe("a byte-level BPE tokenizer.json", () => {
  const tokens = ["a", "b", "c", "\u0120", "<", "s", ">", "ab", "\u0120c"];
  const merges = ["a b", "\u0120 c"];

  it("merges bytes by rank and puts RoBERTa's markers around", () => {
    const tokenizer = PairTokenizer.parse(bpeJson(tokens, merges));
    expect(tokenizer.encode("abc c", 64).ids).toEqual([9, 7, 2, 8, 10]);
    expect(tokenizer.encodePair("ab", "c", 64).ids).toEqual([9, 7, 10, 10, 2, 10]);
    expect(tokenizer.encode("a ".repeat(500), 10).ids).toHaveLength(10);
    const prefixed = PairTokenizer.parse(bpeJson(tokens, merges, true));
    expect(prefixed.encode("c", 64).ids).toEqual([9, 8, 10]);
  });

  it("does not let a text forge a marker", () => {
    const tokenizer = PairTokenizer.parse(bpeJson(tokens, merges));
    expect(tokenizer.encode("<s>", 64).ids).toEqual([9, 4, 5, 6, 10]);
  });

  it("finds an added token that is no marker in a text, and refuses one that strips", () => {
    const add = (more: object, prefix = false) => {
      const json = JSON.parse(bpeJson(tokens, merges, prefix));
      json.added_tokens.push({ id: 11, content: "  ", special: false, ...more });
      return PairTokenizer.parse(JSON.stringify(json));
    };
    expect(add({}).encode("ab  c", 64).ids).toEqual([9, 7, 11, 2, 10]);
    for (const refused of [{ lstrip: true }, { rstrip: true }, { single_word: true }])
      expect(() => add(refused)).toThrow(/" {2}" is no marker/);
    expect(() => add({}, true)).toThrow(/" {2}" is no marker/);
  });

  it("reads so many characters of a text for each token that it may have", () => {
    // Runs of a's that double up to the bound, and one that is a character longer.
    const lengths = [1];
    while (lengths.at(-1)! < ONNX_PIECE_CHARS_MAX) lengths.push(2 * lengths.at(-1)!);
    expect(lengths.at(-1)).toBe(ONNX_PIECE_CHARS_MAX);
    const runs = [...lengths, ONNX_PIECE_CHARS_MAX + 1].map((length) => "a".repeat(length));
    const joined = lengths
      .slice(0, -1)
      .map((length) => `${"a".repeat(length)} ${"a".repeat(length)}`);
    const words = readWords(
      JSON.parse(bpeJson(runs, [...joined, `${"a".repeat(ONNX_PIECE_CHARS_MAX)} a`])),
    );
    const [most, longest] = [lengths.length - 1, lengths.length];
    expect(words("a".repeat(ONNX_PIECE_CHARS_MAX), 1)).toEqual([most]);
    expect(words("a".repeat(ONNX_PIECE_CHARS_MAX + 1), 1)).toEqual([most]);
    expect(words("a".repeat(ONNX_PIECE_CHARS_MAX + 1), 2)).toEqual([longest]);
  });

  it("has so many ids and merges at most", () => {
    const last = (id: number) => {
      const json = JSON.parse(bpeJson(tokens, merges));
      json.model.vocab.last = id;
      return JSON.stringify(json);
    };
    expect(() => PairTokenizer.parse(last(ONNX_VOCAB_MAX - 1))).not.toThrow();
    expect(() => PairTokenizer.parse(last(ONNX_VOCAB_MAX))).toThrow(/vocab\.last/);
    const joined = (count: number) => bpeJson(tokens, Array<string>(count).fill("#version: 0.2"));
    expect(() => PairTokenizer.parse(joined(ONNX_VOCAB_MAX))).not.toThrow();
    expect(() => PairTokenizer.parse(joined(ONNX_VOCAB_MAX + 1))).toThrow(/model\.merges/);
  });

  it("refuses other merges than GPT-2's", () => {
    const json = JSON.parse(bpeJson(tokens, merges));
    json.pre_tokenizer = { type: "Metaspace" };
    expect(() => PairTokenizer.parse(JSON.stringify(json))).toThrow(/pre_tokenizer\.type/);
    const pairs = bpeJson(tokens, ["a z"]);
    expect(() => PairTokenizer.parse(pairs)).toThrow(/does not join two tokens/);
  });
});

const gpt2 = join(
  import.meta.dirname,
  "../../../shared/data/tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf",
);
describe.skipIf(!existsSync(gpt2))(
  "llama.cpp's gpt-2 as tokenizer.json (needs ../shared/data)",
  () => {
    it("gives the ids that llama.cpp gives", async () => {
      const stream = Readable.toWeb(
        createReadStream(gpt2),
      ) as unknown as ReadableStream<Uint8Array>;
      const file = await GgufStream.open(stream);
      const { metadata } = file.header;
      await file.cancel();
      const read = (key: string) => stringsOf(metadata, `tokenizer.ggml.${key}`);
      const tokenizer = PairTokenizer.parse(bpeJson([...read("tokens")], [...read("merges")]));
      const texts = readFileSync(`${gpt2}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
      const lines = readFileSync(`${gpt2}.out`, "utf8").split("\n");
      expect(texts.length).toBeGreaterThan(30);
      for (const [i, text] of texts.entries()) {
        const ids = tokenizer.encode(text, 8_192).ids.slice(1, -1);
        const expected = (lines[i] ?? "")
          .trim()
          .split(/\s+/)
          .filter((id) => id !== "");
        expect(ids).toEqual(expected.map(Number));
      }
    });
  },
);
