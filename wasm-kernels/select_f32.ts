/** Appends those of values[from, n) that exceed a threshold and are allowed, in order, until there
 *  is no more room; up to where values were looked at, n where all were.
 *    slots     u32 [room], scores f32 [room]: where slot and value go, from `found` on
 *    found     i32 [1]: how many are there, before and after
 *    values    f32 [n]; their slots are first, first + 1, ...
 *    allowed   bits u32 [n / 32, rounded up], bit i for values[i]; 0 for none: all are allowed
 *  Sixteen values at a time are skipped where none exceeds the threshold. A NaN never does. */

// @ts-ignore: decorator
@inline
function any16(values: usize, threshold: v128): bool {
  const a = f32x4.gt(v128.load(values), threshold);
  const b = f32x4.gt(v128.load(values, 16), threshold);
  const c = f32x4.gt(v128.load(values, 32), threshold);
  const d = f32x4.gt(v128.load(values, 48), threshold);
  return v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)));
}

// @ts-ignore: decorator
@inline
function has(bits: usize, i: i32): bool {
  return ((load<u32>(bits + ((<usize>i >> 5) << 2)) >> (<u32>i & 31)) & 1) == 1;
}

export function select_f32(
  slots: usize, scores: usize, found: usize, room: i32,
  values: usize, from: i32, n: i32, first: i32, allowed: usize, threshold: f32,
): i32 {
  const thresholds = f32x4.splat(threshold);
  let count = load<i32>(found);
  let i = from;
  while (i < n) {
    const at = values + (<usize>i << 2);
    if ((i & 15) == 0 && i + 16 <= n && !any16(at, thresholds)) {
      i += 16;
      continue;
    }
    const value = load<f32>(at);
    if (value > threshold && (allowed == 0 || has(allowed, i))) {
      if (count == room) break;
      store<u32>(slots + (<usize>count << 2), first + i);
      store<f32>(scores + (<usize>count << 2), value);
      count++;
    }
    i++;
  }
  store<i32>(found, count);
  return i;
}
