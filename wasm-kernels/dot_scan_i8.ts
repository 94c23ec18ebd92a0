/** scores[i] = (vectors[i] . q) * d[i] * qd, a query's similarity to each vector of a segment.
 *    scores   f32 [n]      vectors  i8 [n, dim], d f32 [n]
 *    q        i16 [kp], qd f32 [1], from quantize_rows_i16 with one row; kp = dim up to 16
 *  The sum is exact in i32 when |q| <= (2^31 - 1) / (127 dim) and |vector| <= 127; see gemm_i8.
 *  Four vectors at a time share the loads of q. What is left is bound by memory, and by how early
 *  it is asked: each step touches one line of what lies two vectors further on. The result, made
 *  of what was touched, has no meaning; it keeps the touches from being optimized away. */

// @ts-ignore: decorator
@inline
function dot16(sum: v128, v: usize, qa: v128, qb: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(qa, v128.load8x8_s(v)));
  return i32x4.add(sum, i32x4.dot_i16x8_s(qb, v128.load8x8_s(v, 8)));
}

// @ts-ignore: decorator
@inline
function sum_i32x4(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) +
    i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3)
  );
}

/** The part of a dot product past the last whole 16. */
function dot_tail(v: usize, q: usize, from: i32, dim: i32): i32 {
  let sum: i32 = 0;
  for (let j = <usize>from; j < <usize>dim; j++)
    sum += <i32>load<i8>(v + j) * <i32>load<i16>(q + (j << 1));
  return sum;
}

export function dot_scan_i8(
  scores: usize, q: usize, qd: usize, vectors: usize, d: usize, n: i32, dim: i32,
): i32 {
  let touched: i32 = 0;
  const scale = load<f32>(qd);
  const stride = <usize>dim;
  const whole = dim & ~15;
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4, scores += 16, d += 16) {
    const v1 = vectors + stride;
    const v2 = v1 + stride;
    const v3 = v2 + stride;
    let s0 = i32x4.splat(0), s1 = i32x4.splat(0), s2 = i32x4.splat(0), s3 = i32x4.splat(0);
    let at = q;
    // Of the last vectors, their own lines: nothing past the end is read.
    let ahead = i + 6 <= n ? vectors + (stride << 1) : vectors;
    for (let j: usize = 0; j < <usize>whole; j += 16, at += 32, ahead += 64) {
      touched ^= load<i32>(ahead);
      const qa = v128.load(at);
      const qb = v128.load(at, 16);
      s0 = dot16(s0, vectors + j, qa, qb);
      s1 = dot16(s1, v1 + j, qa, qb);
      s2 = dot16(s2, v2 + j, qa, qb);
      s3 = dot16(s3, v3 + j, qa, qb);
    }
    // 4 x 4 transposed addition: lane l of the result is the sum of s_l's lanes.
    const a = i32x4.add(
      i8x16.shuffle(s0, s1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      i8x16.shuffle(s0, s1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
    );
    const b = i32x4.add(
      i8x16.shuffle(s2, s3, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      i8x16.shuffle(s2, s3, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
    );
    let sums = i32x4.add(
      i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
      i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
    );
    if (whole < dim) {
      sums = i32x4.add(sums, i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(
        dot_tail(vectors, q, whole, dim)),
        1, dot_tail(v1, q, whole, dim)),
        2, dot_tail(v2, q, whole, dim)),
        3, dot_tail(v3, q, whole, dim)));
    }
    const f = f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.splat(scale));
    v128.store(scores, f32x4.mul(f, v128.load(d)));
    vectors = v3 + stride;
  }
  for (; i < n; i++, scores += 4, d += 4, vectors += stride) {
    let sum = i32x4.splat(0);
    for (let j: usize = 0; j < <usize>whole; j += 16)
      sum = dot16(sum, vectors + j, v128.load(q + (j << 1)), v128.load(q + (j << 1), 16));
    const total = sum_i32x4(sum) + dot_tail(vectors, q, whole, dim);
    store<f32>(scores, <f32>total * scale * load<f32>(d));
  }
  return touched;
}
