/** Vectors in eight bits, and the exact search over them. */
import { assert, ServiceError } from "../src/errors.ts";
import { bestOf, type Scored, type ScoreList } from "./top-k.ts";

/** A unit vector as stored: value i is `scale * qs[i]`; qs i8 [dim] in [-127, 127], scale f32, the
 *  inverse of the length of `qs`, so that the stored vector has unit length again; 0 where `qs` is
 *  all zeros. */
export interface QuantizedVector {
  qs: Int8Array;
  scale: number;
}

/** Rounds a vector of any length to eight bits, the largest magnitude becoming 127. A cosine of two
 *  random 384-d vectors moves by about 0.001. Values that are read back, brought to unit length by
 *  whatever rounding in f32, and quantized again give the same integers: export and ingest repeat
 *  without drift. */
export function quantizeVector(vector: Float32Array): QuantizedVector {
  let max = 0;
  for (const value of vector) max = Math.max(max, Math.abs(value));
  const step = Math.fround(max / 127);
  const qs = new Int8Array(vector.length);
  if (step > 0)
    for (const [i, value] of vector.entries())
      qs[i] = Math.max(-127, Math.min(127, Math.round(value / step)));
  return { qs, scale: inverseLength(qs) };
}

/** 1 / |qs|, f32; 0 of zeros. The sum of squares is exact. */
export function inverseLength(qs: Int8Array): number {
  let squares = 0;
  for (const q of qs) squares += q * q;
  return squares === 0 ? 0 : Math.fround(1 / Math.sqrt(squares));
}

/** The values of a stored vector, f32 [dim], of unit length. */
export function dequantizeVector({ qs, scale }: QuantizedVector): Float32Array {
  return Float32Array.from(qs, (q) => q * scale);
}

/** A stored vector as bytes: its scale as f32, little-endian, then `qs`. */
export function vectorBytes({ qs, scale }: QuantizedVector): Uint8Array {
  const bytes = new Uint8Array(4 + qs.length);
  new DataView(bytes.buffer).setFloat32(0, scale, true);
  bytes.set(new Uint8Array(qs.buffer, qs.byteOffset, qs.length), 4);
  return bytes;
}

/** The vector of `vectorBytes`, over the same memory. */
export function vectorFrom(bytes: ArrayBuffer): QuantizedVector {
  return { scale: new DataView(bytes).getFloat32(0, true), qs: new Int8Array(bytes, 4) };
}

/** The cosine of a unit query with a stored vector. The sum of products is exact, within i32; it is
 *  rounded to f32, and so is its product with the query's scale, and that with the vector's. 0.5 us
 *  at 384 dimensions. */
export function cosineOf(query: QuantizedQuery, { qs, scale }: QuantizedVector): number {
  assert(qs.length === query.qs.length, "a stored vector has the query's dimension");
  return Math.fround(Math.fround(Math.fround(dotOf(query.qs, qs)) * query.scale) * scale);
}

/** `cosineOf` each vector, given as `vectorBytes` made them: f32, in their order. */
export function cosinesOf(query: QuantizedQuery, rows: readonly ArrayBuffer[]): Float32Array {
  return Float32Array.from(rows, (bytes) => cosineOf(query, vectorFrom(bytes)));
}

function dotOf(query: Int16Array, qs: Int8Array): number {
  let sum = 0;
  for (let i = 0; i < qs.length; i++) sum = (sum + Math.imul(query[i]!, qs[i]!)) | 0;
  return sum;
}

/** A query as the scan takes it: i16 [dim], finer than what is stored, with its scale. */
export interface QuantizedQuery {
  qs: Int16Array;
  scale: number;
}

/** Rounds a query to 16 bits, or to fewer where the dimension is so large (above 516) that its dot
 *  product with 127s would leave i32. */
export function quantizeQuery(vector: Float32Array): QuantizedQuery {
  const qMax = Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * vector.length)));
  let max = 0;
  for (const value of vector) max = Math.max(max, Math.abs(value));
  const scale = Math.fround(max / qMax);
  const qs = new Int16Array(vector.length);
  if (scale > 0)
    for (const [i, value] of vector.entries())
      qs[i] = Math.max(-qMax, Math.min(qMax, Math.round(value / scale)));
  return { qs, scale };
}

/** Where quantized vectors lie, row by row, and the pass over all of them. The service binds it to
 *  the kernel `dot_scan_i8`; `PlainScan` is the same in JavaScript. */
