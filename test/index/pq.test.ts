import { expect, it } from "vitest";
import { Codebook, CodebookTraining } from "../../index/pq.ts";
import { type QuantizedVector, quantizeVector } from "../../index/vectors.ts";
import { codeOf } from "../../src/errors.ts";
import { floats, random } from "../wasm-kernels/arena.ts";

const DIM = 24;
const M = 6;
const WIDTH = DIM / M;

/** Vectors around a few centres, as texts of a few topics are. */
function clustered(n: number, seed: number): QuantizedVector[] {
  const next = random(seed);
  const centres = Array.from({ length: 12 }, () => floats(next, DIM));
  return Array.from({ length: n }, (_, i) =>
    quantizeVector(centres[i % 12]!.map((value) => value + 0.4 * (next() - 0.5))),
  );
}

const vectors = clustered(600, 3);
const codebook = Codebook.train(vectors, M);

const cosine = (a: QuantizedVector, b: QuantizedVector) =>
  a.qs.reduce((sum, q, i) => sum + q * b.qs[i]!, 0) * a.scale * b.scale;

it("every byte of a row names the nearest centroid of its part", () => {
  for (const vector of vectors.slice(0, 50)) {
    const row = codebook.encode(vector);
    for (let part = 0; part < M; part++) {
      const distances = Array.from({ length: 256 }, (_, c) => {
        let sum = 0;
        for (let j = 0; j < WIDTH; j++) {
          const value = (vector.qs[part * WIDTH + j]! * vector.scale) / codebook.step;
          sum += (value - codebook.centroids[(part * 256 + c) * WIDTH + j]!) ** 2;
        }
        return sum;
      });
      // Distances in f64 here, of values rounded to f32 there: within a part in 2^20.
      const least = Math.min(...distances);
      expect(distances[row[part]!]!).toBeLessThanOrEqual(least + 2 ** -20 * (1 + 127 ** 2 * 4));
    }
  }
});

it("a decoded row is close to its vector, and much closer than to others", () => {
  const means = vectors.slice(0, 100).map((vector, i) => {
    const decoded = codebook.decode(codebook.encode(vector));
    return [cosine(vector, decoded), cosine(vectors[i + 101]!, decoded)] as const;
  });
  const mean = (which: 0 | 1) => means.reduce((sum, pair) => sum + pair[which], 0) / 100;
  expect(mean(0)).toBeGreaterThan(0.98);
  expect(mean(1)).toBeLessThan(0.5);
});

it("a decoded vector leads back to a row that decodes to it; no other vector does", () => {
  for (const vector of vectors.slice(0, 50)) {
    const decoded = codebook.decode(codebook.encode(vector));
    const row = codebook.rowOf(decoded)!;
    expect(codebook.decode(row)).toEqual(decoded);
    for (let at = 0; at < DIM; at += WIDTH) {
      // A part that is none of its centroids: 127 four times is farther out than any of them.
      const other = decoded.qs.slice().fill(127, at, at + WIDTH);
      expect(codebook.rowOf({ ...decoded, qs: other })).toBe(null);
    }
  }
  expect(codebook.rowOf({ qs: new Int8Array(DIM - 1), scale: 1 })).toBe(null);
});

it("training leaves less distance than vectors taken as centroids", () => {
  const distance = (book: Codebook) =>
    vectors.reduce((sum, vector) => sum + 1 - cosine(vector, book.decode(book.encode(vector))), 0);
  // The first 256 vectors, whose scales are about the same.
  const start = new Int8Array(256 * DIM);
  for (let part = 0; part < M; part++)
    for (let c = 0; c < 256; c++)
      start.set(
        vectors[c]!.qs.subarray(part * WIDTH, (part + 1) * WIDTH),
        (part * 256 + c) * WIDTH,
      );
  const first = new Codebook(DIM, M, start, vectors[0]!.scale);
  expect(distance(codebook)).toBeLessThan(0.7 * distance(first));
});

it("training repeats exactly from a seed, whole or part by part", () => {
  const training = new CodebookTraining(vectors, M);
  expect(() => training.codebook()).toThrow(/invariant/);
  const ends = Array.from({ length: M }, () => training.step());
  expect(ends).toEqual([false, false, false, false, false, true]);
  expect(training.codebook().bytes()).toEqual(codebook.bytes());
  expect(Codebook.train(vectors, M, 2).bytes()).not.toEqual(codebook.bytes());
});

it("a codebook read from its bytes encodes the same; other bytes are refused", () => {
  const bytes = codebook.bytes();
  const padded = new Uint8Array(bytes.length + 3);
  padded.set(bytes, 3); // also where the bytes lie at an odd place
  const read = Codebook.read(padded.subarray(3));
  expect(read.bytes()).toEqual(bytes);
  expect(read.encode(vectors[7]!)).toEqual(codebook.encode(vectors[7]!));
  for (const bad of [bytes.subarray(1), bytes.subarray(0, 7), new Uint8Array(bytes.length)]) {
    try {
      Codebook.read(bad);
      expect.unreachable();
    } catch (error) {
      expect(codeOf(error)).toBe("internal");
    }
  }
});

it("a vector of zeros and vectors all alike are coded without a fault", () => {
  const alike = Array.from({ length: 300 }, () => vectors[0]!);
  const book = Codebook.train(alike, M);
  expect(cosine(book.decode(book.encode(vectors[0]!)), vectors[0]!)).toBeGreaterThan(0.999);
  const zeros = { qs: new Int8Array(DIM), scale: 0 };
  expect(Array.from(codebook.decode(codebook.encode(zeros)).qs).every(Number.isInteger)).toBe(true);
});

it("refuses parts that do not divide the dimension, and fewer vectors than centroids", () => {
  expect(() => Codebook.train(vectors, 5)).toThrow(/invariant/);
  expect(() => Codebook.train(vectors.slice(0, 255), M)).toThrow(/invariant/);
});
