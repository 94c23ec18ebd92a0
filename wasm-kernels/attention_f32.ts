import { exp2_f32x4 } from "./vector_math";

/** out = softmax(q k^T / sqrt(head_dim)) v for every head of ONE sequence.
 *    out      f32 [n, n_heads * head_dim]
 *    q, k, v  f32 [n, n_heads * head_dim], rows `stride` floats apart (columns of the fused QKV)
 *    scratch  f32 [head_dim * (nk + n + 8) + 8 * (nk + 1)], nk = n rounded up to 6
 *  Requires head_dim % 4 == 0; out and scratch overlap nothing. O(n^2 n_heads head_dim).
 *
 *  Head by head, k and v are copied to where a tile reads them in order: rows `stride` apart would
 *  fall into few sets of the L1 cache. Eight queries at a time then lie across lanes: a tile of 6
 *  keys by 8 queries gives scores [key, 8], of which maxima and sums need no work across lanes, and
 *  a tile of 4 queries by 8 columns of v sums the weights exp2(s - max). q carries the factor
 *  log2(e) / sqrt(head_dim); the divisor is applied to the output. The only scores that ever exist
 *  are [nk, 8]. Sums are by f32x4.relaxed_madd, whose last bit is the machine's choice. */

const KEYS: i32 = 6;
const LOG2_E: f64 = 1.4426950408889634;

// @ts-ignore: decorator
@inline
function madd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.relaxed_madd(a, b, sum);
}

/** kt[block, j, i] = k[key i of the block, j]. The last block ends with key n - 1 and shares keys
 *  with the one before; below 6 keys it repeats the last. */
function pack_keys(kt: usize, k: usize, stride: usize, n: i32, head_dim: i32): void {
  const depth = (<usize>head_dim) << 2;
  for (let c: i32 = 0; c < n; c += KEYS) {
    const first = max(min(c, n - KEYS), 0);
    const k0 = k + <usize>first * stride;
    const k1 = k + <usize>min(first + 1, n - 1) * stride;
    const k2 = k + <usize>min(first + 2, n - 1) * stride;
    const k3 = k + <usize>min(first + 3, n - 1) * stride;
    const k4 = k + <usize>min(first + 4, n - 1) * stride;
    const k5 = k + <usize>min(first + 5, n - 1) * stride;
    for (let j: usize = 0; j < depth; j += 16, kt += 96) {
      const a = v128.load(k0 + j), b = v128.load(k1 + j);
      const c = v128.load(k2 + j), d = v128.load(k3 + j);
      const e = v128.load(k4 + j), f = v128.load(k5 + j);
      const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
      const ef = v128.shuffle<f32>(e, f, 0, 4, 1, 5);
      v128.store(kt, v128.shuffle<u64>(ab, cd, 0, 2));
      v128.store64_lane(kt, ef, 0, 16);
      v128.store(kt, v128.shuffle<u64>(ab, cd, 1, 3), 24);
      v128.store64_lane(kt, ef, 1, 40);
      const uv = v128.shuffle<f32>(a, b, 2, 6, 3, 7), xy = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      const zw = v128.shuffle<f32>(e, f, 2, 6, 3, 7);
      v128.store(kt, v128.shuffle<u64>(uv, xy, 0, 2), 48);
      v128.store64_lane(kt, zw, 0, 64);
      v128.store(kt, v128.shuffle<u64>(uv, xy, 1, 3), 72);
      v128.store64_lane(kt, zw, 1, 88);
    }
  }
}

/** vt[block of 8 columns, i] = v[i, block]; the last block may have 4. */
function pack_values(vt: usize, v: usize, stride: usize, n: i32, head_dim: i32): void {
  const depth = (<usize>head_dim) << 2;
  for (let c: usize = 0; c < depth; c += 32) {
    let row = v + c;
    const whole = c + 32 <= depth;
    for (let i: i32 = 0; i < n; i++, row += stride) {
      v128.store(vt, v128.load(row));
      vt += 16;
      if (!whole) continue;
      v128.store(vt, v128.load(row, 16));
      vt += 16;
    }
  }
}

