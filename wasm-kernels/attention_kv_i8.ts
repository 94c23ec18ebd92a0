import { exp_f32x4, max_f32x4, sum_f32x4 } from "./vector_math";

/** out = softmax(q k^T / sqrt(head_dim)) v over an int8 cache: causal, grouped-query.
 *    out  f32 [m, n_heads * head_dim]
 *    q    f32, m rows `stride` floats apart, each n_heads heads of head_dim
 *    ks   i8 [n_kv_heads, capacity, head_dim]
 *    vs   i8 [n_kv_heads, capacity / 2, head_dim, 2]: two positions' values alternate
 *    kd, vd  f32 [n_kv_heads, capacity], the scales, none negative
 *    scratch 8 head_dim + 24 BLOCK + 32 bytes
 *  Row i attends to positions 0..position + i, head h to KV head h / (n_heads / n_kv_heads).
 *  Requires head_dim % 8 == 0, head_dim <= 512, an even capacity >= position + m, and at least one
 *  readable position past an odd count, which an even capacity grants; out and scratch overlap
 *  nothing.
 *
 *  Up to four rows (positions by query heads) that read one KV head make a tile. They pass over
 *  its blocks of positions with a running maximum, sum and output (online softmax: Milakov and
 *  Gimelshein, 2018), so that scores exist for one block only. Queries are quantized to i16 with
 *  one scale, so that 512 products with int8 sum to at most 512 * 127 * 32767 < 2^31; so are a
 *  block's weights exp(s - max) * vd. Both sums are exact integers and rows sit in lanes: a row's
 *  result has the same bits on every machine, for every m and whatever lies beside it.
 *
 *  Error, with D the largest |v|: a query is off by max|q| / 65534, a weight by its block's largest
 *  over 65534, which moves the output by BLOCK / 65534 D at most, and by far less unless all errors
 *  agree. That is beside what the cache itself loses; see kv_append_i8. */

/** Positions that share one scale of weights; 128 * 32767 * 127 stays below 2^31. */
const BLOCK: i32 = 128;

/** Adding it rounds a float to an integer and leaves that in the low bits of the mantissa. */
const ROUND: f32 = 12582912.0;

/** Quantizes a row of q to i16 at `to`; returns its scale, NaN where it holds a NaN or infinity. */
function quantize(to: usize, q: usize, head_dim: i32): f32 {
  const end = q + ((<usize>head_dim) << 2);
  let top4 = f32x4.splat(0);
  let zero = f32x4.splat(0);
  for (let at = q; at < end; at += 16) {
    const v = v128.load(at);
    top4 = f32x4.pmax(top4, f32x4.abs(v));
    zero = f32x4.add(zero, f32x4.mul(v, f32x4.splat(0)));
  }
  const top = max_f32x4(top4);
  const inverse = f32x4.splat(top < <f32>1e-30 ? 0 : <f32>32767 / top);
  const round = f32x4.splat(ROUND);
  for (let at = q; at < end; at += 32, to += 16) {
    const a = f32x4.add(f32x4.mul(v128.load(at), inverse), round);
    const b = f32x4.add(f32x4.mul(v128.load(at, 16), inverse), round);
    v128.store(to, v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
  }
  return (top < <f32>1e-30 ? 0 : top / 32767) + sum_f32x4(zero);
}

/** The sums of four vectors' lanes, in order. */
// @ts-ignore: decorator
@inline
function sums_i32x4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, a: v128, b: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}

