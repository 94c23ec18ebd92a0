import { max_f32x4, sum_f32x4 } from "./vector_math";

/** out = softmax(q k^T / sqrt(head_dim)) v over an int8 cache: causal, grouped-query.
 *    out  f32 [m, n_heads * head_dim]
 *    q    f32, m rows `stride` floats apart, each n_heads heads of head_dim
 *    ks   i8 [n_kv_heads, capacity / 4, head_dim / 4, 4, 4]: four numbers of each of four keys
 *    vs   i8 [n_kv_heads, capacity / BLOCK, head_dim / 8, BLOCK / 2, 8, 2]: eight numbers of each
 *         of two values, in the order in which mix reads them
 *    kd, vd  f32 [n_kv_heads, capacity], the scales, none negative
 *    scratch 8 head_dim + 24 BLOCK + 128 bytes
 *  Row i attends to positions 0..position + i, head h to KV head h / (n_heads / n_kv_heads).
 *  Requires head_dim % 8 == 0, head_dim <= 512, capacity % BLOCK == 0 and capacity >= position
 *  + m; out and scratch overlap nothing.
 *
 *  Up to four rows (positions by query heads) that read one KV head make a tile. They pass over
 *  its blocks of positions with a running maximum, sum and output (online softmax: Milakov and
 *  Gimelshein, 2018), so that scores exist for one block only. Queries are quantized to i16 with
 *  one scale, so that 512 products with int8 sum to at most 512 * 127 * 32767 < 2^31; so are a
 *  block's weights exp(s - max) * vd. Both sums are exact integers, and the rest happens row by
 *  row: a row's result has the same bits on every machine, for every m and whatever lies beside.
 *
 *  Error, with D the largest |v|: a query is off by max|q| / 65534, a weight by its block's largest
 *  over 65534, which moves the output by BLOCK / 65534 D at most, and by far less unless all errors
 *  agree. That is beside what the cache itself loses; see kv_append_i8. */

/** Positions that share one scale of weights; 128 * 32767 * 127 stays below 2^31. */
const BLOCK: i32 = 128;

/** Scratch from its end: 4 rows' states, weights i16 [4, BLOCK], scores [4, BLOCK]. */
const SCORES: usize = 512;
const WEIGHTS: usize = 256;

/** A row's state: f32 maximum (of scores in units of ln 2), sum, factor of the output so far, scale
 *  of the block's weights, scale of the query; u32 output; i32 number of positions. */
const STATE: usize = 32;
const TOP: usize = 0;
const SUM: usize = 4;
const KEEP: usize = 8;
const STEP: usize = 12;
const QD: usize = 16;
const OUT: usize = 20;
const LIMIT: usize = 24;

/** Adding it rounds a float to an integer and leaves that in the low bits of the mantissa. */
const ROUND: f32 = 12582912.0;
const ROUND_BITS: i32 = 0x4b400000;

/** Constants in memory: V8 loads and splats one in an instruction, and builds one of code in four.
 *  The lowest exponent, ROUND and the coefficients of exp2_f32x4, then lanes' numbers. */
const EXP2 = memory.data<f32>([
  -126.0, 12582912.0, 0.0013381303, 0.0096663685, 0.05550381, 0.24022349, 0.69314718, 1.0,
]);
const LANES = memory.data<i32>([0, 1, 2, 3]);

/** 2^x for x <= 0, relative error below 3e-7, exactly 1 at 0; x < -126 gives 2^-126. x = n + r with
 *  |r| <= 1/2; 2^r by interpolation of (2^r - 1) / r in the Chebyshev nodes of degree 4. */
// @ts-ignore: decorator
@inline
function exp2_f32x4(value: v128): v128 {
  const x = f32x4.pmax(value, v128.load32_splat(EXP2));
  const shifted = f32x4.add(x, v128.load32_splat(EXP2, 4));
  const r = f32x4.sub(x, f32x4.sub(shifted, v128.load32_splat(EXP2, 4)));
  let p = f32x4.mul(v128.load32_splat(EXP2, 8), r);
  p = f32x4.mul(f32x4.add(p, v128.load32_splat(EXP2, 12)), r);
  p = f32x4.mul(f32x4.add(p, v128.load32_splat(EXP2, 16)), r);
  p = f32x4.mul(f32x4.add(p, v128.load32_splat(EXP2, 20)), r);
  p = f32x4.mul(f32x4.add(p, v128.load32_splat(EXP2, 24)), r);
  return i32x4.add(f32x4.add(p, v128.load32_splat(EXP2, 28)), i32x4.shl(shifted, 23));
}

