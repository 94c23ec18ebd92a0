import { describe, expect, it } from "vitest";
import {
  type BertConfig,
  type BertWeights,
  forward,
  type LinearWeights,
  type NormWeights,
  type RaggedBatch,
} from "../../src/model/bert.ts";
import { type GemmVariant, type Kernels, packedBytes } from "../../src/model/kernels.ts";
import { attention, gelu, layernorm, linear } from "../oracle/kernels.ts";
import { floats, ints, newKernels, putF32, putI8, random } from "../wasm-kernels/arena.ts";

const CONFIG: BertConfig = {
  dim: 24,
  n_layers: 2,
  n_heads: 3,
  ffn_dim: 52,
  vocab_size: 40,
  context_length: 300,
  eps: 1e-12,
};

interface Matrix {
  w: Float64Array; // dequantized [n, k]
  bias: Float32Array;
}

/** A random model twice: as offsets, and as numbers for the oracle. */
function randomModel(kernels: Kernels, config: BertConfig) {
  const next = random(7);
  const { dim, ffn_dim, vocab_size, context_length } = config;
  const matrices: Matrix[] = [];
  const norms: Float32Array[] = [];
  const matrix = (n: number, k: number): LinearWeights => {
    const [qs, bias] = [ints(next, n * k), floats(next, n, 0.1)];
    const d = floats(next, n).map((v) => (0.5 + Math.abs(v)) / 127 / Math.sqrt(k));
    const packed = kernels.alloc(packedBytes(n, k));
    kernels.packI8(packed, putI8(kernels, qs), 0, n, { n, k });
    matrices.push({ w: Float64Array.from(qs, (q, i) => q * d[(i / k) | 0]!), bias });
    return {
      packed,
      d: putF32(kernels, d),
      bias: putF32(kernels, bias),
      n,
      k,
      extra: 0,
      split: null,
    };
  };
  const norm = (): NormWeights => {
    const [gamma, beta] = [floats(next, dim).map((v) => 1 + v / 4), floats(next, dim, 0.1)];
    norms.push(gamma, beta);
    return { gamma: putF32(kernels, gamma), beta: putF32(kernels, beta) };
  };
  const [qs, d] = [ints(next, vocab_size * dim), floats(next, vocab_size, 1 / 127)];
  const [positions, types] = [floats(next, context_length * dim), floats(next, 2 * dim)];
  const weights: BertWeights = {
    config,
    tokens: { qs: putI8(kernels, qs), d: putF32(kernels, d) },
    positions: putF32(kernels, positions),
    types: putF32(kernels, types),
    embedNorm: norm(),
    layers: Array.from({ length: config.n_layers }, () => ({
      qkv: matrix(3 * dim, dim),
      attnOut: matrix(dim, dim),
      attnNorm: norm(),
      up: matrix(ffn_dim, dim),
      down: matrix(dim, ffn_dim),
      outNorm: norm(),
    })),
  };
  return { weights, numbers: { matrices, norms, qs, d, positions, types } };
}

/** BERT over one sequence in f64, from the definition. */
function naiveForward(
  numbers: ReturnType<typeof randomModel>["numbers"],
  { dim, n_heads, n_layers, eps, ffn_dim }: BertConfig,
  ids: Int32Array,
  types: Int32Array,
): Float64Array {
  const n = ids.length;
  const { matrices, norms } = numbers;
  const norm = (x: Float64Array, i: number) =>
    layernorm(x, norms[2 * i]!, norms[2 * i + 1]!, dim, eps);
  const matmul = (x: Float64Array, i: number, rows: number, k: number) =>
    linear(x, matrices[i]!.w, matrices[i]!.bias, n, rows, k);
  let x = Float64Array.from({ length: n * dim }, (_, i) => {
    const [t, j] = [(i / dim) | 0, i % dim];
    const token = numbers.qs[ids[t]! * dim + j]! * numbers.d[ids[t]!]!;
    return token + numbers.positions[i]! + numbers.types[types[t]! * dim + j]!;
  });
  x = norm(x, 0);
  for (let l = 0; l < n_layers; l++) {
    const mixed = attention(matmul(x, 4 * l, 3 * dim, dim), n, n_heads, dim / n_heads);
    const attended = matmul(Float64Array.from(mixed), 4 * l + 1, dim, dim);
    x = norm(
      x.map((v, i) => v + attended[i]!),
      2 * l + 1,
    );
    const wide = matmul(x, 4 * l + 2, ffn_dim, dim).map(gelu);
    const down = matmul(wide, 4 * l + 3, dim, ffn_dim);
    x = norm(
      x.map((v, i) => v + down[i]!),
      2 * l + 2,
    );
  }
  return x;
}