/** qt[j, i] = q[row i, j] * scale for 4 rows, from row r on; those past n repeat row n - 1. */
function pack_queries(
  qt: usize, q: usize, stride: usize, r: i32, n: i32, head_dim: i32, scale: v128,
): void {
  const q0 = q + <usize>min(r, n - 1) * stride;
  const q1 = q + <usize>min(r + 1, n - 1) * stride;
  const q2 = q + <usize>min(r + 2, n - 1) * stride;
  const q3 = q + <usize>min(r + 3, n - 1) * stride;
  const depth = (<usize>head_dim) << 2;
  for (let j: usize = 0; j < depth; j += 16, qt += 128) {
    const a = f32x4.mul(v128.load(q0 + j), scale), b = f32x4.mul(v128.load(q1 + j), scale);
    const c = f32x4.mul(v128.load(q2 + j), scale), d = f32x4.mul(v128.load(q3 + j), scale);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const xy = v128.shuffle<f32>(a, b, 2, 6, 3, 7), zw = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(qt, v128.shuffle<u64>(ab, cd, 0, 2));
    v128.store(qt, v128.shuffle<u64>(ab, cd, 1, 3), 32);
    v128.store(qt, v128.shuffle<u64>(xy, zw, 0, 2), 64);
    v128.store(qt, v128.shuffle<u64>(xy, zw, 1, 3), 96);
  }
}

/** s[6, 8] = six keys by eight queries; top[8] = the largest of them and of what it held. */
function score(s: usize, top: usize, kt: usize, qt: usize, depth: usize): void {
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0);
  let a3 = f32x4.splat(0), a4 = f32x4.splat(0), a5 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0);
  let b3 = f32x4.splat(0), b4 = f32x4.splat(0), b5 = f32x4.splat(0);
  for (const end = qt + (depth << 3); qt < end; qt += 32, kt += 24) {
    const qa = v128.load(qt), qb = v128.load(qt, 16);
    let x = v128.load32_splat(kt);
    a0 = madd(a0, x, qa), b0 = madd(b0, x, qb);
    x = v128.load32_splat(kt, 4);
    a1 = madd(a1, x, qa), b1 = madd(b1, x, qb);
    x = v128.load32_splat(kt, 8);
    a2 = madd(a2, x, qa), b2 = madd(b2, x, qb);
    x = v128.load32_splat(kt, 12);
    a3 = madd(a3, x, qa), b3 = madd(b3, x, qb);
    x = v128.load32_splat(kt, 16);
    a4 = madd(a4, x, qa), b4 = madd(b4, x, qb);
    x = v128.load32_splat(kt, 20);
    a5 = madd(a5, x, qa), b5 = madd(b5, x, qb);
  }
  v128.store(s, a0), v128.store(s, b0, 16);
  v128.store(s, a1, 32), v128.store(s, b1, 48);
  v128.store(s, a2, 64), v128.store(s, b2, 80);
  v128.store(s, a3, 96), v128.store(s, b3, 112);
  v128.store(s, a4, 128), v128.store(s, b4, 144);
  v128.store(s, a5, 160), v128.store(s, b5, 176);
  a0 = f32x4.pmax(f32x4.pmax(f32x4.pmax(a0, a1), f32x4.pmax(a2, a3)), f32x4.pmax(a4, a5));
  b0 = f32x4.pmax(f32x4.pmax(f32x4.pmax(b0, b1), f32x4.pmax(b2, b3)), f32x4.pmax(b4, b5));
  v128.store(top, f32x4.pmax(v128.load(top), a0));
  v128.store(top, f32x4.pmax(v128.load(top, 16), b0), 16);
}

/** Turns scores s [n, 8] into unnormalized weights; the maxima in top [8] become 1 / their sums. */
function softmax(s: usize, top: usize, n: i32): void {
  const ta = v128.load(top), tb = v128.load(top, 16);
  let sa = f32x4.splat(0), sb = f32x4.splat(0);
  for (const end = s + ((<usize>n) << 5); s < end; s += 32) {
    const a = exp2_f32x4(f32x4.sub(v128.load(s), ta));
    const b = exp2_f32x4(f32x4.sub(v128.load(s, 16), tb));
    v128.store(s, a), v128.store(s, b, 16);
    sa = f32x4.add(sa, a), sb = f32x4.add(sb, b);
  }
  v128.store(top, f32x4.div(f32x4.splat(1), sa));
  v128.store(top, f32x4.div(f32x4.splat(1), sb), 16);
}

/** Four rows of out, 8 columns: weights s [n, 4 of 8] by vt [n, 8], times inverse [4]. A row past
 *  `last` is row `last` again and written first. */
