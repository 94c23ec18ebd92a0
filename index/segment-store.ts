/** Sealed segments in a linear memory of their own, and the search over them. */
import { assert } from "../src/errors.ts";
import { trackMemory } from "../src/model/linear-memory.ts";
import type { Bitmap } from "./bitmap.ts";
import { type Bm25Term, type QueryWeights, saturation } from "./bm25.ts";
import {
  checkSegment,
  minimaBytes,
  readLayout,
  SEGMENT_DEAD,
  SEGMENT_TERM_BLOCK,
  SegmentCursor,
  type SegmentLayout,
} from "./segment-format.ts";

const PAGE_BYTES = 65_536;

/** One segment's place: its blob begins at `at` in linear memory, its slots at `firstSlot`. */
export interface Segment {
  layout: SegmentLayout;
  at: number;
  firstSlot: number;
}

/** Slots of one term that share a tf: u16 [count] at byte `at` of linear memory. */
export interface Run {
  tf: number;
  count: number;
  /** Of long runs, the minima of their blocks. */
  minimaAt: number;
  at: number;
}

export class SegmentStore {
  readonly segments: Segment[] = [];
  readonly #memory: WebAssembly.Memory;
  #end: number;
  #slots = 0;

  constructor(module: WebAssembly.Module) {
    const exports = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory };
    this.#memory = exports.memory;
    trackMemory(this.#memory);
    this.#end = this.#memory.buffer.byteLength;
  }

  /** Bytes of linear memory held. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  get slots(): number {
    return this.#slots;
  }

  /** Checks a segment and puts it behind the others. Throws a plain error where it is damaged. */
  load(bytes: Uint8Array): Segment {
    const layout = readLayout(bytes);
    checkSegment(bytes, layout);
    const at = (this.#end + 7) & ~7;
    const end = at + bytes.length;
    const missing = end - this.bytes;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    new Uint8Array(this.#memory.buffer, at).set(bytes);
    this.#end = end;
    const segment = { layout, at, firstSlot: this.#slots };
    this.segments.push(segment);
    this.#slots += layout.slots;
    return segment;
  }

  /** Whether the slot of a segment was sealed as a dead one. */
  isDead({ layout, at }: Segment, slot: number): boolean {
    const view = new DataView(this.#memory.buffer);
    return view.getUint16(at + layout.lengthOfAt + 2 * slot, true) === SEGMENT_DEAD;
  }

  /** Units that held the term when their segments were made. */
  df(term: number): number {
    let df = 0;
    for (const segment of this.segments)
      for (const { count } of this.runs(segment, term)) df += count;
    return df;
  }

  /** A term's runs in a segment, by ascending tf; none where no unit holds it. */
  runs({ layout, at }: Segment, term: number): Run[] {
    const view = new DataView(this.#memory.buffer);
    let [low, high] = [0, layout.blocks];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (view.getUint32(at + layout.firstTermAt + 4 * middle, true) <= term) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return [];
    const block = low - 1;
    const offset = view.getUint32(at + layout.blockOffsetAt + 4 * block, true);
    const bytes = new Uint8Array(this.#memory.buffer);
    const cursor = new SegmentCursor(bytes, at + layout.streamAt + offset, at + layout.bytes);
    let found = view.getUint32(at + layout.firstTermAt + 4 * block, true);
    const terms = Math.min(SEGMENT_TERM_BLOCK, layout.terms - block * SEGMENT_TERM_BLOCK);
    for (let i = 0; i < terms; i++) {
      found += cursor.varint();
      const size = cursor.varint();
      if (found >= term) return found === term ? readRuns(cursor, cursor.at + size) : [];
      cursor.skip(size);
    }
    return [];
  }

  /** Visits every slot, counted over all segments, that holds a query term whose share shows. */
  search(
    query: readonly Bm25Term[],
    weights: QueryWeights,
    allowed: Bitmap,
    visit: (slot: number, score: number) => void,
  ): void {
    const view = new DataView(this.#memory.buffer);
    for (const segment of this.segments) {
      const { layout, at, firstSlot } = segment;
      const scores = new Float64Array(layout.slots).fill(weights.base);
      for (const [i, { id }] of query.entries()) {
        if (id === null || weights.weights[i] === 0) continue;
        for (const run of this.runs(segment, id))
          for (let j = 0; j < run.count; j++) {
            const slot = view.getUint16(run.at + 2 * j, true);
            const index = view.getUint16(at + layout.lengthOfAt + 2 * slot, true);
            const dl = view.getUint32(at + layout.lengthsAt + 4 * index, true);
            scores[slot]! += weights.weights[i]! * saturation(run.tf, weights.lengthTermOf(dl));
          }
      }
      for (const [slot, score] of scores.entries())
        if (score > weights.base && allowed.has(firstSlot + slot)) visit(firstSlot + slot, score);
    }
  }
}

function readRuns(cursor: SegmentCursor, end: number): Run[] {
  const runs: Run[] = [];
  while (cursor.at < end) {
    const [tf, count] = [cursor.varint(), cursor.varint()];
    const minimaAt = cursor.at;
    cursor.skip(minimaBytes(count));
    runs.push({ tf, count, minimaAt, at: cursor.at });
    cursor.skip(2 * count);
  }
  assert(cursor.at === end, "a checked segment's lists end where they should");
  return runs;
}