/** Quantizes a row of q to i16, four numbers at `to` and every 32 bytes on; returns its scale, NaN
 *  where it holds a NaN or infinity. */
function quantize_query(to: usize, q: usize, head_dim: i32): f32 {
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
  for (let at = q; at < end; at += 16, to += 32) {
    const x = f32x4.add(f32x4.mul(v128.load(at), inverse), f32x4.splat(ROUND));
    const n = i32x4.sub(x, i32x4.splat(ROUND_BITS));
    v128.store64_lane(to, i16x8.narrow_i32x4_s(n, n), 0);
  }
  return (top < <f32>1e-30 ? 0 : top / 32767) + sum_f32x4(zero);
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, a: v128, b: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}

/** Four keys' sums, of which a holds two and b two, each in two parts. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128): v128 {
  return i32x4.add(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7));
}

/** s i32 [4, BLOCK] = the tile's quantized queries by the keys of n positions, n % 4 == 0. */
// @ts-ignore: decorator
@inline
function score(rows: i32, s: usize, q: usize, k: usize, n: i32, head_dim: i32): void {
  const q_end = q + ((<usize>head_dim) << 3);
  for (const end = s + ((<usize>n) << 2); s < end; s += 16) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    for (let at = q; at < q_end; at += 32, k += 16) {
      const ka = v128.load_ext<i8>(k);
      const kb = v128.load_ext<i8>(k, 8);
      let x = v128.load64_splat(at);
      a0 = dot(a0, x, ka);
      b0 = dot(b0, x, kb);
      if (rows > 1) {
        x = v128.load64_splat(at, 8);
        a1 = dot(a1, x, ka);
        b1 = dot(b1, x, kb);
      }
      if (rows > 2) {
        x = v128.load64_splat(at, 16);
        a2 = dot(a2, x, ka);
        b2 = dot(b2, x, kb);
      }
      if (rows > 3) {
        x = v128.load64_splat(at, 24);
        a3 = dot(a3, x, ka);
        b3 = dot(b3, x, kb);
      }
    }
    v128.store(s, sums(a0, b0));
    if (rows > 1) v128.store(s, sums(a1, b1), SCORES);
    if (rows > 2) v128.store(s, sums(a2, b2), 2 * SCORES);
    if (rows > 3) v128.store(s, sums(a3, b3), 3 * SCORES);
  }
}

/** Four scores, from their integers. */
// @ts-ignore: decorator
@inline
function scaled(s: usize, kd: usize, qd: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v128.load(s)), f32x4.mul(v128.load(kd), qd));
}

/** Turns one row's integer scores of a block into weights w i16 and moves its state on. `count`
 *  positions (of n, n % 8 == 0) are attended to; the others' weights are 0. */
