/** Small BERT-like ONNX models of seeded weights, with their tokenizer and manifests, and the same
 *  models run by onnxruntime-web on Node, from the whole file, as the yardstick. */
import * as ort from "onnxruntime-web";
import {
  attributeFloat,
  attributeInt,
  attributeInts,
  FLOAT,
  Graph,
  INT64,
} from "../../bench/onnx-graph.ts";
import type { TokenSequence } from "../../src/onnx/tokenizer-json.ts";

export const DIM = 32;
export const MAX_TOKENS = 64;

interface Shape {
  dim: number;
  heads: number;
  ffn: number;
  layers: number;
  positions: number;
}

const TINY: Shape = { dim: DIM, heads: 4, ffn: 64, layers: 2, positions: 128 };

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const WORDS = ["the", "lease", "ends", "on", "may", "when", "does", "ferry", "harbour", "##s", "?"];
export const PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...WORDS, ...LETTERS].concat(
  LETTERS.filter((letter) => letter !== "s").map((letter) => `##${letter}`),
);

/** A tokenizer.json as the `tokenizers` package writes one for uncased BERT. */
export function tokenizerJson(): string {
  const id = (piece: string) => PIECES.indexOf(piece);
  const special = (name: string) => ({ id: name, ids: [id(name)], tokens: [name] });
  const marker = (name: string, type_id = 0) => ({ SpecialToken: { id: name, type_id } });
  const text = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  const single = [marker("[CLS]"), text("A", 0), marker("[SEP]")];
  return JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, text("B", 1), marker("[SEP]", 1)],
      special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(PIECES.map((piece, i) => [piece, i])),
    },
  });
}

/** xorshift32, mapped to about [-scale, scale]. */
function seeded(seed: number): (length: number, scale: number) => Float32Array {
  let state = seed | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
  return (length, scale) => Float32Array.from({ length }, () => next() * scale);
}

type Random = ReturnType<typeof seeded>;

function linear(g: Graph, x: string, random: Random, k: number, n: number): string {
  const w = g.constant(random(k * n, 2 / Math.sqrt(k)), [k, n]);
  return g.node("Add", [g.node("MatMul", [x, w]), g.constant(random(n, 0.1), [n])]);
}

function norm(g: Graph, x: string, random: Random, dim: number): string {
  const gamma = g.constant(
    random(dim, 0.2).map((value) => 1 + value),
    [dim],
  );
  const inputs = [x, gamma, g.constant(random(dim, 0.1), [dim])];
  const attributes = [attributeInt("axis", -1), attributeFloat("epsilon", 1e-12)];
  return g.node("LayerNormalization", inputs, ...attributes);
}

const ints = (g: Graph, ...values: number[]) =>
  g.constant(BigInt64Array.from(values, BigInt), [values.length]);

function attention(g: Graph, x: string, bias: string, random: Random, shape: Shape): string {
  const { dim, heads } = shape;
  const split = ints(g, 0, 0, heads, dim / heads);
  const [q, k, v] = [0, 1, 2].map((part) => {
    const flat = linear(g, x, random, dim, dim);
    const perm = attributeInts("perm", part === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]);
    return g.node("Transpose", [g.node("Reshape", [flat, split])], perm);
  });
  const scores = g.node("Div", [g.node("MatMul", [q!, k!]), g.scalar(Math.sqrt(dim / heads))]);
  const weights = g.node("Softmax", [g.node("Add", [scores, bias])], attributeInt("axis", -1));
  const mixed = g.node("MatMul", [weights, v!]);
  const merged = g.node("Transpose", [mixed], attributeInts("perm", [0, 2, 1, 3]));
  return linear(g, g.node("Reshape", [merged, ints(g, 0, 0, dim)]), random, dim, dim);
}

/** Token, position and type embeddings, normalized: [batch, tokens, dim]. */
function embeddings(g: Graph, random: Random, { dim, positions: count }: Shape): string {
  const table = (rows: number) => g.constant(random(rows * dim, 1), [rows, dim]);
  const tokens = g.node("Gather", [table(PIECES.length), "input_ids"]);
  const length = g.node("Gather", [
    g.node("Shape", ["input_ids"]),
    g.constant(BigInt64Array.of(1n), []),
  ]);
  const integer = (value: bigint) => g.constant(BigInt64Array.of(value), []);
  const places = g.node("Range", [integer(0n), length, integer(1n)]);
  const positions = g.node("Gather", [table(count), places]);
  const types = g.node("Gather", [table(2), "token_type_ids"]);
  return norm(g, g.node("Add", [g.node("Add", [tokens, positions]), types]), random, dim);
}

/** A model of `seed`. With `labels` it ends in that many logits of the first token, [batch,
 *  labels]; with none in the hidden states, [batch, tokens, dim]. */
export function tinyModel(seed: number, labels: number, shape = TINY): Uint8Array {
  const g = new Graph();
  const random = seeded(seed);
  const { dim, ffn, layers } = shape;
  let x = embeddings(g, random, shape);
  const mask = g.node("Cast", ["attention_mask"], attributeInt("to", FLOAT));
  const absent = g.node("Sub", [g.scalar(1), g.node("Unsqueeze", [mask, ints(g, 1, 2)])]);
  const bias = g.node("Mul", [absent, g.scalar(-1e9)]);
  for (let layer = 0; layer < layers; layer++) {
    x = norm(g, g.node("Add", [x, attention(g, x, bias, random, shape)]), random, dim);
    const wide = g.node("Tanh", [linear(g, x, random, dim, ffn)]);
    x = norm(g, g.node("Add", [x, linear(g, wide, random, ffn, dim)]), random, dim);
  }
  if (labels > 0) {
    const first = g.node(
      "Gather",
      [x, g.constant(BigInt64Array.of(0n), [])],
      attributeInt("axis", 1),
    );
    x = linear(g, first, random, dim, labels);
  }
  const dims = labels > 0 ? ["batch", labels] : ["batch", "tokens", dim];
  const inputs = ["input_ids", "attention_mask", "token_type_ids"];
  return g.model(
    inputs.map((name) => ({ name, type: INT64, dims: ["batch", "tokens"] })),
    { name: x, type: FLOAT, dims },
  );
}

/** The model's first output for one sequence, by onnxruntime-web on Node. */
export async function reference(
  file: Uint8Array,
  options: Partial<ort.InferenceSession.SessionOptions> = {},
): Promise<(sequence: TokenSequence) => Promise<Float32Array>> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "fatal";
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ["wasm"],
    ...options,
  });
  return async ({ ids, types }) => {
    const tensor = (values: readonly number[]) =>
      new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
    const outputs = await session.run({
      input_ids: tensor(ids),
      attention_mask: tensor(ids.map(() => 1)),
      token_type_ids: tensor(types),
    });
    return (outputs[session.outputNames[0]!]!.data as Float32Array).slice();
  };
}

/** The unit vector of the mean of hidden states [tokens, DIM]. */
export function meanOf(hidden: Float32Array): Float32Array {
  const mean = new Float32Array(DIM);
  for (const [i, value] of hidden.entries()) mean[i % DIM]! += value;
  const length = Math.hypot(...mean);
  return mean.map((value) => value / length);
}
