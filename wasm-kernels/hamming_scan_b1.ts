/** distances[i] = the number of bits in which vector i differs from the query.
 *    distances  u16 [n]    vectors  bits [n, bytes * 8], one after the other    query  bits
 *  Requires bytes % 16 == 0 and bytes <= 8176, so that a distance fits 16 bits. Bits are counted a
 *  byte (i8x16.popcnt, at most 8 each), summed in bytes over up to 31 steps (31 * 8 < 256), then
 *  across. Two vectors at a time share the loads of the query and the addition across lanes. */

// @ts-ignore: decorator
@inline
function differing(v: usize, q: usize): v128 {
  return i8x16.popcnt(v128.xor(v128.load(v), v128.load(q)));
}

/** Sums of bytes, at most 8 each, as u16: lanes 0..3 of a's, 4..7 of b's. */
// @ts-ignore: decorator
@inline
function across(a: v128, b: v128): v128 {
  const wide_a = i16x8.extadd_pairwise_i8x16_u(a);
  const wide_b = i16x8.extadd_pairwise_i8x16_u(b);
  return i16x8.add(
    i8x16.shuffle(wide_a, wide_b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(wide_a, wide_b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
}

/** Four sums of four u16 lanes each, as u32 [4]: a's two halves, then b's. */
// @ts-ignore: decorator
@inline
function fold(a: v128, b: v128): v128 {
  const x = i32x4.extadd_pairwise_i16x8_u(a);
  const y = i32x4.extadd_pairwise_i16x8_u(b);
  return i32x4.add(
    i8x16.shuffle(x, y, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(x, y, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

/** One vector of any length. */
function distance(v: usize, q: usize, bytes: usize): i32 {
  let sum = i32x4.splat(0);
  for (let j: usize = 0; j < bytes; ) {
    const end = min(j + 496, bytes);
    let counts = i8x16.splat(0);
    for (; j < end; j += 16) counts = i8x16.add(counts, differing(v + j, q + j));
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(counts)));
  }
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) +
    i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}

/** The bytewise counts of one vector of 48 bytes. */
// @ts-ignore: decorator
@inline
function counts48(v: usize, a: v128, b: v128, c: v128): v128 {
  return i8x16.add(
    i8x16.add(
      i8x16.popcnt(v128.xor(v128.load(v), a)), i8x16.popcnt(v128.xor(v128.load(v, 16), b)),
    ),
    i8x16.popcnt(v128.xor(v128.load(v, 32), c)),
  );
}

/** Codes of 384 bits, the query in registers, four vectors at a time; how many were done. */
function scan48(distances: usize, query: usize, vectors: usize, n: i32): i32 {
  const a = v128.load(query), b = v128.load(query, 16), c = v128.load(query, 32);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4, vectors += 192, distances += 8) {
    const low = across(counts48(vectors, a, b, c), counts48(vectors + 48, a, b, c));
    const high = across(counts48(vectors + 96, a, b, c), counts48(vectors + 144, a, b, c));
    const four = fold(low, high);
    v128.store64_lane(distances, i16x8.narrow_i32x4_u(four, four), 0);
  }
  return i;
}

export function hamming_scan_b1(
  distances: usize, query: usize, vectors: usize, n: i32, bytes: i32,
): void {
  const stride = <usize>bytes;
  let i: i32 = bytes == 48 ? scan48(distances, query, vectors, n) : 0;
  for (; i < n; i++) {
    const at = <usize>i;
    store<u16>(distances + (at << 1), <u16>distance(vectors + at * stride, query, stride));
  }
}
