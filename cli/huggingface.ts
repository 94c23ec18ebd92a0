/** A Hugging Face checkpoint (config.json, tokenizer.json, safetensors) as a source: names, keys
 *  and the order of q's and k's rows become GGUF's. Source: convert_hf_to_gguf.py of llama.cpp. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { invalidModel } from "../src/model/gguf.ts";
import { encodeField, type GgufField } from "../src/model/gguf-writer.ts";
import { CommandError } from "./command.ts";
import { readTokenizer } from "./huggingface-tokenizer.ts";
import { openSafetensors, type SafeTensor } from "./safetensors.ts";
import type { SourceModel, SourceTensor } from "./source.ts";

/** config.json, of which only these fields are read. */
export interface HfConfig {
  model_type: string;
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads?: number;
  head_dim?: number;
  intermediate_size: number;
  max_position_embeddings: number;
  rms_norm_eps: number;
  hidden_act?: string;
  /** Up to transformers 4. */
  rope_theta?: number;
  rope_scaling?: Record<string, unknown> | null;
  /** Both of them, from transformers 5 on. */
  rope_parameters?: Record<string, unknown> | null;
  partial_rotary_factor?: number | null;
  tie_word_embeddings?: boolean;
  use_sliding_window?: boolean;
  vocab_size: number;
  bos_token_id?: number | null;
  eos_token_id?: number | number[] | null;
}

/** Of a checkpoint, what is wanted beside the weights; the last two not every one has. */
export const BESIDE = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
];

const ARCHITECTURES = ["llama", "qwen2", "qwen3"];

const OUTER: Record<string, string> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};

