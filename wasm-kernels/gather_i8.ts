/** y[t] = qs[ids[t]] * d[ids[t]] + positions[places[t]] + types[type_ids[t]], BERT's embedding sum.
 *    y   f32 [t, dim]        qs         i8 [vocab, dim]     d      f32 [vocab]
 *    ids, places, type_ids   i32 [t]    positions  f32 [context, dim]     types  f32 [2, dim]
 *  The caller has checked every index. */
export function gather_i8(
  y: usize, ids: usize, places: usize, type_ids: usize, qs: usize, d: usize,
  positions: usize, types: usize, t: i32, dim: i32,
): void {
  const bytes = (<usize>dim) << 2;
  for (let i: i32 = 0; i < t; i++, ids += 4, places += 4, type_ids += 4, y += bytes) {
    const id = <usize>load<u32>(ids);
    const qs_row = qs + id * <usize>dim;
    const position = positions + <usize>load<u32>(places) * bytes;
    const type = types + <usize>load<u32>(type_ids) * bytes;
    const scale = load<f32>(d + (id << 2));
    const scale4 = f32x4.splat(scale);
    let j: usize = 0;
    for (; j + 8 <= <usize>dim; j += 8) {
      const w = v128.load8x8_s(qs_row + j);
      const at = j << 2;
      const a = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(w)), scale4);
      const b = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(w)), scale4);
      const pa = f32x4.add(v128.load(position + at), v128.load(type + at));
      const pb = f32x4.add(v128.load(position + at, 16), v128.load(type + at, 16));
      v128.store(y + at, f32x4.add(a, pa));
      v128.store(y + at, f32x4.add(b, pb), 16);
    }
    for (; j < <usize>dim; j++) {
      const at = j << 2;
      const place = load<f32>(position + at) + load<f32>(type + at);
      store<f32>(y + at, <f32>load<i8>(qs_row + j) * scale + place);
    }
  }
}
