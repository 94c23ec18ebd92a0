/** Rotates pairs of x in place by the angles of their position: (a, b) becomes
 *  (a cos - b sin, a sin + b cos).
 *    x      f32: m rows `stride` floats apart, each n_heads heads of head_dim
 *    table  f32 [m, rope_dim / 2, 2]: cos and sin of the rows' positions, the first row's first
 *  The first rope_dim floats of a head turn, the others stay. With `halves` the pairs are
 *  (j, j + rope_dim / 2), as GPT-NeoX and Qwen have them; without, (2j, 2j + 1), as Llama's GGUF
 *  files do. Source: Su et al., RoFormer, 2021. */
export function rope_f32(
  x: usize, table: usize, m: i32, n_heads: i32, head_dim: i32, rope_dim: i32, stride_floats: i32,
  halves: i32,
): void {
  const bytes = (<usize>head_dim) << 2;
  const turned = (<usize>rope_dim) << 2;
  const skip = ((<usize>stride_floats) << 2) - <usize>n_heads * bytes;
  for (let i: i32 = 0; i < m; i++, x += skip, table += turned)
    for (let h: i32 = 0; h < n_heads; h++, x += bytes)
      if (halves) rotate_halves(x, table, turned >> 1);
      else rotate_pairs(x, table, turned);
}

/** `bytes` of neighbouring pairs. */
function rotate_pairs(x: usize, table: usize, bytes: usize): void {
  const sign = f32x4(-1, 1, -1, 1);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const v = v128.load(x + at);
    const t = v128.load(table + at);
    const cos = v128.shuffle<f32>(t, t, 0, 0, 2, 2);
    const sin = f32x4.mul(v128.shuffle<f32>(t, t, 1, 1, 3, 3), sign);
    const swapped = v128.shuffle<f32>(v, v, 1, 0, 3, 2);
    v128.store(x + at, f32x4.add(f32x4.mul(v, cos), f32x4.mul(swapped, sin)));
  }
  for (; at < bytes; at += 8) rotate(x + at, x + at + 4, table + at);
}

/** Two halves of `bytes` each. */
function rotate_halves(x: usize, table: usize, bytes: usize): void {
  const y = x + bytes;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const t0 = v128.load(table + (at << 1));
    const t1 = v128.load(table + (at << 1), 16);
    const cos = v128.shuffle<f32>(t0, t1, 0, 2, 4, 6);
    const sin = v128.shuffle<f32>(t0, t1, 1, 3, 5, 7);
    const a = v128.load(x + at);
    const b = v128.load(y + at);
    v128.store(x + at, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
    v128.store(y + at, f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos)));
  }
  for (; at < bytes; at += 4) rotate(x + at, y + at, table + (at << 1));
}

// @ts-ignore: decorator
@inline
function rotate(x: usize, y: usize, table: usize): void {
  const a = load<f32>(x);
  const b = load<f32>(y);
  const cos = load<f32>(table);
  const sin = load<f32>(table, 4);
  store<f32>(x, a * cos - b * sin);
  store<f32>(y, a * sin + b * cos);
}
