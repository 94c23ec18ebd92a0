/** The best k slots of a segment (index/segment.ts) by BM25, kept in a heap over many segments.
 *    segment  u32 [11]: slots, terms, blocks of the directory; the addresses of firstTerm,
 *             blockOffset, lengthOf, stream, lengthTerms and tables; how many tables there are, and
 *             the bytes of each
 *    lengthTerms  f64 [lengths]: kappa * norm of each distinct length
 *    tables   f64 [tables, lengths]: tf / (lengthTerms + tf) for tf = 1 .. tables
 *    terms    [n, 16 bytes]: u32 id, u32 unused, f64 weight
 *    runs     [runs_max, 32 bytes]: u32 head, end, table, unused, f64 tf, f64 weight
 *    window   f64 [16384] scores, then u8 [2048]: which groups of 8 of them were written
 *    alive    bits [first_slot + slots]: which slots may be found
 *    heap     see top_heap.ts
 *  The caller writes segment, terms, alive and heap; the rest is scratch. Returns 0, or 1 where the
 *  terms have more than runs_max runs, with the heap as it was.
 *
 *  score = base, then in the terms' order + weight * (tf / (lengthTerm + tf)), f64, which is the
 *  score's definition: the result is exact. A slot is found where that is above base, and above the
 *  heap's worst once the heap is full: slots ascend from call to call, so that a tie goes to the
 *  lower one. Slots are taken 16,384 at a time, whose scores stay in the second-level cache.
 *
 *  Every posting is added up, at about a nanosecond each. Looking up instead, for slots that the
 *  rare terms lift near enough, what the frequent ones add (MaxScore) was measured slower at
 *  100,000 passages: a look-up costs as much as forty additions. */
import { cursor, find_term, skip, varint } from "./segment_lists";
import { keep, worst } from "./top_heap";

const WINDOW: u32 = 16384;
const TERM: usize = 16;
const RUN: usize = 32;
/** Below one posting for so many slots, groups that were written are marked and others skipped. */
const SPARSE: u32 = 16;

/** Writes the runs of a term behind `run`; where the next one goes, or 0 where they pass `limit`. */
function gather(segment: usize, term: usize, run: usize, limit: usize): usize {
  const end = find_term(segment, load<u32>(term));
  if (end == 0) return run;
  const tables: usize = load<u32>(segment, 32);
  const tabled = load<u32>(segment, 36);
  const table_bytes: usize = load<u32>(segment, 40);
  let tf: u32 = 0;
  while (cursor < end) {
    if (run == limit) return 0;
    const head = varint();
    const count = head >> 1;
    tf = (head & 1) == 0 ? tf + 1 : varint();
    store<u32>(run, <u32>cursor);
    skip(<usize>count << 1);
    store<u32>(run, <u32>cursor, 4);
    store<u32>(run, tf <= tabled ? <u32>(tables + <usize>(tf - 1) * table_bytes) : 0, 8);
    store<f64>(run, <f64>tf, 16);
    store<f64>(run, load<f64>(term, 8), 24);
    run += RUN;
  }
  return run;
}

/** The first posting at or behind p whose slot is at least `slot`, by doubling steps. */
function gallop(p: usize, end: usize, slot: u32): usize {
  let step: usize = 2;
  while (p + step < end && <u32>load<u16>(p + step) < slot) {
    p += step;
    step <<= 1;
  }
  const odd = p & 1;
  let low = (p >> 1) + 1;
  let high = min(p + step, end) >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (<u32>load<u16>((middle << 1) + odd) < slot) low = middle + 1;
    else high = middle;
  }
  return (low << 1) + odd;
}

/** Adds to scores, by slot, what those of a run from p to `stop` get; marks their groups. */
// @ts-ignore: decorator
@inline
function add(
  run: usize, p: usize, stop: usize, scores: usize, marks: usize, length_of: usize,
  lengths: usize, mark: bool,
): void {
  const weight = load<f64>(run, 24);
  const tf = load<f64>(run, 16);
  const table: usize = load<u32>(run, 8);
  if (table != 0) {
    for (; p < stop; p += 2) {
      const slot: usize = load<u16>(p);
      const length: usize = load<u16>(length_of + (slot << 1));
      const score = scores + (slot << 3);
      store<f64>(score, load<f64>(score) + weight * load<f64>(table + (length << 3)));
      if (mark) store<u8>(marks + (slot >> 3), 1);
    }
    return;
  }
  for (; p < stop; p += 2) {
    const slot: usize = load<u16>(p);
    const length: usize = load<u16>(length_of + (slot << 1));
    const score = scores + (slot << 3);
    const added = weight * (tf / (load<f64>(lengths + (length << 3)) + tf));
    store<f64>(score, load<f64>(score) + added);
    if (mark) store<u8>(marks + (slot >> 3), 1);
  }
}

