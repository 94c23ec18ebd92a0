/** The vector scan on the kernel `dot_scan_i8`, with the vectors in a linear memory of its own. */
import { ServiceError } from "../src/errors.ts";
import { trackMemory } from "../src/model/linear-memory.ts";
import type { QuantizedQuery, QuantizedVector, VectorScan } from "./vectors.ts";

interface ScanExports {
  memory: WebAssembly.Memory;
  dot_scan_i8(
    scores: number,
    q: number,
    qd: number,
    vectors: number,
    d: number,
    n: number,
    dim: number,
  ): void;
}

const PAGE_BYTES = 65_536;
const align = (bytes: number) => (bytes + 15) & ~15;

/** 40 million rows of 384 a second. Linear memory holds, after the module's own first pages, each
 *  16-byte aligned: q i16 [dim], qd f32 [1], scores f32 [rowsMax], d f32 [rowsMax], and the vectors
 *  i8 [rows, dim] last, where they can grow. */
export class WasmScan implements VectorScan {
  readonly dim: number;
  readonly #rowsMax: number;
  readonly #exports: ScanExports;
  readonly #q: number;
  readonly #qd: number;
  readonly #scores: number;
  readonly #scales: number;
  readonly #vectors: number;

  constructor(module: WebAssembly.Module, dim: number, rowsMax: number) {
    this.dim = dim;
    this.#rowsMax = rowsMax;
    this.#exports = new WebAssembly.Instance(module).exports as unknown as ScanExports;
    trackMemory(this.#exports.memory);
    this.#q = this.#exports.memory.buffer.byteLength;
    this.#qd = this.#q + align(2 * dim);
    this.#scores = this.#qd + 16;
    this.#scales = this.#scores + align(4 * rowsMax);
    this.#vectors = this.#scales + align(4 * rowsMax);
    this.#growTo(this.#vectors);
  }

  get bytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  reserve(rows: number): void {
    if (rows > this.#rowsMax)
      throw new ServiceError("memory_full", `${rows} vectors, the limit is ${this.#rowsMax}`);
    this.#growTo(this.#vectors + rows * this.dim);
  }

  write(row: number, { qs, scale }: QuantizedVector): void {
    const { buffer } = this.#exports.memory;
    new Int8Array(buffer, this.#vectors + row * this.dim, this.dim).set(qs);
    new Float32Array(buffer, this.#scales, this.#rowsMax)[row] = scale;
  }

  scan(query: QuantizedQuery, rows: number): Float32Array {
    const { buffer } = this.#exports.memory;
    new Int16Array(buffer, this.#q, this.dim).set(query.qs);
    new Float32Array(buffer, this.#qd, 1)[0] = query.scale;
    this.#exports.dot_scan_i8(
      this.#scores,
      this.#q,
      this.#qd,
      this.#vectors,
      this.#scales,
      rows,
      this.dim,
    );
    return new Float32Array(buffer, this.#scores, rows);
  }

  /** Grows by an eighth or more, so that adding row by row costs a constant share of copying. */
  #growTo(bytes: number): void {
    const { memory } = this.#exports;
    const held = memory.buffer.byteLength;
    if (bytes <= held) return;
    const most = this.#vectors + this.#rowsMax * this.dim;
    const wanted = Math.max(bytes, Math.min(most, held + (held >> 3)));
    try {
      memory.grow(Math.ceil((wanted - held) / PAGE_BYTES));
    } catch (cause) {
      throw new ServiceError("memory_full", `no room for ${bytes} bytes of vectors`, { cause });
    }
  }
}
