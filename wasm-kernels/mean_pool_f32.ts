/** y = mean over the n rows of x, then divided by its Euclidean length; a zero mean stays zero.
 *    y  f32 [dim]        x  f32 [n, dim], n > 0
 *  Squares are summed in f64, so that the length is right to f32's precision. */
export function mean_pool_f32(y: usize, x: usize, n: i32, dim: i32): void {
  const bytes = (<usize>dim) << 2;
  const wide = bytes & ~15;
  const end = x + <usize>n * bytes;
  let at: usize = 0;
  for (; at < wide; at += 16) {
    let sum = f32x4.splat(0);
    for (let row = x; row < end; row += bytes) sum = f32x4.add(sum, v128.load(row + at));
    v128.store(y + at, sum);
  }
  for (; at < bytes; at += 4) {
    let sum: f32 = 0;
    for (let row = x; row < end; row += bytes) sum += load<f32>(row + at);
    store<f32>(y + at, sum);
  }
  let squares: f64 = 0;
  for (at = 0; at < bytes; at += 4) squares += <f64>load<f32>(y + at) * <f64>load<f32>(y + at);
  // The mean's 1 / n cancels in the normalization.
  const scale = squares > 0 || squares != squares ? <f32>(1 / sqrt<f64>(squares)) : 0;
  for (at = 0; at < bytes; at += 4) store<f32>(y + at, load<f32>(y + at) * scale);
}
