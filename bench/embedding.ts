/** One text embedded by Brink, tokenizing included, by onnxruntime-web and transformers.js on the
 *  very same int8 weights, in one process, one thread each, interleaved. All are held against the
 *  same weights with f32 activations, by onnxruntime-web, before any time counts. */
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { assert } from "../src/errors.ts";
import type { Precision as Path } from "../src/model/bert.ts";
import { Encoder } from "../src/model/encoder.ts";
import { GgufStream } from "../src/model/gguf-stream.ts";
import { Kernels } from "../src/model/kernels.ts";
import { stringsOf } from "../src/model/metadata.ts";
import { loadBert } from "../src/model/weights.ts";
import { WordPiece } from "../src/model/wordpiece.ts";
import { numbersOf } from "./bert-numbers.ts";
import { compileKernels } from "./kernels-module.ts";
import { type BertNumbers, onnxModel, type Precision, transformersModel } from "./onnx-model.ts";
import { ORT, openSession, Tensor } from "./onnxruntime.ts";
import { type Candidate, type Result, timeInterleaved } from "./report.ts";
import { openTransformers } from "./transformers.ts";

const ROOT = join(import.meta.dirname, "..");
const LENGTHS = [16, 32, 128, 256];
/** With the same int8 weights and f32 activations: 14 bits must not show, 7 hardly. */
const COSINE_MIN = { exact: 0.9999, fast: 0.999 };

function openModel(): ReadableStream<Uint8Array> {
  const file = createReadStream(join(ROOT, "models/encoder.gguf"));
  return Readable.toWeb(file) as unknown as ReadableStream<Uint8Array>;
}

const load = (precision: Path) =>
  Encoder.load(Kernels.create(compileKernels()), openModel(), precision);

/** The weights as numbers, and the vocabulary's pieces. */
async function readNumbers() {
  const kernels = Kernels.create(compileKernels());
  const file = await GgufStream.open(openModel());
  const { metadata } = file.header;
  // Now: their bytes go before the weights come.
  const pieces = [...stringsOf(metadata, "tokenizer.ggml.tokens")];
  const { weights } = await loadBert(kernels, file, new WordPiece(metadata).vocab_size);
  return { numbers: numbersOf(kernels, weights), pieces };
}

/** Prose of n tokens, [CLS] and [SEP] included: words of Brink's documentation. */
function textOf(n: number, tokenizer: WordPiece): string {
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  const words = docs.flatMap((name) => readFileSync(join(ROOT, "docs", name), "utf8").split(/\s+/));
  let text = "";
  let left = n - 2;
  for (const word of words.filter((candidate) => /^[a-zA-Z]+[,.]?$/.test(candidate))) {
    const { length } = tokenizer.encode(word).ids;
    if (length > left) continue;
    text += ` ${word}`;
    left -= length;
  }
  assert(left === 0, `no prose of ${n} tokens`);
  return text.trim();
}

/** The peer's embedding of tokens, not normalized. */
async function peerSession(numbers: BertNumbers, precision: Precision) {
  const session = await openSession(onnxModel(numbers, precision));
  return async (ids: readonly number[]): Promise<Float32Array> => {
    const n = ids.length;
    const tensor = (at: (i: number) => number) =>
      new Tensor(
        "int64",
        BigInt64Array.from({ length: n }, (_, i) => BigInt(at(i))),
        [n],
      );
    const outputs = await session.run({
      ids: tensor((i) => ids[i]!),
      places: tensor((i) => i),
      types: tensor(() => 0),
    });
    return outputs[session.outputNames[0]!]!.data as Float32Array;
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

interface Scene {
  exact: Encoder;
  fast: Encoder;
  int8: (ids: readonly number[]) => Promise<Float32Array>;
  f32: (ids: readonly number[]) => Promise<Float32Array>;
  transformers: Awaited<ReturnType<typeof openTransformers>>;
}

async function openScene(): Promise<Scene> {
  const { numbers, pieces } = await readNumbers();
  return {
    exact: await load("exact"),
    fast: await load("fast"),
    int8: await peerSession(numbers, "int8"),
    f32: await peerSession(numbers, "f32"),
    transformers: await openTransformers(transformersModel(numbers), pieces, numbers.config),
  };
}

/** The candidates for a text of n tokens, each with its cosine to the f32 result as its note. */
async function candidatesFor(n: number, scene: Scene): Promise<Candidate[]> {
  const { tokenizer } = scene.exact;
  const text = textOf(n, tokenizer);
  const ids = [tokenizer.cls, ...tokenizer.encode(text).ids, tokenizer.sep];
  const truth = (await scene.f32(ids)).slice();
  const out: Candidate[] = [];
  const add = async (name: string, run: () => Promise<Float32Array>, peer?: string) => {
    const agreement = cosine(await run(), truth);
    const note = `cosine with f32 ${agreement.toFixed(6)}`;
    out.push({ name: `${n} tokens, ${name}`, unit: "/s", work: 1e9, peer, note, run });
    return agreement;
  };
  const { transformers } = scene;
  const peer = `${n} tokens, ${transformers?.name ?? ORT}`;
  for (const path of ["exact", "fast"] as const) {
    const agreement = await add(`brink ${path}`, async () => scene[path].embed([text])[0]!, peer);
    assert(agreement > COSINE_MIN[path], `${path}: cosine ${agreement} at ${n} tokens`);
  }
  await add(ORT, () => scene.int8(ids), transformers ? peer : undefined);
  if (transformers) await add(transformers.name, () => transformers.embed(text));
  return out;
}

/** Rows of each length: ours exact, ours as served, and both peers. */
export async function embeddingResults(quick: boolean): Promise<Result[]> {
  const scene = await openScene();
  const results: Result[] = [];
  for (const n of LENGTHS) {
    // V8's threads that optimize the peer's 13 MB of code count as CPU time until they are done.
    const warmUpMs = n === LENGTHS[0] ? 3000 : 300;
    const rounds = quick ? { rounds: 5, sampleMs: 50 } : { rounds: 21, sampleMs: 150 };
    results.push(
      ...(await timeInterleaved(await candidatesFor(n, scene), { ...rounds, warmUpMs })),
    );
  }
  const { variant } = Kernels.create(compileKernels());
  console.log(`embedding: this machine takes ${variant}; ${ORT} gets tokens, not text`);
  return results;
}
