/** Lays rows n0 .. n0 + rows of an int8 weight matrix [n, k] into the panels that gemm_i8 and
 *  gemm_i8_relaxed read. Rows may come in any order and in any portions; the portion that holds the
 *  last row also zeroes what pads the last panel.
 *    packed  panel [ceil(n / 4)] of { sums i32 [4]; qs i8 [kp / 4, 4 rows, 4] }, kp = k up to 16
 *    src     i8 [rows, k]
 *  A panel is one sequential stream for either kernel: 16 bytes hold four k of four rows. sums are
 *  the rows' sums, which gemm_i8_relaxed needs to take its offset of 8192 back. */
export function pack_i8(packed: usize, src: usize, n0: i32, rows: i32, n: i32, k: i32): void {
  const kp = (k + 15) & ~15;
  const panel: usize = ((<usize>kp) << 2) + 16;
  for (let r: i32 = n0; r < n0 + rows; r++) {
    const base = packed + <usize>(r >> 2) * panel;
    const lane = (<usize>(r & 3)) << 2;
    let qs = base + 16 + lane;
    let sum: i32 = 0;
    let j: i32 = 0;
    for (; j + 4 <= k; j += 4, src += 4, qs += 16) {
      store<u32>(qs, load<u32>(src));
      sum += <i32>load<i8>(src) + load<i8>(src, 1) + load<i8>(src, 2) + load<i8>(src, 3);
    }
    let last: u32 = 0;
    for (let shift: u32 = 0; j < k; j++, src++, shift += 8) {
      last |= (<u32>load<u8>(src)) << shift;
      sum += <i32>load<i8>(src);
    }
    for (const end = base + panel; qs < end; qs += 16, last = 0) store<u32>(qs, last);
    store<i32>(base + lane, sum);
  }
  if (n0 + rows < n) return;
  for (let r: i32 = n; r & 3; r++) {
    const base = packed + <usize>(r >> 2) * panel + ((<usize>(r & 3)) << 2);
    for (let at: usize = 0; at < panel; at += 16) store<u32>(base + at, 0);
  }
}
