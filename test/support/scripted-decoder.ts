/** Decoders for tests, written by a script from a seed: real shapes in small, any architecture and
 *  tensor types, and greedy tokens that no rounding can turn. */
import { mulberry32 } from "../../eval/random.ts";
import type { TensorType } from "../../src/model/tensor-types.ts";
import { type Fields, ggufFile, type TestTensor } from "../model/gguf-file.ts";
import { byteLevelVocabulary } from "./byte-level-vocabulary.ts";
import { quantize, typeId } from "./quantize.ts";

export interface Script {
  architecture: "llama" | "qwen2" | "qwen3";
  /** The type of the matrix of that name. */
  typeOf(name: string): TensorType;
  seed: number;
  dim: number;
  n_layers: number;
  n_heads: number;
  n_kv_heads: number;
  head_dim: number;
  ffn_dim: number;
  vocab_size: number;
  context_length: number;
  tied: boolean;
  /** Whether rope_freqs.weight is there, as in Llama 3. */
  ropeFactors: boolean;
}

/** Sizes that every type's blocks divide. */
export const SCRIPT: Script = {
  architecture: "llama",
  typeOf: () => "F32",
  seed: 1,
  dim: 256,
  n_layers: 2,
  n_heads: 4,
  n_kv_heads: 2,
  head_dim: 64,
  ffn_dim: 512,
  vocab_size: 512,
  context_length: 512,
  tied: false,
  ropeFactors: false,
};

/** How much of its predecessor's embedding an output row bears, beside noise of 1 / sqrt(dim): the
 *  predecessor gives it a logit near 0.7 * LINK * sqrt(dim), 10, where all others deviate by 1. */
const LINK = 0.9;

/** The token that follows `id` whatever the layers say: one cycle through all, vocab_size being a
 *  power of two (Hull and Dobell 1962: an odd increment, a multiplier of 4 n + 1). */
const successor = (id: number, vocab_size: number) => (id * 5 + 37) % vocab_size;

/** Numbers of a normal distribution: Box and Muller 1958. */
function normals(next: () => number, length: number, deviation: number): Float32Array {
  return Float32Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return deviation * radius * Math.cos(2 * Math.PI * next());
  });
}

function keys(script: Script, next: () => number): Fields {
  const { architecture: at, vocab_size, head_dim } = script;
  return {
    "general.architecture": ["string", at],
    "general.name": ["string", `scripted-${at}`],
    [`${at}.vocab_size`]: ["u32", vocab_size],
    [`${at}.context_length`]: ["u32", script.context_length],
    [`${at}.embedding_length`]: ["u32", script.dim],
    [`${at}.block_count`]: ["u32", script.n_layers],
    [`${at}.feed_forward_length`]: ["u32", script.ffn_dim],
    [`${at}.attention.head_count`]: ["u32", script.n_heads],
    [`${at}.attention.head_count_kv`]: ["u32", script.n_kv_heads],
    [`${at}.attention.key_length`]: ["u32", head_dim],
    [`${at}.attention.value_length`]: ["u32", head_dim],
    [`${at}.attention.layer_norm_rms_epsilon`]: ["f32", 1e-6],
    [`${at}.rope.dimension_count`]: ["u32", head_dim],
    [`${at}.rope.freq_base`]: ["f32", at === "llama" ? 10_000 : 1_000_000],
    ...byteLevelVocabulary(vocab_size, next, at === "llama" ? "smollm" : "qwen2"),
  };
}

/** Rows that follow their predecessors: see LINK. */
function outputRows(tokens: Float32Array, script: Script, next: () => number): Float32Array {
  const { dim, vocab_size } = script;
  const rows = normals(next, vocab_size * dim, 1 / Math.sqrt(dim));
  for (let id = 0; id < vocab_size; id++) {
    const to = successor(id, vocab_size) * dim;
    for (let j = 0; j < dim; j++) rows[to + j]! += (LINK / Math.sqrt(dim)) * tokens[id * dim + j]!;
  }
  return rows;
}

/** The tensors, gains such that every layer adds about as much as it finds. */
function tensors(script: Script, next: () => number): TestTensor[] {
  const { architecture, dim, ffn_dim, head_dim, n_layers, vocab_size, typeOf } = script;
  const list: TestTensor[] = [];
  const add = (name: string, dims: number[], values: Float32Array) => {
    const type = dims.length === 1 ? "F32" : typeOf(name);
    list.push({ name, dims, type: typeId(type), data: quantize(type, values) });
  };
  const matrix = (name: string, rows: number, cols: number, gain = 1) =>
    add(`${name}.weight`, [cols, rows], normals(next, rows * cols, gain / Math.sqrt(cols)));
  const vector = (name: string, length: number, mean: number, deviation: number) =>
    add(
      name,
      [length],
      normals(next, length, deviation).map((v) => v + mean),
    );
  const q_dim = script.n_heads * head_dim;
  const kv_dim = script.n_kv_heads * head_dim;
  const embeddings = normals(next, vocab_size * dim, 1);
  add("token_embd.weight", [dim, vocab_size], embeddings);
  for (let i = 0; i < n_layers; i++) {
    const at = `blk.${i}`;
    vector(`${at}.attn_norm.weight`, dim, 1, 0.1);
    for (const [part, rows] of [
      ["q", q_dim],
      ["k", kv_dim],
      ["v", kv_dim],
    ] as const) {
      matrix(`${at}.attn_${part}`, rows, dim, part === "v" ? 1 : 1.5);
      if (architecture === "qwen2") vector(`${at}.attn_${part}.bias`, rows, 0, 0.5);
      if (architecture === "qwen3" && part !== "v")
        vector(`${at}.attn_${part}_norm.weight`, head_dim, 1.2, 0.1);
    }
    matrix(`${at}.attn_output`, dim, q_dim);
    vector(`${at}.ffn_norm.weight`, dim, 1, 0.1);
    matrix(`${at}.ffn_gate`, ffn_dim, dim);
    matrix(`${at}.ffn_up`, ffn_dim, dim);
    matrix(`${at}.ffn_down`, dim, ffn_dim);
  }
  vector("output_norm.weight", dim, 1, 0.1);
  if (!script.tied) add("output.weight", [dim, vocab_size], outputRows(embeddings, script, next));
  if (script.ropeFactors) vector("rope_freqs.weight", head_dim / 2, 2, 0.2);
  return list;
}

/** What the file holds, the same for the same script on every machine. */
export function scriptedParts(changes: Partial<Script> = {}): {
  fields: Fields;
  tensors: TestTensor[];
} {
  const script = { ...SCRIPT, ...changes };
  const next = mulberry32(script.seed);
  return { fields: keys(script, next), tensors: tensors(script, next) };
}

/** The file's bytes; `edit` changes its tensors. */
export function scriptedDecoder(
  changes: Partial<Script> = {},
  edit: (tensors: TestTensor[]) => TestTensor[] = (list) => list,
): Uint8Array<ArrayBuffer> {
  const { fields, tensors } = scriptedParts(changes);
  return ggufFile(fields, edit(tensors));
}
