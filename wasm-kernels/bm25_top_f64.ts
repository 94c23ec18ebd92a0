/** The best k slots of a segment (index/segment.ts) by BM25, kept in a heap over many segments.
 *    segment  u32 [11]: slots, terms, blocks of the directory; the addresses of firstTerm,
 *             blockOffset, lengthOf, stream, lengthTerms and tables; how many tables there are, and
 *             the bytes of each
 *    lengthTerms  f64 [lengths]: kappa * norm of each distinct length, ascending
 *    tables   f64 [tables, lengths]: tf / (lengthTerms + tf) for tf = 1 .. tables
 *    terms    [n, 40 bytes]: u32 id, u32 first and end of its runs, u32 essential, f64 weight,
 *             f64 bound, f64 share; u32 [n] behind them: the terms in ascending order of bound
 *    runs     [runs_max, 40 bytes]: u32 head, seek, end, table, f64 tf, f64 weight, u32 unused [2]
 *    window   f64 [2048] scores, then u8 [256]: the groups of 8 of them that were written
 *    alive    bits [first_slot + slots]: which slots may be found
 *    heap     u32 count, u32 k, f64 [k] scores, u32 [k] slots; the worst on top
 *  The caller writes segment, terms' ids and weights, alive and heap; the rest is scratch. Returns
 *  0, or 1 where the terms have more than runs_max runs, with the heap as it was.
 *
 *  score = base, then in the terms' order + weight * (tf / (lengthTerm + tf)); a slot is found
 *  where that is above base and above the heap's worst once the heap is full: slots ascend from
 *  call to call, so that a tie goes to the lower one.
 *
 *  Slots are taken 2048 at a time, so that their scores stay in the first-level cache. Terms whose
 *  bounds together cannot lift a slot above the heap's worst are not added up but looked up, for
 *  slots that the others lift near enough (MaxScore: Turtle & Flood 1995). Bounds are exact maxima:
 *  +, * and / of IEEE 754 are monotone. Only the order of additions differs from the score's; over
 *  at most 2^13 terms it moves a sum of non-negative numbers by less than 2^-39 of it, which SLACK
 *  makes up for. What is kept is then scored in the terms' order. */
const WINDOW: u32 = 2048;
const TERM: usize = 40;
const RUN: usize = 40;
const RUN_LONG: u32 = 16;
const TERM_BLOCK: u32 = 16;
const SLACK: f64 = 1.8189894035458565e-12; // 2^-39

let cursor: usize = 0;

// @ts-ignore: decorator
@inline
function varint(): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  let byte: u32;
  do {
    byte = load<u8>(cursor++);
    value |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte > 0x7f);
  return value;
}

/** Sets `cursor` to the runs of a term; their end, or 0 where no slot has it. */
function find_term(segment: usize, term: u32): usize {
  const first_term: usize = load<u32>(segment, 12);
  let low: u32 = 0;
  let high = load<u32>(segment, 8);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(first_term + (<usize>middle << 2)) <= term) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return 0;
  const block = low - 1;
  const offset = load<u32>(<usize>load<u32>(segment, 16) + (<usize>block << 2));
  cursor = <usize>load<u32>(segment, 24) + offset;
  let found = load<u32>(first_term + (<usize>block << 2));
  const terms = min(TERM_BLOCK, load<u32>(segment, 4) - block * TERM_BLOCK);
  for (let i: u32 = 0; i < terms; i++) {
    found += varint();
    const bytes: usize = varint();
    if (found >= term) return found == term ? cursor + bytes : 0;
    cursor += bytes;
  }
  return 0;
}

/** The least length among a run's slots, as an index. `cursor` is at its minima, which it skips. */
function least_length(segment: usize, count: u32): u32 {
  let least: u32 = 0xffff;
  if (count >= RUN_LONG) {
    const end = cursor + (<usize>((count + 127) >> 7) << 1);
    for (; cursor < end; cursor += 2) least = min(least, <u32>load<u16>(cursor));
    return least;
  }
  const length_of: usize = load<u32>(segment, 20);
  for (let i: u32 = 0; i < count; i++) {
    const slot: usize = load<u16>(cursor + (<usize>i << 1));
    least = min(least, <u32>load<u16>(length_of + (slot << 1)));
  }
  return least;
}