const INNER: Record<string, string> = {
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** GGUF's name of a checkpoint's tensor. Throws for one that Brink's decoders do not have. */
export function ggufName(name: string): string {
  if (OUTER[name] !== undefined) return OUTER[name];
  const [, layer, part, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (part !== undefined && INNER[part] !== undefined) return `blk.${layer}.${INNER[part]}.${kind}`;
  throw invalidModel(`tensor ${name} has no place in a decoder that Brink runs`);
}

/** Opens the checkpoint that `path`, a .safetensors file or its index, belongs to. */
export async function openHuggingFace(path: string): Promise<SourceModel> {
  const folder = dirname(path);
  const config = await readJson<HfConfig>(join(folder, "config.json"));
  if (!ARCHITECTURES.includes(config.model_type))
    throw invalidModel(
      `config.json's model_type is ${config.model_type}; Brink runs ${ARCHITECTURES.join(", ")}`,
    );
  const files = await shardsOf(path);
  const shards: Awaited<ReturnType<typeof openSafetensors>>[] = [];
  const close = async () => {
    for (const shard of shards) await shard.close();
  };
  try {
    for (const file of files) shards.push(await openSafetensors(join(folder, file)));
    const name = basename(folder);
    const tensors = shards
      .flatMap((shard) => shard.tensors)
      .filter((tensor) => keeps(tensor, config))
      .map((tensor) => tensorOf(tensor, config));
    const factors = ropeFactors(config);
    if (factors !== null) tensors.push(factorsTensor(factors));
    const tokenizer = await readTokenizer(folder, config);
    const fields = { ...configFields(config, name), ...tokenizer };
    return {
      fields: Object.entries(fields).map(([key, field]) => encodeField(key, field)),
      tensors,
      name,
      files: [path, ...[...BESIDE, ...files].map((file) => join(folder, file))],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A JSON file of the checkpoint. Throws CommandError where it is missing. */
export async function readJson<T>(path: string): Promise<T> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as T;
  } catch (error) {
    throw new CommandError(`${path} is needed beside the weights: ${(error as Error).message}`);
  }
}

/** The names of the files that an index lists, or of the one file. */
async function shardsOf(path: string): Promise<string[]> {
  if (!path.endsWith(".index.json")) return [basename(path)];
  const { weight_map } = await readJson<{ weight_map: Record<string, string> }>(path);
  const names = [...new Set(Object.values(weight_map))].sort();
  const strange = names.find((name) => name !== basename(name));
  if (strange !== undefined) throw invalidModel(`the index names a file elsewhere: ${strange}`);
  return names;
}

/** Tied embeddings stand once; buffers that can be computed are not weights. */
function keeps({ name }: SafeTensor, config: HfConfig): boolean {
  if (name === "lm_head.weight" && config.tie_word_embeddings === true) return false;
  return !name.endsWith(".rotary_emb.inv_freq");
}

function tensorOf(tensor: SafeTensor, config: HfConfig): SourceTensor {
  const name = ggufName(tensor.name);
  const dims = [...tensor.shape].reverse();
  const { type } = tensor;
  const heads = rotatedHeads(name, config);
  const permuted = config.model_type === "llama" && heads > 0 && dims.length === 2;
  return { name, dims, type, read: permuted ? interleaved(tensor, heads) : tensor.read };
}

/** Heads of a tensor that RoPE turns; 0 for any other. */
function rotatedHeads(name: string, config: HfConfig): number {
  const { num_attention_heads, num_key_value_heads } = config;
  if (name.endsWith(".attn_q.weight")) return num_attention_heads;
  if (name.endsWith(".attn_k.weight")) return num_key_value_heads ?? num_attention_heads;
  return 0;
}

/** Rows of a llama's q or k in the order that GGUF's interleaved RoPE wants: a checkpoint has the
 *  first numbers of a head's pairs and then the second ones, GGUF pair after pair. */
function interleaved({ rows, cols, read }: SafeTensor, heads: number): SafeTensor["read"] {
  const head = rows / heads;
  const from = (row: number) => {
    const i = row % head;
    return row - i + (i % 2) * (head / 2) + (i >> 1);
  };
  return async (row, count) => {
    const first = Math.floor(row / head) * head;
    const last = Math.ceil((row + count) / head) * head;
    const whole = await read(first, last - first);
    const out = new Float32Array(count * cols);
    for (let i = 0; i < count; i++) {
      const at = (from(row + i) - first) * cols;
      out.set(whole.subarray(at, at + cols), i * cols);
    }
    return out;
  };
}

function configFields(config: HfConfig, name: string): Record<string, GgufField> {
  const at = config.model_type;
  const head = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  if (config.use_sliding_window === true)
    throw invalidModel("config.json asks for a sliding window, which Brink does not compute");
  if ((config.hidden_act ?? "silu") !== "silu")
    throw invalidModel(`config.json's hidden_act is ${config.hidden_act}; Brink computes silu`);
  return {
    "general.architecture": ["string", at],
    "general.name": ["string", name],
    [`${at}.context_length`]: ["u32", config.max_position_embeddings],
    [`${at}.embedding_length`]: ["u32", config.hidden_size],
    [`${at}.block_count`]: ["u32", config.num_hidden_layers],
    [`${at}.feed_forward_length`]: ["u32", config.intermediate_size],
    [`${at}.attention.head_count`]: ["u32", config.num_attention_heads],
    [`${at}.attention.head_count_kv`]: [
      "u32",
      config.num_key_value_heads ?? config.num_attention_heads,
    ],
    [`${at}.attention.key_length`]: ["u32", head],
    [`${at}.attention.value_length`]: ["u32", head],
    [`${at}.attention.layer_norm_rms_epsilon`]: ["f32", config.rms_norm_eps],
    [`${at}.rope.dimension_count`]: ["u32", head],
    [`${at}.rope.freq_base`]: ["f32", ropeOf(config).base],
    [`${at}.vocab_size`]: ["u32", config.vocab_size],
    ...scalingFields(config),
  };
}

/** What config.json says of RoPE, in whichever way. Throws for what Brink does not compute. */
function ropeOf(config: HfConfig) {
  const { rope_theta, rope_scaling, rope_parameters } = config;
  const said: Record<string, unknown> = { rope_theta, ...rope_scaling, ...rope_parameters };
  const kind = said.rope_type ?? said.type ?? "default";
  if (kind !== "default" && kind !== "llama3" && kind !== "linear")
    throw invalidModel(`config.json's rope_scaling is ${String(kind)}; Brink knows linear, llama3`);
  const apart = Object.keys(said).find((key) => typeof said[key] === "object" && said[key]);
  if (apart !== undefined)
    throw invalidModel(
      `config.json's rope_parameters have ${apart} of its own; Brink has one RoPE`,
    );
  const part = config.partial_rotary_factor ?? said.partial_rotary_factor ?? 1;
  if (part !== 1)
    throw invalidModel(`config.json's partial_rotary_factor is ${String(part)}; Brink computes 1`);
  return { base: Number(said.rope_theta ?? 10_000), kind, said };
}

function scalingFields(config: HfConfig): Record<string, GgufField> {
  const { kind, said } = ropeOf(config);
  if (kind !== "linear") return {};
  return {
    [`${config.model_type}.rope.scaling.type`]: ["string", "linear"],
    [`${config.model_type}.rope.scaling.factor`]: ["f32", Number(said.factor)],
  };
}

/** Llama 3.1's scaling as a divisor for each pair's frequency; null where there is none. High
 *  frequencies stay, low ones are divided by `factor`, those between are blended.
 *  Source: https://github.com/meta-llama/llama-models, models/llama3/model.py */
export function ropeFactors(config: HfConfig): Float32Array | null {
  const { base, kind, said } = ropeOf(config);
  if (kind !== "llama3") return null;
  const [factor, low, high, context] = [
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
  ].map((key) => Number(said[key])) as [number, number, number, number];
  const dim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  return Float32Array.from({ length: dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * base ** ((2 * i) / dim);
    if (wavelength < context / high) return 1;
    if (wavelength > context / low) return factor;
    const smooth = (context / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

function factorsTensor(factors: Float32Array): SourceTensor {
  const read = () => Promise.resolve(factors);
  return { name: "rope_freqs.weight", dims: [factors.length], type: "F32", read };
}
