/** Decoders' tokenizers against llama.cpp, and what holds for every text. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { HASH_PROBES_MAX, MERGE_SYMBOLS_MAX } from "../../src/limits.ts";
import type { GgufValue, Metadata } from "../../src/model/gguf.ts";
import { GgufStream } from "../../src/model/gguf-stream.ts";
import { HashSlots } from "../../src/model/hash-slots.ts";
import { Merger } from "../../src/model/merge.ts";
import { loadTokenizer, type Tokenizer } from "../../src/model/tokenizer.ts";
import bpeFixture from "./bpe.fixture.json" with { type: "json" };
import { bpeStrings } from "./bpe-strings.ts";
import { streamOf } from "./gguf-file.ts";
import spmFixture from "./spm.fixture.json" with { type: "json" };
import { spmStrings } from "./spm-strings.ts";
import { BYTE_CHARS, toyBpe, toySpm } from "./toy-vocabulary.ts";
import { seeded, wordpieceStrings } from "./wordpiece-strings.ts";

const BLOCK = 100; // strings a hash, as in bench/peers/{spm,bpe}-fixture.mjs
const data = join(import.meta.dirname, "../../../shared/data");
const gpt2Path = join(data, "tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf");
const storiesPath = join(data, "weights/stories260k-f32.gguf");

async function metadataOf(path: string): Promise<Metadata> {
  const file = await GgufStream.open(streamOf(readFileSync(path)));
  await file.cancel();
  return file.header.metadata;
}

/** How the ids that `tokenizer` gives differ from a fixture's: empty if they do not. */
function differences(
  tokenizer: Tokenizer,
  strings: readonly string[],
  expected: { tokens: number; sha256: string; blocks: readonly string[] },
  special = false,
): string[] {
  const encoded = strings.map((text) => tokenizer.encode(text, { special }));
  const lines = encoded.map((ids) => `${ids.join(" ")}\n`);
  const digest = (part: string[]) => createHash("sha256").update(part.join("")).digest("hex");
  const wrong = expected.blocks.flatMap((hash, i) => {
    const part = lines.slice(i * BLOCK, (i + 1) * BLOCK);
    return digest(part).startsWith(hash) ? [] : [`strings ${i * BLOCK} to ${(i + 1) * BLOCK}`];
  });
  const tokens = encoded.reduce((sum, ids) => sum + ids.length, 0);
  if (tokens !== expected.tokens) wrong.push(`${tokens} tokens, not ${expected.tokens}`);
  if (digest(lines) !== expected.sha256) wrong.push("the hash of all");
  return wrong;
}

/** Decodes as a reply is streamed: token by token, characters possibly split between two. */
function streamed(tokenizer: Tokenizer, ids: readonly number[]): string {
  const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  const pieces = ids.map((id) => utf8.decode(tokenizer.bytesOf(id), { stream: true }));
  return pieces.join("") + utf8.decode();
}