/** Writes the runs of a term behind `run`, and the term's bound; where the next one goes, or 0
 *  where they pass `limit`. */
function gather(segment: usize, term: usize, run: usize, limit: usize): usize {
  const lengths: usize = load<u32>(segment, 28);
  const tables: usize = load<u32>(segment, 32);
  const tabled = load<u32>(segment, 36);
  const lengths_bytes: usize = load<u32>(segment, 40);
  const weight = load<f64>(term, 16);
  let bound: f64 = 0;
  store<u32>(term, <u32>run, 4);
  const end = find_term(segment, load<u32>(term));
  if (end != 0) {
    while (cursor < end) {
      if (run == limit) return 0;
      const tf = varint();
      const count = varint();
      const least = least_length(segment, count);
      const t = <f64>tf;
      bound = max(bound, weight * (t / (load<f64>(lengths + (<usize>least << 3)) + t)));
      store<u32>(run, <u32>cursor);
      store<u32>(run, <u32>cursor, 4);
      cursor += <usize>count << 1;
      store<u32>(run, <u32>cursor, 8);
      store<u32>(run, tf <= tabled ? <u32>(tables + <usize>(tf - 1) * lengths_bytes) : 0, 12);
      store<f64>(run, t, 16);
      store<f64>(run, weight, 24);
      run += RUN;
    }
  }
  store<u32>(term, <u32>run, 8);
  store<f64>(term, bound, 24);
  return run;
}

/** The terms by ascending bound: Shell's sort. */
function order_terms(terms: usize, n: i32): void {
  const order = terms + <usize>n * TERM;
  for (let i = 0; i < n; i++) store<u32>(order + (<usize>i << 2), <u32>(terms + <usize>i * TERM));
  let gap = 1;
  while (gap < n) gap = gap * 3 + 1;
  for (gap /= 3; gap > 0; gap /= 3)
    for (let i = gap; i < n; i++) {
      const term = load<u32>(order + (<usize>i << 2));
      const bound = load<f64>(term, 24);
      let j = i;
      for (; j >= gap; j -= gap) {
        const other = load<u32>(order + (<usize>(j - gap) << 2));
        if (load<f64>(other, 24) <= bound) break;
        store<u32>(order + (<usize>j << 2), other);
      }
      store<u32>(order + (<usize>j << 2), term);
    }
}

/** The first posting at or behind p whose slot is at least `slot`, by doubling steps. */
function gallop(p: usize, end: usize, slot: u32): usize {
  if (p >= end || <u32>load<u16>(p) >= slot) return p;
  let step: usize = 2;
  while (p + step < end && <u32>load<u16>(p + step) < slot) {
    p += step;
    step <<= 1;
  }
  let low = (p >> 1) + 1;
  const odd = p & 1;
  let high = min(p + step, end) >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (<u32>load<u16>((middle << 1) + odd) < slot) low = middle + 1;
    else high = middle;
  }
  return (low << 1) + odd;
}

