/** Bounds of what comes with a model's file, and of what a schema asks for, reached exactly. */
import { expect, it } from "vitest";
import { htmlToMarkdown } from "../../index/html-to-markdown.ts";
import { markdownBlocks } from "../../index/markdown-blocks.ts";
import { grammarOf } from "../../src/generation/grammar.ts";
import type { Json } from "../../src/generation/schema-shape.ts";
import { TokenOrder } from "../../src/generation/token-mask.ts";
import {
  DECODER_CONTEXT_MAX,
  DECODER_DIM_MAX,
  DECODER_FFN_DIM_MAX,
  DECODER_HEAD_DIM_MAX,
  DECODER_HEADS_MAX,
  DECODER_LAYERS_MAX,
  DECODER_VOCAB_MAX,
  GGUF_ALIGNMENT_BYTES_MAX,
  GGUF_ARRAY_ITEMS_MAX,
  GGUF_DIMS_MAX,
  GGUF_ITEMS_MAX,
  GGUF_NAME_BYTES_MAX,
  GGUF_STRING_BYTES_MAX,
  GRAMMAR_ALTERNATIVES_MAX,
  GRAMMAR_COUNT_MAX,
  GRAMMAR_DEPTH_MAX,
  GRAMMAR_DFA_STATES_MAX,
  GRAMMAR_GROUPS_MAX,
  GRAMMAR_MASKS_MAX,
  GRAMMAR_NFA_STATES_MAX,
  GRAMMAR_ONE_OF_MAX,
  GRAMMAR_REFERENCES_MAX,
  GRAMMAR_REPEAT_MAX,
  GRAMMAR_SHAPES_MAX,
  HTML_LIST_DEPTH_MAX,
  MARKDOWN_DEPTH_MAX,
  ONNX_LABELS_MAX,
  ONNX_TOKENS_MAX,
} from "../../src/limits.ts";
import { readDecoderConfig } from "../../src/model/decoder-config.ts";
import { type GgufHeader, type GgufValue, parseHeader } from "../../src/model/gguf.ts";
import { parseManifest } from "../../src/onnx/manifest.ts";
import { fakeTokenizer } from "../generation/fake-model.ts";
import { Bytes, type Fields, ggufFile, type TestTensor } from "../model/gguf-file.ts";

type Values = Record<string, GgufValue>;

/** Reads a small decoder's header with these values in place of its own. */
function decoder(values: Values, tokens = 3): () => unknown {
  const base: Values = {
    embedding_length: 64,
    block_count: 1,
    context_length: 64,
    feed_forward_length: 64,
    "attention.head_count": 2,
    "attention.head_count_kv": 1,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "rope.freq_base": 10_000,
  };
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", "llama"],
    ["tokenizer.ggml.tokens", Array(tokens).fill("a") as string[]],
  ]);
  for (const [key, value] of Object.entries({ ...base, ...values }))
    metadata.set(`llama.${key}`, value);
  const places = { fieldSpans: new Map(), alignment: 32, dataOffset: 0, endOffset: 0 };
  const header: GgufHeader = { version: 3, metadata, tensors: [], ...places };
  return () => readDecoderConfig(header);
}

const heads = (n: number) =>
  decoder({ embedding_length: n * 8, "attention.head_count": n, "attention.head_count_kv": n });

/** Reads a file of this field and a tensor. */
function file(field: Fields[string] | null, tensor: Partial<TestTensor> = {}, key = "k") {
  const own = { name: "t", dims: [32], type: 0, data: new Uint8Array(128), ...tensor };
  const fields = field === null ? {} : { [key]: field };
  return () => parseHeader(ggufFile(fields as Fields, [own as TestTensor]));
}

/** Reads a header of arrays of bytes that have n items in all. */
function bytesInArrays(n: number): () => unknown {
  const parts: Uint8Array[] = [];
  for (let left = n; left > 0; left -= GGUF_ARRAY_ITEMS_MAX) {
    const count = Math.min(left, GGUF_ARRAY_ITEMS_MAX);
    const head = new Bytes().string(`k${left}`).u32(9, 0).u64(count).done();
    parts.push(head, new Uint8Array(count));
  }
  const start = new Bytes()
    .u32(0x46554747, 3)
    .u64(0)
    .u64(parts.length / 2)
    .done();
  return () => parseHeader(Buffer.concat([start, ...parts]));
}

const alignment = (n: number) => file(["u32", n], {}, "general.alignment");
const x = (n: number) => "x".repeat(n);

