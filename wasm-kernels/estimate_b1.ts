/** estimates[i] = (sum over j of sign(i, j) * level(j)) * factor(i) * scale: a query's estimated
 *  cosine with each of n vectors of one bit a dimension; see index/codes.ts.
 *    estimates  f32 [n], n = 16 * blocks
 *    tables     u8 [2 * bytes, 16]: for each four signs, of all values they can have, half the sum
 *               of their products with the levels, plus `bias`
 *    codes      blocks of 16 vectors: signs u8 [bytes, 16], so that byte j of all 16 lie together,
 *               then factors f32 [16]
 *  Four signs are a lane's index into a table in a register (as in Andre et al., VLDB 2015, for
 *  product quantization), which takes a fifth of the instructions that counting bits plane by plane
 *  takes. Requires bytes % 16 == 0 and bytes <= 512, and entries of at most 63: four then fit a
 *  byte, and 256 such sums 16 bits (256 * 252 < 2^16). The relaxed swizzle meets no index above 15,
 *  where all machines agree. */

/** Of 16 vectors: what the signs of one byte stand for, two entries each. */
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

/** One block. Lanes of `all` hold even vectors' sums plus 256 times odd ones', modulo 2^16. */
// @ts-ignore: decorator
@inline
function finish16(
  estimates: usize, all: v128, odd: v128, bias: v128, factors: usize, scale: v128,
): void {
  const even = i16x8.sub(all, i16x8.shl(odd, 8));
  const low = i8x16.shuffle(even, odd, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  const high = i8x16.shuffle(
    even, odd, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
  store4(estimates, i32x4.extend_low_i16x8_u(low), bias, v128.load(factors), scale);
  store4(estimates + 16, i32x4.extend_high_i16x8_u(low), bias, v128.load(factors, 16), scale);
  store4(estimates + 32, i32x4.extend_low_i16x8_u(high), bias, v128.load(factors, 32), scale);
  store4(estimates + 48, i32x4.extend_high_i16x8_u(high), bias, v128.load(factors, 48), scale);
}

function block16(
  estimates: usize, tables: usize, codes: usize, signs: usize, bias: v128, scale: v128,
): void {
  let all = i16x8.splat(0), odd = i16x8.splat(0);
  for (let at: usize = 0; at < signs; at += 32, tables += 64) {
    const first = entries(v128.load(codes + at), v128.load(tables), v128.load(tables, 16));
    const next = entries(
      v128.load(codes + at, 16), v128.load(tables, 32), v128.load(tables, 48));
    const sum = i8x16.add(first, next);
    all = i16x8.add(all, sum);
    odd = i16x8.add(odd, i16x8.shr_u(sum, 8));
  }
  finish16(estimates, all, odd, bias, codes + signs, scale);
}

/** How many blocks ahead lines are touched. */
const AHEAD: i32 = 4;

/** Two blocks, which share the loads of the tables. Each step touches one line of what lies
 *  further on, from `ahead`: codes come from beyond the caches, and what is asked for early waits
 *  less. The result, made of what was touched, has no meaning; it keeps the touches in. */
function block32(
  estimates: usize, tables: usize, codes: usize, signs: usize, bias: v128, scale: v128,
  ahead: usize,
): i32 {
  let touched: i32 = 0;
  const second = codes + signs + 64;
  let all_a = i16x8.splat(0), odd_a = i16x8.splat(0);
  let all_b = i16x8.splat(0), odd_b = i16x8.splat(0);
  for (let at: usize = 0; at < signs; at += 32, tables += 64, ahead += 64) {
    touched ^= load<i32>(ahead);
    const low = v128.load(tables), high = v128.load(tables, 16);
    const next_low = v128.load(tables, 32), next_high = v128.load(tables, 48);
    const a = i8x16.add(
      entries(v128.load(codes + at), low, high),
      entries(v128.load(codes + at, 16), next_low, next_high),
    );
    all_a = i16x8.add(all_a, a);
    odd_a = i16x8.add(odd_a, i16x8.shr_u(a, 8));
    const b = i8x16.add(
      entries(v128.load(second + at), low, high),
      entries(v128.load(second + at, 16), next_low, next_high),
    );
    all_b = i16x8.add(all_b, b);
    odd_b = i16x8.add(odd_b, i16x8.shr_u(b, 8));
  }
  finish16(estimates, all_a, odd_a, bias, codes + signs, scale);
  finish16(estimates + 64, all_b, odd_b, bias, second + signs, scale);
  return touched;
}

export function estimate_b1(
  estimates: usize, tables: usize, codes: usize, blocks: i32, bytes: i32, bias: i32, scale: f32,
): i32 {
  const signs = <usize>bytes << 4;
  const stride = signs + 64;
  const total = i32x4.splat(2 * bytes * bias), s = f32x4.splat(scale);
  let touched: i32 = 0;
  let i: i32 = 0;
  for (; i + 2 <= blocks; i += 2, codes += stride << 1, estimates += 128) {
    // Of the last blocks, their own lines: nothing past the end is read.
    const ahead = i + AHEAD + 2 <= blocks ? codes + <usize>AHEAD * stride : codes;
    touched ^= block32(estimates, tables, codes, signs, total, s, ahead);
  }
  if (i < blocks) block16(estimates, tables, codes, signs, total, s);
  return touched;
}
