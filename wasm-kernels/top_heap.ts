/** A heap of the best k slots found so far, the worst on top: u32 count, u32 k, f64 [k] scores,
 *  u32 [k] slots. Of equal scores the higher slot is the worse. */

// @ts-ignore: decorator
@inline
function worse(score: f64, slot: u32, other: f64, other_slot: u32): bool {
  return score < other || (score == other && slot > other_slot);
}

/** Puts a slot on the heap, in place of the worst where it is full. */
export function keep(heap: usize, score: f64, slot: u32): void {
  const k = load<u32>(heap, 4);
  const count = load<u32>(heap);
  const scores = heap + 8;
  const slots = scores + (<usize>k << 3);
  let at: u32 = 0;
  if (count < k) {
    store<u32>(heap, count + 1);
    at = count;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const s = load<f64>(scores + (<usize>parent << 3));
      const n = load<u32>(slots + (<usize>parent << 2));
      if (!worse(score, slot, s, n)) break;
      store<f64>(scores + (<usize>at << 3), s);
      store<u32>(slots + (<usize>at << 2), n);
      at = parent;
    }
  } else {
    for (;;) {
      let child: u32 = 2 * at + 1;
      if (child >= k) break;
      let s = load<f64>(scores + (<usize>child << 3));
      let n = load<u32>(slots + (<usize>child << 2));
      if (child + 1 < k) {
        const s2 = load<f64>(scores + (<usize>child << 3), 8);
        const n2 = load<u32>(slots + (<usize>child << 2), 4);
        if (worse(s2, n2, s, n)) {
          child++;
          s = s2;
          n = n2;
        }
      }
      if (!worse(s, n, score, slot)) break;
      store<f64>(scores + (<usize>at << 3), s);
      store<u32>(slots + (<usize>at << 2), n);
      at = child;
    }
  }
  store<f64>(scores + (<usize>at << 3), score);
  store<u32>(slots + (<usize>at << 2), slot);
}

/** The score to surpass. */
// @ts-ignore: decorator
@inline
export function worst(heap: usize, base: f64): f64 {
  return load<u32>(heap) < load<u32>(heap, 4) ? base : load<f64>(heap, 8);
}
