/** The search over vectors, at 100,000 of 384 dimensions: the scan of codes with its selection, in
 *  WebAssembly and the same in plain JavaScript; the exact scan of eight bits; what it costs to
 *  make a code, to load codes and to score the best by their rows. Every answer is checked before
 *  it is timed. The vectors are seeded: a topic's centre and a part of its own. */
import { Bitmap } from "../index/bitmap.ts";
import { CodeIndex } from "../index/code-index.ts";
import { codeBytes, encodeCode, quantizeLevels, signBytes } from "../index/codes.ts";
import { TopK } from "../index/top-k.ts";
import {
  cosineOf,
  cosinesOf,
  type QuantizedVector,
  quantizeQuery,
  quantizeVector,
  vectorBytes,
} from "../index/vectors.ts";
import { assert } from "../src/errors.ts";
import { Kernels, quantizedBytes } from "../src/model/kernels.ts";
import { check, uniform } from "./inputs.ts";
import { compileKernels } from "./kernels-module.ts";
import { type Candidate, type Result, timeInterleaved } from "./report.ts";

const DIM = 384;
const DEPTH = 256;
const TOPICS = 500;

/** What the bench gives: times, and bytes a vector that the codes take, all in all. */
export interface VectorFigures {
  results: Result[];
  bytesPerVector: number;
}

/** Times the search over `vectors` vectors, 100,000 where not told. `quick` takes few samples. */
export async function benchVectors({
  quick,
  vectors = 100_000,
}: {
  quick: boolean;
  vectors?: number;
}): Promise<VectorFigures> {
  const next = uniform(7);
  const centres = Array.from({ length: TOPICS }, () => randomVector(next));
  const rows = Array.from({ length: vectors }, (_, i) =>
    quantizeVector(near(centres[i % TOPICS]!, next)),
  );
  const codes = rows.map(encodeCode);
  const query = near(centres[3]!, next);
  const index = new CodeIndex(compileKernels(), DIM);
  const blob = Buffer.concat(codes);
  index.load(blob, vectors);
  const timing = quick
    ? { rounds: 5, sampleMs: 5, warmUpMs: 100 }
    : { rounds: 21, sampleMs: 20, warmUpMs: 300 };
  const results = await timeInterleaved(
    [
      ...searches(index, codes, query),
      ...exactScans(rows, query),
      ...parts(index, rows, blob, query),
    ],
    timing,
  );
  return { results, bytesPerVector: index.bytes / vectors };
}

const randomVector = (next: () => number) => Float32Array.from({ length: DIM }, next);

const near = (centre: Float32Array, next: () => number) =>
  centre.map((value) => value + 1.2 * next());

/** The scan and its selection: the kernel, with and without a filter, and JavaScript. */
function searches(index: CodeIndex, codes: Uint8Array[], query: Float32Array): Candidate[] {
  const n = index.slots;
  const filter = new Bitmap(n);
  for (let i = 0; i < n; i += 10) filter.add(i);
  const best = index.best(query, DEPTH, null);
  const common = { unit: "M vectors/s", work: n * 1_000 };
  const javascript = ([4, 8] as const).map((signs) => {
    const plain = plainCodes(codes, signs);
    const expected = plain(query, DEPTH);
    assert(
      best.slots.every((slot, i) => slot === expected[i]!.id) &&
        best.estimates.every((estimate, i) => estimate === expected[i]!.score),
      "the kernel and JavaScript find the same",
    );
    const name = `codes, best ${DEPTH}, JavaScript, ${signs} signs a step`;
    return { ...common, name, run: () => plain(query, DEPTH) };
  });
  const name = `codes, best ${DEPTH}`;
  const run = () => index.best(query, DEPTH, null);
  return [
    ...javascript.map((peer) => ({ ...common, name: `${name}`, peer: peer.name, run })),
    {
      ...common,
      name: `codes, best ${DEPTH} of a tenth`,
      run: () => index.best(query, DEPTH, filter),
    },
    ...javascript,
  ];
}

