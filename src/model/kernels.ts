/** The typed binding of the kernels that encoders and the index run on: the only place where their
 *  shapes are checked. Offsets are bytes into linear memory. A breach is a bug and throws. */
import { assert } from "../errors.ts";
import { LINEAR_MEMORY_BYTES_MAX, SPLIT_COPIES_MAX } from "../limits.ts";
import { Arena } from "./arena.ts";

/** "plain" meets i16 activations, "relaxed" 7-bit digits; results are equal to the last bit. */
export type GemmVariant = "plain" | "relaxed";

/** y = x W^T + bias over quantized rows; see `gemmI8`. */
export interface GemmI8 {
  y: number; // f32 [m, n]
  q: number; // quantizedBytes(m, k), from quantizeRows
  qd: number; // f32 [m], from quantizeRows
  packed: number; // packedBytes(n, k), from packI8
  d: number; // f32 [n], the weight rows' scales
  bias: number; // f32 [n]
  m: number;
  n: number;
  k: number;
  /** Extra columns that the panels have room for; 0 unless given. */
  extra?: number;
  gelu?: boolean;
}

/** Which columns of x f32 [m, k] count how often in rounding to 7 bits; see `splitColumns`. */
export interface SplitColumns {
  at: number; // f32 inverses [k], f32 copies [k], i32 sources [extra], i32 parts [extra]
  k: number;
  extra: number;
}

export interface AttentionF32 {
  out: number; // f32 [n, n_heads * head_dim]
  q: number; // f32 [n, n_heads * head_dim], rows `stride` floats apart; k and v alike
  k: number;
  v: number;
  stride: number;
  scratch: number; // attentionScratchBytes(n, head_dim)
  n: number;
  n_heads: number;
  head_dim: number;
}

export interface GatherI8 {
  y: number; // f32 [t, dim]
  ids: number; // i32 [t], in 0..vocab_size-1: the caller has checked
  places: number; // i32 [t], rows of positions: the caller has checked
  typeIds: number; // i32 [t], 0 or 1: the caller has checked
  qs: number; // i8 [vocab_size, dim]
  d: number; // f32 [vocab_size]
  positions: number; // f32 [context_length, dim]
  types: number; // f32 [2, dim]
  t: number;
  dim: number;
}

const PROBE_SATURATES = 65_534; // see wasm-kernels/relaxed_probe.ts

/** Distances are u16; no code is nearly as long. */
const HAMMING_BITS_MAX = 65_408;

const paddedK = (k: number) => Math.ceil(k / 16) * 16;

/** Bytes of m quantized rows of k, in either variant. */
export const quantizedBytes = (m: number, k: number) => m * paddedK(k) * 2;

/** Bytes of m rows of k rounded to 7 bits, with their extra columns. */
export const quantizedA7Bytes = (m: number, k: number, extra: number) => m * paddedK(k + extra);

/** Bytes of one panel: 4 rows of a matrix; see wasm-kernels/pack_i8.ts. */
export function panelBytes(k: number, extra = 0): number {
  const kx = paddedK(k + extra);
  return 32 + 4 * kx + paddedK(kx / 4 + 2);
}

/** Bytes of an int8 matrix [n, k] packed into panels, with room for extra columns. */
export const packedBytes = (n: number, k: number, extra = 0) =>
  Math.ceil(n / 4) * panelBytes(k, extra);

/** Bytes that attention over n tokens needs: one head's keys, padded to blocks of 6, and values,
 *  eight queries, their scores and a maximum for each. */
export function attentionScratchBytes(n: number, headDim: number): number {
  const keys = Math.ceil(n / 6) * 6;
  return (headDim * (keys + n + 8) + 8 * (keys + 1)) * 4;
}

/** The largest |q| at which k products with |w| <= 127 sum to an i32, at most 2^13 - 1. */
export const qmaxOf = (k: number) => Math.min(8191, Math.floor((2 ** 31 - 1) / (127 * k)));

export class Kernels extends Arena {
  readonly variant: GemmVariant;

  private constructor(module: WebAssembly.Module, bytesMax: number, variant?: GemmVariant) {
    super(module, bytesMax);
    const saturates = this.call("relaxed_probe") === PROBE_SATURATES;
    this.variant = variant ?? (saturates ? "plain" : "relaxed");
  }