/** s f32 [n, 4] = the tile's `rows` queries by n keys, n even, times their scales. */
// @ts-ignore: decorator
@inline
function score(
  rows: i32, s: usize, q: usize, qd: v128, k: usize, kd: usize, n: i32, head_dim: i32,
): void {
  const depth = <usize>head_dim;
  const bytes = depth << 1;
  for (const end = s + ((<usize>n) << 4); s < end; s += 32, k += bytes, kd += 8) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    let at = q;
    for (let j: usize = 0; j < depth; j += 8, at += 16) {
      const ka = v128.load_ext<i8>(k + j);
      const kb = v128.load_ext<i8>(k + depth + j);
      let x = v128.load(at);
      a0 = dot(a0, x, ka);
      b0 = dot(b0, x, kb);
      if (rows > 1) {
        x = v128.load(at + bytes);
        a1 = dot(a1, x, ka);
        b1 = dot(b1, x, kb);
      }
      if (rows > 2) {
        x = v128.load(at + (bytes << 1));
        a2 = dot(a2, x, ka);
        b2 = dot(b2, x, kb);
      }
      if (rows > 3) {
        x = v128.load(at + bytes * 3);
        a3 = dot(a3, x, ka);
        b3 = dot(b3, x, kb);
      }
    }
    const da = f32x4.mul(qd, v128.load32_splat(kd));
    const db = f32x4.mul(qd, v128.load32_splat(kd, 4));
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(sums_i32x4(a0, a1, a2, a3)), da));
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(sums_i32x4(b0, b1, b2, b3)), db), 16);
  }
}

/** Lanes whose row attends to position p. */
// @ts-ignore: decorator
@inline
function attends(p: i32, limits: v128): v128 {
  return i32x4.lt_s(i32x4.splat(p), limits);
}

/** Scores that a row does not attend to become -inf, in positions from..n of the block. */
function mask(s: usize, from: i32, n: i32, limits: v128): void {
  const never = f32x4.splat(-Infinity);
  for (let p = from; p < n; p++) {
    const at = s + ((<usize>p) << 4);
    v128.store(at, v128.bitselect(v128.load(at), never, attends(p, limits)));
  }
}

/** Running sums of a block's weights, and its largest weight times vd, as two rows of `factors`. */
// @ts-ignore: decorator
@inline
function weigh(
  masked: bool, s: usize, from: i32, n: i32, vd: usize, top: v128, limits: v128, factors: usize,
): void {
  let sum = v128.load(factors);
  let most = v128.load(factors, 16);
  for (let p = from; p < n; p++) {
    const at = s + ((<usize>p) << 4);
    let e = exp_f32x4(f32x4.sub(v128.load(at), top));
    if (masked) e = v128.and(e, attends(p, limits));
    sum = f32x4.add(sum, e);
    let w = f32x4.mul(e, v128.load32_splat(vd + ((<usize>p) << 2)));
    if (masked) w = v128.and(w, attends(p, limits));
    most = f32x4.pmax(most, w);
    v128.store(at, w);
  }
  v128.store(factors, sum);
  v128.store(factors, most, 16);
}

/** w i16 [n / 2, 4, 2] = round(s * inverse), s f32 [n, 4] in [0, 32767 / inverse]. */
function narrow(w: usize, s: usize, n: i32, inverse: v128): void {
  const round = f32x4.splat(ROUND);
  const low = i32x4.splat(0xffff);
  for (const end = s + ((<usize>n) << 4); s < end; s += 32, w += 16) {
    const a = f32x4.add(f32x4.mul(v128.load(s), inverse), round);
    const b = f32x4.add(f32x4.mul(v128.load(s, 16), inverse), round);
    v128.store(w, v128.or(v128.and(a, low), i32x4.shl(b, 16)));
  }
}

/** o = o * factors[0][row] + sum * factors[1][row], 8 floats. */
// @ts-ignore: decorator
@inline
function accumulate(o: usize, a: v128, b: v128, factors: usize): void {
  const keep = v128.load32_splat(factors);
  const scale = v128.load32_splat(factors, 16);
  const x = f32x4.mul(f32x4.convert_i32x4_s(a), scale);
  const y = f32x4.mul(f32x4.convert_i32x4_s(b), scale);
  v128.store(o, f32x4.add(f32x4.mul(v128.load(o), keep), x));
  v128.store(o, f32x4.add(f32x4.mul(v128.load(o, 16), keep), y), 16);
}

