/** Streams a BERT from GGUF into linear memory: matrices as int8 rows with one f32 scale a row,
 *  packed for gemm_i8 panel by panel; all else f32. Linear memory holds the only copy; beside it
 *  there are one panel as it came and one as it goes. */
import { GGUF_PANEL_BYTES } from "../limits.ts";
import type { BertConfig, BertLayerWeights, BertWeights, LinearWeights } from "./bert.ts";
import { extraColumns } from "./calibrate.ts";
import { invalidModel, type Metadata, type TensorInfo } from "./gguf.ts";
import type { GgufStream, Panel } from "./gguf-stream.ts";
import { type Kernels, packedBytes } from "./kernels.ts";
import { integerOf, numberOf, stringOf } from "./metadata.ts";
import { dequantizeRow, readFloats, rowToInt8 } from "./quants.ts";
import { type Hash, sha256 } from "./sha256.ts";

export const TOKEN_EMBD = "token_embd.weight";

/** Token embeddings that a second model may share: i8 [vocab_size, dim] and f32 [vocab_size]. */
export interface SharedTokens {
  qs: number;
  d: number;
  vocab_size: number;
  /** SHA-256, in hex, of the tensor as it lay in its file. */
  sha256: string;
}

/** A small f32 tensor beyond BERT's own, for a head: where it lies and its shape. */
export interface HeadShape {
  name: string;
  rows: number;
  cols: number;
}

export interface LoadedBert {
  weights: BertWeights;
  tokens: SharedTokens;
  /** Byte offset of each head asked for, f32 [rows, cols]. */
  heads: Map<string, number>;
}

/** Where a tensor goes. */
interface Slot {
  rows: number;
  cols: number;
  place(panel: Panel): void;
}

/** How many positions a file's model knows. Errors: invalid_model_file for fewer than `tokens`,
 *  the longest sequence that it will be given. */
export function contextOf(metadata: Metadata, tokens: number): number {
  return integerOf(metadata, "bert.context_length", tokens, 8192);
}

/** The sizes in a file's bert.* keys, within what the kernels take. Errors: invalid_model_file. */
function readConfig(metadata: Metadata, vocab_size: number): BertConfig {
  const architecture = stringOf(metadata, "general.architecture");
  if (architecture !== "bert")
    throw invalidModel(`general.architecture is ${architecture}; Brink reads bert here`);
  const config = {
    dim: integerOf(metadata, "bert.embedding_length", 32, 4096),
    n_layers: integerOf(metadata, "bert.block_count", 1, 64),
    n_heads: integerOf(metadata, "bert.attention.head_count", 1, 64),
    ffn_dim: integerOf(metadata, "bert.feed_forward_length", 32, 16384),
    vocab_size,
    context_length: contextOf(metadata, 1),
    eps: numberOf(metadata, "bert.attention.layer_norm_epsilon"),
  };
  if (config.dim % config.n_heads !== 0 || (config.dim / config.n_heads) % 4 !== 0)
    throw invalidModel(
      `bert.embedding_length ${config.dim} over ${config.n_heads} heads is no multiple of 4`,
    );
  if (!(config.eps > 0 && config.eps < 1))
    throw invalidModel(`bert.attention.layer_norm_epsilon is ${config.eps}, not in (0, 1)`);
  return config;
}

/** Takes in the tensors of one file. */
class BertLoader {
  readonly heads = new Map<string, number>();
  private readonly slots = new Map<string, Slot>();
  private readonly kernels: Kernels;
  private readonly hash: Hash | null;
  private staging = 0;

  constructor(kernels: Kernels, hash: Hash | null) {
    this.kernels = kernels;
    this.hash = hash;
  }

  /** Errors: invalid_model_file where linear memory has no room for the model. */
  private alloc(bytes: number): number {
    const { kernels } = this;
    if (!kernels.hasRoom(bytes))
      throw invalidModel(
        `${bytes} bytes of the model do not fit beside ${kernels.bytesUsed}, the limit is ` +
          `${kernels.bytesMax}`,
      );
    return kernels.alloc(bytes);
  }

  /** f32 [rows, cols], from a tensor of that shape; a single row is a vector. */
  floats(name: string, rows: number, cols: number): number {
    const at = this.alloc(rows * cols * 4);
    this.floatsAt(name, at, rows, cols);
    return at;
  }

  private floatsAt(name: string, at: number, rows: number, cols: number): void {
    const place = (panel: Panel) => {
      const out = this.kernels.f32(at + panel.row * cols * 4, panel.rows * cols);
      readFloats(panel, out);
    };
    this.slots.set(name, { rows, cols, place });
  }

  /** One matrix [n, k] whose rows are those of the tensors `names`, stacked, and its bias. */
  linear(names: readonly string[], n: number, k: number): LinearWeights {
    const extra = extraColumns(k);
    const packed = this.alloc(packedBytes(n, k, extra));
    const d = this.alloc(n * 4);
    const bias = this.alloc(n * 4);
    const rows = n / names.length;
    for (const [i, name] of names.entries()) {
      const place = (panel: Panel) => {
        const first = i * rows + panel.row;
        this.toInt8(panel, this.staging, d + first * 4);
        this.kernels.packI8(packed, this.staging, first, panel.rows, { n, k, extra });
      };
      this.slots.set(`${name}.weight`, { rows, cols: k, place });
      this.floatsAt(`${name}.bias`, bias + i * rows * 4, 1, rows);
    }
    return { packed, d, bias, n, k, extra, split: null };
  }

