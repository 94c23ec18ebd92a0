/** The shipped encoder against its fp32 original. */
import { beforeAll, describe, expect, it } from "vitest";
import { ENCODER_TOKENS_MAX, FORWARD_TOKENS_MAX } from "../../src/limits.ts";
import { Encoder } from "../../src/model/encoder.ts";
import type { Kernels } from "../../src/model/kernels.ts";
import { tinyBert } from "../support/tiny-bert.ts";
import { ggufFile, streamOf } from "./gguf-file.ts";
import { golden, modelBytes, newKernels } from "./shipped.ts";

interface Case {
  text: string;
  ids: number[];
  original: number[];
  shipped: number[];
}

const cases = golden<Case>("encoder");
const fitting = cases.filter(({ ids }) => ids.length <= ENCODER_TOKENS_MAX);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** What the kernels alone lose, against the shipped weights in f32: least cosine. */
const COSINE_MIN = { exact: 0.9999, fast: 0.999 };

describe.each([
  ["plain", "exact"],
  ["relaxed", "exact"],
  ["plain", "fast"],
] as const)("with %s kernels, %s", (variant, precision) => {
  let kernels: Kernels;
  let encoder: Encoder;
  beforeAll(async () => {
    kernels = newKernels(variant);
    encoder = await Encoder.load(kernels, streamOf(modelBytes("encoder")), precision);
  });

  it("golden texts get their golden ids", () => {
    const { cls, sep } = encoder.tokenizer;
    for (const { text, ids } of cases)
      expect([cls, ...encoder.tokenizer.encode(text).ids, sep], text).toEqual(ids);
  });

  it("embeddings have a cosine of at least .998 to the fp32 original", () => {
    const vectors = encoder.embed(fitting.map(({ text }) => text));
    for (const [i, { text, original, shipped }] of fitting.entries()) {
      expect(dot(vectors[i]!, original), text).toBeGreaterThanOrEqual(0.998);
      expect(dot(vectors[i]!, shipped), text).toBeGreaterThan(COSINE_MIN[precision]);
      expect(Math.abs(dot(vectors[i]!, vectors[i]!) - 1)).toBeLessThan(1e-5);
    }
    expect(fitting.length).toBeGreaterThan(10);
  });

  it("a text's embedding is the same alone, in company, and beyond one forward pass", () => {
    const texts = Array.from({ length: 12 }, (_, i) => "edge of the network ".repeat(1 + 12 * i));
    const tokens = texts.reduce((sum, text) => sum + encoder.countTokens(text), 0);
    expect(tokens).toBeGreaterThan(FORWARD_TOKENS_MAX);
    const before = kernels.bytesUsed;
    expect(encoder.embed(texts)).toEqual(texts.map((text) => encoder.embed([text])[0]));
    expect(kernels.bytesUsed).toBe(before);
  });

  it("a text is cut to its first 256 tokens", () => {
    const words = (n: number) => "edge ".repeat(n);
    const [whole, longer] = encoder.embed([
      words(ENCODER_TOKENS_MAX - 2),
      `${words(ENCODER_TOKENS_MAX - 2)} and much more`,
    ]);
    expect(longer).toEqual(whole);
    expect(encoder.embed([])).toEqual([]);
  });
});

it("an encoder that knows fewer positions than texts may have is refused", async () => {
  const kernels = newKernels();
  const before = kernels.bytesUsed;
  const load = (context: number) => {
    const { fields, tensors } = tinyBert(context);
    return Encoder.load(kernels, streamOf(ggufFile(fields, tensors)));
  };
  await expect(load(ENCODER_TOKENS_MAX - 1)).rejects.toMatchObject({
    code: "invalid_model_file",
    message: "GGUF key bert.context_length is 255, not an integer between 256 and 8192",
  });
  expect(kernels.bytesUsed).toBe(before);
  const encoder = await load(ENCODER_TOKENS_MAX);
  expect(encoder.embed(["edge ".repeat(300)])[0]).toHaveLength(encoder.dim);
});
