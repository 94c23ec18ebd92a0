/** Lays rows n0 .. n0 + rows of an int8 weight matrix [n, k] into the panels that gemm_i8,
 *  gemm_i8_relaxed and gemm_i8_a7 read. Rows may come in any order and in any portions; the portion
 *  that holds the last row also zeroes what pads the last panel.
 *    packed  panel [ceil(n / 4)] of { sums i32 [4]; wide i32 [4]; qs i8 [kx / 4, 4 rows, 4];
 *            marks u16 [up to kx / 8 + 1] }, kx = k + extra up to 16
 *    src     i8 [rows, k]
 *  A panel is one sequential stream for each kernel: 16 bytes hold four k of four rows. sums are
 *  the rows' sums over [0, k), which gemm_i8_relaxed needs to take its offset of 8192 back. The
 *  extra columns stay zero, `wide` and `marks` undefined, until widen_i8 fills them. */
export function panel_bytes(k: i32, extra: i32): usize {
  const kx = (k + extra + 15) & ~15;
  return 32 + ((<usize>kx) << 2) + <usize>(((kx >> 2) + 17) & ~15);
}

export function pack_i8(
  packed: usize, src: usize, n0: i32, rows: i32, n: i32, k: i32, extra: i32,
): void {
  const panel = panel_bytes(k, extra);
  for (let r: i32 = n0; r < n0 + rows; r++) {
    const base = packed + <usize>(r >> 2) * panel;
    const lane = (<usize>(r & 3)) << 2;
    const end = base + panel;
    let qs = base + 32 + lane;
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
    for (; qs < end; qs += 16, last = 0) store<u32>(qs, last);
    store<i32>(base + lane, sum);
    store<i32>(base + 16 + lane, 0);
  }
  if (n0 + rows < n) return;
  for (let r: i32 = n; r & 3; r++) {
    const base = packed + <usize>(r >> 2) * panel + ((<usize>(r & 3)) << 2);
    for (let at: usize = 0; at < panel; at += 16) store<u32>(base + at, 0);
  }
}
