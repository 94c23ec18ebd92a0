/** y += x on each row.
 *    y  f32, m rows of n, `y_stride` floats apart      x  f32 [n], a bias
 *  y overlaps x in no way. */
export function add_f32(y: usize, x: usize, m: i32, n: i32, y_stride: i32): void {
  const bytes = (<usize>n) << 2;
  const wide = bytes & ~15;
  for (let i: i32 = 0; i < m; i++) {
    let at: usize = 0;
    for (; at < wide; at += 16)
      v128.store(y + at, f32x4.add(v128.load(y + at), v128.load(x + at)));
    for (; at < bytes; at += 4) store<f32>(y + at, load<f32>(y + at) + load<f32>(x + at));
    y += (<usize>y_stride) << 2;
  }
}
