/** An encoder's weights in linear memory, back as numbers, for the peers' files. */
import type { BertWeights, LinearWeights, NormWeights } from "../src/model/bert.ts";
import { type Kernels, panelBytes } from "../src/model/kernels.ts";
import type { BertNumbers, Matrix, Norm } from "./onnx-model.ts";

/** Undoes pack_i8: see its layout. */
function unpack(kernels: Kernels, { packed, d, bias, n, k, extra }: LinearWeights): Matrix {
  const panel = panelBytes(k, extra);
  const source = kernels.i8(packed, Math.ceil(n / 4) * panel);
  const qs = new Int8Array(n * k);
  for (let r = 0; r < n; r++)
    for (let j = 0; j < k; j++)
      qs[r * k + j] = source[(r >> 2) * panel + 32 + (j >> 2) * 16 + (r & 3) * 4 + (j & 3)]!;
  return { qs, d: kernels.f32(d, n).slice(), bias: kernels.f32(bias, n).slice(), n, k };
}

export function numbersOf(kernels: Kernels, weights: BertWeights): BertNumbers {
  const { config, tokens } = weights;
  const { dim, vocab_size, context_length } = config;
  const floats = (offset: number, length: number) => kernels.f32(offset, length).slice();
  const norm = ({ gamma, beta }: NormWeights): Norm => ({
    gamma: floats(gamma, dim),
    beta: floats(beta, dim),
  });
  return {
    config,
    tokens: {
      qs: kernels.i8(tokens.qs, vocab_size * dim).slice(),
      d: floats(tokens.d, vocab_size),
    },
    positions: floats(weights.positions, context_length * dim),
    types: floats(weights.types, 2 * dim),
    embedNorm: norm(weights.embedNorm),
    layers: weights.layers.map((layer) => ({
      qkv: unpack(kernels, layer.qkv),
      attnOut: unpack(kernels, layer.attnOut),
      attnNorm: norm(layer.attnNorm),
      up: unpack(kernels, layer.up),
      down: unpack(kernels, layer.down),
      outNorm: norm(layer.outNorm),
    })),
  };
}