  /** Instantiates build/kernels.wasm with a memory of its own, which grows up to `bytesMax`. The
   *  gemm variant is the faster one on this machine unless named. */
  static create(
    module: WebAssembly.Module,
    options?: { bytesMax?: number; variant?: GemmVariant },
  ): Kernels {
    return new Kernels(module, options?.bytesMax ?? LINEAR_MEMORY_BYTES_MAX, options?.variant);
  }

  /** Quantizes x f32 [m, k] for gemmI8: q of quantizedBytes(m, k), d f32 [m]. A row with a NaN or
   *  infinity gets d = NaN, so that all computed from it is NaN. */
  quantizeRows(q: number, d: number, x: number, m: number, k: number): void {
    this.counts("quantizeRows", m, k);
    this.range("quantizeRows q", q, quantizedBytes(m, k));
    this.range("quantizeRows d", d, m * 4);
    this.range("quantizeRows x", x, m * k * 4);
    const kernel = this.variant === "relaxed" ? "quantize_rows_u7" : "quantize_rows_i16";
    this.call(kernel, q, d, x, m, k, qmaxOf(k));
  }

  /** Packs `rows` rows i8 [rows, k] at `src` as rows n0.. of a matrix [n, k]; `packed` has
   *  packedBytes(n, k, extra). Weights lie in [-127, 127]. Call it for every row, the last last. */
  packI8(
    packed: number,
    src: number,
    n0: number,
    rows: number,
    shape: { n: number; k: number; extra?: number },
  ): void {
    const { n, k, extra = 0 } = shape;
    this.counts("packI8", rows, n, k);
    assert(Number.isInteger(n0) && n0 >= 0 && n0 + rows <= n, `packI8 rows ${n0}+${rows} of ${n}`);
    this.range("packI8 packed", packed, packedBytes(n, k, extra));
    this.range("packI8 src", src, rows * k);
    this.call("pack_i8", packed, src, n0, rows, n, k, extra);
  }

  /** Allocates what says that column j of an activation counts `copies[j]` times, an integer in
   *  1..SPLIT_COPIES_MAX: its values may be that many times as large as the others' for the same
   *  step of rounding. The extra columns it takes are as many as the copies beyond the first, at
   *  most `extra`; those left over have source -1, and weights and values of zero. */
  splitColumns(copies: ArrayLike<number>, extra: number): SplitColumns {
    const k = copies.length;
    const at = this.alloc((2 * k + 2 * extra) * 4);
    const floats = this.f32(at, 2 * k);
    const sources = this.i32(at + 8 * k, extra);
    const parts = this.i32(at + 8 * k + 4 * extra, extra).fill(SPLIT_COPIES_MAX);
    sources.fill(-1);
    let used = 0;
    for (let j = 0; j < k; j++) {
      const n = copies[j]!;
      const known = Number.isInteger(n) && n >= 1 && n <= SPLIT_COPIES_MAX;
      assert(known && used + n - 1 <= extra, `splitColumns ${n} copies, ${used} of ${extra} used`);
      floats[j] = 1 / n;
      floats[k + j] = n;
      for (let part = 1; part < n; part++, used++) {
        sources[used] = j;
        parts[used] = part;
      }
    }
    return { at, k, extra };
  }

  /** Completes a packed matrix [n, k] for gemmI8A7: its extra columns, by the split that its
   *  activations will have, and the sums that depend on them. */
  widenI8(packed: number, n: number, { at, k, extra }: SplitColumns): void {
    this.counts("widenI8", n, k);
    this.range("widenI8 packed", packed, packedBytes(n, k, extra));
    this.range("widenI8 split", at, (2 * k + 2 * extra) * 4);
    this.call("widen_i8", packed, at + 8 * k, n, k, extra);
  }

  /** Rounds x f32 [m, k] to 7 bits for gemmI8A7: q of quantizedA7Bytes, d f32 [2, m]. The error is
   *  at most d / 2, d being 1/127 of the row's range, each column divided by its copies. */
  quantizeRowsA7(q: number, d: number, x: number, m: number, { at, k, extra }: SplitColumns): void {
    this.counts("quantizeRowsA7", m, k);
    this.range("quantizeRowsA7 q", q, quantizedA7Bytes(m, k, extra));
    this.range("quantizeRowsA7 d", d, 2 * m * 4);
    this.range("quantizeRowsA7 x", x, m * k * 4);
    this.range("quantizeRowsA7 split", at, (2 * k + 2 * extra) * 4);
    this.call("quantize_rows_a7", q, d, x, at, m, k, extra);
  }