  norm(name: string, dim: number) {
    return {
      gamma: this.floats(`${name}.weight`, 1, dim),
      beta: this.floats(`${name}.bias`, 1, dim),
    };
  }

  tokens(rows: number, cols: number): { qs: number; d: number } {
    const qs = this.alloc(rows * cols);
    const d = this.alloc(rows * 4);
    const place = (panel: Panel) => this.toInt8(panel, qs + panel.row * cols, d + panel.row * 4);
    this.slots.set(TOKEN_EMBD, { rows, cols, place });
    return { qs, d };
  }

  /** Pours every tensor of the file into its slot. */
  async fill(file: GgufStream): Promise<void> {
    this.checkShapes(file.header.tensors);
    this.staging = this.alloc(GGUF_PANEL_BYTES);
    for await (const panel of file.panels()) {
      this.slots.get(panel.tensor.name)!.place(panel);
      if (this.hash && panel.tensor.name === TOKEN_EMBD) await this.hash.update(panel.bytes);
    }
  }

  /** Every tensor has a slot of its shape and every slot its tensor, before any is read. A tensor
   *  too many is refused too: a model that has one is not the model computed here. */
  private checkShapes(tensors: readonly TensorInfo[]): void {
    const missing = new Set(this.slots.keys());
    for (const { name, rows, cols, dims } of tensors) {
      const slot = this.slots.get(name);
      if (!slot) throw invalidModel(`tensor ${name} has no place in this model`);
      if (rows !== slot.rows || cols !== slot.cols) {
        const wanted = `[${slot.cols}, ${slot.rows}]`;
        throw invalidModel(`tensor ${name} is [${dims.join(", ")}] in GGUF's order, not ${wanted}`);
      }
      missing.delete(name);
    }
    for (const name of missing) {
      const { rows, cols } = this.slots.get(name)!;
      throw invalidModel(`tensor ${name} [${cols}, ${rows}] is missing`);
    }
  }

  /** Writes a panel's rows as i8 [rows, cols] at `qs` and their scales f32 [rows] at `d`. */
  private toInt8(panel: Panel, qs: number, d: number): void {
    const { rows, tensor } = panel;
    const quants = this.kernels.i8(qs, rows * tensor.cols);
    const scales = this.kernels.f32(d, rows);
    const row = new Float32Array(tensor.cols);
    for (let i = 0; i < rows; i++) {
      const out = quants.subarray(i * tensor.cols, (i + 1) * tensor.cols);
      scales[i] = rowToInt8(panel, i, out, () => dequantizeRow(panel, i, row));
    }
  }
}

function layerSlots(loader: BertLoader, i: number, config: BertConfig): BertLayerWeights {
  const { dim, ffn_dim } = config;
  const at = `blk.${i}`;
  const qkv = ["q", "k", "v"].map((part) => `${at}.attn_${part}`);
  return {
    qkv: loader.linear(qkv, 3 * dim, dim),
    attnOut: loader.linear([`${at}.attn_output`], dim, dim),
    attnNorm: loader.norm(`${at}.attn_output_norm`, dim),
    up: loader.linear([`${at}.ffn_up`], ffn_dim, dim),
    down: loader.linear([`${at}.ffn_down`], dim, ffn_dim),
    outNorm: loader.norm(`${at}.layer_output_norm`, dim),
  };
}

/** Loads a BERT whose vocabulary has `vocab` entries, or one that shares the token embeddings
 *  `vocab`: its file brings none and names, by SHA-256, those that it was trained with. On failure
 *  nothing stays allocated. The kernels must not be used meanwhile. Errors: invalid_model_file. */
export async function loadBert(
  kernels: Kernels,
  file: GgufStream,
  vocab: number | SharedTokens,
  heads: readonly HeadShape[] = [],
): Promise<LoadedBert> {
  const shared = typeof vocab === "number" ? null : vocab;
  const { metadata } = file.header;
  const mark = kernels.mark();
  try {
    if (shared) checkShared(metadata, shared);
    const config = readConfig(metadata, typeof vocab === "number" ? vocab : vocab.vocab_size);
    const hash = shared ? null : sha256();
    const loader = new BertLoader(kernels, hash);
    const tokens = shared ?? loader.tokens(config.vocab_size, config.dim);
    const weights: BertWeights = {
      config,
      tokens: { qs: tokens.qs, d: tokens.d },
      types: loader.floats("token_types.weight", 2, config.dim),
      positions: loader.floats("position_embd.weight", config.context_length, config.dim),
      embedNorm: loader.norm("token_embd_norm", config.dim),
      layers: Array.from({ length: config.n_layers }, (_, i) => layerSlots(loader, i, config)),
    };
    const offsets = new Map(heads.map((h) => [h.name, loader.floats(h.name, h.rows, h.cols)]));
    const end = kernels.mark();
    file.dropMetadata();
    await loader.fill(file);
    kernels.release(end);
    const digest = shared?.sha256 ?? (await hash!.digest());
    const { vocab_size } = config;
    return { weights, tokens: { ...tokens, vocab_size, sha256: digest }, heads: offsets };
  } catch (error) {
    kernels.release(mark);
    await file.cancel();
    throw error;
  }
}

function checkShared(metadata: Metadata, shared: SharedTokens): void {
  const wanted = stringOf(metadata, "brink.shares.token_embd.sha256");
  if (wanted !== shared.sha256)
    throw invalidModel(
      `the model shares token embeddings with SHA-256 ${wanted}, the encoder has ${shared.sha256}`,
    );
}
