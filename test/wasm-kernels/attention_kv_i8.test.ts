import { describe, expect, it } from "vitest";
import { attentionKvScratchBytes } from "../../src/model/decoder-kernels.ts";
import { attentionMix, attentionWeights } from "../oracle/decoder-kernels.ts";
import { expectWithin, floats, putF32, random, writesOnly } from "./arena.ts";
import { filledCache, type KvShape, readCache } from "./kv-cache.ts";

const BLOCK = 128;

interface Case extends KvShape {
  m: number;
  position: number;
  n_heads: number;
}

function makeCase(c: Case, scale = 2) {
  const next = random(c.m * c.position + c.head_dim);
  const n = c.position + c.m;
  const width = c.n_kv_heads * c.head_dim;
  const [k, v] = [floats(next, n * width, scale), floats(next, n * width, scale)];
  const q = floats(next, c.m * c.n_heads * c.head_dim, scale);
  return { q, k, v, ...filledCache(k, v, c) };
}

/** Attention of rows q f32 [m, n_heads * head_dim] over a filled cache. */
function attend({ kernels, cache }: ReturnType<typeof filledCache>, q: Float32Array, c: Case) {
  const { m, position, n_heads, head_dim } = c;
  const mark = kernels.mark();
  const size = m * n_heads * head_dim;
  const [at, out] = [putF32(kernels, q), kernels.alloc(size * 4)];
  const scratch = kernels.alloc(attentionKvScratchBytes(head_dim));
  const stride = n_heads * head_dim;
  const allowed = [
    [out, size * 4],
    [scratch, attentionKvScratchBytes(head_dim)],
  ] as const;
  for (const [offset, bytes] of allowed) kernels.u8(offset, bytes).fill(0xff);
  writesOnly(kernels, allowed, () =>
    kernels.attentionKv({ out, q: at, stride, cache, m, position, n_heads, scratch }),
  );
  const result = kernels.f32(out, size).slice();
  kernels.release(mark);
  return result;
}

const largest = (x: ArrayLike<number>) =>
  Array.from(x).reduce((top, value) => Math.max(top, Math.abs(value)), 0);

/** The result in f64 over keys and values [n, width], and how far the kernel may be from it. Of the
 *  bound: a query is off by max|q| / 65534 an element, its score by that times |k|, and rounds four
 *  times; weights and their sum follow both, exp and n additions round; a block's weights are off
 *  by half a step, its largest weight times scale over 32767. */
function expected(
  q: Float32Array,
  c: Case,
  kv: { k: Float64Array; v: Float64Array; vd: Float64Array },
) {
  const { m, position, n_heads, n_kv_heads, head_dim } = c;
  const width = n_kv_heads * head_dim;
  const out = new Float64Array(q.length);
  const bounds = new Float64Array(q.length);
  const [top, most] = [largest(kv.k), largest(kv.v)];
  for (let row = 0; row < m * n_heads; row++) {
    const g = Math.floor((row % n_heads) / (n_heads / n_kv_heads));
    const n = position + Math.floor(row / n_heads) + 1;
    const query = q.subarray(row * head_dim, (row + 1) * head_dim);
    const weights = attentionWeights(query, (j, e) => kv.k[j * width + g * head_dim + e]!, n);
    const mixed = attentionMix(weights, (j, e) => kv.v[j * width + g * head_dim + e]!, head_dim);
    let steps = 0;
    for (let b = 0; b < n; b += BLOCK) {
      const here = Array.from(
        weights.subarray(b, b + BLOCK),
        (weight, j) => weight * kv.vd[(b + j) * n_kv_heads + g]!,
      );
      steps += here.length * largest(here);
    }
    const reach = largest(query) * top * Math.sqrt(head_dim);
    const score = reach / 65534 + reach * 4 * 2 ** -23;
    const off = Math.expm1(2 * score + 1e-6 + n * 2 ** -23) * most + (steps * 127 * 1.001) / 65534;
    out.set(mixed, row * head_dim);
    bounds.fill(off, row * head_dim, (row + 1) * head_dim);
  }
  return { out, bounds };
}

const shape = (
  m: number,
  position: number,
  n_heads: number,
  n_kv_heads: number,
  head_dim: number,
): Case => ({ m, position, n_heads, n_kv_heads, head_dim, capacity: m + position });

