import { exp_f32x4, max_f32x4, sum_f32x4 } from "./vector_math";

/** out = softmax(q k^T / sqrt(head_dim)) v for every head of ONE sequence.
 *    out      f32 [n, n_heads * head_dim]
 *    q, k, v  f32 [n, n_heads * head_dim], rows `stride` floats apart (columns of the fused QKV)
 *    scratch  f32 [(head_dim + 4) * np], np = n rounded up to 8
 *  Requires head_dim % 4 == 0; out and scratch overlap nothing. O(n^2 n_heads head_dim).
 *
 *  Head by head: k is transposed into scratch; then a tile of 4 queries by 8 keys needs splats and
 *  no horizontal sums. 4 queries' scores (4 x np, the only scores that ever exist) become weights
 *  exp((s - max) / sqrt(head_dim)), and a tile of 4 queries by 8 columns of v sums them. The
 *  divisor is applied to the output. Rows past n repeat row n - 1 and write the same result. */

/** kt[j][i] = k[i][j], zero for n <= i < np. */
function transpose(kt: usize, k: usize, stride: usize, n: i32, np: i32, head_dim: i32): void {
  const bytes = (<usize>np) << 2;
  for (let i: i32 = 0; i < np; i++, k += stride) {
    let to = kt + ((<usize>i) << 2);
    for (let j: usize = 0; j < (<usize>head_dim) << 2; j += 4, to += bytes)
      store<f32>(to, i < n ? load<f32>(k + j) : 0);
  }
}

// @ts-ignore: decorator
@inline
function madd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** s[4, np] = the four queries by kt. */
function score(
  s: usize, kt: usize, q0: usize, q1: usize, q2: usize, q3: usize, np: i32, head_dim: i32,
): void {
  const bytes = (<usize>np) << 2;
  const depth = (<usize>head_dim) << 2;
  for (let c: usize = 0; c < bytes; c += 32) {
    let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
    let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
    let at = kt + c;
    for (let j: usize = 0; j < depth; j += 4, at += bytes) {
      const ka = v128.load(at);
      const kb = v128.load(at, 16);
      let x = v128.load32_splat(q0 + j);
      a0 = madd(a0, x, ka);
      b0 = madd(b0, x, kb);
      x = v128.load32_splat(q1 + j);
      a1 = madd(a1, x, ka);
      b1 = madd(b1, x, kb);
      x = v128.load32_splat(q2 + j);
      a2 = madd(a2, x, ka);
      b2 = madd(b2, x, kb);
      x = v128.load32_splat(q3 + j);
      a3 = madd(a3, x, ka);
      b3 = madd(b3, x, kb);
    }
    let to = s + c;
    v128.store(to, a0);
    v128.store(to, b0, 16);
    to += bytes;
    v128.store(to, a1);
    v128.store(to, b1, 16);
    to += bytes;
    v128.store(to, a2);
    v128.store(to, b2, 16);
    to += bytes;
    v128.store(to, a3);
    v128.store(to, b3, 16);
  }
}

/** Turns a row of n scores, padded to np, into unnormalized weights; returns 1 / their sum. */
function softmax(s: usize, n: i32, np: i32, scale: f32): f32 {
  const end = s + ((<usize>np) << 2);
  for (let at = s + ((<usize>n) << 2); at < end; at += 4) store<f32>(at, -f32.MAX_VALUE);
  let top4 = v128.load(s);
  for (let at = s + 16; at < end; at += 16) top4 = f32x4.pmax(top4, v128.load(at));
  const top = f32x4.splat(max_f32x4(top4));
  const scale4 = f32x4.splat(scale);
  let sum = f32x4.splat(0);
  for (let at = s; at < end; at += 16) {
    const e = exp_f32x4(f32x4.mul(f32x4.sub(v128.load(at), top), scale4));
    v128.store(at, e);
    sum = f32x4.add(sum, e);
  }
  return <f32>1 / sum_f32x4(sum);
}

