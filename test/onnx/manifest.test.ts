import { expect, it } from "vitest";
import { ONNX_ISOLATE_BYTES_MAX } from "../../src/limits.ts";
import { checkManifest, parseManifest } from "../../src/onnx/manifest.ts";
import { fitTogether, memoryNeed, refuseTooLarge } from "../../src/onnx/memory-need.ts";

it("a manifest of two fields has BERT's names and a sentence encoder's pooling", () => {
  expect(parseManifest('{"kind": "encoder", "max_tokens": 256}')).toEqual({
    kind: "encoder",
    max_tokens: 256,
    pooling: "mean",
    normalize: true,
    labels: [],
    activation: "softmax",
    inputs: {
      ids: "input_ids",
      mask: "attention_mask",
      types: "token_type_ids",
      positions: "position_ids",
    },
    output: null,
  });
});

it.each([
  ["not JSON", "{", "is not JSON"],
  ["not an object", "[]", "expected object"],
  ["an unknown kind", '{"kind": "decoder", "max_tokens": 8}', "kind"],
  ["no length", '{"kind": "encoder"}', "max_tokens"],
  ["an endless length", '{"kind": "encoder", "max_tokens": 1e9}', "max_tokens"],
  ["a misspelt field", '{"kind": "encoder", "max_tokens": 8, "poling": "cls"}', "poling"],
  ["a classifier without labels", '{"kind": "classifier", "max_tokens": 8}', "labels"],
  [
    "a classifier of no labels",
    '{"kind": "classifier", "max_tokens": 8, "labels": []}',
    "a classifier has labels",
  ],
  ["an encoder with labels", '{"kind": "encoder", "max_tokens": 8, "labels": ["a"]}', "labels"],
])("%s is refused by name", (_, text, named) => {
  expect(() => parseManifest(text)).toThrow(
    expect.objectContaining({
      code: "invalid_model_file",
      message: expect.stringContaining(named),
    }),
  );
});

it("a manifest that was checked stays as it is when it is checked again", () => {
  for (const fields of [{ kind: "encoder" }, { kind: "classifier", labels: ["a", "b"] }]) {
    const once = checkManifest({ max_tokens: 64, ...fields });
    expect(parseManifest(JSON.stringify(once))).toEqual(once);
  }
});

it("what a model needs is added up and decides whether it fits", () => {
  // all-MiniLM-L6-v2 in int8, and bge-small-en-v1.5 in int8: both fit, at their full lengths.
  const vocabulary = 712_000;
  const minilm = memoryNeed({ model: 23_000_000, tokenizer: vocabulary, maxTokens: 256 });
  const small = memoryNeed({ model: 34_000_000, tokenizer: vocabulary, maxTokens: 512 });
  expect(minilm.bytes).toBeLessThan(ONNX_ISOLATE_BYTES_MAX);
  expect(small.bytes).toBeLessThan(ONNX_ISOLATE_BYTES_MAX);
  expect(small.arithmetic).toBe(
    "heap and vocabulary 15.7 + onnxruntime 17.0 + weights 1.35 x 34.0 + a run of 512 " +
      "tokens 34.6 = 113.2 MB",
  );
  const base = memoryNeed({ model: 110_000_000, tokenizer: vocabulary, maxTokens: 512 });
  expect(base.bytes).toBeGreaterThan(ONNX_ISOLATE_BYTES_MAX);
  const long = memoryNeed({ model: 10_000, tokenizer: vocabulary, maxTokens: 2_048 });
  expect(long.bytes).toBeGreaterThan(ONNX_ISOLATE_BYTES_MAX);
  expect(long.arithmetic).toContain("a run of 2048 tokens 453.0");
  const size = { model: 10_000, tokenizer: vocabulary, maxTokens: 2_048 };
  expect(() => refuseTooLarge("long", size)).toThrow(
    expect.objectContaining({ code: "model_too_large", message: expect.stringContaining("453.0") }),
  );
});

it("models stay together while there is room to load the largest again", () => {
  const tokenizer = 712_000;
  const small = { model: 5_000_000, tokenizer, maxTokens: 256 };
  const large = { model: 23_000_000, tokenizer, maxTokens: 256 };
  expect(fitTogether([small, small])).toBe(true);
  expect(fitTogether([small, large])).toBe(true);
  expect(fitTogether([large, large])).toBe(false);
});