/** The rows' outputs at o0..o3 move on by n positions' values times weights w, n even. */
// @ts-ignore: decorator
@inline
function mix(
  rows: i32, o0: usize, o1: usize, o2: usize, o3: usize, w: usize, v: usize, n: i32,
  head_dim: i32, factors: usize,
): void {
  const depth = <usize>head_dim;
  const end = w + ((<usize>n) << 3);
  for (let c: usize = 0; c < depth; c += 8) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    let at = v + (c << 1);
    for (let p = w; p < end; p += 16, at += depth << 1) {
      const va = v128.load_ext<i8>(at);
      const vb = v128.load_ext<i8>(at, 8);
      let x = v128.load32_splat(p);
      a0 = dot(a0, x, va);
      b0 = dot(b0, x, vb);
      if (rows > 1) {
        x = v128.load32_splat(p, 4);
        a1 = dot(a1, x, va);
        b1 = dot(b1, x, vb);
      }
      if (rows > 2) {
        x = v128.load32_splat(p, 8);
        a2 = dot(a2, x, va);
        b2 = dot(b2, x, vb);
      }
      if (rows > 3) {
        x = v128.load32_splat(p, 12);
        a3 = dot(a3, x, va);
        b3 = dot(b3, x, vb);
      }
    }
    accumulate(o0 + (c << 2), a0, b0, factors);
    if (rows > 1) accumulate(o1 + (c << 2), a1, b1, factors + 4);
    if (rows > 2) accumulate(o2 + (c << 2), a2, b2, factors + 8);
    if (rows > 3) accumulate(o3 + (c << 2), a3, b3, factors + 12);
  }
}

/** `rows` of one tile over all their positions: `limits` holds how many, the last row most. */
// @ts-ignore: decorator
@inline
function attend(
  rows: i32, o0: usize, o1: usize, o2: usize, o3: usize, qd: v128, limits: v128,
  ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32,
): void {
  const s = scratch + ((<usize>head_dim) << 3);
  const w = s + ((<usize>BLOCK) << 4);
  const factors = w + ((<usize>BLOCK) << 3);
  const least = i32x4.extract_lane(limits, 0);
  const most = i32x4.extract_lane(limits, 3);
  let top = f32x4.splat(-Infinity);
  let sum = f32x4.splat(0);
  for (let b: i32 = 0; b < most; b += BLOCK) {
    const n = (min(most - b, BLOCK) + 1) & ~1;
    const full = max(0, min(least - b, n)) & ~1;
    const here = i32x4.sub(limits, i32x4.splat(b));
    const at = <usize>b * <usize>head_dim;
    const place = (<usize>b) << 2;
    score(rows, s, scratch, qd, ks + at, kd + place, n, head_dim);
    mask(s, full, n, here);
    let next = top;
    for (let p: usize = 0; p < (<usize>n) << 4; p += 16) next = f32x4.pmax(next, v128.load(s + p));
    const keep = exp_f32x4(f32x4.sub(top, next));
    top = next;
    v128.store(factors, f32x4.mul(sum, keep));
    v128.store(factors, f32x4.splat(0), 16);
    weigh(false, s, 0, full, vd + place, top, here, factors);
    weigh(true, s, full, n, vd + place, top, here, factors);
    sum = v128.load(factors);
    const largest = v128.load(factors, 16);
    const tiny = f32x4.lt(largest, f32x4.splat(1e-30));
    narrow(w, s, n, v128.andnot(f32x4.div(f32x4.splat(32767), largest), tiny));
    v128.store(factors, keep);
    v128.store(factors, f32x4.mul(largest, f32x4.splat(1.0 / 32767.0)), 16);
    mix(rows, o0, o1, o2, o3, w, vs + at, n, head_dim, factors);
  }
  const bytes = (<usize>head_dim) << 2;
  const inverse = f32x4.add(f32x4.div(f32x4.splat(1), sum), f32x4.mul(qd, f32x4.splat(0)));
  scale(o0, bytes, f32x4.extract_lane(inverse, 0));
  if (rows > 1) scale(o1, bytes, f32x4.extract_lane(inverse, 1));
  if (rows > 2) scale(o2, bytes, f32x4.extract_lane(inverse, 2));
  if (rows > 3) scale(o3, bytes, f32x4.extract_lane(inverse, 3));
}