function weigh(
  s: usize, w: usize, state: usize, kd: usize, vd: usize, count: i32, n: i32,
): void {
  const bytes = (<usize>max(count, 0)) << 2;
  const whole = bytes & ~15;
  const tail = i32x4.lt_s(v128.load(LANES), i32x4.splat(count & 3));
  const qd = v128.load32_splat(state, QD);
  let top4 = f32x4.splat(-Infinity);
  let at: usize = 0;
  for (; at < whole; at += 16) {
    const x = scaled(s + at, kd + at, qd);
    v128.store(s + at, x);
    top4 = f32x4.pmax(top4, x);
  }
  if (at < bytes) {
    const x = scaled(s + at, kd + at, qd);
    v128.store(s + at, x);
    top4 = f32x4.pmax(top4, v128.bitselect(x, f32x4.splat(-Infinity), tail));
  }
  const before = load<f32>(state, TOP);
  const top = max(before, max_f32x4(top4));
  const keep = f32x4.extract_lane(exp2_f32x4(f32x4.splat(before - top)), 0);
  const tops = f32x4.splat(top);
  let sum = f32x4.splat(0);
  let most4 = f32x4.splat(0);
  for (at = 0; at < whole; at += 16) {
    const e = exp2_f32x4(f32x4.sub(v128.load(s + at), tops));
    const x = f32x4.mul(e, v128.load(vd + at));
    v128.store(s + at, x);
    sum = f32x4.add(sum, e);
    most4 = f32x4.pmax(most4, x);
  }
  if (at < bytes) {
    const e = v128.and(exp2_f32x4(f32x4.sub(v128.load(s + at), tops)), tail);
    const x = v128.and(f32x4.mul(e, v128.load(vd + at)), tail);
    v128.store(s + at, x);
    sum = f32x4.add(sum, e);
    most4 = f32x4.pmax(most4, x);
    at += 16;
  }
  for (; at < (<usize>n) << 2; at += 16) v128.store(s + at, f32x4.splat(0));
  const most = max_f32x4(most4);
  narrow(w, s, n, most < <f32>1e-30 ? 0 : <f32>32767 / most);
  store<f32>(state, top, TOP);
  store<f32>(state, load<f32>(state, SUM) * keep + sum_f32x4(sum), SUM);
  store<f32>(state, keep, KEEP);
  store<f32>(state, most * <f32>(1.0 / 32767.0), STEP);
}

/** w i16 [n] = round(s * inverse), s f32 [n] in [0, 32767 / inverse], n % 8 == 0. */
function narrow(w: usize, s: usize, n: i32, inverse: f32): void {
  const inverse4 = f32x4.splat(inverse);
  const round = f32x4.splat(ROUND);
  const bits = i32x4.splat(ROUND_BITS);
  for (const end = w + ((<usize>n) << 1); w < end; w += 16, s += 32) {
    const a = i32x4.sub(f32x4.add(f32x4.mul(v128.load(s), inverse4), round), bits);
    const b = i32x4.sub(f32x4.add(f32x4.mul(v128.load(s, 16), inverse4), round), bits);
    v128.store(w, i16x8.narrow_i32x4_s(a, b));
  }
}

/** A row's output, 8 floats from byte c on, times its factor, plus a block's sums times theirs. */
// @ts-ignore: decorator
@inline
function accumulate(state: usize, c: usize, a: v128, b: v128): void {
  const o = <usize>load<u32>(state, OUT) + c;
  const keep = v128.load32_splat(state, KEEP);
  const step = v128.load32_splat(state, STEP);
  const x = f32x4.mul(f32x4.convert_i32x4_s(a), step);
  const y = f32x4.mul(f32x4.convert_i32x4_s(b), step);
  v128.store(o, f32x4.add(f32x4.mul(v128.load(o), keep), x));
  v128.store(o, f32x4.add(f32x4.mul(v128.load(o, 16), keep), y), 16);
}

/** The rows' outputs move on by n positions' values times weights w i16 [4, BLOCK], n even. */
// @ts-ignore: decorator
@inline
function mix(rows: i32, w: usize, v: usize, n: i32, head_dim: i32, state: usize): void {
  const depth = <usize>head_dim;
  const end = w + ((<usize>n) << 1);
  for (let c: usize = 0; c < depth; c += 8) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
    let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
    let at = v + c * <usize>BLOCK;
    for (let p = w; p < end; p += 4, at += 16) {
      const va = v128.load_ext<i8>(at);
      const vb = v128.load_ext<i8>(at, 8);
      let x = v128.load32_splat(p);
      a0 = dot(a0, x, va);
      b0 = dot(b0, x, vb);
      if (rows > 1) {
        x = v128.load32_splat(p, WEIGHTS);
        a1 = dot(a1, x, va);
        b1 = dot(b1, x, vb);
      }
      if (rows > 2) {
        x = v128.load32_splat(p, 2 * WEIGHTS);
        a2 = dot(a2, x, va);
        b2 = dot(b2, x, vb);
      }
      if (rows > 3) {
        x = v128.load32_splat(p, 3 * WEIGHTS);
        a3 = dot(a3, x, va);
        b3 = dot(b3, x, vb);
      }
    }
    accumulate(state, c << 2, a0, b0);
    if (rows > 1) accumulate(state + STATE, c << 2, a1, b1);
    if (rows > 2) accumulate(state + 2 * STATE, c << 2, a2, b2);
    if (rows > 3) accumulate(state + 3 * STATE, c << 2, a3, b3);
  }
}

