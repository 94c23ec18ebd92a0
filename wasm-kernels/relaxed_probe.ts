/** What this machine makes of relaxed_dot_i8x16_i7x16_add where its operands leave the range in
 *  which all machines agree: i8 = 127 by i7 = 255 (as a signed byte -1), four products to a lane.
 *  65,534 = two pairs saturated to i16 (vpmaddubsw: three instructions, gemm_i8 is faster);
 *  129,540 = unsigned times signed in one instruction (vpdpbusd of AVX-VNNI);
 *  -508 = both signed (sdot on ARM, vpdpbssd).
 *  A fingerprint, since a deployed Worker's clock stands still and cannot time the two. */
export function relaxed_probe(): i32 {
  const sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(
    v128.load8_splat(PROBE), v128.load8_splat(PROBE, 1), i32x4.splat(0),
  );
  return i32x4.extract_lane(sum, 0);
}

// From memory, so that no optimizer folds the answer at build time.
const PROBE = memory.data<u8>([127, 255]);