function randomBatch(lengths: number[]): RaggedBatch {
  const next = random(lengths.length);
  const t = lengths.reduce((a, b) => a + b);
  const pick = (n: number) => Int32Array.from({ length: t }, () => Math.floor(next() * n));
  return { ids: pick(CONFIG.vocab_size), types: pick(2), lengths: Int32Array.from(lengths) };
}

function run(kernels: Kernels, weights: BertWeights, batch: RaggedBatch): Float32Array {
  const mark = kernels.mark();
  const x = forward(kernels, weights, batch);
  const out = kernels.f32(x, batch.ids.length * weights.config.dim).slice();
  kernels.release(mark);
  return out;
}

/** The sequences of a batch, as batches of one. */
function split({ ids, types, lengths }: RaggedBatch): RaggedBatch[] {
  let at = 0;
  return Array.from(lengths, (n) => {
    at += n;
    const [a, b] = [ids.subarray(at - n, at), types.subarray(at - n, at)];
    return { ids: a, types: b, lengths: Int32Array.of(n) };
  });
}

describe.each<GemmVariant>(["plain", "relaxed"])("forward, %s", (variant) => {
  it("equals a naive forward pass in f64", () => {
    const kernels = newKernels(variant);
    const { weights, numbers } = randomModel(kernels, CONFIG);
    for (const batch of split(randomBatch([1, 2, 9, 33]))) {
      const expected = naiveForward(numbers, CONFIG, batch.ids, batch.types);
      const actual = run(kernels, weights, batch);
      const error = Math.max(...actual.map((v, i) => Math.abs(v - expected[i]!)));
      // Rounding an activation of a row with |x| <= 4 moves it by 4 / 16382 at most; k = 24 to 52
      // such errors of random sign grow by sqrt(k) |w| sqrt(1/3) < 1, and 8 matmuls follow one
      // another: 8 * 2.5e-4. Layer norms divide by a deviation near 1 and so keep the scale.
      expect(error).toBeLessThan(2e-3);
    }
  });

  it("gives each sequence of a ragged batch what it gives it alone, to the last bit", () => {
    const kernels = newKernels(variant);
    const { weights } = randomModel(kernels, CONFIG);
    const batch = randomBatch([5, 1, 130, 17, 64, 8, 300]);
    const alone = split(batch).flatMap((one) => Array.from(run(kernels, weights, one)));
    expect(Array.from(run(kernels, weights, batch))).toEqual(alone);
  });
});

describe("forward", () => {
  it("gives the same bits with either gemm variant", () => {
    const batch = randomBatch([30, 4, 77]);
    const [a, b] = (["plain", "relaxed"] as const).map((variant) => {
      const kernels = newKernels(variant);
      return run(kernels, randomModel(kernels, CONFIG).weights, batch);
    });
    expect(a).toEqual(b);
  });

  it("frees all but its result, and peaks within the bound it states", () => {
    const kernels = newKernels();
    const { weights } = randomModel(kernels, CONFIG);
    const lengths = [300, 300, 300, 124];
    const before = kernels.bytesUsed;
    forward(kernels, weights, randomBatch(lengths));
    expect(kernels.bytesUsed - before).toBe(1024 * CONFIG.dim * 4);
    const { dim, ffn_dim } = CONFIG;
    const bound = 20 * 1024 * dim + 128 * (4 * ffn_dim + 2 * 64 + 8) + 4 * (8 + 4) * 304 + 256;
    expect(kernels.bytesPeak - before).toBeLessThanOrEqual(bound);
  });

  it("refuses a batch that does not fit", () => {
    const kernels = newKernels();
    const { weights } = randomModel(kernels, CONFIG);
    const good = randomBatch([3]);
    const bad: Partial<RaggedBatch>[] = [
      { ids: Int32Array.of(1, 2, 40) },
      { ids: Int32Array.of(1, -1, 2) },
      { types: Int32Array.of(0, 1, 2) },
      { types: Int32Array.of(0, 1) },
      { lengths: Int32Array.of(2) },
      { lengths: Int32Array.of(3, 0) },
      randomBatch([301]),
      randomBatch([300, 300, 300, 125]),
    ];
    for (const change of bad)
      expect(() => forward(kernels, weights, { ...good, ...change })).toThrow(/invariant broken/);
  });
});