/** Adds what a run's slots in [start, end) get to their scores in the window. */
function accumulate(
  run: usize, window: usize, length_of: usize, lengths: usize, start: u32, end: u32,
): void {
  let p: usize = load<u32>(run);
  const stop = gallop(p, load<u32>(run, 8), end);
  if (p == stop) return;
  store<u32>(run, <u32>stop);
  const weight = load<f64>(run, 24);
  const tf = load<f64>(run, 16);
  const table: usize = load<u32>(run, 12);
  const flags = window + (<usize>WINDOW << 3) - (start >> 3);
  const scores = window - (<usize>start << 3);
  if (table != 0) {
    for (; p < stop; p += 2) {
      const slot: usize = load<u16>(p);
      const length: usize = load<u16>(length_of + (slot << 1));
      const score = scores + (slot << 3);
      store<f64>(score, load<f64>(score) + weight * load<f64>(table + (length << 3)));
      store<u8>(flags + (slot >> 3), 1);
    }
    return;
  }
  for (; p < stop; p += 2) {
    const slot: usize = load<u16>(p);
    const length: usize = load<u16>(length_of + (slot << 1));
    const score = scores + (slot << 3);
    const added = weight * (tf / (load<f64>(lengths + (length << 3)) + tf));
    store<f64>(score, load<f64>(score) + added);
    store<u8>(flags + (slot >> 3), 1);
  }
}

