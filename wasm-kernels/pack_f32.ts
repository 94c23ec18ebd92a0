import { PANEL_ROWS } from "./panel";
import { f16_to_f32 } from "./unpack_groups";

/** As pack_groups, for rows of F32 (bits = 32), F16 (16) and BF16 (0, a float's upper half):
 *    packed  f32 panel [ceil(n / 16)] of [k, 16 rows], rows past n zeros
 *    src     [rows, k], little endian */
export function pack_f32(packed: usize, src: usize, bits: i32, n0: i32, rows: i32, k: i32): void {
  const width: usize = bits == 32 ? 4 : 2;
  const row = <usize>k * width;
  const panel = <usize>k * (PANEL_ROWS << 2);
  packed += <usize>(n0 / PANEL_ROWS) * panel;
  for (; rows > 0; rows -= PANEL_ROWS, packed += panel) {
    if (rows < PANEL_ROWS) memory.fill(packed, 0, panel);
    for (let lane: i32 = 0; lane < min(PANEL_ROWS, rows); lane++) {
      let to = packed + (<usize>lane << 2);
      for (const end = src + row; src < end; src += width, to += PANEL_ROWS << 2) {
        if (bits == 32) store<u32>(to, load<u32>(src));
        else if (bits == 0) store<u32>(to, <u32>load<u16>(src) << 16);
        else store<f32>(to, f16_any(load<u16>(src)));
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
