/** estimates[i] = (sum over j of sign(i, j) * level(j)) * factor(i) * scale: a query's estimated
 *  cosine with each of n vectors of one bit a dimension; see index/codes.ts.
 *    estimates  f32 [n], n = 16 * blocks
 *    tables     u8 [2 * bytes, 16]: for each four signs, of all values they can have, half the sum
 *               of their products with the levels, plus `bias`
 *    codes      blocks of 16 vectors: signs u8 [bytes, 16], so that byte j of all 16 lie together,
 *               then factors f32 [16]
 *  Four signs are a lane's index into a table in a register (as in Andre et al., VLDB 2015, for
 *  product quantization), which takes a fifth of the instructions that counting bits plane by plane
 *  takes. Requires bytes % 16 == 0 and entries of at most 127, so that two fit a byte; those are
 *  added in 16 bits over up to 256 bytes of signs (256 * 254 < 2^16), then in 32. Sums are exact up
 *  to 2^24. The relaxed swizzle meets no index above 15, where all machines agree. */

// @ts-ignore: decorator
@inline
function entries(signs: v128, low: v128, high: v128): v128 {
  const mask = i8x16.splat(15);
  return i8x16.add(
    i8x16.relaxed_swizzle(low, v128.and(signs, mask)),
    i8x16.relaxed_swizzle(high, v128.and(i16x8.shr_u(signs, 4), mask)),
  );
}

/** Of four vectors: their sums less what the bias added, times both factors. */
// @ts-ignore: decorator
@inline
function store4(to: usize, sums: v128, bias: v128, factors: v128, scale: v128): void {
  const dots = i32x4.shl(i32x4.sub(sums, bias), 1);
  v128.store(to, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(dots), factors), scale));
}

/** One block; `total` is what the bias adds to a sum. */
function block16(
  estimates: usize, tables: usize, codes: usize, bytes: usize, total: i32, scale: f32,
): void {
  let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
  for (let j: usize = 0; j < bytes; ) {
    const end = min(j + 256, bytes);
    // Lanes of `all` hold even vectors' sums plus 256 times odd ones', modulo 2^16.
    let all = i16x8.splat(0), odd = i16x8.splat(0);
    for (; j < end; j++) {
      const table = tables + (j << 5);
      const sum = entries(v128.load(codes + (j << 4)), v128.load(table), v128.load(table, 16));
      all = i16x8.add(all, sum);
      odd = i16x8.add(odd, i16x8.shr_u(sum, 8));
    }
    const even = i16x8.sub(all, i16x8.shl(odd, 8));
    const low = i8x16.shuffle(
      even, odd, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
    const high = i8x16.shuffle(
      even, odd, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
    a = i32x4.add(a, i32x4.extend_low_i16x8_u(low));
    b = i32x4.add(b, i32x4.extend_high_i16x8_u(low));
    c = i32x4.add(c, i32x4.extend_low_i16x8_u(high));
    d = i32x4.add(d, i32x4.extend_high_i16x8_u(high));
  }
  const bias = i32x4.splat(total), s = f32x4.splat(scale);
  const factors = codes + (bytes << 4);
  store4(estimates, a, bias, v128.load(factors), s);
  store4(estimates + 16, b, bias, v128.load(factors, 16), s);
  store4(estimates + 32, c, bias, v128.load(factors, 32), s);
  store4(estimates + 48, d, bias, v128.load(factors, 48), s);
}

/** Lanes of u16 that hold sums of even vectors and of odd ones, as estimates of all 16. */
// @ts-ignore: decorator
@inline
function finish16(
  estimates: usize, even: v128, odd: v128, bias: v128, factors: usize, scale: v128,
): void {
  const low = i8x16.shuffle(even, odd, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  const high = i8x16.shuffle(
    even, odd, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  store4(estimates, i32x4.extend_low_i16x8_u(low), bias, v128.load(factors), scale);
  store4(estimates + 16, i32x4.extend_high_i16x8_u(low), bias, v128.load(factors, 16), scale);
  store4(estimates + 32, i32x4.extend_low_i16x8_u(high), bias, v128.load(factors, 32), scale);
  store4(estimates + 48, i32x4.extend_high_i16x8_u(high), bias, v128.load(factors, 48), scale);
}

/** Two blocks of at most 256 bytes of signs: they share the loads of the tables. */
function block32(
  estimates: usize, tables: usize, codes: usize, bytes: usize, total: i32, scale: f32,
): void {
  const signs = bytes << 4;
  const second = codes + signs + 64;
  let all_a = i16x8.splat(0), odd_a = i16x8.splat(0);
  let all_b = i16x8.splat(0), odd_b = i16x8.splat(0);
  for (let at: usize = 0; at < signs; at += 16, tables += 32) {
    const low = v128.load(tables), high = v128.load(tables, 16);
    const a = entries(v128.load(codes + at), low, high);
    const b = entries(v128.load(second + at), low, high);
    all_a = i16x8.add(all_a, a);
    all_b = i16x8.add(all_b, b);
    odd_a = i16x8.add(odd_a, i16x8.shr_u(a, 8));
    odd_b = i16x8.add(odd_b, i16x8.shr_u(b, 8));
  }
  const bias = i32x4.splat(total), s = f32x4.splat(scale);
  const even_a = i16x8.sub(all_a, i16x8.shl(odd_a, 8));
  const even_b = i16x8.sub(all_b, i16x8.shl(odd_b, 8));
  finish16(estimates, even_a, odd_a, bias, codes + signs, s);
  finish16(estimates + 64, even_b, odd_b, bias, second + signs, s);
}

export function estimate_b1(
  estimates: usize, tables: usize, codes: usize, blocks: i32, bytes: i32, bias: i32, scale: f32,
): void {
  const stride = (<usize>bytes << 4) + 64;
  const total = 2 * bytes * bias;
  let i: i32 = 0;
  if (bytes <= 256)
    for (; i + 2 <= blocks; i += 2, codes += stride << 1, estimates += 128)
      block32(estimates, tables, codes, <usize>bytes, total, scale);
  for (; i < blocks; i++, codes += stride, estimates += 64)
    block16(estimates, tables, codes, <usize>bytes, total, scale);
}
