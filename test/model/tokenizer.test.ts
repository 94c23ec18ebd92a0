/** Decoders' tokenizers against llama.cpp, and what holds for every text. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Metadata } from "../../src/model/gguf.ts";
import { GgufStream } from "../../src/model/gguf-stream.ts";
import { loadTokenizer, type Tokenizer } from "../../src/model/tokenizer.ts";
import { streamOf } from "./gguf-file.ts";
import fixture from "./spm.fixture.json" with { type: "json" };
import { spmStrings } from "./spm-strings.ts";
import { seeded, wordpieceStrings } from "./wordpiece-strings.ts";

const BLOCK = 100; // strings a hash, as in bench/peers/spm-fixture.mjs
const data = join(import.meta.dirname, "../../../shared/data");
const gpt2Path = join(data, "tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf");
const storiesPath = join(data, "weights/stories260k-f32.gguf");

async function metadataOf(path: string): Promise<Metadata> {
  const file = await GgufStream.open(streamOf(readFileSync(path)));
  await file.cancel();
  return file.header.metadata;
}

/** Decodes as a reply is streamed: token by token, characters possibly split between two. */
function streamed(tokenizer: Tokenizer, ids: readonly number[]): string {
  const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  const pieces = ids.map((id) => utf8.decode(tokenizer.bytesOf(id), { stream: true }));
  return pieces.join("") + utf8.decode();
}

describe.skipIf(!existsSync(gpt2Path))("byte-level BPE, gpt-2 (needs ../shared/data)", () => {
  let gpt2: Tokenizer;
  beforeAll(async () => {
    gpt2 = loadTokenizer(await metadataOf(gpt2Path));
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
      const expected = fixture[mode];
      const encoded = strings.map((text) => stories.encode(text, { special: mode === "special" }));
      const lines = encoded.map((ids) => `${ids.join(" ")}\n`);
      const digest = (part: string[]) => createHash("sha256").update(part.join("")).digest("hex");
      const wrong = expected.blocks.flatMap((hash, i) => {
        const part = lines.slice(i * BLOCK, (i + 1) * BLOCK);
        return digest(part).startsWith(hash) ? [] : [`strings ${i * BLOCK} to ${(i + 1) * BLOCK}`];
      });
      expect(wrong).toEqual([]);
      expect(new Set(strings).size).toBe(fixture.strings);
      expect(digest(lines)).toBe(expected.sha256);
      expect(encoded.reduce((sum, ids) => sum + ids.length, 0)).toBe(expected.tokens);
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
