/** Product quantization (Jegou, Douze and Schmid, PAMI 2011) for vectors that are seldom asked for:
 *  a vector is cut into m parts, and each part is replaced by the nearest of 256 centroids, so that
 *  it takes m bytes. Centroids have eight bits a value: what a row stands for is then a stored
 *  vector like any other, and its cosine is exact integer arithmetic like that of `vectors.ts`. */
import { assert, ServiceError } from "../src/errors.ts";
import { PQ_ITERATIONS, PQ_SAMPLE_MAX } from "../src/limits.ts";
import { inverseLength, type QuantizedVector } from "./vectors.ts";
import { xorshift32 } from "./xorshift.ts";

const CENTROIDS = 256;
/** Header of a codebook's bytes: dim and m as u32, step as f32, little-endian. */
const HEADER_BYTES = 12;

/** What parts of vectors are replaced by, and the coding with it. */
export class Codebook {
  readonly dim: number;
  readonly m: number;
  /** i8 [m, 256, dim / m]; times `step` they are values of unit vectors. */
  readonly centroids: Int8Array;
  readonly step: number;
  /** The centroids as f32, with half their squared lengths; made when first needed. */
  #plain: { centroids: Float32Array; halves: Float64Array } | null = null;

  constructor(dim: number, m: number, centroids: Int8Array, step: number) {
    assert(m >= 1 && dim % m === 0, `${m} parts of ${dim} dimensions`);
    assert(centroids.length === CENTROIDS * dim, "256 centroids a part");
    this.dim = dim;
    this.m = m;
    this.centroids = centroids;
    this.step = step;
  }

  /** What a whole run of `CodebookTraining` gives. */
  static train(vectors: readonly QuantizedVector[], m: number, seed = 1): Codebook {
    const training = new CodebookTraining(vectors, m, seed);
    for (let part = 0; part < m; part++) training.step();
    return training.codebook();
  }

  /** Reads what `bytes` wrote. Errors: internal, where the bytes are none of a codebook. */
  static read(bytes: Uint8Array): Codebook {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const whole = bytes.length >= HEADER_BYTES;
    const [dim, m] = whole ? [view.getUint32(0, true), view.getUint32(4, true)] : [0, 0];
    if (m === 0 || dim % m !== 0 || bytes.length !== HEADER_BYTES + CENTROIDS * dim)
      throw new ServiceError("internal", `${bytes.length} bytes are no codebook`);
    const centroids = Int8Array.from(new Int8Array(bytes.buffer, bytes.byteOffset + HEADER_BYTES));
    return new Codebook(dim, m, centroids.subarray(0, CENTROIDS * dim), view.getFloat32(8, true));
  }

  /** 256 bytes a dimension and the header: 98 KB at 384. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES + this.centroids.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.dim, true);
    view.setUint32(4, this.m, true);
    view.setFloat32(8, this.step, true);
    bytes.set(new Uint8Array(this.centroids.buffer, this.centroids.byteOffset), HEADER_BYTES);
    return bytes;
  }

  /** The nearest centroid of each part: u8 [m]. O(256 dim), 0.1 ms at 384. */
  encode({ qs, scale }: QuantizedVector): Uint8Array {
    assert(qs.length === this.dim, "a vector has the codebook's dimension");
    const width = this.dim / this.m;
    const { centroids, halves } = this.#inFloats(width);
    const values = Float32Array.from(qs, (q) => (q * scale) / this.step);
    const row = new Uint8Array(this.m);
    for (let part = 0; part < this.m; part++) {
      const first = part * CENTROIDS;
      row[part] = nearest(values, part * width, centroids, halves, width, first);
    }
    return row;
  }

  /** The stored vector that a row stands for, of unit length as all are: `cosineOf` takes it. */
  decode(row: Uint8Array): QuantizedVector {
    assert(row.length === this.m, "a row has a byte for each part");
    const width = this.dim / this.m;
    const qs = new Int8Array(this.dim);
    for (let part = 0; part < this.m; part++) {
      const from = (part * CENTROIDS + row[part]!) * width;
      for (let j = 0; j < width; j++) qs[part * width + j] = this.centroids[from + j]!;
    }
    return { qs, scale: inverseLength(qs) };
  }

  /** The row that `decode` makes exactly this vector from; null where none does. */
  rowOf({ qs }: QuantizedVector): Uint8Array | null {
    if (qs.length !== this.dim) return null;
    const width = this.dim / this.m;
    const row = new Uint8Array(this.m);
    for (let part = 0; part < this.m; part++) {
      const found = this.#centroidAt(qs, part * width, part, width);
      if (found < 0) return null;
      row[part] = found;
    }
    return row;
  }