/** `rows` of one tile over all their positions; the last row has the most. */
// @ts-ignore: decorator
@inline
function attend(
  rows: i32, ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32,
): void {
  const s = scratch + ((<usize>head_dim) << 3);
  const w = s + 4 * SCORES;
  const states = w + 4 * WEIGHTS;
  const limit = load<i32>(states + (<usize>rows - 1) * STATE, LIMIT);
  for (let b: i32 = 0; b < limit; b += BLOCK) {
    const n = (min(limit - b, BLOCK) + 7) & ~7;
    score(rows, s, scratch, ks, n, head_dim);
    for (let r: usize = 0; r < <usize>rows; r++) {
      const state = states + r * STATE;
      const count = min(load<i32>(state, LIMIT) - b, n);
      weigh(s + r * SCORES, w + r * WEIGHTS, state, kd, vd, count, n);
    }
    mix(rows, w, vs, n, head_dim, states);
    ks += <usize>BLOCK * <usize>head_dim;
    vs += <usize>BLOCK * <usize>head_dim;
    kd += <usize>BLOCK << 2;
    vd += <usize>BLOCK << 2;
  }
  for (let r: usize = 0; r < <usize>rows; r++) finish(states + r * STATE, head_dim);
}

/** Divides a row's output by its sum; a scale that is NaN makes it NaN. */
function finish(state: usize, head_dim: i32): void {
  const o = <usize>load<u32>(state, OUT);
  const factor = f32x4.splat(<f32>1 / load<f32>(state, SUM) + load<f32>(state, QD) * 0);
  const end = o + ((<usize>head_dim) << 2);
  for (let at = o; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

function attend_1(ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32): void {
  attend(1, ks, vs, kd, vd, scratch, head_dim);
}

function attend_2(ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32): void {
  attend(2, ks, vs, kd, vd, scratch, head_dim);
}

function attend_3(ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32): void {
  attend(3, ks, vs, kd, vd, scratch, head_dim);
}

function attend_4(ks: usize, vs: usize, kd: usize, vd: usize, scratch: usize, head_dim: i32): void {
  attend(4, ks, vs, kd, vd, scratch, head_dim);
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
  const states = scratch + ((<usize>head_dim) << 3) + 4 * (SCORES + WEIGHTS);
  const scale = <f32>(1.4426950408889634 / sqrt<f64>(<f64>head_dim)); // log2(e) / sqrt
  memory.fill(out, 0, <usize>m * out_stride);
  for (let g: i32 = 0; g < n_kv_heads; g++) {
    for (let first: i32 = 0; first < m * group; first += 4) {
      const rows = min(4, m * group - first);
      for (let r: i32 = 0; r < rows; r++) {
        const i = (first + r) / group;
        const h = <usize>(g * group + (first + r) % group) * bytes;
        const state = states + <usize>r * STATE;
        const x = q + <usize>i * q_stride + h;
        const d = quantize_query(scratch + ((<usize>r) << 3), x, head_dim);
        store<f32>(state, -Infinity, TOP);
        store<f32>(state, 0, SUM);
        store<f32>(state, d * scale, QD);
        store<u32>(state, <u32>(out + <usize>i * out_stride + h), OUT);
        store<i32>(state, position + i + 1, LIMIT);
      }
      if (rows == 4) attend_4(ks, vs, kd, vd, scratch, head_dim);
      else if (rows == 3) attend_3(ks, vs, kd, vd, scratch, head_dim);
      else if (rows == 2) attend_2(ks, vs, kd, vd, scratch, head_dim);
      else attend_1(ks, vs, kd, vd, scratch, head_dim);
    }
    ks += head;
    vs += head;
    kd += (<usize>capacity) << 2;
    vd += (<usize>capacity) << 2;
  }
}