/** Adds up the slots below `end` of every run, in order. */
function accumulate(
  segment: usize, runs: usize, runs_end: usize, scores: usize, marks: usize, end: u32, mark: bool,
): void {
  const length_of: usize = load<u32>(segment, 20);
  const lengths: usize = load<u32>(segment, 28);
  const last = end == load<u32>(segment);
  for (let run = runs; run < runs_end; run += RUN) {
    const p: usize = load<u32>(run);
    let stop: usize = load<u32>(run, 4);
    if (!last) {
      if (p == stop || <u32>load<u16>(p) >= end) continue;
      if (<u32>load<u16>(stop - 2) >= end) stop = gallop(p, stop, end);
      store<u32>(run, <u32>stop);
    }
    if (mark) add(run, p, stop, scores, marks, length_of, lengths, true);
    else add(run, p, stop, scores, marks, length_of, lengths, false);
  }
}

/** The greatest pair of lanes of eight scores. */
// @ts-ignore: decorator
@inline
function greatest(scores: usize): v128 {
  return f64x2.pmax(
    f64x2.pmax(v128.load(scores), v128.load(scores, 16)),
    f64x2.pmax(v128.load(scores, 32), v128.load(scores, 48)),
  );
}

/** Keeps those of eight scores that surpass theta and may be found; the theta from then on. */
function keep_eight(
  scores: usize, first: u32, alive: usize, heap: usize, base: f64, theta: f64,
): f64 {
  for (let j: u32 = 0; j < 8; j++) {
    const score = load<f64>(scores + (<usize>j << 3));
    if (score <= theta) continue;
    const slot = first + j;
    if (((load<u32>(alive + (<usize>(slot >> 5) << 2)) >> (slot & 31)) & 1) == 0) continue;
    keep(heap, score, slot);
    theta = worst(heap, base);
  }
  return theta;
}

/** Goes through all groups of a window, and makes it blank again. */
function collect(
  window: usize, groups: u32, first: u32, alive: usize, heap: usize, base: f64,
): void {
  let theta = worst(heap, base);
  let thetas = f64x2.splat(theta);
  const blank = f64x2.splat(base);
  let scores = window;
  for (let group: u32 = 0; group < groups; group++, scores += 64) {
    if (v128.any_true(f64x2.gt(greatest(scores), thetas))) {
      theta = keep_eight(scores, first + (group << 3), alive, heap, base, theta);
      thetas = f64x2.splat(theta);
    }
    v128.store(scores, blank);
    v128.store(scores, blank, 16);
    v128.store(scores, blank, 32);
    v128.store(scores, blank, 48);
  }
}

/** The same for the groups that are marked; takes the marks away. */
function collect_marked(
  window: usize, groups: u32, first: u32, alive: usize, heap: usize, base: f64,
): void {
  const marks = window + (<usize>WINDOW << 3);
  let theta = worst(heap, base);
  const blank = f64x2.splat(base);
  for (let eight: u32 = 0; eight < groups; eight += 8) {
    let bits = load<u64>(marks + eight);
    if (bits == 0) continue;
    store<u64>(marks + eight, 0);
    for (; bits != 0; bits &= bits - 1) {
      const group = eight + (<u32>ctz(bits) >> 3);
      const scores = window + (<usize>group << 6);
      if (v128.any_true(f64x2.gt(greatest(scores), f64x2.splat(theta))))
        theta = keep_eight(scores, first + (group << 3), alive, heap, base, theta);
      v128.store(scores, blank);
      v128.store(scores, blank, 16);
      v128.store(scores, blank, 32);
      v128.store(scores, blank, 48);
    }
  }
}

export function bm25_top_f64(
  segment: usize, terms: usize, n: i32, base: f64, runs: usize, runs_max: i32,
  window: usize, alive: usize, first_slot: u32, heap: usize,
): i32 {
  let run = runs;
  for (let i = 0; i < n; i++) {
    run = gather(segment, terms + <usize>i * TERM, run, runs + <usize>runs_max * RUN);
    if (run == 0) return 1;
  }
  let postings: u32 = 0;
  for (let at = runs; at < run; at += RUN) postings += (load<u32>(at, 4) - load<u32>(at)) >> 1;
  if (postings == 0) return 0;
  const slots = load<u32>(segment);
  const sparse = postings * SPARSE < slots;
  const marks = window + (<usize>WINDOW << 3);
  const used = <usize>min((slots + 7) & ~7, WINDOW) << 3;
  for (let i: usize = 0; i < used; i += 16) v128.store(window + i, f64x2.splat(base));
  memory.fill(marks, 0, WINDOW >> 3);
  for (let start: u32 = 0; start < slots; start += WINDOW) {
    const end = min(start + WINDOW, slots);
    const first = first_slot + start;
    const scores = window - (<usize>start << 3);
    accumulate(segment, runs, run, scores, marks - (start >> 3), end, sparse);
    const groups = (end - start + 7) >> 3;
    if (sparse) collect_marked(window, groups, first, alive, heap, base);
    else collect(window, groups, first, alive, heap, base);
  }
  return 0;
}