describe("attention_kv_i8", () => {
  it.each([
    shape(1, 0, 1, 1, 8),
    shape(1, 1, 2, 1, 16),
    shape(2, 0, 4, 1, 8),
    shape(3, 5, 9, 3, 64),
    shape(7, 126, 8, 4, 16),
    shape(9, 120, 14, 2, 64),
    shape(1, 129, 5, 5, 128),
    shape(5, 381, 3, 1, 24),
    shape(1, 2047, 9, 3, 64),
    shape(4, 2044, 7, 1, 128),
    { ...shape(6, 250, 6, 2, 8), capacity: 300 },
  ])("equals its definition over what the cache holds: %o", (c) => {
    const made = makeCase(c);
    const kv = readCache(made.kernels, made.cache, c.position + c.m);
    const { out, bounds } = expected(made.q, c, kv);
    expectWithin(attend(made, made.q, c), out, (i) => bounds[i]!);
  });

  it.each([shape(4, 300, 9, 3, 64), shape(3, 40, 4, 2, 16)])(
    "is as near to f32 keys and values as its bound says: %o",
    (c) => {
      const made = makeCase(c, 1);
      const [k, v] = [Float64Array.from(made.k), Float64Array.from(made.v)];
      const { out } = expected(made.q, c, { k, v, vd: new Float64Array(k.length) });
      const [top, most] = [largest(k), largest(v)];
      const actual = attend(made, made.q, c);
      expectWithin(actual, out, (i) => {
        const from = i - (i % c.head_dim);
        const sum = made.q.subarray(from, from + c.head_dim).reduce((a, b) => a + Math.abs(b), 0);
        const e = (sum * top) / 254 / Math.sqrt(c.head_dim);
        return (Math.expm1(2 * e) + 1 / 254 + BLOCK / 65534 + 1e-5) * most;
      });
    },
  );

  it("gives a row the same bits alone, among others, and in a larger cache", () => {
    const c = shape(11, 250, 6, 2, 16);
    const made = makeCase(c);
    const together = attend(made, made.q, c);
    const width = c.n_heads * c.head_dim;
    const larger = filledCache(made.k, made.v, { ...c, capacity: 999 });
    for (let i = 0; i < c.m; i++) {
      const row = made.q.subarray(i * width, (i + 1) * width);
      const alone = attend(larger, row, { ...c, m: 1, position: c.position + i });
      expect(alone).toEqual(together.subarray(i * width, (i + 1) * width));
    }
  });

  it("survives scores far apart, and of 1e36: the largest takes all", () => {
    for (const size of [1e3, 1e18]) {
      const c = shape(1, 300, 2, 1, 8);
      const n = 301;
      const [k, v] = [new Float32Array(n * 8), new Float32Array(n * 8)];
      for (let p = 0; p < n; p++) {
        k[p * 8] = p === 200 ? size : -size * (p % 7);
        v.fill(p, p * 8, (p + 1) * 8);
      }
      const q = Float32Array.from({ length: 16 }, (_, i) => (i % 8 === 0 ? size : 0));
      const out = attend(filledCache(k, v, c), q, c);
      expectWithin(out, new Array(16).fill(200), () => 200 * 2 ** -20);
    }
  });

  it("over equal keys is the mean of the values", () => {
    const c = shape(1, 199, 1, 1, 8);
    const k = new Float32Array(200 * 8).fill(0.25);
    const v = Float32Array.from({ length: 200 * 8 }, (_, i) => (i >> 3) % 2);
    const out = attend(filledCache(k, v, c), new Float32Array(8).fill(1), c);
    expectWithin(out, new Array(8).fill(0.5), () => 1e-5);
  });

  it("a NaN query makes its own head NaN, a NaN key or value all that attends to it", () => {
    const c = shape(5, 130, 4, 2, 8);
    const made = makeCase(c);
    const before = attend(made, made.q, c);
    const q = made.q.slice();
    q[2 * 32 + 8] = Number.NaN; // row 2, head 1
    q[3 * 32] = Infinity; // row 3, head 0
    const hit = (i: number) => i >> 3 === 2 * 4 + 1 || i >> 3 === 3 * 4;
    const after = attend(made, q, c);
    expect(after).toEqual(before.map((value, i) => (hit(i) ? Number.NaN : value)));
    for (const name of ["k", "v"] as const) {
      const bad = { k: made.k.slice(), v: made.v.slice() };
      bad[name][133 * 16 + 3] = Number.NaN; // position 133, KV head 0: rows 3 and 4, heads 0 and 1
      const spoilt = attend(filledCache(bad.k, bad.v, c), made.q, c);
      const reached = (i: number) => i >> 5 >= 3 && (i >> 3) % 4 < 2;
      expect(spoilt).toEqual(before.map((value, i) => (reached(i) ? Number.NaN : value)));
    }
  });

  it("refuses shapes that do not fit", () => {
    const c = shape(1, 3, 4, 2, 8);
    const { kernels, cache } = makeCase(c);
    const [q, out] = [kernels.alloc(128), kernels.alloc(128)];
    const scratch = kernels.alloc(attentionKvScratchBytes(8));
    const right = { out, q, stride: 32, cache, m: 1, position: 3, n_heads: 4, scratch };
    expect(() => kernels.attentionKv(right)).not.toThrow();
    expect(() => kernels.attentionKv({ ...right, position: 4 })).toThrow(/positions 4\+1 of 4/);
    expect(() => kernels.attentionKv({ ...right, n_heads: 3 })).toThrow("3 heads over 2");
    expect(() => kernels.attentionKv({ ...right, stride: 31 })).toThrow("stride 31 below 32");
  });
});
