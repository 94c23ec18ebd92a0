/** Streams a decoder from GGUF into linear memory: matrices packed as they are quantized in the
 *  file, vectors as f32. Linear memory holds the only copy; beside it there is one panel. */
import { GGUF_PANEL_BYTES } from "../limits.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderKernels } from "./decoder-kernels.ts";
import { firstNotFinite } from "./finite.ts";
import { invalidModel, type TensorInfo } from "./gguf.ts";
import type { GgufStream, Panel } from "./gguf-stream.ts";
import { type Matrix, matrixBytes, PANEL_ROWS } from "./matmul-kernels.ts";
import { readFloats } from "./quants.ts";
import type { TensorType } from "./tensor-types.ts";

/** Several tensors that read the same input, side by side: y f32 [m, n], `part.column` being where
 *  a part's outputs start. Tensors of one type are one part. */
export interface Stacked {
  n: number;
  parts: { column: number; matrix: Matrix }[];
}

/** Norms are byte offsets of f32 [dim], those of heads f32 [head_dim], the bias that of
 *  f32 [(n_heads + 2 n_kv_heads) * head_dim]; 0 where the architecture has none. */
export interface DecoderLayerWeights {
  attnNorm: number;
  qkv: Stacked; // q, k, v
  qkvBias: number;
  qNorm: number;
  kNorm: number;
  attnOutput: Matrix; // [dim, n_heads * head_dim]
  ffnNorm: number;
  gateUp: Stacked; // gate, up
  down: Matrix; // [dim, ffn_dim]
}

export interface DecoderWeights {
  tokens: Matrix; // [vocab_size, dim]
  layers: DecoderLayerWeights[];
  outputNorm: number; // f32 [dim]
  output: Matrix; // [vocab_size, dim]; `tokens` itself where they are tied
  /** What divides each pair's angle in RoPE, [rope_dim / 2]; null where it is 1 throughout. */
  ropeFactors: Float32Array | null;
}

interface Shape {
  rows: number;
  cols: number;
  /** Packed for products; a vector is kept as f32. */
  matrix: boolean;
}

/** Every tensor that a decoder has, by name. */
function decoderTensors(config: DecoderConfig): Map<string, Shape> {
  const { dim, ffn_dim, vocab_size, head_dim, n_layers } = config;
  const q_dim = config.n_heads * head_dim;
  const kv_dim = config.n_kv_heads * head_dim;
  const shapes = new Map<string, Shape>();
  const matrix = (name: string, rows: number, cols: number) =>
    shapes.set(`${name}.weight`, { rows, cols, matrix: true });
  const vector = (name: string, cols: number) => shapes.set(name, { rows: 1, cols, matrix: false });
  matrix("token_embd", vocab_size, dim);
  for (let i = 0; i < n_layers; i++) {
    const at = `blk.${i}`;
    vector(`${at}.attn_norm.weight`, dim);
    matrix(`${at}.attn_q`, q_dim, dim);
    matrix(`${at}.attn_k`, kv_dim, dim);
    matrix(`${at}.attn_v`, kv_dim, dim);
    if (config.attentionBias) {
      vector(`${at}.attn_q.bias`, q_dim);
      vector(`${at}.attn_k.bias`, kv_dim);
      vector(`${at}.attn_v.bias`, kv_dim);
    }
    if (config.headNorm) {
      vector(`${at}.attn_q_norm.weight`, head_dim);
      vector(`${at}.attn_k_norm.weight`, head_dim);
    }
    matrix(`${at}.attn_output`, dim, q_dim);
    vector(`${at}.ffn_norm.weight`, dim);
    matrix(`${at}.ffn_gate`, ffn_dim, dim);
    matrix(`${at}.ffn_up`, ffn_dim, dim);
    matrix(`${at}.ffn_down`, dim, ffn_dim);
  }
  vector("output_norm.weight", dim);
  if (!config.tied) matrix("output", vocab_size, dim);
  if (config.ropeFactors) vector("rope_freqs.weight", config.rope_dim / 2);
  return shapes;
}

/** Linear memory that a file's weights will take, in bytes, once every tensor has proved to be one
 *  of the decoder's, of its shape, and none to be missing or too many: a model with one more is not
 *  the model computed here. Errors: invalid_model_file. */
export function weightBytes(tensors: readonly TensorInfo[], config: DecoderConfig): number {
  const shapes = decoderTensors(config);
  let bytes = 0;
  for (const { name, type, rows, cols, dims } of tensors) {
    const shape = shapes.get(name);
    if (!shape) throw invalidModel(`tensor ${name} has no place in this model`);
    if (rows !== shape.rows || cols !== shape.cols) {
      const wanted = `[${shape.cols}, ${shape.rows}]`;
      throw invalidModel(`tensor ${name} is [${dims.join(", ")}] in GGUF's order, not ${wanted}`);
    }
    const resident = shape.matrix ? matrixBytes(type, rows, cols) : rows * cols * 4;
    bytes += Math.ceil(resident / 16) * 16; // as allocations are aligned
    shapes.delete(name);
  }
  for (const [name, { rows, cols }] of shapes)
    throw invalidModel(`tensor ${name} [${cols}, ${rows}] is missing`);
  return bytes;
}

/** Takes in the tensors of one file, which weightBytes has passed. */
class DecoderLoader {
  private readonly kernels: DecoderKernels;
  private readonly types: ReadonlyMap<string, TensorType>;
  private readonly places = new Map<string, (panel: Panel) => void>();
  private staging = 0;

  constructor(kernels: DecoderKernels, tensors: readonly TensorInfo[]) {
    this.kernels = kernels;
    this.types = new Map(tensors.map(({ name, type }) => [name, type]));
  }