it.each<[string, () => unknown, () => unknown]>([
  [
    "DECODER_DIM_MAX",
    decoder({ embedding_length: DECODER_DIM_MAX, "attention.head_count": 64 }),
    decoder({ embedding_length: DECODER_DIM_MAX + 64, "attention.head_count": 64 }),
  ],
  [
    "DECODER_FFN_DIM_MAX",
    decoder({ feed_forward_length: DECODER_FFN_DIM_MAX }),
    decoder({ feed_forward_length: DECODER_FFN_DIM_MAX + 4 }),
  ],
  ["DECODER_HEADS_MAX", heads(DECODER_HEADS_MAX), heads(DECODER_HEADS_MAX + 1)],
  [
    "DECODER_HEAD_DIM_MAX",
    decoder({ embedding_length: 2 * DECODER_HEAD_DIM_MAX }),
    decoder({ embedding_length: 2 * DECODER_HEAD_DIM_MAX + 16 }),
  ],
  [
    "DECODER_LAYERS_MAX",
    decoder({ block_count: DECODER_LAYERS_MAX }),
    decoder({ block_count: DECODER_LAYERS_MAX + 1 }),
  ],
  [
    "DECODER_CONTEXT_MAX",
    decoder({ context_length: DECODER_CONTEXT_MAX }),
    decoder({ context_length: DECODER_CONTEXT_MAX + 1 }),
  ],
  ["DECODER_VOCAB_MAX", decoder({}, DECODER_VOCAB_MAX), decoder({}, DECODER_VOCAB_MAX + 1)],
  [
    "GGUF_NAME_BYTES_MAX",
    file(null, { name: x(GGUF_NAME_BYTES_MAX) }),
    file(null, { name: x(GGUF_NAME_BYTES_MAX + 1) }),
  ],
  [
    "GGUF_STRING_BYTES_MAX",
    file(["string", x(GGUF_STRING_BYTES_MAX)]),
    file(["string", x(GGUF_STRING_BYTES_MAX + 1)]),
  ],
  [
    "GGUF_ARRAY_ITEMS_MAX",
    file(["f32s", Array(GGUF_ARRAY_ITEMS_MAX).fill(0)]),
    file(["f32s", Array(GGUF_ARRAY_ITEMS_MAX + 1).fill(0)]),
  ],
  ["GGUF_ITEMS_MAX", bytesInArrays(GGUF_ITEMS_MAX), bytesInArrays(GGUF_ITEMS_MAX + 1)],
  [
    "GGUF_DIMS_MAX",
    file(null, { dims: [32, ...Array(GGUF_DIMS_MAX - 1).fill(1)] }),
    file(null, { dims: [32, ...Array(GGUF_DIMS_MAX).fill(1)] }),
  ],
  [
    "GGUF_ALIGNMENT_BYTES_MAX",
    alignment(GGUF_ALIGNMENT_BYTES_MAX),
    alignment(2 * GGUF_ALIGNMENT_BYTES_MAX),
  ],
])("a model's file may have so much, and no more: %s", (_, most, more) => {
  expect(most).not.toThrow();
  expect(more).toThrow(expect.objectContaining({ code: "invalid_model_file" }));
});

const schema = (value: Json) => () =>
  grammarOf({ type: "json_schema", json_schema: { name: "a", schema: value } });
const pattern = (source: string) => schema({ type: "string", pattern: source });
const groups = (n: number) => pattern(`^${"(".repeat(n)}a${")".repeat(n)}$`);
/** An automaton of n + 2 states. */
const word = (n: number) => pattern(`^${"ab".repeat(n / 2)}$`);
const choices = (n: number) =>
  schema({ anyOf: Array.from({ length: n }, (_, i) => ({ const: i })) });
const oneOf = (n: number) => schema({ oneOf: Array.from({ length: n }, (_, i) => ({ const: i })) });
/** n schemas, each of which is the next. */
const references = (n: number) => {
  const $defs = Object.fromEntries(
    Array.from({ length: n - 1 }, (_, i) => [`d${i}`, { $ref: `#/$defs/d${i + 1}` }] as const),
  );
  return schema({ $ref: "#/$defs/d0", $defs: { ...$defs, [`d${n - 2}`]: { type: "null" } } });
};
const named = (n: number) =>
  schema({ type: "object", required: Array.from({ length: n }, (_, i) => `p${i}`) });

/** A choice of arrays whose grammar has n alternatives: of each array one for each of its least
 *  items, one more, its item and itself. */
function arrays(n: number): () => unknown {
  const anyOf = [];
  for (let left = n; left > 0; ) {
    const minItems = Math.min(GRAMMAR_COUNT_MAX, left - 4);
    anyOf.push({ type: "array", items: { type: "null" }, minItems });
    left -= minItems + 4;
  }
  return schema({ anyOf });
}

function deep(levels: number): () => unknown {
  let value: Json = { type: "null" };
  for (let i = 0; i < levels; i++) value = { type: "array", items: value, minItems: 1 };
  return schema(value);
}

