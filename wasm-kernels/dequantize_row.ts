import { PANEL_ROWS, scales_bytes } from "./panel";
import { f16_to_f32 } from "./unpack_groups";

/** Row `row` of a packed matrix as y f32 [k]: d q + min, to the last bit what
 *  src/model/dequantize.ts makes of the row that pack_groups was given.
 *    half     scales are f16 (and nibbles have an offset of 8), else f32 times 2^-96
 *    nibbles  quants are of 4 bits; `quads` of k a group (8, or 4 for q6_k)
 *    mins     f32 panels [k / 32, 16 rows], or 0 */
export function dequantize_row(
  y: usize, packed: usize, mins: usize, row: i32, k: i32, half: i32, nibbles: i32, quads: i32,
): void {
  const groups = k / (quads << 2);
  const scales = scales_bytes(half != 0);
  const step = scales + (<usize>quads << (nibbles ? 5 : 6));
  const lane = <usize>(row & (PANEL_ROWS - 1));
  const panel = <usize>(row / PANEL_ROWS) * <usize>groups;
  const word = nibbles ? ((lane >> 3) << 4) + ((lane & 3) << 2) : lane << 2;
  const shift: u32 = lane & 4 ? 4 : 0;
  const offset = half && nibbles ? 8 : 0;
  let at = packed + panel * step;
  let min_at = mins + panel * (PANEL_ROWS << 2) + (lane << 2);
  for (let g: i32 = 0; g < groups; g++, at += step, min_at += PANEL_ROWS << 2) {
    const d = half
      ? f16_to_f32(load<u16>(at + (lane << 1)))
      : load<f32>(at + (lane << 2)) * <f32>7.922816251426434e28; // 2^96
    const min: f32 = mins ? load<f32>(min_at) : 0;
    let from = at + scales + word;
    for (let j: i32 = 0; j < quads; j++, y += 16, from += nibbles ? 32 : 64)
      for (let i: usize = 0; i < 4; i++) {
        const q = nibbles
          ? <i32>((<u32>load<u8>(from + i) >> shift) & 15) - offset
          : <i32>load<i8>(from + i);
        store<f32>(y + (i << 2), d * <f32>q + min);
      }
  }
}

/** Row `row` of panels that pack_f32 made, as y f32 [k]. */
export function gather_row_f32(y: usize, packed: usize, row: i32, k: i32): void {
  const lane = <usize>(row & (PANEL_ROWS - 1));
  let at = packed + <usize>(row / PANEL_ROWS) * <usize>k * (PANEL_ROWS << 2) + (lane << 2);
  for (const end = y + (<usize>k << 2); y < end; y += 4, at += PANEL_ROWS << 2)
    store<f32>(y, load<f32>(at));
}