  /** Which centroid of a part the values from `at` on are, the first of equals; -1: none. */
  #centroidAt(qs: Int8Array, at: number, part: number, width: number): number {
    for (let c = 0; c < CENTROIDS; c++) {
      const from = (part * CENTROIDS + c) * width;
      let j = 0;
      while (j < width && this.centroids[from + j] === qs[at + j]) j++;
      if (j === width) return c;
    }
    return -1;
  }

  #inFloats(width: number) {
    if (this.#plain === null) {
      const centroids = Float32Array.from(this.centroids);
      this.#plain = { centroids, halves: halfSquares(centroids, width) };
    }
    return this.#plain;
  }
}

/** Trains a codebook on at most PQ_SAMPLE_MAX of the vectors, spread evenly: PQ_ITERATIONS rounds
 *  of k-means for each part, from seeded vectors on. One part a step, so that an object can serve
 *  between them: 60 ms at 384 dimensions in 96 parts, 6 s in all. The same vectors give the same
 *  codebook. Requires 256 vectors or more, not all zeros, and dim % m === 0. */
export class CodebookTraining {
  readonly #dim: number;
  readonly #m: number;
  readonly #sample: QuantizedVector[];
  readonly #next: () => number;
  readonly #centroids: Float32Array;
  #part = 0;

  constructor(vectors: readonly QuantizedVector[], m: number, seed = 1) {
    const dim = vectors[0]?.qs.length ?? 0;
    assert(vectors.length >= CENTROIDS, `${vectors.length} vectors for ${CENTROIDS} centroids`);
    assert(m >= 1 && dim % m === 0, `${m} parts of ${dim} dimensions`);
    this.#dim = dim;
    this.#m = m;
    const n = Math.min(vectors.length, PQ_SAMPLE_MAX);
    const spread = (_: unknown, i: number) => vectors[Math.floor((i * vectors.length) / n)]!;
    this.#sample = Array.from({ length: n }, spread);
    this.#next = xorshift32(seed);
    this.#centroids = new Float32Array(CENTROIDS * dim);
  }

  /** Trains the next part; whether it was the last. */
  step(): boolean {
    const width = this.#dim / this.#m;
    const from = this.#part * width;
    const points = new Float32Array(this.#sample.length * width);
    for (const [i, { qs, scale }] of this.#sample.entries())
      for (let j = 0; j < width; j++) points[i * width + j] = qs[from + j]! * scale;
    this.#centroids.set(kMeans(points, width, this.#next), from * CENTROIDS);
    this.#part++;
    return this.#part === this.#m;
  }

  codebook(): Codebook {
    assert(this.#part === this.#m, "every part is trained");
    const largest = this.#centroids.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const step = Math.fround(largest / 127);
    const centroids = Int8Array.from(this.#centroids, (value) => Math.round(value / step));
    return new Codebook(this.#dim, this.#m, centroids, step);
  }
}

/** Lloyd's iteration. A centroid that no point is nearest to stays where it is. */
function kMeans(points: Float32Array, width: number, next: () => number): Float32Array {
  const n = points.length / width;
  const centroids = new Float32Array(CENTROIDS * width);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let c = 0; c < CENTROIDS; c++) {
    const other = c + (next() % (n - c));
    [order[c], order[other]] = [order[other]!, order[c]!];
    const at = order[c]! * width;
    centroids.set(points.subarray(at, at + width), c * width);
  }
  for (let round = 0; round < PQ_ITERATIONS; round++) {
    const sums = new Float64Array(CENTROIDS * width);
    const counts = new Uint32Array(CENTROIDS);
    const halves = halfSquares(centroids, width);
    for (let i = 0; i < n; i++) {
      const c = nearest(points, i * width, centroids, halves, width, 0);
      counts[c]! += 1;
      for (let j = 0; j < width; j++) sums[c * width + j]! += points[i * width + j]!;
    }
    for (let c = 0; c < CENTROIDS; c++)
      for (let j = 0; j < width && counts[c]! > 0; j++)
        centroids[c * width + j] = sums[c * width + j]! / counts[c]!;
  }
  return centroids;
}

/** Half the squared length of each centroid. */
function halfSquares(centroids: ArrayLike<number>, width: number): Float64Array {
  const halves = new Float64Array(centroids.length / width);
  for (let at = 0; at < centroids.length; at++)
    halves[Math.floor(at / width)]! += centroids[at]! ** 2 / 2;
  return halves;
}

/** Which of the 256 centroids from `first` on is nearest to point [at, at + width), counted from
 *  there; a tie goes to the first. Of |x - c|^2 only |c|^2 / 2 - x c differs between centroids. */
function nearest(
  points: Float32Array,
  at: number,
  centroids: Float32Array,
  halves: Float64Array,
  width: number,
  first: number,
): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let c = 0, from = first * width; c < CENTROIDS; c++) {
    let distance = halves[first + c]!;
    for (let j = 0; j < width; j++) distance -= points[at + j]! * centroids[from++]!;
    if (distance < least) {
      least = distance;
      best = c;
    }
  }
  return best;
}