describe.skipIf(!existsSync(gpt2Path))("byte-level BPE, gpt-2 (needs ../shared/data)", () => {
  let metadata: Metadata;
  let gpt2: Tokenizer;
  beforeAll(async () => {
    metadata = await metadataOf(gpt2Path);
    gpt2 = loadTokenizer(metadata);
  });

  /** bench/peers/bpe-fixture.mjs made the fixture: gpt-2's merges under each pre-tokenizer. */
  const cutBy = (pre: string) => loadTokenizer(new Map([...metadata, ["tokenizer.ggml.pre", pre]]));

  it.each([
    ["gpt-2", "gpt-2"],
    ["smollm", "smollm"],
    ["llama-bpe", "llama-bpe"],
    ["stablelm2", "qwen2"], // which llama.cpp cuts alike
  ] as const)("10,000 strings get llama.cpp's ids (pre-tokenizer %s)", (pre, theirs) => {
    const strings = bpeStrings();
    expect(strings.length).toBe(bpeFixture.strings);
    expect(differences(cutBy(pre), strings, bpeFixture.pre[theirs])).toEqual([]);
  });

  it("under qwen2 a text gets the ids of its NFC, special tokens aside", () => {
    const [qwen2, stablelm2] = [cutBy("qwen2"), cutBy("stablelm2")];
    const strings = [...bpeStrings().slice(0, 2_000), "e\u0301", "\u1112\u1161\u11ab", "\u212b"];
    for (const text of strings)
      expect(qwen2.encode(text), text).toEqual(stablelm2.encode(text.normalize("NFC")));
    expect(qwen2.encode("e\u0301")).not.toEqual(stablelm2.encode("e\u0301"));
    const marked = qwen2.encode("a<|endoftext|>\u0338e\u0301", { special: true });
    expect(marked).toEqual([64, 50256, ...stablelm2.encode("\u0338é")]);
  });

  it("every text of llama.cpp's fixture gets llama.cpp's ids", () => {
    const texts = readFileSync(`${gpt2Path}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
    const expected = readFileSync(`${gpt2Path}.out`, "utf8").split("\n");
    expect(texts.length).toBeGreaterThan(40);
    for (const [i, text] of texts.entries())
      expect(gpt2.encode(text).join(" "), text).toBe(expected[i]!.trim());
  });

  it("decoding gives every text back, whole and streamed", () => {
    for (const text of wordpieceStrings().slice(0, 3_000)) {
      const ids = gpt2.encode(text);
      expect(gpt2.decode(ids)).toBe(text);
      expect(streamed(gpt2, ids)).toBe(text);
    }
  });

  it("any text comes back, a lone surrogate as U+FFFD", () => {
    const units = fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) });
    fc.assert(
      fc.property(units, (text) => {
        expect(gpt2.decode(gpt2.encode(text))).toBe(text.toWellFormed());
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it("a control token is text, unless a template wrote it", () => {
    const text = "a<|endoftext|>b";
    expect(gpt2.encode(text)).not.toContain(50256);
    expect(gpt2.decode(gpt2.encode(text))).toBe(text);
    expect(gpt2.encode(text, { special: true })).toEqual([64, 50256, 65]);
    expect(gpt2.eos).toEqual(new Set([50256]));
  });
});

describe.skipIf(!existsSync(gpt2Path))("long texts, gpt-2 (needs ../shared/data)", () => {
  let gpt2: Tokenizer;
  beforeAll(async () => {
    gpt2 = loadTokenizer(await metadataOf(gpt2Path));
  });

  it("a word of 400,000 letters is merged as its merges say, without a quadratic wait", () => {
    const below = seeded(5);
    const letters = Array.from({ length: 400_000 }, () => String.fromCharCode(97 + below(26)));
    const text = letters.join("");
    const ids = gpt2.encode(text, { tokensMax: 400_000 });
    expect(gpt2.decode(ids)).toBe(text);
    // What is far from a cut does not depend on it: the whole begins as its first tenth does.
    const first = gpt2.encode(text.slice(0, 40_000), { tokensMax: 40_000 });
    expect(ids.slice(0, first.length - 50)).toEqual(first.slice(0, -50));
  });

  it("a text that cannot fit is refused before it is merged", () => {
    const refused = expect.objectContaining({ code: "invalid_request" });
    expect(() => gpt2.encode("x".repeat(400_000), { tokensMax: 2_048 })).toThrow(refused);
    expect(() => gpt2.encode("a b c d", { tokensMax: 3 })).toThrow(refused);
    expect(gpt2.encode("a b c d", { tokensMax: 4 }).length).toBe(4);
  });
});

describe.skipIf(!existsSync(storiesPath))(
  "SentencePiece, stories260k (needs ../shared/data)",
  () => {
    let stories: Tokenizer;
    beforeAll(async () => {
      stories = loadTokenizer(await metadataOf(storiesPath));
    });

    /** bench/peers/spm-fixture.mjs made the fixture. */
    it.each(["text", "special"] as const)("10,000 strings get llama.cpp's ids (%s)", (mode) => {
      const strings = spmStrings();
      expect(new Set(strings).size).toBe(spmFixture.strings);
      expect(differences(stories, strings, spmFixture[mode], mode === "special")).toEqual([]);
    });

    it("decoding gives every text back, but for U+2581, which is the vocabulary's space", () => {
      for (const text of spmStrings()) {
        const ids = stories.encode(text);
        const seen = text.replaceAll("\u2581", " ");
        expect(stories.decode(ids)).toBe(seen);
        expect(streamed(stories, ids)).toBe(` ${seen}`);
      }
    });

    it("bos comes first where it is asked for, and control tokens only from templates", () => {
      expect(stories.encode("", { bos: true })).toEqual([1]);
      expect(stories.encode("<s>hi</s>")).not.toContain(1);
      const marked = stories.encode("<s>hi</s>", { special: true });
      expect([marked[0], marked.at(-1)]).toEqual([1, 2]);
      expect(stories.decode(marked)).toBe("hi");
    });

    it("a text of 400,000 characters without a pause is merged, or refused by its bound", () => {
      const below = seeded(6);
      const text = Array.from({ length: 400_000 }, () => "etaoin"[below(6)]).join("");
      expect(stories.decode(stories.encode(text, { tokensMax: 400_001 }))).toBe(text);
      const refused = expect.objectContaining({ code: "invalid_request" });
      expect(() => stories.encode(text, { tokensMax: 2_048 })).toThrow(refused);
    });
  },
);

describe("small vocabularies", () => {
  it("merges go by rank, the lowest first, of equals the leftmost", () => {
    const merges = ["b c", "a b", "a a", "aa a"];
    const toy = loadTokenizer(toyBpe({ merges, pre: "gpt-2" }));
    const [bc, ab, aa, aaa] = [256, 257, 258, 259];
    const [a, c] = [97, 99].map((byte) => BYTE_CHARS.indexOf(String.fromCharCode(byte)));
    expect(toy.encode("abc")).toEqual([a, bc]);
    expect(toy.encode("abac")).toEqual([ab, a, c]);
    expect(toy.encode("aaaaa")).toEqual([aa, aaa]);
    expect(toy.encode("aaaa")).toEqual([aa, aa]);
  });

  it("llama-bpe takes a word that is a token whole, where gpt-2 merges", () => {
    const merges = ["o w", "l ow", "e r", "low er"];
    const reachable = loadTokenizer(toyBpe({ merges, pre: "llama-bpe" }));
    expect(reachable.encode("lower")).toEqual([259]);
    // "lo" is a token that "ow", merged first, keeps the merges from.
    const hidden = ["o w", "l o", "lo w"];
    expect(loadTokenizer(toyBpe({ merges: hidden, pre: "gpt-2" })).encode("low").length).toBe(2);
    expect(loadTokenizer(toyBpe({ merges: hidden, pre: "llama-bpe" })).encode("low")).toEqual([
      258,
    ]);
  });

  it("user-defined tokens are always found, the longest first, and come back", () => {
    const userDefined = ["<x>", "<x>y", " a "];
    const bpe = loadTokenizer(toyBpe({ userDefined }));
    expect(bpe.encode("<x>y<x>")).toEqual([257, 256]);
    const pieces: [string, number][] = [["\u2581", -1]];
    const spm = loadTokenizer(toySpm({ pieces, userDefined }));
    for (const tokenizer of [bpe, spm])
      for (const text of ["<x>y<x>", "b <x> c", " a  a a b", "<x", "a<x>  <x>yy"])
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("tokens that look like control tokens are control tokens, whatever their type", () => {
    const userDefined = ["<|im_start|>", "<|im_end|>", "<tool>"];
    const toy = loadTokenizer(toyBpe({ userDefined }));
    expect(toy.encode("<|im_start|><|im_end|><tool>").filter((id) => id >= 256)).toEqual([258]);
    expect(toy.eos).toEqual(new Set([257]));
    expect([...toy.controls.keys()]).toEqual([256, 257]);
  });

  it("no text merges into a control token", () => {
    const merges = ["< s", "<s >"];
    const metadata = new Map(toyBpe({ merges }));
    (metadata.get("tokenizer.ggml.token_type") as number[])[257] = 3;
    expect(() => loadTokenizer(metadata)).toThrow(/merge 1, "<s >", does not join/);
    const pieces: [string, number][] = ["<", "s", ">", "<s"].map((piece) => [piece, -1]);
    const more = { "tokenizer.ggml.add_space_prefix": false };
    const spm = loadTokenizer(toySpm({ pieces, more }));
    expect(spm.encode("<s>")).toEqual([262, 261]);
    expect(spm.encode("<s>", { special: true })).toEqual([1]);
  });

  it("SentencePiece merges the highest score first, and falls back to bytes or unknown", () => {
    const pieces: [string, number][] = [
      ["a", -9],
      ["b", -9],
      ["ab", -2],
      ["ba", -1],
      ["aba", -3],
    ];
    const more = { "tokenizer.ggml.add_space_prefix": false };
    const bytes = loadTokenizer(toySpm({ pieces, more }));
    const [b, ab, ba, aba] = [260, 261, 262, 263];
    expect(bytes.encode("abab")).toEqual([aba, b]);
    expect(bytes.encode("baab")).toEqual([ba, ab]);
    expect(bytes.encode("é")).toEqual([3 + 0xc3, 3 + 0xa9]);
    const without = loadTokenizer(toySpm({ pieces, more, bytes: false }));
    expect(without.encode("aéb")).toEqual([3, 0, 4]);
  });

  it("bos and eos are added where the file says, or by the kind's custom", () => {
    const options = { bos: true, eos: true };
    const none = { "tokenizer.ggml.bos_token_id": 65, "tokenizer.ggml.eos_token_id": 66 };
    const both = { "tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_eos_token": true };
    expect(loadTokenizer(toyBpe({ more: none })).encode("", options)).toEqual([]);
    expect(loadTokenizer(toyBpe({ more: none, pre: "llama-bpe" })).encode("", options)).toEqual([
      65,
    ]);
    expect(loadTokenizer(toyBpe({ more: { ...none, ...both } })).encode("", options)).toEqual([
      65, 66,
    ]);
    expect(loadTokenizer(toySpm({ pieces: [] })).encode("", options)).toEqual([1]);
    const not = { "tokenizer.ggml.add_bos_token": false };
    expect(loadTokenizer(toySpm({ pieces: [], more: not })).encode("", options)).toEqual([]);
  });
});

it("keys of one hash are found up to a bound, past which a file is refused", () => {
  const slots = new HashSlots(2_000);
  for (let key = 0; key <= HASH_PROBES_MAX; key++) slots.add(7, key, (other) => other === key);
  for (const key of [0, 100, HASH_PROBES_MAX])
    expect(slots.find(7, (other) => other === key)).toBe(key);
  expect(slots.find(7, (other) => other === 999)).toBe(-1);
  slots.add(7, 3, (other) => other === 3);
  const refused = expect.objectContaining({ code: "invalid_model_file" });
  const more = HASH_PROBES_MAX + 1;
  expect(() => slots.add(7, more, (other) => other === more)).toThrow(refused);
});

it("as many symbols as there may be are merged, the last of them too, and no more", () => {
  const merger = new Merger();
  const joined: number[] = [];
  const last = MERGE_SYMBOLS_MAX - 2;
  const symbols = {
    priorityOf: (left: number) => (left === last ? 2 ** 21 - 1 : -1),
    join: (left: number, right: number) => joined.push(left, right),
  };
  let left = 0;
  merger.run(symbols, MERGE_SYMBOLS_MAX, () => left++);
  expect([left, joined]).toEqual([MERGE_SYMBOLS_MAX - 1, [last, last + 1]]);
  const more = () => merger.run(symbols, MERGE_SYMBOLS_MAX + 1, () => {});
  expect(more).toThrow(`${MERGE_SYMBOLS_MAX + 1} symbols to merge`);
});

it("a word longer than merging takes at once is merged in parts, and comes back", () => {
  // Three bytes a character, and one's halves on both sides of where the first part ends.
  const word = `${"漢".repeat(MERGE_SYMBOLS_MAX / 3 - 1)}𠀀${"漢".repeat(9)}`;
  const spm = toySpm({ pieces: [["▁", 0]] });
  for (const metadata of [toyBpe({}), toyBpe({ pre: "llama-bpe" }), spm]) {
    const tokenizer = loadTokenizer(metadata);
    const ids = tokenizer.encode(word, { tokensMax: 4 * MERGE_SYMBOLS_MAX });
    expect(ids.length).toBeGreaterThan(MERGE_SYMBOLS_MAX);
    expect(tokenizer.decode(ids) === word).toBe(true);
  }
});

describe("files that are refused, by name of what is wrong", () => {
  const bpe = (more: Record<string, GgufValue>) => toyBpe({ more });
  const spm = (more: Record<string, GgufValue>) => toySpm({ pieces: [], more });
  it.each<[string, Metadata, RegExp]>([
    ["another kind", bpe({ "tokenizer.ggml.model": "t5" }), /model is t5; Brink reads gpt2/],
    ["another pre-tokenizer", bpe({ "tokenizer.ggml.pre": "tekken" }), /pre is tekken/],
    ["no tokens", bpe({ "tokenizer.ggml.tokens": [] }), /tokens is empty/],
    ["a merge of no token", bpe({ "tokenizer.ggml.merges": ["a b"] }), /merge 0, "a b"/],
    ["a merge of one", bpe({ "tokenizer.ggml.merges": ["ab"] }), /merge 0, "ab"/],
    ["too few types", bpe({ "tokenizer.ggml.token_type": [1] }), /array of 256 finite numbers/],
    ["a bos that is no token", bpe({ "tokenizer.ggml.bos_token_id": 256 }), /between 0 and 255/],
    ["a flag that is none", bpe({ "tokenizer.ggml.add_bos_token": 1 }), /not a boolean/],
    [
      "a score that is NaN",
      spm({ "tokenizer.ggml.scores": Array(259).fill(Number.NaN) }),
      /scores/,
    ],
    ["too few scores", spm({ "tokenizer.ggml.scores": [1] }), /array of 259 finite numbers/],
    ["a byte that is none", spm({ "tokenizer.ggml.token_type": Array(259).fill(6) }), /<0xXX>/],
    [
      "a token too long",
      bpe({ "tokenizer.ggml.tokens": ["x".repeat(2_000)], "tokenizer.ggml.token_type": [1] }),
      /token 0 has 2000 bytes, the limit is 1024/,
    ],
    [
      "too many control tokens",
      toyBpe({ controls: Array.from({ length: 9_000 }, (_, i) => `<${i}>`) }),
      /more than 8192 control and user-defined tokens/,
    ],
    [
      "control tokens too long",
      toyBpe({ controls: Array.from({ length: 100 }, (_, i) => `<${i}${"x".repeat(900)}>`) }),
      /65536 characters in them/,
    ],
  ])("%s", (_, metadata, message) => {
    expect(() => loadTokenizer(metadata)).toThrow(message);
    const coded = expect.objectContaining({ code: "invalid_model_file" });
    expect(() => loadTokenizer(metadata)).toThrow(coded);
  });
});