/** The same estimates and selection in JavaScript, which adds up what so many signs at a time
 *  stand for: four, as the kernel does, or eight, by tables that the kernel has no registers for. */
function plainCodes(codes: readonly Uint8Array[], signs: 4 | 8) {
  const bytes = signBytes(DIM);
  const steps = (bytes * 8) / signs;
  const all = new Uint8Array(codes.length * steps);
  const factors = new Float32Array(codes.length);
  for (const [i, code] of codes.entries()) {
    for (let j = 0; j < steps; j++)
      all[i * steps + j] = signs === 8 ? code[j]! : (code[j >> 1]! >> (4 * (j & 1))) & 15;
    factors[i] = new DataView(code.buffer).getFloat32(bytes, true);
  }
  return (query: Float32Array, depth: number) => {
    const { levels, scale } = quantizeLevels(query);
    const sums = new Int16Array(steps << signs);
    for (let entry = 0; entry < sums.length; entry++)
      for (let bit = 0; bit < signs; bit++) {
        const level = levels[(entry >> signs) * signs + bit]!;
        sums[entry]! += (entry >> bit) & 1 ? level : -level;
      }
    const top = new TopK(depth);
    for (let i = 0, at = 0; i < factors.length; i++) {
      let dot = 0;
      for (let j = 0; j < steps; j++) dot += sums[(j << signs) | all[at++]!]!;
      top.push(i, Math.fround(Math.fround(Math.fround(dot) * factors[i]!) * scale));
    }
    return top.sorted();
  };
}

/** Every dot product of eight-bit rows: the kernel and JavaScript. */
function exactScans(rows: readonly QuantizedVector[], query: Float32Array): Candidate[] {
  const n = rows.length;
  const kernels = Kernels.create(compileKernels());
  const at = kernels.alloc(DIM * 4);
  kernels.f32(at, DIM).set(query);
  const [q, qd] = [kernels.alloc(quantizedBytes(1, DIM)), kernels.alloc(4)];
  kernels.quantizeQuery(q, qd, at, DIM);
  const [vectors, d, scores] = [kernels.alloc(n * DIM), kernels.alloc(n * 4), kernels.alloc(n * 4)];
  for (const [i, { qs, scale }] of rows.entries()) {
    kernels.i8(vectors + i * DIM, DIM).set(qs);
    kernels.f32(d, n)[i] = scale;
  }
  const run = () => kernels.dotScanI8({ scores, q, qd, vectors, d, n, dim: DIM });
  run();
  const quantized = quantizeQuery(query);
  const plain = () => Float32Array.from(rows, (row) => cosineOf(quantized, row));
  check("dot_scan_i8", kernels.f32(scores, n), plain(), 1e-3);
  const common = { unit: "M vectors/s", work: n * 1_000 };
  const javascript = "int8, exact scan, JavaScript";
  return [
    { ...common, name: "int8, exact scan", peer: javascript, run },
    { ...common, name: javascript, run: plain },
  ];
}

/** What a write and a query do beside the scan. */
function parts(
  index: CodeIndex,
  rows: readonly QuantizedVector[],
  blob: Uint8Array,
  query: Float32Array,
): Candidate[] {
  const some = rows.slice(0, 1_000);
  const stored = [...index.best(query, DEPTH, null).slots].map((slot) => {
    return vectorBytes(rows[slot]!).buffer as ArrayBuffer;
  });
  const quantized = quantizeQuery(query);
  const kernels = compileKernels();
  assert(blob.length === rows.length * codeBytes(DIM), "the codes lie one after the other");
  return [
    {
      name: "code of 1,000 vectors",
      unit: "M vectors/s",
      work: 1_000_000,
      run: () => some.map(encodeCode),
    },
    {
      name: `load of ${rows.length} codes`,
      unit: "M vectors/s",
      work: rows.length * 1_000,
      run: () => new CodeIndex(kernels, DIM).load(blob, rows.length),
    },
    {
      name: `cosines of ${DEPTH} rows`,
      unit: "M vectors/s",
      work: DEPTH * 1_000,
      run: () => cosinesOf(quantized, stored),
    },
  ];
}
