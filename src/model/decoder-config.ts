/** What a decoder's GGUF header says that it computes, with llama.cpp's names of keys and tensors.
 *  A file that asks for anything else is refused here, before a weight is read.
 *  Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and llama.cpp's
 *  gguf-py/gguf/constants.py. */
import {
  DECODER_CONTEXT_MAX,
  DECODER_DIM_MAX,
  DECODER_FFN_DIM_MAX,
  DECODER_HEAD_DIM_MAX,
  DECODER_HEADS_MAX,
  DECODER_LAYERS_MAX,
  DECODER_VOCAB_MAX,
} from "../limits.ts";
import { type GgufHeader, type GgufValue, invalidModel, type Metadata } from "./gguf.ts";
import { integerOf, numberOf, stringOf, stringsOf } from "./metadata.ts";

/** How an architecture differs from the others. */
interface Architecture {
  /** Which of a head's numbers RoPE turns together: 2i with 2i + 1, or i with i + rope_dim / 2. */
  ropeLayout: "interleaved" | "halves";
  /** q, k and v have biases. */
  attentionBias: boolean;
  /** Each head of q and of k passes an RMSNorm of its own before RoPE. */
  headNorm: boolean;
}

/** llama: SmolLM2, TinyLlama, Llama 3.2; qwen2: Qwen2.5; qwen3: Qwen3. */
const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ["llama", { ropeLayout: "interleaved", attentionBias: false, headNorm: false }],
  ["qwen2", { ropeLayout: "halves", attentionBias: true, headNorm: false }],
  ["qwen3", { ropeLayout: "halves", attentionBias: false, headNorm: true }],
]);

export interface DecoderConfig extends Architecture {
  architecture: string;
  dim: number;
  n_layers: number;
  n_heads: number;
  /** Query heads h * n_heads / n_kv_heads and on share KV head h. */
  n_kv_heads: number;
  head_dim: number;
  ffn_dim: number;
  vocab_size: number;
  /** Positions that the model was trained for. */
  context_length: number;
  /** Numbers of a head that RoPE turns, from its first. */
  rope_dim: number;
  rope_base: number;
  /** All angles are divided by it: linear scaling. */
  rope_scale: number;
  /** A tensor, rope_freqs.weight, divides each pair's angle further. */
  ropeFactors: boolean;
  /** Logits come of token_embd.weight, there being no output.weight. */
  tied: boolean;
  eps: number;
}

/** Keys after the architecture's name that are read here. */
const READ_KEYS = new Set([
  "context_length",
  "embedding_length",
  "block_count",
  "feed_forward_length",
  "vocab_size",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.key_length",
  "attention.value_length",
  "attention.layer_norm_rms_epsilon",
  "rope.dimension_count",
  "rope.freq_base",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scale_linear",
]);

/** Keys that say how a model came about and change nothing that is computed. */
const INERT_KEYS = new Set([
  "rope.scaling.original_context_length",
  "rope.scaling.finetuned",
  "tensor_data_layout",
]);

/** Keys of parts that are not computed here, with the value by which a file says that it has no
 *  such part. */
const NEUTRAL_VALUES: ReadonlyMap<string, GgufValue> = new Map<string, GgufValue>([
  ["expert_count", 0],
  ["expert_used_count", 0],
  ["attention.sliding_window", 0],
  ["attn_logit_softcapping", 0],
  ["final_logit_softcapping", 0],
  ["attention.clamp_kqv", 0],
  ["attention.max_alibi_bias", 0],
  ["attention.causal", true],
  ["use_parallel_residual", false],
  ["pooling_type", 0],
]);

/** Refuses keys of the architecture that nothing here reads: each would change the model. */
function refuseOtherKeys(metadata: Metadata, architecture: string): void {
  for (const [key, value] of metadata) {
    if (!key.startsWith(`${architecture}.`)) continue;
    const name = key.slice(architecture.length + 1);
    if (READ_KEYS.has(name) || INERT_KEYS.has(name)) continue;
    const neutral = NEUTRAL_VALUES.get(name);
    if (neutral !== undefined && value === neutral) continue;
    const found = Array.isArray(value) ? "an array" : String(value).slice(0, 80);
    throw invalidModel(`GGUF key ${key} is ${found}, which asks for what Brink does not compute`);
  }
}

function optionalInteger(metadata: Metadata, key: string, absent: number, max: number): number {
  return metadata.has(key) ? integerOf(metadata, key, 1, max) : absent;
}

/** Linear scaling's factor: 1 where there is none. */
function ropeScale(metadata: Metadata, architecture: string): number {
  const typeKey = `${architecture}.rope.scaling.type`;
  const type = metadata.has(typeKey) ? stringOf(metadata, typeKey) : null;
  if (type !== null && type !== "none" && type !== "linear")
    throw invalidModel(`GGUF key ${typeKey} is ${type.slice(0, 80)}; Brink reads none and linear`);
  const key =
    type === "linear" || (type === null && metadata.has(`${architecture}.rope.scaling.factor`))
      ? `${architecture}.rope.scaling.factor`
      : `${architecture}.rope.scale_linear`;
  if (type === "none" || (type === null && !metadata.has(key))) return 1;
  return within(key, numberOf(metadata, key), 1, 1024);
}