function mix(
  o: usize, stride: usize, last: i32, s: usize, vt: usize, n: i32, inverse: usize,
): void {
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
  for (const end = s + ((<usize>n) << 5); s < end; s += 32, vt += 32) {
    const va = v128.load(vt), vb = v128.load(vt, 16);
    let x = v128.load32_splat(s);
    a0 = madd(a0, x, va), b0 = madd(b0, x, vb);
    x = v128.load32_splat(s, 4);
    a1 = madd(a1, x, va), b1 = madd(b1, x, vb);
    x = v128.load32_splat(s, 8);
    a2 = madd(a2, x, va), b2 = madd(b2, x, vb);
    x = v128.load32_splat(s, 12);
    a3 = madd(a3, x, va), b3 = madd(b3, x, vb);
  }
  let x = v128.load32_splat(inverse);
  v128.store(o, f32x4.mul(a0, x)), v128.store(o, f32x4.mul(b0, x), 16);
  if (last < 1) return;
  o += stride, x = v128.load32_splat(inverse, 4);
  v128.store(o, f32x4.mul(a1, x)), v128.store(o, f32x4.mul(b1, x), 16);
  if (last < 2) return;
  o += stride, x = v128.load32_splat(inverse, 8);
  v128.store(o, f32x4.mul(a2, x)), v128.store(o, f32x4.mul(b2, x), 16);
  if (last < 3) return;
  o += stride, x = v128.load32_splat(inverse, 12);
  v128.store(o, f32x4.mul(a3, x)), v128.store(o, f32x4.mul(b3, x), 16);
}

/** As mix, for one row and the 4 columns of a last block: vt [n, 4]. */
function mix_tail(o: usize, s: usize, vt: usize, n: i32, inverse: usize): void {
  let a = f32x4.splat(0);
  for (const end = s + ((<usize>n) << 5); s < end; s += 32, vt += 16)
    a = madd(a, v128.load32_splat(s), v128.load(vt));
  v128.store(o, f32x4.mul(a, v128.load32_splat(inverse)));
}

/** Up to four rows of out from weights s [n, 4 of 8] and the packed values. */
function mix_rows(
  o: usize, stride: usize, last: i32, s: usize, vt: usize, n: i32, head_dim: i32, inverse: usize,
): void {
  const depth = (<usize>head_dim) << 2;
  let c: usize = 0;
  for (; c + 32 <= depth; c += 32, vt += (<usize>n) << 5)
    mix(o + c, stride, last, s, vt, n, inverse);
  if (c == depth) return;
  for (let i: i32 = 0; i <= min(last, 3); i++, o += stride, s += 4, inverse += 4)
    mix_tail(o + c, s, vt, n, inverse);
}

export function attention_f32(
  out: usize, q: usize, k: usize, v: usize, stride_floats: i32, scratch: usize,
  n: i32, n_heads: i32, head_dim: i32,
): void {
  const stride = (<usize>stride_floats) << 2;
  const out_stride = (<usize>(n_heads * head_dim)) << 2;
  const depth = (<usize>head_dim) << 2;
  const blocks = (n + KEYS - 1) / KEYS;
  const kt = scratch;
  const vt = kt + depth * <usize>(blocks * KEYS);
  const qt = vt + depth * <usize>n;
  const top = qt + (depth << 3);
  const s = top + 32;
  const scale = f32x4.splat(<f32>(LOG2_E / sqrt<f64>(<f64>head_dim)));
  for (let h: i32 = 0; h < n_heads; h++, q += depth, k += depth, v += depth, out += depth) {
    pack_keys(kt, k, stride, n, head_dim);
    pack_values(vt, v, stride, n, head_dim);
    for (let r: i32 = 0; r < n; r += 8) {
      pack_queries(qt, q, stride, r, n, head_dim, scale);
      pack_queries(qt + 16, q, stride, r + 4, n, head_dim, scale);
      v128.store(top, f32x4.splat(-f32.MAX_VALUE));
      v128.store(top, f32x4.splat(-f32.MAX_VALUE), 16);
      for (let b: i32 = 0; b < blocks; b++) {
        const first = max(min(b * KEYS, n - KEYS), 0);
        score(s + ((<usize>first) << 5), top, kt + <usize>(b * KEYS) * depth, qt, depth);
      }
      softmax(s, top, n);
      const o = out + <usize>r * out_stride;
      const last = n - 1 - r;
      mix_rows(o, out_stride, last, s, vt, n, head_dim, top);
      if (last < 4) continue;
      mix_rows(o + (out_stride << 2), out_stride, last - 4, s + 16, vt, n, head_dim, top + 16);
    }
  }
}
