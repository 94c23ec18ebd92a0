/** Writes a GGUF file of SmolLM2-135M's shape with random Q4_0 weights, for benches of speed and
 *  memory: every engine does the same work on it as on the real model, and nothing is downloaded.
 *  Every matrix is Q4_0, the token embeddings included: 75.6 MB. Run: node bench/smollm-file.ts. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { mulberry32 } from "../eval/random.ts";
import { type Fields, ggufHeader, type TensorEntry } from "../test/model/gguf-file.ts";
import { byteLevelVocabulary } from "../test/support/byte-level-vocabulary.ts";

/** The sizes of SmolLM2-135M: https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json */
export const SMOLLM = {
  dim: 576,
  n_layers: 30,
  n_heads: 9,
  n_kv_heads: 3,
  head_dim: 64,
  ffn_dim: 1536,
  vocab_size: 49_152,
  context_length: 8_192,
} as const;

const FILE = join(import.meta.dirname, "../build/smollm2-135m-shaped-q4_0.gguf");
const SEED = 20_261_124;
const F32 = 0;
const Q4_0 = 2;
function fields(next: () => number): Fields {
  return {
    "general.architecture": ["string", "llama"],
    "general.name": ["string", "smollm2-135m-shaped"],
    "general.file_type": ["u32", 2],
    "llama.vocab_size": ["u32", SMOLLM.vocab_size],
    "llama.context_length": ["u32", SMOLLM.context_length],
    "llama.embedding_length": ["u32", SMOLLM.dim],
    "llama.block_count": ["u32", SMOLLM.n_layers],
    "llama.feed_forward_length": ["u32", SMOLLM.ffn_dim],
    "llama.attention.head_count": ["u32", SMOLLM.n_heads],
    "llama.attention.head_count_kv": ["u32", SMOLLM.n_kv_heads],
    "llama.attention.layer_norm_rms_epsilon": ["f32", 1e-5],
    "llama.rope.dimension_count": ["u32", SMOLLM.head_dim],
    "llama.rope.freq_base": ["f32", 100_000],
    ...byteLevelVocabulary(SMOLLM.vocab_size, next),
  };
}

interface ShapedTensor extends TensorEntry {
  dims: readonly [cols: number, rows: number] | readonly [cols: number];
  bytes: number;
}

function tensors(): ShapedTensor[] {
  const { dim, ffn_dim, head_dim, n_heads, n_kv_heads } = SMOLLM;
  const norm = (name: string): ShapedTensor => ({ name, dims: [dim], type: F32, bytes: dim * 4 });
  const matrix = (name: string, rows: number, cols: number): ShapedTensor => {
    return { name, dims: [cols, rows], type: Q4_0, bytes: ((rows * cols) / 32) * 18 };
  };
  const layers = Array.from({ length: SMOLLM.n_layers }, (_, i) => [
    norm(`blk.${i}.attn_norm.weight`),
    matrix(`blk.${i}.attn_q.weight`, n_heads * head_dim, dim),
    matrix(`blk.${i}.attn_k.weight`, n_kv_heads * head_dim, dim),
    matrix(`blk.${i}.attn_v.weight`, n_kv_heads * head_dim, dim),
    matrix(`blk.${i}.attn_output.weight`, dim, n_heads * head_dim),
    norm(`blk.${i}.ffn_norm.weight`),
    matrix(`blk.${i}.ffn_gate.weight`, ffn_dim, dim),
    matrix(`blk.${i}.ffn_up.weight`, ffn_dim, dim),
    matrix(`blk.${i}.ffn_down.weight`, dim, ffn_dim),
  ]);
  const tokens = matrix("token_embd.weight", SMOLLM.vocab_size, dim);
  return [tokens, ...layers.flat(), norm("output_norm.weight")];
}

/** A half float for a normal number in (2^-14, 1): truncated, which no bench minds. */
function halfBits(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | Math.floor((value / 2 ** exponent - 1) * 1024);
}

/** Q4_0 blocks of random nibbles, whose scale keeps a product's variance near its input's: nibbles
 *  less 8 deviate by 4.6, so d is around 1 / (4.6 sqrt(cols)). Their mean is -1/2, which scales of
 *  either sign take away: otherwise every input would give nearly the same output. */
function randomBlocks(bytes: number, cols: number, next: () => number): Uint8Array {
  const words = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => next() * 2 ** 32);
  const data = new Uint8Array(words.buffer, 0, bytes);
  const view = new DataView(words.buffer);
  const sizes = [0.5, 0.75, 1, 1.25, 1.5].map((s) => halfBits(s / (4.6 * Math.sqrt(cols))));
  const scales = [...sizes, ...sizes.map((bits) => bits | 0x8000)];
  for (let at = 0; at < bytes; at += 18) view.setUint16(at, scales[Math.floor(next() * 10)]!, true);
  return data;
}

/** Writes the file unless it stands already; its path. The bytes depend on the seed alone. */
export function writeSmollmFile(path = FILE): string {
  const next = mulberry32(SEED);
  const list = tensors();
  const header = ggufHeader(fields(next), list);
  const padded = (bytes: number) => Math.ceil(bytes / 32) * 32;
  const size = list.reduce((sum, { bytes }) => sum + padded(bytes), header.length);
  if (existsSync(path) && statSync(path).size === size) return path;
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.part`;
  const file = openSync(unfinished, "w");
  writeSync(file, header);
  for (const { dims, type, bytes } of list) {
    const cols = dims[0];
    const ones = () => new Uint8Array(new Float32Array(cols).fill(1).buffer);
    const data = type === Q4_0 ? randomBlocks(bytes, cols, next) : ones();
    writeSync(file, data);
    writeSync(file, new Uint8Array(padded(bytes) - bytes));
  }
  closeSync(file);
  renameSync(unfinished, path);
  return path;
}

if (import.meta.main) {
  const path = writeSmollmFile(process.argv[2]);
  console.log(`${path}: ${(statSync(path).size / 1e6).toFixed(1)} MB`);
}
