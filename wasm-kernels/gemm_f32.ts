import { PANEL_ROWS, store_sums, store_tile } from "./panel";

/** y = or += x W^T over panels of 16 rows.
 *    y       f32 [m, n], rows `stride` bytes apart        x  f32 [m, k]
 *    packed  f32 panel [ceil(n / 16)] of [k, 16 rows], from pack_f32
 *  Adds in order of k, fused where the machine does: error <= k * 2^-24 * sum |x w|. */
export function gemm_f32(
  y: usize, stride: usize, x: usize, packed: usize, m: i32, n: i32, k: i32, add: i32,
): void {
  const row = <usize>k << 2;
  const panel = <usize>k * (PANEL_ROWS << 2);
  for (; n > 0; n -= PANEL_ROWS, y += PANEL_ROWS << 2, packed += panel) {
    let r: i32 = 0;
    for (; r + 4 <= m; r += 4) {
      const to = y + <usize>r * stride, from = x + <usize>r * row;
      tile(to, stride, from, row, packed, n, add != 0);
      tile(to + 32, stride, from, row, packed + 32, n - 8, add != 0);
    }
    for (; r < m; r++)
      dot_panel(y + <usize>r * stride, x + <usize>r * row, row, packed, n, add != 0);
  }
}

/** 4 rows of x by 8 of W. */
function tile(
  y: usize, stride: usize, x: usize, row: usize, w: usize, count: i32, add: bool,
): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  let z0 = f32x4.splat(0), z1 = f32x4.splat(0), z2 = f32x4.splat(0), z3 = f32x4.splat(0);
  const x1 = x + row, x2 = x1 + row, x3 = x2 + row;
  for (let j: usize = 0; j < row; j += 4, w += PANEL_ROWS << 2) {
    const u = v128.load(w), v = v128.load(w, 16);
    let a = v128.load32_splat(x + j);
    y0 = f32x4.relaxed_madd(a, u, y0), z0 = f32x4.relaxed_madd(a, v, z0);
    a = v128.load32_splat(x1 + j);
    y1 = f32x4.relaxed_madd(a, u, y1), z1 = f32x4.relaxed_madd(a, v, z1);
    a = v128.load32_splat(x2 + j);
    y2 = f32x4.relaxed_madd(a, u, y2), z2 = f32x4.relaxed_madd(a, v, z2);
    a = v128.load32_splat(x3 + j);
    y3 = f32x4.relaxed_madd(a, u, y3), z3 = f32x4.relaxed_madd(a, v, z3);
  }
  store_tile(y, stride, y0, y1, y2, y3, 1, 4, count, add);
  store_tile(y + 16, stride, z0, z1, z2, z3, 1, 4, count - 4, add);
}

/** One row of x by a panel. */
function dot_panel(y: usize, x: usize, row: usize, w: usize, count: i32, add: bool): void {
  let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0);
  for (const end = x + row; x < end; x += 4, w += PANEL_ROWS << 2) {
    const v = v128.load32_splat(x);
    a = f32x4.relaxed_madd(v, v128.load(w), a);
    b = f32x4.relaxed_madd(v, v128.load(w, 16), b);
    c = f32x4.relaxed_madd(v, v128.load(w, 32), c);
    d = f32x4.relaxed_madd(v, v128.load(w, 48), d);
  }
  store_sums(y, a, 1, count, add);
  store_sums(y + 16, b, 1, count - 4, add);
  store_sums(y + 32, c, 1, count - 8, add);
  store_sums(y + 48, d, 1, count - 12, add);
}