  /** As gemmI8 on q and qd from quantizeRowsA7 and `packed` through widenI8. */
  gemmI8A7(g: GemmI8 & { extra: number }): void {
    const { y, q, qd, packed, d, bias, m, n, k, extra } = g;
    this.counts("gemmI8A7", m, n, k);
    this.range("gemmI8A7 y", y, m * n * 4);
    this.range("gemmI8A7 q", q, quantizedA7Bytes(m, k, extra));
    this.range("gemmI8A7 qd", qd, 2 * m * 4);
    this.range("gemmI8A7 packed", packed, packedBytes(n, k, extra));
    this.range("gemmI8A7 d", d, n * 4);
    this.range("gemmI8A7 bias", bias, n * 4);
    this.call("gemm_i8_a7", y, q, qd, packed, d, bias, m, n, k, extra, g.gelu ? 1 : 0);
  }

  /** y = (q qd) (W d)^T + bias, then exact GELU if asked. y overlaps no input. 2 m n k steps. */
  gemmI8(g: GemmI8): void {
    this.counts("gemmI8", g.m, g.n, g.k);
    this.range("gemmI8 y", g.y, g.m * g.n * 4);
    this.range("gemmI8 q", g.q, quantizedBytes(g.m, g.k));
    this.range("gemmI8 qd", g.qd, g.m * 4);
    const extra = g.extra ?? 0;
    this.range("gemmI8 packed", g.packed, packedBytes(g.n, g.k, extra));
    this.range("gemmI8 d", g.d, g.n * 4);
    this.range("gemmI8 bias", g.bias, g.n * 4);
    const gelu = g.gelu ? 1 : 0;
    if (g.m === 1 && this.variant === "plain") {
      this.call("gemv_i8", g.y, g.q, g.qd, g.packed, g.d, g.bias, g.n, g.k, extra, gelu);
      return;
    }
    const kernel = this.variant === "relaxed" ? "gemm_i8_relaxed" : "gemm_i8";
    this.call(kernel, g.y, g.q, g.qd, g.packed, g.d, g.bias, g.m, g.n, g.k, extra, gelu);
  }

  /** y = layernorm(x + residual) * gamma + beta, rows of dim; residual 0 means none; y may be x or
   *  residual. All f32 [m, dim]; gamma, beta f32 [dim]. */
  layernormF32(
    y: number,
    x: number,
    residual: number,
    gamma: number,
    beta: number,
    shape: { m: number; dim: number; eps: number },
  ): void {
    const { m, dim, eps } = shape;
    this.counts("layernormF32", m, dim);
    assert(eps > 0, `layernormF32 eps ${eps}`);
    this.range("layernormF32 y", y, m * dim * 4);
    this.range("layernormF32 x", x, m * dim * 4);
    if (residual !== 0) this.range("layernormF32 residual", residual, m * dim * 4);
    this.range("layernormF32 gamma", gamma, dim * 4);
    this.range("layernormF32 beta", beta, dim * 4);
    this.call("layernorm_f32", y, x, residual, gamma, beta, m, dim, eps);
  }

  /** y = exact GELU of x, f32 [n]; y may be x. */
  geluF32(y: number, x: number, n: number): void {
    this.counts("geluF32", n);
    this.range("geluF32 y", y, n * 4);
    this.range("geluF32 x", x, n * 4);
    this.call("gelu_f32", y, x, n);
  }

  /** out = softmax(q k^T / sqrt(head_dim)) v, each head of one sequence; head_dim % 4 == 0. */
  attentionF32(a: AttentionF32): void {
    this.counts("attentionF32", a.n, a.n_heads, a.head_dim);
    assert(a.head_dim % 4 === 0, `attentionF32 head_dim ${a.head_dim} is no multiple of 4`);
    const width = a.n_heads * a.head_dim;
    assert(a.stride >= width, `attentionF32 stride ${a.stride} below ${width}`);
    const span = ((a.n - 1) * a.stride + width) * 4;
    this.range("attentionF32 out", a.out, a.n * width * 4);
    this.range("attentionF32 q", a.q, span);
    this.range("attentionF32 k", a.k, span);
    this.range("attentionF32 v", a.v, span);
    this.range("attentionF32 scratch", a.scratch, attentionScratchBytes(a.n, a.head_dim));
    const { out, q, k, v, stride, scratch, n, n_heads, head_dim } = a;
    this.call("attention_f32", out, q, k, v, stride, scratch, n, n_heads, head_dim);
  }

