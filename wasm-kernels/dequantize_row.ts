import { f16_to_f32 } from "./unpack_groups";

/** Row `row` of a packed matrix as y f32 [k]: d q + min. What pack_groups was given, to the last
 *  bit of src/model/dequantize.ts.
 *    half     scales are f16 (and q4's offset is 8), else f32 times 2^-96
 *    nibbles  quants are of 4 bits; `quads` of four a group (8, or 4 for q6_k)
 *    mins     f32 panels [k / 32, 8 rows], or 0 */
export function dequantize_row(
  y: usize, packed: usize, mins: usize, row: i32, k: i32, half: i32, nibbles: i32, quads: i32,
): void {
  const groups = k / (quads << 2);
  const scales: usize = half ? 16 : 32;
  const step = scales + ((<usize>quads) << (nibbles ? 4 : 5));
  const lane = <usize>(row & 7);
  let at = packed + <usize>(row >> 3) * <usize>groups * step;
  let min_at = mins + <usize>(row >> 3) * ((<usize>groups) << 5) + (lane << 2);
  const offset = half && nibbles ? 8 : 0;
  for (let g: i32 = 0; g < groups; g++, at += step, min_at += 32) {
    const d = half
      ? f16_to_f32(load<u16>(at + (lane << 1)))
      : load<f32>(at + (lane << 2)) * <f32>7.922816251426434e28; // 2^96
    const min: f32 = mins ? load<f32>(min_at) : 0;
    let word = at + scales + (nibbles ? (lane & 3) << 2 : lane << 2);
    for (let j: i32 = 0; j < quads; j++, y += 16, word += nibbles ? 16 : 32)
      for (let i: usize = 0; i < 4; i++) {
        const q = nibbles
          ? <i32>((<u32>load<u8>(word + i) >> (lane < 4 ? 0 : 4)) & 15) - offset
          : <i32>load<i8>(word + i);
        store<f32>(y + (i << 2), d * <f32>q + min);
      }
  }
}

/** Row `row` of panels that pack_f32 made, as y f32 [k]. */
export function gather_row_f32(y: usize, packed: usize, row: i32, k: i32): void {
  let at = packed + <usize>(row >> 3) * ((<usize>k) << 5) + ((<usize>(row & 7)) << 2);
  for (const end = y + ((<usize>k) << 2); y < end; y += 4, at += 32) store<f32>(y, load<f32>(at));
}
