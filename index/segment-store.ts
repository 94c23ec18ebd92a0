/** Sealed segments in a linear memory of their own, and the search over them. */
import { ServiceError } from "../src/errors.ts";
import { trackMemory } from "../src/model/linear-memory.ts";
import type { Bitmap } from "./bitmap.ts";
import { type Bm25Term, lengthTermOf, type QueryWeights, saturation } from "./bm25.ts";
import { checkSegment, readLayout, SEGMENT_DEAD, type SegmentLayout } from "./segment-format.ts";

interface Bm25Exports {
  memory: WebAssembly.Memory;
  bm25_top_f64(
    segment: number,
    terms: number,
    n: number,
    base: number,
    runs: number,
    runsMax: number,
    window: number,
    alive: number,
    firstSlot: number,
    heap: number,
  ): number;
  bm25_df(segment: number, term: number): number;
}

const PAGE_BYTES = 65_536;
/** As the kernel lays them out. */
const RECORD_BYTES = 44;
const TERM_BYTES = 16;
const RUN_BYTES = 32;
const WINDOW_BYTES = 16_384 * 8 + 2_048;
/** Saturations of tf 1 to 4 stand in tables, which nine postings in ten read, where a segment
 *  has so few distinct lengths that they stay in the cache. */
const TABLES = 4;
const TABLE_LENGTHS_MAX = 1_024;
/** Runs of a query's terms in one segment that there is room for at first; a term has about 5. */
const RUNS_MIN = 256;

const align = (bytes: number) => (bytes + 7) & ~7;

/** One segment's place: its blob begins at `at` in linear memory, its slots at `firstSlot`. */
interface Segment {
  layout: SegmentLayout;
  at: number;
  firstSlot: number;
  /** What the kernel reads of it, and its lengths under the statistics of the last search. */
  record: number;
  lengthTerms: number;
  tables: number;
  lengthsOf: { kappa: number; b: number; avgdl: number } | null;
}

/** Where a search's parts lie in linear memory, for so many terms, runs, slots and hits. */
interface Scratch {
  room: { terms: number; runs: number; slots: number; k: number };
  terms: number;
  runs: number;
  window: number;
  alive: number;
  heap: number;
}

export class SegmentStore {
  readonly #segments: Segment[] = [];
  readonly #exports: Bm25Exports;
  readonly #begin: number;
  #end: number;
  #slots = 0;
  #scratch: Scratch | null = null;

  constructor(module: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Bm25Exports;
    trackMemory(this.#exports.memory, "index");
    this.#begin = this.bytes;
    this.#end = this.#begin;
  }

  /** Bytes of linear memory held. */
  get bytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  get segments(): number {
    return this.#segments.length;
  }

  get slots(): number {
    return this.#slots;
  }

  /** Drops every segment; the memory stays for others. */
  clear(): void {
    this.#segments.length = 0;
    this.#end = this.#begin;
    this.#slots = 0;
    this.#scratch = null;
  }

  /** Puts a segment behind the others. Throws a plain error where it is damaged; one that was just
   *  made is `sound` and not looked through. Its layout, and which slots were sealed dead. */
  load(
    bytes: Uint8Array,
    sound = false,
  ): { layout: SegmentLayout; isDead: (slot: number) => boolean } {
    const layout = readLayout(bytes);
    if (!sound) checkSegment(bytes, layout);
    const at = this.#allocate(bytes.length);
    new Uint8Array(this.#exports.memory.buffer, at).set(bytes);
    const lengthBytes = 8 * layout.lengths;
    const tables = layout.lengths <= TABLE_LENGTHS_MAX ? TABLES : 0;
    const record = this.#allocate(RECORD_BYTES);
    const lengthTerms = this.#allocate(lengthBytes);
    const tablesAt = this.#allocate(tables * lengthBytes);
    const { buffer } = this.#exports.memory;
    const { firstTermAt, blockOffsetAt, lengthOfAt, streamAt } = layout;
    const parts = [firstTermAt, blockOffsetAt, lengthOfAt, streamAt].map((part) => at + part);
    const counts = [layout.slots, layout.terms, layout.blocks];
    const lengths = [lengthTerms, tablesAt, tables, lengthBytes];
    new Uint32Array(buffer, record, RECORD_BYTES / 4).set([...counts, ...parts, ...lengths]);
    const place = { record, lengthTerms, tables: tablesAt, lengthsOf: null };
    this.#segments.push({ layout, at, firstSlot: this.#slots, ...place });
    this.#slots += layout.slots;
    const lengthOf = new Uint16Array(buffer, at + lengthOfAt, layout.slots);
    return { layout, isDead: (slot) => lengthOf[slot] === SEGMENT_DEAD };
  }

  /** Units that held the term when their segments were made. */
  df(term: number): number {
    let df = 0;
    for (const { record } of this.#segments) df += this.#exports.bm25_df(record, term);
    return df;
  }

  /** Visits the best k of the allowed slots, counted over all segments, in no order; all that
   *  surpass the base where there are fewer. O(postings of the query's terms) at worst. */
  search(
    query: readonly Bm25Term[],
    weights: QueryWeights,
    allowed: Bitmap,
    k: number,
    visit: (slot: number, score: number) => void,
  ): void {
    const most = Math.min(k, this.#slots);
    if (most === 0) return;
    let scratch = this.#reserve({
      terms: query.length,
      runs: RUNS_MIN,
      slots: this.#slots,
      k: most,
    });
    let n = this.#write(scratch, query, weights.weights);
    if (n === 0) return;
    this.#prepare(scratch, allowed, most);
    for (const segment of this.#segments) {
      this.#tabulate(segment, weights);
      while (!this.#scan(segment, scratch, n, weights.base)) {
        const { scores, slots } = this.#kept(scratch);
        const kept = { scores: scores.slice(), slots: slots.slice() }; // as the memory may grow
        scratch = this.#reserve({ ...scratch.room, runs: scratch.room.runs * 4 });
        n = this.#write(scratch, query, weights.weights);
        this.#prepare(scratch, allowed, most);
        this.#restore(scratch, kept);
      }
    }
    const { scores, slots } = this.#kept(scratch);
    for (const [i, score] of scores.entries()) visit(slots[i]!, score);
  }

  /** Whether there was room for the terms' runs; without, the heap is as before. */
  #scan({ record, firstSlot }: Segment, scratch: Scratch, n: number, base: number): boolean {
    const { terms, runs, room, window, alive, heap } = scratch;
    const { bm25_top_f64 } = this.#exports;
    const status = bm25_top_f64(
      record,
      terms,
      n,
      base,
      runs,
      room.runs,
      window,
      alive,
      firstSlot,
      heap,
    );
    return status === 0;
  }

  /** Writes the terms that can add something; how many. */
  #write(scratch: Scratch, query: readonly Bm25Term[], weights: Float64Array): number {
    const { buffer } = this.#exports.memory;
    const words = new Uint32Array(buffer, scratch.terms, (query.length * TERM_BYTES) / 4);
    const doubles = new Float64Array(buffer, scratch.terms, (query.length * TERM_BYTES) / 8);
    let n = 0;
    for (let i = 0; i < query.length; i++) {
      const { id } = query[i]!;
      if (id === null || weights[i] === 0) continue;
      words[(n * TERM_BYTES) / 4] = id;
      doubles[(n * TERM_BYTES) / 8 + 1] = weights[i]!;
      n++;
    }
    return n;
  }