/** Four output rows: columns [0, head_dim) of weights s [4, np] times v. */
function mix(
  o0: usize, o1: usize, o2: usize, o3: usize, s: usize, v: usize, stride: usize,
  n: i32, np: i32, head_dim: i32, i0: v128, i1: v128, i2: v128, i3: v128,
): void {
  const bytes = (<usize>np) << 2;
  const depth = (<usize>head_dim) << 2;
  const end = s + ((<usize>n) << 2);
  let c: usize = 0;
  for (; c + 32 <= depth; c += 32) {
    let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
    let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
    let row = v + c;
    for (let p = s; p < end; p += 4, row += stride) {
      const va = v128.load(row);
      const vb = v128.load(row, 16);
      let x = v128.load32_splat(p);
      a0 = madd(a0, x, va);
      b0 = madd(b0, x, vb);
      x = v128.load32_splat(p + bytes);
      a1 = madd(a1, x, va);
      b1 = madd(b1, x, vb);
      x = v128.load32_splat(p + (bytes << 1));
      a2 = madd(a2, x, va);
      b2 = madd(b2, x, vb);
      x = v128.load32_splat(p + bytes * 3);
      a3 = madd(a3, x, va);
      b3 = madd(b3, x, vb);
    }
    v128.store(o0 + c, f32x4.mul(a0, i0));
    v128.store(o0 + c, f32x4.mul(b0, i0), 16);
    v128.store(o1 + c, f32x4.mul(a1, i1));
    v128.store(o1 + c, f32x4.mul(b1, i1), 16);
    v128.store(o2 + c, f32x4.mul(a2, i2));
    v128.store(o2 + c, f32x4.mul(b2, i2), 16);
    v128.store(o3 + c, f32x4.mul(a3, i3));
    v128.store(o3 + c, f32x4.mul(b3, i3), 16);
  }
  if (c == depth) return;
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
  let row = v + c;
  for (let p = s; p < end; p += 4, row += stride) {
    const va = v128.load(row);
    a0 = madd(a0, v128.load32_splat(p), va);
    a1 = madd(a1, v128.load32_splat(p + bytes), va);
    a2 = madd(a2, v128.load32_splat(p + (bytes << 1)), va);
    a3 = madd(a3, v128.load32_splat(p + bytes * 3), va);
  }
  v128.store(o0 + c, f32x4.mul(a0, i0));
  v128.store(o1 + c, f32x4.mul(a1, i1));
  v128.store(o2 + c, f32x4.mul(a2, i2));
  v128.store(o3 + c, f32x4.mul(a3, i3));
}

export function attention_f32(
  out: usize, q: usize, k: usize, v: usize, stride_floats: i32, scratch: usize,
  n: i32, n_heads: i32, head_dim: i32,
): void {
  const stride = (<usize>stride_floats) << 2;
  const out_stride = (<usize>(n_heads * head_dim)) << 2;
  const np = (n + 7) & ~7;
  const bytes = (<usize>np) << 2;
  const s = scratch + <usize>head_dim * bytes;
  const scale = <f32>(1 / sqrt<f64>(<f64>head_dim));
  for (let h: i32 = 0; h < n_heads; h++) {
    const at = (<usize>(h * head_dim)) << 2;
    transpose(scratch, k + at, stride, n, np, head_dim);
    for (let r: i32 = 0; r < n; r += 4) {
      const r0 = <usize>r;
      const r1 = <usize>min(r + 1, n - 1);
      const r2 = <usize>min(r + 2, n - 1);
      const r3 = <usize>min(r + 3, n - 1);
      const x = q + at;
      score(
        s, scratch, x + r0 * stride, x + r1 * stride, x + r2 * stride, x + r3 * stride,
        np, head_dim,
      );
      const i0 = f32x4.splat(softmax(s, n, np, scale));
      const i1 = f32x4.splat(softmax(s + bytes, n, np, scale));
      const i2 = f32x4.splat(softmax(s + (bytes << 1), n, np, scale));
      const i3 = f32x4.splat(softmax(s + bytes * 3, n, np, scale));
      const o = out + at;
      mix(
        o + r0 * out_stride, o + r1 * out_stride, o + r2 * out_stride, o + r3 * out_stride,
        s, v + at, stride, n, np, head_dim, i0, i1, i2, i3,
      );
    }
  }
}
