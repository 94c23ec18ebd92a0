import { f16_to_f32 } from "./unpack_groups";

/** As pack_groups, for rows of F32 (bits = 32), F16 (16) and BF16 (0, a float's upper half):
 *    packed  f32 panel [ceil(n / 8)] of [k, 8 rows], rows past n zeros
 *    src     [rows, k], little endian */
export function pack_f32(packed: usize, src: usize, bits: i32, n0: i32, rows: i32, k: i32): void {
  const width: usize = bits == 32 ? 4 : 2;
  const row = <usize>k * width;
  const panels = (rows + 7) >> 3;
  let at = packed + <usize>(n0 >> 3) * ((<usize>k) << 5);
  for (let p: i32 = 0; p < panels; p++, at += (<usize>k) << 5, src += row << 3) {
    const lanes = min(8, rows - (p << 3));
    if (lanes < 8) memory.fill(at, 0, (<usize>k) << 5);
    for (let lane: i32 = 0; lane < lanes; lane++) {
      let from = src + <usize>lane * row;
      let to = at + ((<usize>lane) << 2);
      for (const end = from + row; from < end; from += width, to += 32) {
        if (bits == 32) store<u32>(to, load<u32>(from));
        else if (bits == 0) store<u32>(to, (<u32>load<u16>(from)) << 16);
        else store<f32>(to, f16_any(load<u16>(from)));
      }
    }
  }
}

/** f16_to_f32 for infinities and NaN too. */
// @ts-ignore: decorator
@inline
function f16_any(h: u32): f32 {
  if ((h & 0x7c00) != 0x7c00) return f16_to_f32(h);
  return reinterpret<f32>(((h & 0x8000) << 16) | 0x7f800000 | ((h & 0x3ff) << 13));
}
