/** One passage embedded by Brink's engine and by onnxruntime-web on the very same int8 weights, in
 *  one process, one thread each, interleaved. Both are held against the same weights with
 *  f32 activations before any time counts. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { assert } from "../src/errors.ts";
import {
  type BertWeights,
  forward,
  type LinearWeights,
  type NormWeights,
  type RaggedBatch,
} from "../src/model/bert.ts";
import { GgufStream } from "../src/model/gguf-stream.ts";
import { type GemmVariant, Kernels, panelBytes } from "../src/model/kernels.ts";
import { loadBert } from "../src/model/weights.ts";
import { WordPiece } from "../src/model/wordpiece.ts";
import { compileKernels } from "./kernels-module.ts";
import type { BenchOptions } from "./main.ts";
import {
  type BertNumbers,
  type Matrix,
  type Norm,
  onnxModel,
  type Precision,
} from "./onnx-model.ts";
import { openSession, Tensor } from "./onnxruntime.ts";
import { type Candidate, report, timeInterleaved } from "./report.ts";

const MODEL = join(import.meta.dirname, "../models/encoder.gguf");
const LENGTHS = [32, 128, 256];
/** With the same int8 weights and f32 activations, by onnxruntime-web: 14 bits must not show. */
const COSINE_MIN = 0.9999;

async function load(variant: GemmVariant) {
  const kernels = Kernels.create(compileKernels(), { variant });
  const stream = Readable.toWeb(createReadStream(MODEL)) as unknown as ReadableStream<Uint8Array>;
  const file = await GgufStream.open(stream);
  const vocab = new WordPiece(file.header.metadata).vocab_size;
  const { weights } = await loadBert(kernels, file, vocab);
  return { kernels, weights };
}

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

/** The weights back as numbers, for the peer. */
function numbersOf(kernels: Kernels, weights: BertWeights): BertNumbers {
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

/** One passage of n tokens: [CLS], ids spread over the vocabulary's words, [SEP]. */
function passage(n: number): RaggedBatch {
  const ids = Int32Array.from({ length: n }, (_, i) => 1996 + ((i * 7919) % 20_000));
  ids[0] = 101;
  ids[n - 1] = 102;
  return { ids, types: new Int32Array(n), lengths: Int32Array.of(n) };
}

function embed(kernels: Kernels, weights: BertWeights, batch: RaggedBatch): Float32Array {
  const { dim } = weights.config;
  const mark = kernels.mark();
  const y = kernels.alloc(dim * 4);
  kernels.meanPoolF32(y, forward(kernels, weights, batch), batch.ids.length, dim);
  const embedding = kernels.f32(y, dim).slice();
  kernels.release(mark);
  return embedding;
}

async function peerSession(numbers: BertNumbers, precision: Precision) {
  const session = await openSession(onnxModel(numbers, precision));
  return async (batch: RaggedBatch): Promise<Float32Array> => {
    const n = batch.ids.length;
    const tensor = (at: (i: number) => number) =>
      new Tensor(
        "int64",
        BigInt64Array.from({ length: n }, (_, i) => BigInt(at(i))),
        [n],
      );
    const outputs = await session.run({
      ids: tensor((i) => batch.ids[i]!),
      places: tensor((i) => i),
      types: tensor((i) => batch.types[i]!),
    });
    return outputs[session.outputNames[0]!]!.data as Float32Array;
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

export async function run({ json, quick }: BenchOptions): Promise<void> {
  const plain = await load("plain");
  const relaxed = await load("relaxed");
  const numbers = numbersOf(plain.kernels, plain.weights);
  const peer = await peerSession(numbers, "int8");
  const exact = await peerSession(numbers, "f32");
  const results = [];
  for (const n of LENGTHS) {
    const batch = passage(n);
    const [a, b] = [plain, relaxed].map((e) => embed(e.kernels, e.weights, batch));
    assert(
      a!.every((v, i) => v === b![i]),
      "the variants differ",
    );
    const truth = (await exact(batch)).slice();
    const [ours, peers] = [cosine(a!, truth), cosine(await peer(batch), truth)];
    assert(ours > COSINE_MIN, `cosine with f32 activations is ${ours} at ${n} tokens`);
    const { dim, ffn_dim, n_layers } = plain.weights.config;
    const work = 2 * n * n_layers * (4 * dim * dim + 2 * dim * ffn_dim + 2 * n * dim);
    const candidate = (name: string, run: Candidate["run"]): Candidate => {
      return { name: `${n} tokens, ${name}`, unit: "GOP/s", work, run };
    };
    // V8's threads that optimize the peer's 13 MB of code count as CPU time until they are done.
    const warmUpMs = n === LENGTHS[0] ? 4000 : 300;
    const timed = await timeInterleaved(
      [
        candidate("brink plain", () => embed(plain.kernels, plain.weights, batch)),
        candidate("brink relaxed", () => embed(relaxed.kernels, relaxed.weights, batch)),
        candidate("onnxruntime-web 1.30", () => peer(batch)),
      ],
      { ...(quick ? { rounds: 5, sampleMs: 50 } : { rounds: 21, sampleMs: 150 }), warmUpMs },
    );
    const theirs = timed.at(-1)!.msMedian;
    for (const [i, result] of timed.entries()) {
      const ratio = (theirs / result.msMedian).toFixed(2);
      result.note = `${ratio} x theirs, cos with f32 ${(i < 2 ? ours : peers).toFixed(6)}`;
    }
    results.push(...timed);
  }
  console.log(
    `this machine takes: ${Kernels.create(compileKernels()).variant}; times are CPU time`,
  );
  report("engine", results, json);
}
