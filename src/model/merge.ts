/** Merging neighbours by priority: the loop that byte-level BPE and SPM share. */
import { assert } from "../errors.ts";
import { MERGE_SYMBOLS_MAX } from "../limits.ts";

/** Arrays for this many symbols are kept between words; those of a longer one are let go. */
const KEPT_SYMBOLS = 4_096;
/** A key of the queue is priority * POSITIONS + position: exact in a double, since priorities stay
 *  below 2^21. */
const POSITIONS = 2 ** 24;
/** A UTF-16 unit is three bytes of UTF-8 at most. */
const PART_CHARS_MAX = Math.floor(MERGE_SYMBOLS_MAX / 3);

/** Parts of a text that have MERGE_SYMBOLS_MAX symbols at most, be they characters or the bytes of
 *  UTF-8; nearly every text is one. Nothing merges across a cut: the text comes back all the same,
 *  but a longer word may get other ids there than all at once, which takes memory without bound. */
export function* mergeParts(text: string): Generator<string> {
  for (let from = 0, to: number; from < text.length; from = to) {
    to = Math.min(from + PART_CHARS_MAX, text.length);
    const parted = to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800;
    if (parted) to--;
    yield text.slice(from, to);
  }
}

/** What the symbols are: the merger knows only their positions. */
export interface Symbols {
  /** The priority of joining neighbours, an integer, 0 the first; -1 if they do not join. */
  priorityOf(left: number, right: number): number;
  /** Makes of both one symbol, at `left`. */
  join(left: number, right: number, priority: number): void;
}

interface Arrays {
  next: Int32Array;
  previous: Int32Array;
  /** Of each symbol with its right neighbour; an entry of the queue that differs is out of date. */
  priorities: Int32Array;
  /** A binary heap, the least key first. Every join takes one entry and adds at most two, so that
   *  fewer than 2n are ever in it. */
  heap: Float64Array;
}

function arraysFor(n: number): Arrays {
  return {
    next: new Int32Array(n),
    previous: new Int32Array(n),
    priorities: new Int32Array(n),
    heap: new Float64Array(2 * n),
  };
}

/** Joins neighbours in order of priority, of equals the leftmost, until none joins. O(n log n) in
 *  n symbols, with 28 bytes a symbol. One use at a time. */
export class Merger {
  private readonly kept = arraysFor(KEPT_SYMBOLS);
  private arrays = this.kept;
  private queued = 0;

  /** Merges symbols at positions 0..n, n > 0, and calls `each` with those left, in order. */
  run(symbols: Symbols, n: number, each: (position: number) => void): void {
    assert(n > 0 && n <= MERGE_SYMBOLS_MAX, `${n} symbols to merge`);
    if (n > KEPT_SYMBOLS) this.arrays = arraysFor(n);
    const { next, previous } = this.arrays;
    this.queued = 0;
    for (let i = 0; i < n; i++) {
      previous[i] = i - 1;
      next[i] = i + 1 < n ? i + 1 : -1;
    }
    for (let i = 0; i < n; i++) this.refresh(symbols, i);
    while (this.queued > 0) this.step(symbols);
    for (let i = 0; i !== -1; i = next[i]!) each(i);
    this.arrays = this.kept;
  }

  private step(symbols: Symbols): void {
    const { next, previous, priorities } = this.arrays;
    const key = this.pop();
    const priority = Math.floor(key / POSITIONS);
    const left = key - priority * POSITIONS;
    if (priorities[left] !== priority) return;
    const right = next[left]!;
    symbols.join(left, right, priority);
    const after = next[right]!;
    next[left] = after;
    if (after !== -1) previous[after] = left;
    priorities[right] = -1;
    this.refresh(symbols, left);
    const before = previous[left]!;
    if (before !== -1) this.refresh(symbols, before);
  }

  /** Finds and queues what joins `left` to its neighbour, if anything does. */
  private refresh(symbols: Symbols, left: number): void {
    const right = this.arrays.next[left]!;
    const priority = right === -1 ? -1 : symbols.priorityOf(left, right);
    this.arrays.priorities[left] = priority;
    if (priority !== -1) this.push(priority * POSITIONS + left);
  }

  private push(key: number): void {
    const { heap } = this.arrays;
    let at = this.queued++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = key;
  }

  private pop(): number {
    const { heap } = this.arrays;
    const least = heap[0]!;
    const n = --this.queued;
    const key = heap[n]!;
    let at = 0;
    for (let child = 1; child < n; child = 2 * at + 1) {
      if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= key) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = key;
    return least;
  }
}