/** What a term adds to a slot's score. Slots ascend from call to call. */
function share_of(term: usize, slot: u32, length_term: f64): f64 {
  const end: usize = load<u32>(term, 8);
  for (let run: usize = load<u32>(term, 4); run < end; run += RUN) {
    const run_end: usize = load<u32>(run, 8);
    const p = gallop(load<u32>(run, 4), run_end, slot);
    store<u32>(run, <u32>p, 4);
    if (p < run_end && <u32>load<u16>(p) == slot) {
      const tf = load<f64>(run, 16);
      return load<f64>(term, 16) * (tf / (length_term + tf));
    }
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function worse(score: f64, slot: u32, other: f64, other_slot: u32): bool {
  return score < other || (score == other && slot > other_slot);
}

/** Puts a slot on the heap, in place of the worst where it is full. */
function keep(heap: usize, score: f64, slot: u32): void {
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
function worst(heap: usize, base: f64): f64 {
  return load<u32>(heap) < load<u32>(heap, 4) ? base : load<f64>(heap, 8);
}

/** The exact score of a slot whose essential terms add up to `partial`, or base where it cannot
 *  surpass `theta`. The first `passive` terms in order of bound are not in `partial`. */
function complete(
  terms: usize, n: i32, passive: i32, slot: u32, length_term: f64, partial: f64, rest: f64,
  theta: f64, base: f64,
): f64 {
  const order = terms + <usize>n * TERM;
  const least = theta * (1 - SLACK);
  for (let i = passive - 1; i >= 0; i--) {
    const term: usize = load<u32>(order + (<usize>i << 2));
    const share = share_of(term, slot, length_term);
    store<f64>(term, share, 32);
    partial += share;
    rest -= load<f64>(term, 24);
    // 3 * SLACK of theta are more than rounding took from partial and rest, both at most theta.
    if ((partial + max(rest, 0)) * (1 + 2 * SLACK) <= least) return base;
  }
  let score = base;
  for (let term = terms; term < order; term += TERM) {
    const essential = load<u32>(term, 12) != 0;
    score += essential ? share_of(term, slot, length_term) : load<f64>(term, 32);
  }
  return score;
}

/** Keeps what surpasses the heap's worst in a window, and makes the window blank again. The first
 *  `passive` terms in order of bound, whose bounds add up to `rest`, were not added up. */
function collect(
  segment: usize, terms: usize, n: i32, passive: i32, rest: f64, base: f64,
  window: usize, start: u32, end: u32, alive: usize, first_slot: u32, heap: usize,
): void {
  const length_of: usize = load<u32>(segment, 20);
  const lengths: usize = load<u32>(segment, 28);
  const flags = window + (<usize>WINDOW << 3);
  const blank = f64x2.splat(base);
  const groups = (end - start + 7) >> 3;
  let theta = worst(heap, base);
  let floor = passive == 0 ? theta : theta * (1 - SLACK) - rest * (1 + SLACK);
  for (let group: u32 = 0; group < groups; group += 8) {
    let bits = load<u64>(flags + group);
    if (bits == 0) continue;
    store<u64>(flags + group, 0);
    for (; bits != 0; bits &= bits - 1) {
      const at = group + (<u32>ctz(bits) >> 3);
      const scores = window + (<usize>at << 6);
      if (any_above(scores, floor))
        for (let j: u32 = 0; j < 8; j++) {
          let score = load<f64>(scores + (<usize>j << 3));
          if (score <= floor) continue;
          const slot = start + (at << 3) + j;
          const bit = first_slot + slot;
          if (((load<u32>(alive + (<usize>(bit >> 5) << 2)) >> (bit & 31)) & 1) == 0) continue;
          if (passive > 0) {
            const length: usize = load<u16>(length_of + (<usize>slot << 1));
            const length_term = load<f64>(lengths + (length << 3));
            score = complete(terms, n, passive, slot, length_term, score, rest, theta, base);
          }
          if (score <= theta) continue;
          keep(heap, score, bit);
          theta = worst(heap, base);
          floor = passive == 0 ? theta : theta * (1 - SLACK) - rest * (1 + SLACK);
        }
      v128.store(scores, blank);
      v128.store(scores, blank, 16);
      v128.store(scores, blank, 32);
      v128.store(scores, blank, 48);
    }
  }
}

/** Whether one of eight scores is above `floor`. */
// @ts-ignore: decorator
@inline
function any_above(scores: usize, floor: f64): bool {
  const floors = f64x2.splat(floor);
  const a = v128.load(scores), b = v128.load(scores, 16);
  const c = v128.load(scores, 32), d = v128.load(scores, 48);
  return v128.any_true(
    v128.or(
      v128.or(f64x2.gt(a, floors), f64x2.gt(b, floors)),
      v128.or(f64x2.gt(c, floors), f64x2.gt(d, floors)),
    ),
  );
}

export function bm25_top_f64(
  segment: usize, terms: usize, n: i32, base: f64, runs: usize, runs_max: i32,
  window: usize, alive: usize, first_slot: u32, heap: usize,
): i32 {
  const order = terms + <usize>n * TERM;
  let run = runs;
  for (let term = terms; term < order; term += TERM) {
    run = gather(segment, term, run, runs + <usize>runs_max * RUN);
    if (run == 0) return 1;
    store<u32>(term, 1, 12);
  }
  order_terms(terms, n);
  const slots = load<u32>(segment);
  const length_of: usize = load<u32>(segment, 20);
  const lengths: usize = load<u32>(segment, 28);
  for (let i: usize = 0; i < <usize>WINDOW << 3; i += 8) store<f64>(window + i, base);
  memory.fill(window + (<usize>WINDOW << 3), 0, WINDOW >> 3);
  let passive = 0;
  let rest: f64 = 0;
  for (let start: u32 = 0; start < slots; start += WINDOW) {
    const room = worst(heap, base) * (1 - SLACK) - base;
    for (; passive < n; passive++) {
      const term: usize = load<u32>(order + (<usize>passive << 2));
      const more = rest + load<f64>(term, 24);
      if (more * (1 + SLACK) > room) break;
      rest = more;
      store<u32>(term, 0, 12);
    }
    if (passive == n) return 0;
    const end = min(start + WINDOW, slots);
    for (let term = terms; term < order; term += TERM) {
      if (load<u32>(term, 12) == 0) continue;
      const runs_end: usize = load<u32>(term, 8);
      for (let at: usize = load<u32>(term, 4); at < runs_end; at += RUN)
        accumulate(at, window, length_of, lengths, start, end);
    }
    collect(
      segment, terms, n, passive, rest, base, window, start, end, alive, first_slot, heap,
    );
  }
  return 0;
}

/** How many slots of a segment have the term. */
export function bm25_df(segment: usize, term: u32): u32 {
  const end = find_term(segment, term);
  let df: u32 = 0;
  if (end == 0) return 0;
  while (cursor < end) {
    varint();
    const count = varint();
    df += count;
    cursor += (<usize>count << 1) + (count < RUN_LONG ? 0 : <usize>((count + 127) >> 7) << 1);
  }
  return df;
}