  /** f32, the tensors `names` of such lengths back to back. */
  vectors(names: readonly string[], lengths: readonly number[]): number {
    const start = this.kernels.alloc(lengths.reduce((a, b) => a + b, 0) * 4);
    let at = start;
    for (const [i, name] of names.entries()) {
      const [offset, length] = [at, lengths[i]!];
      this.places.set(name, (panel) => readFloats(panel, this.kernels.f32(offset, length)));
      at += length * 4;
    }
    return start;
  }

  vector(name: string, length: number): number {
    return this.vectors([name], [length]);
  }

  matrix(name: string, n: number, k: number): Matrix {
    return this.stack([name], [n], k).parts[0]!.matrix;
  }

  /** The matrices `names` of n[i] rows. Neighbours of one type are one matrix, as far as its panels
   *  begin with a tensor's first row. */
  stack(names: readonly string[], n: readonly number[], k: number): Stacked {
    const parts: Stacked["parts"] = [];
    let column = 0;
    for (let i = 0; i < names.length; ) {
      const type = this.types.get(`${names[i]}.weight`)!;
      let rows = n[i]!;
      let end = i + 1;
      while (
        end < names.length &&
        rows % PANEL_ROWS === 0 &&
        this.types.get(`${names[end]}.weight`) === type
      )
        rows += n[end++]!;
      const matrix = this.kernels.allocMatrix(type, rows, k);
      parts.push({ column, matrix });
      for (let row = 0; i < end; row += n[i++]!) this.place(`${names[i]}.weight`, matrix, row);
      column += rows;
    }
    return { n: column, parts };
  }

  /** Pours every tensor of the file into its place. */
  async fill(file: GgufStream): Promise<void> {
    this.staging = this.kernels.alloc(GGUF_PANEL_BYTES);
    for await (const panel of file.panels(PANEL_ROWS)) this.places.get(panel.tensor.name)!(panel);
  }

  /** The tensor becomes rows row0.. of the matrix. */
  private place(name: string, matrix: Matrix, row0: number): void {
    this.places.set(name, ({ tensor, row, rows, bytes }) => {
      const bad = firstNotFinite(tensor.type, bytes);
      if (bad >= 0) {
        const badRow = row + Math.floor(bad / tensor.rowBytes);
        throw invalidModel(`tensor ${name} holds a value that is not finite in row ${badRow}`);
      }
      this.kernels.u8(this.staging, bytes.length).set(bytes);
      this.kernels.packMatrix(matrix, this.staging, row0 + row, rows);
    });
  }
}

function layerPlaces(loader: DecoderLoader, config: DecoderConfig, i: number): DecoderLayerWeights {
  const { dim, ffn_dim, head_dim, attentionBias, headNorm } = config;
  const at = `blk.${i}`;
  const qkv = ["q", "k", "v"].map((part) => `${at}.attn_${part}`);
  const q_dim = config.n_heads * head_dim;
  const kv_dim = config.n_kv_heads * head_dim;
  const n = [q_dim, kv_dim, kv_dim];
  const biases = qkv.map((name) => `${name}.bias`);
  return {
    attnNorm: loader.vector(`${at}.attn_norm.weight`, dim),
    qkv: loader.stack(qkv, n, dim),
    qkvBias: attentionBias ? loader.vectors(biases, n) : 0,
    qNorm: headNorm ? loader.vector(`${at}.attn_q_norm.weight`, head_dim) : 0,
    kNorm: headNorm ? loader.vector(`${at}.attn_k_norm.weight`, head_dim) : 0,
    attnOutput: loader.matrix(`${at}.attn_output`, dim, q_dim),
    ffnNorm: loader.vector(`${at}.ffn_norm.weight`, dim),
    gateUp: loader.stack([`${at}.ffn_gate`, `${at}.ffn_up`], [ffn_dim, ffn_dim], dim),
    down: loader.matrix(`${at}.ffn_down`, dim, ffn_dim),
  };
}

/** RoPE's divisors, linear scaling and the file's own factors together. */
function factorsOf(config: DecoderConfig, own: Float32Array | null): Float32Array | null {
  if (!own && config.rope_scale === 1) return null;
  const factors = own?.slice() ?? new Float32Array(config.rope_dim / 2).fill(1);
  if (!factors.every((factor) => factor > 0))
    throw invalidModel("tensor rope_freqs.weight holds a factor that is not above 0");
  return factors.map((factor) => factor * config.rope_scale);
}

/** Reads the weights of a file whose tensors weightBytes has passed. On failure nothing stays
 *  allocated. The kernels must not be used meanwhile. Errors: invalid_model_file. */
export async function loadDecoderWeights(
  kernels: DecoderKernels,
  file: GgufStream,
  config: DecoderConfig,
): Promise<DecoderWeights> {
  const { dim, vocab_size, n_layers, rope_dim } = config;
  const mark = kernels.mark();
  try {
    const loader = new DecoderLoader(kernels, file.header.tensors);
    const tokens = loader.matrix("token_embd", vocab_size, dim);
    const weights = {
      tokens,
      layers: Array.from({ length: n_layers }, (_, i) => layerPlaces(loader, config, i)),
      outputNorm: loader.vector("output_norm.weight", dim),
      output: config.tied ? tokens : loader.matrix("output", vocab_size, dim),
    };
    const end = kernels.mark();
    const own = config.ropeFactors ? loader.vector("rope_freqs.weight", rope_dim / 2) : null;
    await loader.fill(file);
    const ropeFactors = factorsOf(config, own === null ? null : kernels.f32(own, rope_dim / 2));
    kernels.release(end);
    return { ...weights, ropeFactors };
  } catch (error) {
    kernels.release(mark);
    throw error;
  } finally {
    await file.cancel();
  }
}