function scale(x: usize, bytes: usize, factor: f32): void {
  const factor4 = f32x4.splat(factor);
  for (let at: usize = 0; at < bytes; at += 16)
    v128.store(x + at, f32x4.mul(v128.load(x + at), factor4));
}

function attend_1(
  o: usize, qd: v128, limits: v128, ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize,
  head_dim: i32,
): void {
  attend(1, o, o, o, o, qd, limits, ks, vs, kd, vd, scratch, head_dim);
}

function attend_2(
  o0: usize, o1: usize, qd: v128, limits: v128, ks: usize, vs: usize, kd: usize, vd: usize,
  scratch: usize, head_dim: i32,
): void {
  attend(2, o0, o1, o1, o1, qd, limits, ks, vs, kd, vd, scratch, head_dim);
}

function attend_3(
  o0: usize, o1: usize, o2: usize, qd: v128, limits: v128, ks: usize, vs: usize, kd: usize,
  vd: usize, scratch: usize, head_dim: i32,
): void {
  attend(3, o0, o1, o2, o2, qd, limits, ks, vs, kd, vd, scratch, head_dim);
}

function attend_4(
  o0: usize, o1: usize, o2: usize, o3: usize, qd: v128, limits: v128, ks: usize, vs: usize,
  kd: usize, vd: usize, scratch: usize, head_dim: i32,
): void {
  attend(4, o0, o1, o2, o3, qd, limits, ks, vs, kd, vd, scratch, head_dim);
}

export function attention_kv_i8(
  out: usize, q: usize, stride_floats: i32, ks: usize, vs: usize, kd: usize, vd: usize,
  scratch: usize, m: i32, position: i32, n_heads: i32, n_kv_heads: i32, head_dim: i32,
  capacity: i32,
): void {
  const group = n_heads / n_kv_heads;
  const bytes = (<usize>head_dim) << 2;
  const q_stride = (<usize>stride_floats) << 2;
  const out_stride = <usize>n_heads * bytes;
  const head = <usize>capacity * <usize>head_dim;
  const scale = <f32>(1 / sqrt<f64>(<f64>head_dim));
  memory.fill(out, 0, <usize>m * out_stride);
  for (let g: i32 = 0; g < n_kv_heads; g++) {
    for (let first: i32 = 0; first < m * group; first += 4) {
      const rows = min(4, m * group - first);
      const o = scratch + ((<usize>head_dim) << 3); // the scores' place, free until the first block
      for (let r: i32 = 0; r < 4; r++) {
        const row = min(first + r, m * group - 1);
        const i = row / group;
        const h = <usize>(g * group + row % group) * bytes;
        const at = (<usize>r) << 2;
        const to = scratch + (<usize>r * <usize>head_dim << 1);
        store<u32>(o + at, <u32>(out + <usize>i * out_stride + h));
        store<f32>(o + at, quantize(to, q + <usize>i * q_stride + h, head_dim) * scale, 16);
        store<i32>(o + at, position + i + 1, 32);
      }
      const o0 = <usize>load<u32>(o);
      const o1 = <usize>load<u32>(o, 4);
      const o2 = <usize>load<u32>(o, 8);
      const o3 = <usize>load<u32>(o, 12);
      const qd = v128.load(o, 16);
      const limits = v128.load(o, 32);
      if (rows == 4) attend_4(o0, o1, o2, o3, qd, limits, ks, vs, kd, vd, scratch, head_dim);
      else if (rows == 3) attend_3(o0, o1, o2, qd, limits, ks, vs, kd, vd, scratch, head_dim);
      else if (rows == 2) attend_2(o0, o1, qd, limits, ks, vs, kd, vd, scratch, head_dim);
      else attend_1(o0, qd, limits, ks, vs, kd, vd, scratch, head_dim);
    }
    ks += head;
    vs += head;
    kd += (<usize>capacity) << 2;
    vd += (<usize>capacity) << 2;
  }
}