export interface VectorScan {
  readonly dim: number;
  /** Bytes held. */
  readonly bytes: number;
  /** Makes room for this many rows. Throws `memory_full` where it cannot. */
  reserve(rows: number): void;
  write(row: number, vector: QuantizedVector): void;
  /** Dot products of the query with rows [0, rows): f32 [rows] at least, valid until the next call
   *  of any method. The sum of products is exact; it is then rounded to f32, and so is its product
   *  with the query's scale, and that with the row's. */
  scan(query: QuantizedQuery, rows: number): Float32Array;
}

/** The scan in plain JavaScript, about 2 million rows of 384 a second. */
export class PlainScan implements VectorScan {
  readonly dim: number;
  readonly #rowsMax: number;
  #qs = new Int8Array(0);
  #scales = new Float32Array(0);
  #scores = new Float32Array(0);

  constructor(dim: number, rowsMax: number) {
    this.dim = dim;
    this.#rowsMax = rowsMax;
  }

  get bytes(): number {
    return this.#qs.byteLength + this.#scales.byteLength + this.#scores.byteLength;
  }

  reserve(rows: number): void {
    if (rows > this.#rowsMax)
      throw new ServiceError("memory_full", `${rows} vectors, the limit is ${this.#rowsMax}`);
    if (rows <= this.#scales.length) return;
    const room = Math.min(this.#rowsMax, Math.max(rows, Math.ceil(this.#scales.length * 1.5), 64));
    const qs = new Int8Array(room * this.dim);
    const scales = new Float32Array(room);
    qs.set(this.#qs);
    scales.set(this.#scales);
    this.#qs = qs;
    this.#scales = scales;
    this.#scores = new Float32Array(room);
  }

  write(row: number, { qs, scale }: QuantizedVector): void {
    this.#qs.set(qs, row * this.dim);
    this.#scales[row] = scale;
  }

  scan(query: QuantizedQuery, rows: number): Float32Array {
    const { dim } = this;
    for (let row = 0, at = 0; row < rows; row++, at += dim) {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += query.qs[i]! * this.#qs[at + i]!;
      this.#scores[row] = Math.fround(Math.fround(sum) * query.scale) * this.#scales[row]!;
    }
    return this.#scores;
  }
}

export type AllowVector = (id: number) => boolean;

/** Vectors by id, searched by brute force: exact, and filters cost nothing in recall. */
export class VectorIndex {
  readonly #scan: VectorScan;
  readonly #rowOf = new Map<number, number>();
  /** By row: its id, or -1 where it is free. */
  readonly #idOf: number[] = [];
  readonly #free: number[] = [];

  constructor(scan: VectorScan) {
    this.#scan = scan;
  }

  get size(): number {
    return this.#rowOf.size;
  }

  /** Estimate of the memory held, in bytes: a map entry costs about 40. */
  get bytes(): number {
    return this.#scan.bytes + this.#idOf.length * 48;
  }

  /** Makes room for `count` vectors in all. Throws `memory_full` where it cannot. */
  reserve(count: number): void {
    this.#scan.reserve(Math.max(count, this.#idOf.length));
  }

  add(id: number, vector: QuantizedVector): void {
    assert(!this.#rowOf.has(id), `vector ${id} is indexed once`);
    assert(vector.qs.length === this.#scan.dim, "a vector has the index's dimension");
    const row = this.#free.pop() ?? this.#idOf.length;
    this.#scan.reserve(row + 1);
    this.#scan.write(row, vector);
    this.#rowOf.set(id, row);
    this.#idOf[row] = id;
  }

  /** Frees the vector's row for the next one; an id that is not there is no error. */
  remove(id: number): void {
    const row = this.#rowOf.get(id);
    if (row === undefined) return;
    this.#rowOf.delete(id);
    this.#idOf[row] = -1;
    this.#free.push(row);
  }

  /** The best k of the allowed vectors by dot product (cosine, for unit vectors), best first; a
   *  tie goes to the lower id. O(rows * dim). */
  search(query: Float32Array, k: number, allow?: AllowVector): Scored[] {
    return bestOf(this.scores(query, allow), k);
  }

  /** Every allowed vector with its dot product. */
  scores(query: Float32Array, allow?: AllowVector): ScoreList {
    assert(query.length === this.#scan.dim, "a query has the index's dimension");
    const scores = this.#scan.scan(quantizeQuery(query), this.#idOf.length);
    const get = (id: number) => {
      const row = this.#rowOf.get(id);
      return row !== undefined && (allow === undefined || allow(id)) ? scores[row] : undefined;
    };
    const forEach = (visit: (score: number, id: number) => void) => {
      for (let row = 0; row < this.#idOf.length; row++) {
        const id = this.#idOf[row]!;
        if (id >= 0 && (allow === undefined || allow(id))) visit(scores[row]!, id);
      }
    };
    return { get, forEach };
  }
}