  /** y[t] = tokens[ids[t]] + positions[places[t]] + types[typeIds[t]]. */
  gatherI8(g: GatherI8): void {
    this.counts("gatherI8", g.t, g.dim);
    this.range("gatherI8 y", g.y, g.t * g.dim * 4);
    for (const offset of [g.ids, g.places, g.typeIds]) this.range("gatherI8 ids", offset, g.t * 4);
    this.range("gatherI8 qs", g.qs, g.dim);
    this.range("gatherI8 d", g.d, 4);
    this.range("gatherI8 positions", g.positions, g.dim * 4);
    this.range("gatherI8 types", g.types, 2 * g.dim * 4);
    const { y, ids, places, typeIds, qs, d, positions, types, t, dim } = g;
    this.call("gather_i8", y, ids, places, typeIds, qs, d, positions, types, t, dim);
  }

  /** y f32 [dim] = mean of x f32 [n, dim] over its rows, scaled to length 1. */
  meanPoolF32(y: number, x: number, n: number, dim: number): void {
    this.counts("meanPoolF32", n, dim);
    this.range("meanPoolF32 y", y, dim * 4);
    this.range("meanPoolF32 x", x, n * dim * 4);
    this.call("mean_pool_f32", y, x, n, dim);
  }

  /** Quantizes a query x f32 [dim] for dotScanI8: q of quantizedBytes(1, dim), d f32 [1]. */
  quantizeQuery(q: number, d: number, x: number, dim: number): void {
    this.counts("quantizeQuery", dim);
    this.range("quantizeQuery q", q, quantizedBytes(1, dim));
    this.range("quantizeQuery d", d, 4);
    this.range("quantizeQuery x", x, dim * 4);
    this.call("quantize_rows_i16", q, d, x, 1, dim, qmaxOf(dim));
  }

  /** scores f32 [n] = (vectors i8 [n, dim] . q) * d[i] * qd; q and qd from quantizeQuery. */
  dotScanI8(s: {
    scores: number;
    q: number;
    qd: number;
    vectors: number;
    d: number;
    n: number;
    dim: number;
  }): void {
    this.counts("dotScanI8", s.n, s.dim);
    this.range("dotScanI8 scores", s.scores, s.n * 4);
    this.range("dotScanI8 q", s.q, quantizedBytes(1, s.dim));
    this.range("dotScanI8 qd", s.qd, 4);
    this.range("dotScanI8 vectors", s.vectors, s.n * s.dim);
    this.range("dotScanI8 d", s.d, s.n * 4);
    this.call("dot_scan_i8", s.scores, s.q, s.qd, s.vectors, s.d, s.n, s.dim);
  }

  /** distances u16 [n] = the bits in which each of vectors, n codes of `bits` bits, differs from
   *  query; bits is a multiple of 128, at most HAMMING_BITS_MAX. */
  hammingScanB1(s: {
    distances: number;
    query: number;
    vectors: number;
    n: number;
    bits: number;
  }): void {
    const { distances, query, vectors, n, bits } = s;
    this.counts("hammingScanB1", n, bits);
    const fits = bits % 128 === 0 && bits <= HAMMING_BITS_MAX;
    assert(fits, `hammingScanB1 of ${bits} bits`);
    this.range("hammingScanB1 distances", distances, n * 2);
    this.range("hammingScanB1 query", query, bits / 8);
    this.range("hammingScanB1 vectors", vectors, (n * bits) / 8);
    this.call("hamming_scan_b1", distances, query, vectors, n, bits / 8);
  }

  /** y f32 [m, n] = x f32 [m, k] (w f32 [n, k])^T + bias f32 [n], for heads of few outputs. */
  linearF32(
    y: number,
    x: number,
    w: number,
    bias: number,
    shape: { m: number; n: number; k: number },
  ): void {
    const { m, n, k } = shape;
    this.counts("linearF32", m, n, k);
    this.range("linearF32 y", y, m * n * 4);
    this.range("linearF32 x", x, m * k * 4);
    this.range("linearF32 w", w, n * k * 4);
    this.range("linearF32 bias", bias, n * 4);
    this.call("linear_f32", y, x, w, bias, m, n, k);
  }
}