function within(key: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw invalidModel(`GGUF key ${key} is ${value}, not between ${min} and ${max}`);
}

/** How heads divide the model's width. */
function readHeads(metadata: Metadata, at: string, dim: number) {
  const n_heads = integerOf(metadata, `${at}.attention.head_count`, 1, DECODER_HEADS_MAX);
  const kvKey = `${at}.attention.head_count_kv`;
  const n_kv_heads = optionalInteger(metadata, kvKey, n_heads, n_heads);
  if (n_heads % n_kv_heads !== 0)
    throw invalidModel(`GGUF key ${kvKey} is ${n_kv_heads}, no divisor of ${n_heads} heads`);
  const lengthKey = `${at}.attention.key_length`;
  if (!metadata.has(lengthKey) && dim % n_heads !== 0)
    throw invalidModel(`${at}.embedding_length ${dim} is no multiple of ${n_heads} heads`);
  const head_dim = optionalInteger(metadata, lengthKey, dim / n_heads, DECODER_HEAD_DIM_MAX);
  if (head_dim % 8 !== 0 || head_dim > DECODER_HEAD_DIM_MAX)
    throw invalidModel(
      `heads have ${head_dim} numbers, not a multiple of 8 up to ${DECODER_HEAD_DIM_MAX}`,
    );
  const valueKey = `${at}.attention.value_length`;
  const value_dim = optionalInteger(metadata, valueKey, head_dim, DECODER_HEAD_DIM_MAX);
  if (value_dim !== head_dim)
    throw invalidModel(`GGUF key ${valueKey} is ${value_dim}, but keys have ${head_dim} numbers`);
  const ropeKey = `${at}.rope.dimension_count`;
  const rope_dim = optionalInteger(metadata, ropeKey, head_dim, head_dim);
  if (rope_dim % 2 !== 0) throw invalidModel(`GGUF key ${ropeKey} is ${rope_dim}, an odd number`);
  return { n_heads, n_kv_heads, head_dim, rope_dim };
}

/** The config in a file's header, every number of it within src/limits.ts. Errors:
 *  invalid_model_file, naming the key that is absent, out of bounds or not computed here. */
export function readDecoderConfig({ metadata, tensors }: GgufHeader): DecoderConfig {
  const architecture = stringOf(metadata, "general.architecture");
  const traits = ARCHITECTURES.get(architecture);
  if (!traits) {
    const known = Array.from(ARCHITECTURES.keys()).join(", ");
    throw invalidModel(
      `general.architecture is ${architecture.slice(0, 80)}; decoders are ${known}`,
    );
  }
  refuseOtherKeys(metadata, architecture);
  const at = architecture;
  const names = new Set(tensors.map(({ name }) => name));
  const vocab_size = stringsOf(metadata, "tokenizer.ggml.tokens").length;
  if (vocab_size < 1 || vocab_size > DECODER_VOCAB_MAX)
    throw invalidModel(
      `the vocabulary has ${vocab_size} tokens, the limit is ${DECODER_VOCAB_MAX}`,
    );
  const vocabKey = `${at}.vocab_size`;
  const claimed = optionalInteger(metadata, vocabKey, vocab_size, DECODER_VOCAB_MAX);
  if (claimed !== vocab_size)
    throw invalidModel(`GGUF key ${vocabKey} is ${claimed}, but there are ${vocab_size} tokens`);
  const dim = multipleOf(8, metadata, `${at}.embedding_length`, DECODER_DIM_MAX);
  const epsKey = `${at}.attention.layer_norm_rms_epsilon`;
  const baseKey = `${at}.rope.freq_base`;
  const base = metadata.has(baseKey) ? numberOf(metadata, baseKey) : 10_000;
  return {
    ...traits,
    architecture,
    dim,
    n_layers: integerOf(metadata, `${at}.block_count`, 1, DECODER_LAYERS_MAX),
    ...readHeads(metadata, at, dim),
    ffn_dim: multipleOf(4, metadata, `${at}.feed_forward_length`, DECODER_FFN_DIM_MAX),
    vocab_size,
    context_length: integerOf(metadata, `${at}.context_length`, 1, DECODER_CONTEXT_MAX),
    rope_base: within(baseKey, base, 1, 1e9),
    rope_scale: ropeScale(metadata, at),
    ropeFactors: names.has("rope_freqs.weight"),
    tied: !names.has("output.weight"),
    eps: within(epsKey, numberOf(metadata, epsKey), 1e-12, 0.1),
  };
}

/** What the kernels' panels and vectors take: rows in multiples of 8, columns of 4. */
function multipleOf(unit: number, metadata: Metadata, key: string, max: number): number {
  const value = integerOf(metadata, key, unit, max);
  if (value % unit === 0) return value;
  throw invalidModel(`GGUF key ${key} is ${value}, no multiple of ${unit}`);
}
