/** A decoder's definition: naive, in f64 throughout, over the dequantized weights of a GGUF file,
 *  keys and values kept as they are. Source: Touvron et al. 2023 (arXiv 2302.13971), Su et al. 2021
 *  (RoPE, arXiv 2104.09864), Qwen2 (arXiv 2407.10671) and Qwen3 (arXiv 2505.09388), as llama.cpp
 *  computes them. */
import type { DecoderConfig } from "../../src/model/decoder-config.ts";
import { dequantize } from "../../src/model/dequantize.ts";
import { parseHeader, type TensorInfo } from "../../src/model/gguf.ts";

interface Tensor {
  rows: number;
  cols: number;
  data: Float32Array; // [rows, cols]
}

/** Every tensor of a file that is held whole, dequantized. */
export function tensorsOf(bytes: Uint8Array): Map<string, Tensor> {
  const { tensors, dataOffset } = parseHeader(bytes);
  const read = ({ name, type, rows, cols, rowBytes, offset }: TensorInfo): [string, Tensor] => {
    const data = new Float32Array(rows * cols);
    for (let r = 0; r < rows; r++) {
      const at = bytes.byteOffset + dataOffset + offset + r * rowBytes;
      const view = new DataView(bytes.buffer, at, rowBytes);
      dequantize(type, view, data.subarray(r * cols, (r + 1) * cols));
    }
    return [name, { rows, cols, data }];
  };
  return new Map(tensors.map(read));
}

/** W x + bias, cols % 4 == 0: four sums, which a processor adds side by side. */
function linear({ rows, cols, data }: Tensor, x: Float64Array, bias?: Tensor): Float64Array {
  const y = new Float64Array(rows);
  for (let r = 0, at = 0; r < rows; r++) {
    let [a, b, c, d] = [bias ? bias.data[r]! : 0, 0, 0, 0];
    for (let j = 0; j < cols; j += 4, at += 4) {
      a += data[at]! * x[j]!;
      b += data[at + 1]! * x[j + 1]!;
      c += data[at + 2]! * x[j + 2]!;
      d += data[at + 3]! * x[j + 3]!;
    }
    y[r] = a + b + c + d;
  }
  return y;
}

function rmsnorm(x: Float64Array, { data }: Tensor, eps: number): Float64Array {
  const mean = x.reduce((sum, v) => sum + v * v, 0) / x.length;
  return x.map((v, i) => (v / Math.sqrt(mean + eps)) * data[i]!);
}

const silu = (x: number) => x / (1 + Math.exp(-x));

/** One decoder and the keys and values of the tokens it has seen. */
export class ReferenceDecoder {
  private readonly keys: Float64Array[][]; // [layer][position], n_kv_heads * head_dim each
  private readonly values: Float64Array[][];
  private readonly config: DecoderConfig;
  private readonly tensors: Map<string, Tensor>;

  constructor(config: DecoderConfig, tensors: Map<string, Tensor>) {
    this.config = config;
    this.tensors = tensors;
    this.keys = Array.from({ length: config.n_layers }, () => []);
    this.values = Array.from({ length: config.n_layers }, () => []);
  }

  /** The logits f64 [vocab_size] after one more token. */
  next(id: number): Float64Array {
    const { dim, n_layers, eps, tied } = this.config;
    const table = this.tensor("token_embd.weight");
    let x = Float64Array.from(table.data.subarray(id * dim, (id + 1) * dim));
    for (let i = 0; i < n_layers; i++) {
      const attended = this.attention(i, rmsnorm(x, this.tensor(`blk.${i}.attn_norm.weight`), eps));
      x = x.map((v, j) => v + attended[j]!);
      const h = rmsnorm(x, this.tensor(`blk.${i}.ffn_norm.weight`), eps);
      const gate = linear(this.tensor(`blk.${i}.ffn_gate.weight`), h);
      const up = linear(this.tensor(`blk.${i}.ffn_up.weight`), h);
      const mixed = up.map((v, j) => v * silu(gate[j]!));
      const down = linear(this.tensor(`blk.${i}.ffn_down.weight`), mixed);
      x = x.map((v, j) => v + down[j]!);
    }
    const output = tied ? table : this.tensor("output.weight");
    return linear(output, rmsnorm(x, this.tensor("output_norm.weight"), eps));
  }