  #prepare({ alive, heap }: Scratch, allowed: Bitmap, k: number): void {
    const { buffer } = this.#exports.memory;
    const words = Math.ceil(this.#slots / 32);
    new Uint32Array(buffer, alive, words).set(allowed.words.subarray(0, words));
    new Uint32Array(buffer, heap, 2).set([0, k]);
  }

  /** Views of the heap. */
  #kept({ heap }: Scratch): { scores: Float64Array; slots: Uint32Array } {
    const { buffer } = this.#exports.memory;
    const [count, k] = new Uint32Array(buffer, heap, 2);
    const scores = new Float64Array(buffer, heap + 8, count!);
    return { scores, slots: new Uint32Array(buffer, heap + 8 + 8 * k!, count!) };
  }

  #restore(scratch: Scratch, { scores, slots }: { scores: Float64Array; slots: Uint32Array }) {
    new Uint32Array(this.#exports.memory.buffer, scratch.heap, 1)[0] = scores.length;
    const kept = this.#kept(scratch);
    kept.scores.set(scores);
    kept.slots.set(slots);
  }

  /** Brings a segment's lengths and tables up to the search's statistics. */
  #tabulate(segment: Segment, weights: QueryWeights): void {
    const { layout, at, lengthTerms, tables, lengthsOf } = segment;
    const { kappa, b, avgdl } = weights;
    if (lengthsOf?.kappa === kappa && lengthsOf.b === b && lengthsOf.avgdl === avgdl) return;
    const { buffer } = this.#exports.memory;
    const n = layout.lengths;
    const lengths = new Uint32Array(buffer, at + layout.lengthsAt, n);
    const terms = new Float64Array(buffer, lengthTerms, n);
    for (let i = 0; i < n; i++) terms[i] = lengthTermOf(weights, lengths[i]!);
    for (let tf = 1; n <= TABLE_LENGTHS_MAX && tf <= TABLES; tf++) {
      const table = new Float64Array(buffer, tables + 8 * n * (tf - 1), n);
      for (let i = 0; i < n; i++) table[i] = saturation(tf, terms[i]!);
    }
    segment.lengthsOf = { kappa, b, avgdl };
  }

  /** Scratch with at least so much room. It grows by half at least, so that what earlier ones took
   *  of linear memory, which is never given back, stays below twice the last. */
  #reserve(wanted: Scratch["room"]): Scratch {
    const have = this.#scratch?.room;
    const grown = (need: number, had = 0) => (need <= had ? had : Math.max(need, (had * 3) >> 1));
    const room = {
      terms: grown(wanted.terms, have?.terms),
      runs: grown(wanted.runs, have?.runs),
      slots: grown(wanted.slots, have?.slots),
      k: grown(wanted.k, have?.k),
    };
    const fits = have !== undefined && room.terms === have.terms && room.runs === have.runs;
    if (fits && room.slots === have.slots && room.k === have.k) return this.#scratch!;
    const terms = this.#allocate(room.terms * TERM_BYTES);
    const runs = this.#allocate(room.runs * RUN_BYTES);
    const window = this.#allocate(WINDOW_BYTES);
    const alive = this.#allocate(4 * Math.ceil(room.slots / 32));
    const heap = this.#allocate(8 + 12 * room.k);
    this.#scratch = { room, terms, runs, window, alive, heap };
    return this.#scratch;
  }

  #allocate(bytes: number): number {
    const at = this.#end;
    const end = at + align(bytes);
    const missing = end - this.bytes;
    try {
      if (missing > 0) this.#exports.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new ServiceError("memory_full", `no room for ${bytes} bytes of index`, { cause });
    }
    this.#end = end;
    return at;
  }
}