it.each<[string, () => unknown, () => unknown]>([
  ["GRAMMAR_COUNT_MAX", named(GRAMMAR_COUNT_MAX), named(GRAMMAR_COUNT_MAX + 1)],
  [
    "GRAMMAR_ALTERNATIVES_MAX",
    arrays(GRAMMAR_ALTERNATIVES_MAX),
    arrays(GRAMMAR_ALTERNATIVES_MAX + 1),
  ],
  ["GRAMMAR_DEPTH_MAX", deep(GRAMMAR_DEPTH_MAX - 1), deep(GRAMMAR_DEPTH_MAX + 1)],
  [
    "GRAMMAR_REPEAT_MAX",
    pattern(`^a{${GRAMMAR_REPEAT_MAX}}$`),
    pattern(`^a{${GRAMMAR_REPEAT_MAX + 1}}$`),
  ],
  ["GRAMMAR_GROUPS_MAX", groups(GRAMMAR_GROUPS_MAX), groups(GRAMMAR_GROUPS_MAX + 1)],
  ["GRAMMAR_SHAPES_MAX", choices(GRAMMAR_SHAPES_MAX / 2 - 1), choices(GRAMMAR_SHAPES_MAX / 2 + 1)],
  [
    "GRAMMAR_REFERENCES_MAX",
    references(GRAMMAR_REFERENCES_MAX),
    references(GRAMMAR_REFERENCES_MAX + 1),
  ],
  ["GRAMMAR_ONE_OF_MAX", oneOf(GRAMMAR_ONE_OF_MAX), oneOf(GRAMMAR_ONE_OF_MAX + 1)],
  ["GRAMMAR_DFA_STATES_MAX", word(GRAMMAR_DFA_STATES_MAX - 2), word(GRAMMAR_DFA_STATES_MAX + 2)],
  [
    "GRAMMAR_NFA_STATES_MAX",
    pattern(`^(${"a|".repeat(GRAMMAR_NFA_STATES_MAX / 4)}a)$`),
    pattern(`^(${"a|".repeat(GRAMMAR_NFA_STATES_MAX)}a)$`),
  ],
])("a schema may ask for so much, and no more: %s", (_, most, more) => {
  expect(most).not.toThrow();
  expect(more).toThrow(expect.objectContaining({ code: "unsupported_parameter" }));
});

const manifest = (rest: object) => () =>
  parseManifest(JSON.stringify({ kind: "classifier", max_tokens: 8, labels: ["a"], ...rest }));
const labels = (n: number) => manifest({ labels: Array.from({ length: n }, (_, i) => `l${i}`) });

it.each<[string, () => unknown, () => unknown]>([
  ["ONNX_LABELS_MAX", labels(ONNX_LABELS_MAX), labels(ONNX_LABELS_MAX + 1)],
  [
    "ONNX_TOKENS_MAX",
    manifest({ max_tokens: ONNX_TOKENS_MAX }),
    manifest({ max_tokens: ONNX_TOKENS_MAX + 1 }),
  ],
])("a manifest may say so much, and no more: %s", (_, most, more) => {
  expect(most).not.toThrow();
  expect(more).toThrow(expect.objectContaining({ code: expect.any(String) }));
});

it("masks of a grammar are kept for GRAMMAR_MASKS_MAX of its states", () => {
  const grammar = pattern(`^${"ab".repeat(GRAMMAR_MASKS_MAX)}$`)()!;
  const masks = grammar.masksFor(new TokenOrder(fakeTokenizer(["a", "b"])));
  const { automaton } = grammar;
  let state = automaton.start;
  const first = masks.get(state, Number.POSITIVE_INFINITY);
  const visited = [state];
  for (const byte of Buffer.from(`"${"ab".repeat(GRAMMAR_MASKS_MAX / 2)}`).subarray(0, -1)) {
    state = automaton.step(state, byte)!;
    visited.push(state);
  }
  expect(visited).toHaveLength(GRAMMAR_MASKS_MAX + 1);
  for (const one of visited.slice(1, -1)) masks.get(one, Number.POSITIVE_INFINITY);
  expect(masks.get(automaton.start, Number.POSITIVE_INFINITY)).toBe(first);
  for (const one of visited.slice(1)) masks.get(one, Number.POSITIVE_INFINITY);
  expect(masks.get(automaton.start, Number.POSITIVE_INFINITY)).not.toBe(first);
});

it("quotations deeper than MARKDOWN_DEPTH_MAX are prose", () => {
  const kinds = (levels: number) => {
    const mark = "> ".repeat(levels);
    return markdownBlocks(`${mark}~~~\n${mark}a\n${mark}~~~\n`).blocks.map(({ kind }) => kind);
  };
  expect(kinds(MARKDOWN_DEPTH_MAX - 1)).toEqual(["code"]);
  expect(kinds(MARKDOWN_DEPTH_MAX)).toEqual(["prose"]);
});

it("lists of HTML deeper than HTML_LIST_DEPTH_MAX are indented no further", () => {
  const indent = (levels: number) => {
    const { text } = htmlToMarkdown(`${"<ul><li>a".repeat(levels)}<ul><li>last`);
    return /( *)- last/.exec(text)?.[1]?.length;
  };
  expect(indent(HTML_LIST_DEPTH_MAX - 2)).toBe(2 * (HTML_LIST_DEPTH_MAX - 2));
  expect(indent(HTML_LIST_DEPTH_MAX + 9)).toBe(indent(HTML_LIST_DEPTH_MAX + 20));
});