  private tensor(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`the reference wants ${name}`);
    return tensor;
  }

  private attention(layer: number, h: Float64Array): Float64Array {
    const { n_heads, n_kv_heads, head_dim, attentionBias } = this.config;
    const at = `blk.${layer}.attn_`;
    const [q, k, v] = ["q", "k", "v"].map((part) => {
      const bias = attentionBias ? this.tensor(`${at}${part}.bias`) : undefined;
      return linear(this.tensor(`${at}${part}.weight`), h, bias);
    }) as [Float64Array, Float64Array, Float64Array];
    const keys = this.keys[layer]!;
    const values = this.values[layer]!;
    this.turn(q, `${at}q_norm.weight`, keys.length);
    this.turn(k, `${at}k_norm.weight`, keys.length);
    keys.push(k);
    values.push(v);
    const out = new Float64Array(n_heads * head_dim);
    for (let head = 0; head < n_heads; head++) {
      const own = head * head_dim;
      const shared = Math.floor(head / (n_heads / n_kv_heads)) * head_dim;
      const scores = keys.map((key) => {
        let dot = 0;
        for (let c = 0; c < head_dim; c++) dot += q[own + c]! * key[shared + c]!;
        return dot / Math.sqrt(head_dim);
      });
      const max = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - max));
      const sum = weights.reduce((a, b) => a + b, 0);
      for (const [j, weight] of weights.entries())
        for (let c = 0; c < head_dim; c++)
          out[own + c]! += (weight / sum) * values[j]![shared + c]!;
    }
    return linear(this.tensor(`${at}output.weight`), out);
  }

  /** Each head of x normalized, where the architecture does so, then rotated for `position`. */
  private turn(x: Float64Array, norm: string, position: number): void {
    const { head_dim, rope_dim, rope_base, rope_scale, eps } = this.config;
    const { headNorm, ropeLayout, ropeFactors } = this.config;
    const half = rope_dim / 2;
    for (let at = 0; at < x.length; at += head_dim) {
      const head = x.subarray(at, at + head_dim);
      if (headNorm) head.set(rmsnorm(head, this.tensor(norm), eps));
      for (let i = 0; i < half; i++) {
        const factor = ropeFactors ? this.tensor("rope_freqs.weight").data[i]! : 1;
        const angle = position / (rope_base ** (i / half) * factor * rope_scale);
        const [a, b] = ropeLayout === "interleaved" ? [2 * i, 2 * i + 1] : [i, i + half];
        const [xa, xb] = [head[a]!, head[b]!];
        head[a] = xa * Math.cos(angle) - xb * Math.sin(angle);
        head[b] = xa * Math.sin(angle) + xb * Math.cos(angle);
      }
    }
  }
}

/** One greedy step of the reference. */
export interface GreedyStep {
  /** The token that the step saw. */
  id: number;
  /** f64 [vocab_size]. */
  logits: Float64Array;
  /** The token of the greatest logit. */
  best: number;
  /** How far the greatest logit lies above the second. */
  margin: number;
}

/** The reference's steps over `prompt`, then `count` of its own greedy choice: as many steps as
 *  there are tokens, so that the last steps' logits choose the last tokens. */
export function greedy(
  reference: ReferenceDecoder,
  prompt: readonly number[],
  count: number,
): GreedyStep[] {
  const steps: GreedyStep[] = [];
  for (let i = 0; i < prompt.length + count - 1; i++) {
    const id = i < prompt.length ? prompt[i]! : steps[i - 1]!.best;
    const logits = reference.next(id);
    let best = 0;
    for (let t = 1; t < logits.length; t++) if (logits[t]! > logits[best]!) best = t;
    const second = logits.reduce((max, v, t) => (t === best ? max : Math.max(max, v)), -Infinity);
    steps.push({ id, logits, best, margin: logits[best]! - second });
  }
  return steps;
}
