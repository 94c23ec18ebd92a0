/** What is found by codes of one bit a dimension, and by product quantization, of what exhaustive
 *  search over f32 finds: recall by how many are handed on, at the size of a full object. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileKernels } from "../bench/kernels-module.ts";
import { CodeIndex } from "../index/code-index.ts";
import { encodeCode } from "../index/codes.ts";
import { Codebook } from "../index/pq.ts";
import {
  cosineOf,
  type QuantizedQuery,
  type QuantizedVector,
  quantizeQuery,
  quantizeVector,
} from "../index/vectors.ts";
import { loadModels } from "./models.ts";
import { mulberry32 } from "./random.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";

const K = 10;
const DEPTHS = [64, 128, 256, 512];
const PQ_DEPTH = 256;
const PQ_BYTES = [48, 96, 192];
const SIZE = 100_000;
const BATCH = 32;

/** `data` is a folder in BEIR's layout. Its documents, cut to the encoder's window, are filled up
 *  to SIZE by mixtures of two, nearer to one: neighbours much like each other, which codes tell
 *  apart worst. No labels are used, so every query serves. */
export async function evaluateCodes({ data, limit }: EvalOptions): Promise<EvalReport> {
  const lines = (name: string) =>
    readFileSync(join(data, name), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { title?: string; text: string });
  const texts = lines("corpus.jsonl").map(({ title, text }) =>
    title ? `${title}\n${text}` : text,
  );
  const questions = lines("queries.jsonl").map(({ text }) => text);
  const real = await embed("documents", texts);
  const queries = await embed("queries", questions.slice(0, limit));
  const figures: EvalReport["figures"] = { documents: real.length };
  Object.assign(figures, measure(`${real.length}`, real, queries));
  Object.assign(figures, measure(`${SIZE}`, fillUp(real), queries));
  return { what: "codes", data, questions: queries.length, figures };
}

async function embed(what: string, texts: readonly string[]): Promise<Float32Array[]> {
  const { encoder } = await loadModels();
  const vectors: Float32Array[] = new Array(texts.length);
  // Texts of a length share a pass.
  const order = [...texts.keys()].sort((a, b) => texts[a]!.length - texts[b]!.length);
  for (let at = 0; at < order.length; at += BATCH) {
    const batch = order.slice(at, at + BATCH);
    for (const [i, vector] of encoder.embed(batch.map((text) => texts[text]!)).entries())
      vectors[batch[i]!] = vector;
    showProgress(what, Math.min(at + BATCH, order.length), order.length);
  }
  return vectors;
}

function fillUp(real: readonly Float32Array[]): Float32Array[] {
  const next = mulberry32(20_261_124);
  const any = () => real[Math.floor(next() * real.length)]!;
  const mixed = Array.from({ length: SIZE - real.length }, () => {
    const [one, other, weight] = [any(), any(), 0.3 + 0.5 * next()];
    const sum = one.map((value, i) => value + weight * other[i]!);
    const length = Math.hypot(...sum);
    return sum.map((value) => value / length);
  });
  return [...real, ...mixed];
}

function measure(
  size: string,
  vectors: readonly Float32Array[],
  queries: readonly Float32Array[],
): EvalReport["figures"] {
  const rows = vectors.map(quantizeVector);
  const index = new CodeIndex(compileKernels(), rows[0]!.qs.length);
  for (const row of rows) index.append(encodeCode(row));
  const books = PQ_BYTES.map((m) => ({ m, book: Codebook.train(rows, m) }));
  const recalls = new Map<string, number[]>();
  const note = (name: string, found: readonly number[], truth: ReadonlySet<number>) => {
    const list = recalls.get(name) ?? [];
    recalls.set(name, list);
    list.push(found.filter((place) => truth.has(place)).length / truth.size);
  };
  for (const [i, query] of queries.entries()) {
    const truth = new Set(nearest(query, vectors));
    const quantized = quantizeQuery(query);
    const best = [...index.best(query, DEPTHS.at(-1)!, null).slots];
    for (const depth of DEPTHS) {
      const candidates = best.slice(0, depth);
      note(`${size}: best ${depth} by codes`, candidates, truth);
      const byRow = rescored(quantized, candidates, (place) => rows[place]!);
      note(`${size}: best ${depth} by codes, then int8`, byRow, truth);
    }
    for (const { m, book } of books) {
      const decode = (place: number) => book.decode(book.encode(rows[place]!));
      const byRow = rescored(quantized, best.slice(0, PQ_DEPTH), decode);
      note(`${size}: best ${PQ_DEPTH} by codes, then ${m} B`, byRow, truth);
    }
    showProgress(size, i + 1, queries.length);
  }
  return Object.fromEntries(Array.from(recalls, ([name, list]) => [name, bootstrapMean(list)]));
}

/** The K candidates of the greatest cosine by their rows; a tie goes to the lower place. */
function rescored(
  query: QuantizedQuery,
  candidates: readonly number[],
  rowOf: (place: number) => QuantizedVector,
): number[] {
  const cosines = new Map(candidates.map((place) => [place, cosineOf(query, rowOf(place))]));
  const order = (a: number, b: number) => cosines.get(b)! - cosines.get(a)! || a - b;
  return candidates.toSorted(order).slice(0, K);
}

/** The places of the K vectors of the greatest dot product. O(vectors * dim). */
function nearest(query: Float32Array, vectors: readonly Float32Array[]): number[] {
  const scores = Float64Array.from(vectors, (vector) => {
    let sum = 0;
    for (let i = 0; i < query.length; i++) sum += query[i]! * vector[i]!;
    return sum;
  });
  const least = scores.toSorted().at(-K)!;
  return [...scores.keys()].filter((place) => scores[place]! >= least).slice(0, K);
}
