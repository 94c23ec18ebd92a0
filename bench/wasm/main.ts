/** Ceilings of this machine: loops that touch registers alone, with enough independent sums to hide
 *  any latency, and a plain sum over memory. For the benches only; not in build/kernels.wasm. */

/** From memory, so that no optimizer folds them. */
const VALUES = memory.data<u8>([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const ONES = memory.data<u16>([1, 1, 1, 1, 1, 1, 1, 1]);

const HALVES = memory.data<f32>([0.5, 0.5, 0.5, 0.5]);

// @ts-ignore: decorator
@inline
function sum4(a: v128, b: v128, c: v128, d: v128): i32 {
  return i32x4.extract_lane(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)), 0);
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, w));
}

/** 12 x 8 products and their sums a round. */
export function ceiling_dot_i16x8(rounds: i32): i32 {
  const w = v128.load(ONES);
  let a = v128.load(VALUES), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a;
  let k = a, l = a;
  for (let r = 0; r < rounds; r++) {
    // Each multiplies its neighbour's value of before, so that the twelve chains stay apart.
    const t = a;
    a = dot(a, b, w), b = dot(b, c, w), c = dot(c, d, w), d = dot(d, e, w);
    e = dot(e, f, w), f = dot(f, g, w), g = dot(g, h, w), h = dot(h, i, w);
    i = dot(i, j, w), j = dot(j, k, w), k = dot(k, l, w), l = dot(l, t, w);
  }
  return sum4(a, b, c, d) + sum4(e, f, g, h) + sum4(i, j, k, l);
}

// @ts-ignore: decorator
@inline
function chain(sum: v128, x: v128, w: v128, ones: v128): v128 {
  const low = i16x8.relaxed_dot_i8x16_i7x16_s(sum, w);
  const high = i16x8.relaxed_dot_i8x16_i7x16_s(x, w);
  return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.add(low, high), ones));
}

/** 8 x 32 products and their sums a round, as gemm_i8_a7 makes them. */
export function ceiling_relaxed_chain(rounds: i32): i32 {
  const w = v128.load(VALUES), ones = v128.load(ONES);
  let a = w, b = w, c = w, d = w, e = w, f = w, g = w, h = w;
  for (let r = 0; r < rounds; r++) {
    const t = a;
    a = chain(a, b, w, ones), b = chain(b, c, w, ones), c = chain(c, d, w, ones);
    d = chain(d, e, w, ones), e = chain(e, f, w, ones), f = chain(f, g, w, ones);
    g = chain(g, h, w, ones), h = chain(h, t, w, ones);
  }
  return sum4(a, b, c, d) + sum4(e, f, g, h);
}

/** 12 x 4 fused multiply-adds a round. */
export function ceiling_relaxed_madd(rounds: i32): i32 {
  const x = v128.load(HALVES);
  let a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
  for (let r = 0; r < rounds; r++) {
    a = f32x4.relaxed_madd(x, x, a), b = f32x4.relaxed_madd(x, x, b);
    c = f32x4.relaxed_madd(x, x, c), d = f32x4.relaxed_madd(x, x, d);
    e = f32x4.relaxed_madd(x, x, e), f = f32x4.relaxed_madd(x, x, f);
    g = f32x4.relaxed_madd(x, x, g), h = f32x4.relaxed_madd(x, x, h);
    i = f32x4.relaxed_madd(x, x, i), j = f32x4.relaxed_madd(x, x, j);
    k = f32x4.relaxed_madd(x, x, k), l = f32x4.relaxed_madd(x, x, l);
  }
  return sum4(a, b, c, d) + sum4(e, f, g, h) + sum4(i, j, k, l);
}

/** The sum of `bytes` bytes at `from` as i32, bytes % 64 == 0: the bandwidth of a plain loop. */
export function sum_memory(from: usize, bytes: i32): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (const end = from + <usize>bytes; from < end; from += 64) {
    a = i32x4.add(a, v128.load(from));
    b = i32x4.add(b, v128.load(from, 16));
    c = i32x4.add(c, v128.load(from, 32));
    d = i32x4.add(d, v128.load(from, 48));
  }
  const s = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return (
    i32x4.extract_lane(s, 0) + i32x4.extract_lane(s, 1) +
    i32x4.extract_lane(s, 2) + i32x4.extract_lane(s, 3)
  );
}
