/** The tokenizer against the Python package `tokenizers`, and where that cannot say. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { GgufStream } from "../../src/model/gguf-stream.ts";
import { WordPiece } from "../../src/model/wordpiece.ts";
import { streamOf } from "./gguf-file.ts";
import { modelBytes } from "./shipped.ts";
import fixture from "./wordpiece.fixture.json" with { type: "json" };
import { wordpieceStrings } from "./wordpiece-strings.ts";

const BLOCK = 100; // strings a hash, as in train/tokenizer_fixture.py
const vocabularies = join(import.meta.dirname, "../../../shared/data/tokenizers/gguf-vocab");

async function wordpieceOf(bytes: Uint8Array): Promise<WordPiece> {
  const file = await GgufStream.open(streamOf(bytes));
  await file.cancel();
  return new WordPiece(file.header.metadata);
}

let wordpiece: WordPiece;
beforeAll(async () => {
  wordpiece = await wordpieceOf(modelBytes("encoder"));
});

/** The slices of the text that the tokens stand for. */
function slices(text: string): string[] {
  const { starts, ends } = wordpiece.encode(text);
  return starts.map((start, i) => text.slice(start, ends[i]));
}

/** The fixture holds hashes of what `tokenizers` gave; train/tokenizer_fixture.py made it. */
it("10,000 varied strings get the ids of the package `tokenizers`", () => {
  const strings = wordpieceStrings();
  const lines = strings.map((text) => `${wordpiece.encode(text).ids.join(" ")}\n`);
  const digest = (part: string[]) => createHash("sha256").update(part.join("")).digest("hex");
  const wrong = fixture.blocks.flatMap((expected, i) => {
    const part = lines.slice(i * BLOCK, (i + 1) * BLOCK);
    return digest(part).startsWith(expected) ? [] : [`strings ${i * BLOCK} to ${(i + 1) * BLOCK}`];
  });
  expect(wrong).toEqual([]);
  expect(strings.length).toBe(fixture.strings);
  expect(digest(lines)).toBe(fixture.sha256);
});

it("a token that is a whole word encodes alone, from its slice of the text, to itself", () => {
  let checked = 0;
  for (const text of wordpieceStrings().slice(0, 2_000)) {
    const { ids, starts, ends } = wordpiece.encode(text);
    for (const [i, id] of ids.entries()) {
      expect(starts[i]).toBeLessThan(ends[i]!);
      // Tokens may share a character that decomposes, but never run backwards.
      if (i > 0) expect(starts[i]).toBeGreaterThanOrEqual(starts[i - 1]!);
      const [before, after] = [text[starts[i]! - 1] ?? " ", text[ends[i]!] ?? " "];
      const shared = starts[i - 1] === starts[i] || starts[i + 1] === starts[i];
      if (before !== " " || after !== " " || shared) continue;
      expect(wordpiece.encode(text.slice(starts[i], ends[i])).ids, text).toEqual([id]);
      checked++;
    }
  }
  expect(checked).toBeGreaterThan(5_000);
});

describe("offsets", () => {
  it("are of the original text, whatever its case, accents and width in UTF-16", () => {
    expect(slices("Hello, WÖRLD 😀 unaffable!")).toEqual(
      ["Hello", ",", "WÖRLD", "😀", "una", "ffa", "ble", "!"].filter((s) => s),
    );
  });

  it("take in the combining marks of the last character", () => {
    expect(slices("the cafe\u0301 is")).toEqual(["the", "cafe\u0301", "is"]);
    // A variant of a Han character and an emoji's form, each a word of its own.
    expect(slices("葛\u{e0100}城‼\ufe0f ok")).toEqual(["葛\u{e0100}", "城", "‼\ufe0f", "ok"]);
  });

  it("leave out what is dropped around a word", () => {
    expect(slices("\u200bthe\u200b \u00adcat\ufeff")).toEqual(["the", "cat"]);
  });
});

describe("what `tokenizers` cannot be given or does otherwise", () => {
  it("a lone surrogate is dropped, as U+FFFD is", () => {
    const { ids } = wordpiece.encode("the cat");
    for (const lone of ["\ud800", "\udbff", "\udc00", "\udfff"]) {
      expect(wordpiece.encode(`th${lone}e ${lone}cat${lone}`).ids).toEqual(ids);
      expect(wordpiece.encode(lone).ids).toEqual([]);
    }
    expect(wordpiece.encode("\udc00\ud800").ids).toEqual([]);
  });

  it("special tokens in a text are text", () => {
    const { ids } = wordpiece.encode("[CLS] a [SEP] [MASK] [PAD] [UNK]");
    for (const id of [wordpiece.cls, wordpiece.sep, wordpiece.pad, wordpiece.unk, 103])
      expect(ids).not.toContain(id);
  });

  it("U+2581, the file's mark of a word's start, does not forge one inside a word", () => {
    expect(wordpiece.encode("a\u2581the").ids).toEqual([wordpiece.unk]);
    expect(wordpiece.encode("\u2581the").ids).toEqual([wordpiece.unk]);
  });
});

it("words of 100 characters are split, longer ones are unknown", () => {
  expect(wordpiece.encode("a".repeat(100)).ids.length).toBeGreaterThan(1);
  expect(wordpiece.encode("a".repeat(101)).ids).toEqual([wordpiece.unk]);
  expect(wordpiece.encode("a\u0301".repeat(100)).ids.length).toBeGreaterThan(1);
});

it("a word takes as many look-ups as pieces that begin alike are long", () => {
  const word = "qzxj".repeat(25); // nearly all of its pieces are single letters
  const lookUps = vi.spyOn(Map.prototype, "get");
  const { ids } = wordpiece.encode(word);
  const taken = lookUps.mock.calls.length;
  lookUps.mockRestore();
  expect(ids.length).toBeGreaterThan(90);
  expect(taken).toBeLessThan(10 * ids.length); // the longest piece has 18 letters
});

it("a limit gives the first tokens, and spares the rest of the text", () => {
  const text = "unaffable transformers ".repeat(50);
  const whole = wordpiece.encode(text);
  for (const limit of [0, 1, 2, 3, 7, 1_000]) {
    const cut = wordpiece.encode(text, limit);
    expect(cut.ids).toEqual(whole.ids.slice(0, limit));
    expect(cut.ends).toEqual(whole.ends.slice(0, limit));
  }
});

describe.skipIf(!existsSync(vocabularies))("llama.cpp's bert-bge (needs ../shared/data)", () => {
  it("its vocabulary file gives the ids that llama.cpp gives", async () => {
    const path = join(vocabularies, "ggml-vocab-bert-bge.gguf");
    const theirs = await wordpieceOf(readFileSync(path));
    const texts = readFileSync(`${path}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
    const expected = readFileSync(`${path}.out`, "utf8").split("\n");
    expect(texts.length).toBeGreaterThan(40);
    for (const [i, text] of texts.entries())
      expect(theirs.encode(text).ids.join(" "), text).toBe(expected[i]!.trim());
  });
});
