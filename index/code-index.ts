/** The codes of many vectors and the search over all of them, in a linear memory of its own. */
import { assert, ServiceError } from "../src/errors.ts";
import { CODE_DEPTH_MAX } from "../src/limits.ts";
import { trackMemory } from "../src/model/linear-memory.ts";
import type { Bitmap } from "./bitmap.ts";
import { codeBytes, quantizeLevels, signBytes, signTables, TABLE_BIAS } from "./codes.ts";

interface Exports {
  memory: WebAssembly.Memory;
  estimate_b1(
    estimates: number,
    tables: number,
    codes: number,
    blocks: number,
    bytes: number,
    bias: number,
    scale: number,
  ): number;
  select_f32(
    slots: number,
    scores: number,
    found: number,
    room: number,
    values: number,
    from: number,
    n: number,
    first: number,
    allowed: number,
    threshold: number,
  ): number;
}

/** The best of a scan, best first: slot and estimated cosine side by side. */
export interface Estimates {
  slots: Uint32Array;
  estimates: Float32Array;
}

const PAGE_BYTES = 65_536;
/** Slots that the kernel takes at once; see wasm-kernels/estimate_b1.ts. */
const BLOCK = 16;
/** Slots between two looks at what was estimated: 4 KB, which stay in the nearest cache. */
const CHUNK = 1_024;
/** Entries found before the worst are dropped, beyond twice the depth. */
const ROOM_EXTRA = 512;
const ROOM_MAX = 2 * CODE_DEPTH_MAX + ROOM_EXTRA;

/** Codes by slot, from 0 in the order they came; none is removed: who searches says which count.
 *  Linear memory holds, after the module's own first pages: the query's tables u8 [bytes * 2, 16],
 *  estimates f32 [CHUNK], slots u32 [ROOM_MAX], their scores f32 [ROOM_MAX], their number i32 [4],
 *  the chunk's allowed bits u32 [CHUNK / 32], and the codes last, where they can grow. */
export class CodeIndex {
  readonly dim: number;
  readonly #exports: Exports;
  readonly #signBytes: number;
  readonly #tables: number;
  readonly #estimates: number;
  readonly #slots: number;
  readonly #scores: number;
  readonly #found: number;
  readonly #allowed: number;
  readonly #codes: number;
  #memory = new Uint8Array(0);
  #count = 0;

  constructor(kernels: WebAssembly.Module, dim: number) {
    this.dim = dim;
    this.#exports = new WebAssembly.Instance(kernels).exports as unknown as Exports;
    trackMemory(this.#exports.memory, "index");
    this.#signBytes = signBytes(dim);
    this.#tables = this.#exports.memory.buffer.byteLength;
    this.#estimates = this.#tables + this.#signBytes * 32;
    this.#slots = this.#estimates + 4 * CHUNK;
    this.#scores = this.#slots + 4 * ROOM_MAX;
    this.#found = this.#scores + 4 * ROOM_MAX;
    this.#allowed = this.#found + 16;
    this.#codes = this.#allowed + CHUNK / 8;
    this.#growTo(this.#codes);
  }

  /** How many codes there are. */
  get slots(): number {
    return this.#count;
  }

  /** Bytes of linear memory held: 52 a slot at 384 dimensions, and at most an eighth to grow. */
  get bytes(): number {
    return this.#memory.byteLength;
  }

  /** Drops every code; the memory stays for others. */
  clear(): void {
    this.#count = 0;
  }

  /** Makes room for `slots` codes in all. Errors: memory_full where linear memory cannot grow. */
  reserve(slots: number): void {
    const blocks = Math.ceil(slots / BLOCK);
    this.#growTo(this.#codes + blocks * this.#blockBytes);
  }

  /** Stores a code of `encodeCode`; its slot. Errors: memory_full. */
  append(code: Uint8Array): number {
    this.load(code, 1);
    return this.#count - 1;
  }

  /** Appends n codes that lie one after the other. 4 million a second. Errors: memory_full. */
  load(codes: Uint8Array, n: number): void {
    const length = codeBytes(this.dim);
    assert(codes.length === n * length, `${n} codes of ${length} bytes`);
    this.reserve(this.#count + n);
    for (let i = 0; i < n; ) {
      const whole = (this.#count + i) % BLOCK === 0 && i + BLOCK <= n;
      if (whole) this.#writeBlock(this.#count + i, codes, i * length);
      else this.#write(this.#count + i, codes, i * length);
      i += whole ? BLOCK : 1;
    }
    this.#count += n;
  }

  /** The `depth` allowed slots of the greatest estimates (1 to CODE_DEPTH_MAX), fewer where fewer
   *  are allowed; null allows all. A tie goes to the lower slot. `query` is f32 [dim], of unit
   *  length for estimates of cosines. O(slots); 0.7 ms for 100,000 at 384 dimensions. */
  best(query: Float32Array, depth: number, allowed: Bitmap | null): Estimates {
    assert(depth >= 1 && depth <= CODE_DEPTH_MAX, `a depth of ${depth}`);
    const scale = this.#prepare(query);
    const found = new Int32Array(this.#exports.memory.buffer, this.#found, 1);
    found[0] = 0;
    let threshold = Number.NEGATIVE_INFINITY;
    const room = 2 * depth + ROOM_EXTRA;
    for (let first = 0; first < this.#count; first += CHUNK) {
      const n = Math.min(CHUNK, this.#count - first);
      if (allowed !== null && !this.#allow(allowed, first)) continue;
      this.#estimate(first, n, scale);
      for (let from = 0; ; ) {
        from = this.#select(from, n, first, room, allowed !== null, threshold);
        if (from === n) break;
        threshold = this.#keep(depth);
      }
    }
    if (found[0]! > depth) this.#keep(depth);
    return this.#sorted();
  }

  /** The estimate of every slot, f32 [slots]. */
  estimates(query: Float32Array): Float32Array {
    const scale = this.#prepare(query);
    const all = new Float32Array(this.#count);
    for (let first = 0; first < this.#count; first += CHUNK) {
      const n = Math.min(CHUNK, this.#count - first);
      this.#estimate(first, n, scale);
      all.set(new Float32Array(this.#exports.memory.buffer, this.#estimates, n), first);
    }
    return all;
  }

  get #blockBytes(): number {
    return BLOCK * codeBytes(this.dim);
  }

  /** The query's tables, in place; its scale. */
  #prepare(query: Float32Array): number {
    assert(query.length === this.dim, "a query has the index's dimension");
    const { levels, scale } = quantizeLevels(query);
    const tables = new Uint8Array(this.#exports.memory.buffer, this.#tables, levels.length * 4);
    signTables(levels, tables);
    return scale;
  }

  #estimate(first: number, n: number, scale: number): void {
    const blocks = Math.ceil(n / BLOCK);
    const codes = this.#codes + (first / BLOCK) * this.#blockBytes;
    const { estimate_b1 } = this.#exports;
    estimate_b1(this.#estimates, this.#tables, codes, blocks, this.#signBytes, TABLE_BIAS, scale);
  }

  /** Copies the chunk's bits; whether any is set. */
  #allow(allowed: Bitmap, first: number): boolean {
    const words = new Uint32Array(this.#exports.memory.buffer, this.#allowed, CHUNK / 32);
    let any = 0;
    for (let i = 0; i < words.length; i++) {
      words[i] = allowed.words[(first >> 5) + i] ?? 0;
      any |= words[i]!;
    }
    return any !== 0;
  }

  #select(
    from: number,
    n: number,
    first: number,
    room: number,
    filtered: boolean,
    threshold: number,
  ): number {
    return this.#exports.select_f32(
      this.#slots,
      this.#scores,
      this.#found,
      room,
      this.#estimates,
      from,
      n,
      first,
      filtered ? this.#allowed : 0,
      threshold,
    );
  }

  /** Keeps the best `depth` of what was found, in the order of slots; the worst of their scores.
   *  What comes later at that score ranks behind them, so only what exceeds it counts. */
  #keep(depth: number): number {
    const { buffer } = this.#exports.memory;
    const found = new Int32Array(buffer, this.#found, 1);
    const slots = new Uint32Array(buffer, this.#slots, found[0]!);
    const scores = new Float32Array(buffer, this.#scores, found[0]!);
    const worst = nthGreatest(scores.slice(), depth);
    let ties = depth;
    for (const score of scores) if (score > worst) ties--;
    let kept = 0;
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      if (score < worst || (score === worst && ties-- <= 0)) continue;
      scores[kept] = score;
      slots[kept++] = slots[i]!;
    }
    found[0] = kept;
    return worst;
  }

  #sorted(): Estimates {
    const { buffer } = this.#exports.memory;
    const [n] = new Int32Array(buffer, this.#found, 1);
    const slots = new Uint32Array(buffer, this.#slots, n);
    const scores = new Float32Array(buffer, this.#scores, n);
    const order = descending(scores);
    const best = {
      slots: new Uint32Array(order.length),
      estimates: new Float32Array(order.length),
    };
    for (let i = 0; i < order.length; i++) {
      best.slots[i] = slots[order[i]!]!;
      best.estimates[i] = scores[order[i]!]!;
    }
    return best;
  }

  #write(slot: number, codes: Uint8Array, from: number): void {
    const memory = this.#memory;
    const lane = slot % BLOCK;
    const block = this.#codes + ((slot - lane) / BLOCK) * this.#blockBytes;
    let at = block + lane;
    for (let j = 0; j < this.#signBytes; j++, at += BLOCK) memory[at] = codes[from + j]!;
    at = block + BLOCK * this.#signBytes + 4 * lane;
    for (let j = 0; j < 4; j++) memory[at + j] = codes[from + this.#signBytes + j]!;
  }

  /** Sixteen codes at once: what is written lies in one run. */
  #writeBlock(slot: number, codes: Uint8Array, from: number): void {
    const memory = this.#memory;
    const length = codeBytes(this.dim);
    let at = this.#codes + (slot / BLOCK) * this.#blockBytes;
    for (let j = 0; j < this.#signBytes; j++)
      for (let lane = 0, code = from + j; lane < BLOCK; lane++, code += length)
        memory[at++] = codes[code]!;
    for (let lane = 0, code = from + this.#signBytes; lane < BLOCK; lane++, code += length)
      for (let j = 0; j < 4; j++) memory[at++] = codes[code + j]!;
  }

  /** Grows by an eighth or more, so that adding one by one costs a constant share of copying. */
  #growTo(bytes: number): void {
    const { memory } = this.#exports;
    const held = memory.buffer.byteLength;
    if (bytes > held) {
      const wanted = Math.max(bytes, held + (held >> 3));
      try {
        memory.grow(Math.ceil((wanted - held) / PAGE_BYTES));
      } catch (cause) {
        throw new ServiceError("memory_full", `no room for ${bytes} bytes of codes`, { cause });
      }
    }
    this.#memory = new Uint8Array(memory.buffer);
  }
}

/** The places of at most 2^16 scores, greatest first; a tie goes to the first. Each score and place
 *  becomes one integer below 2^48, which the engine sorts natively: five times as fast as by a
 *  function that compares. */
function descending(scores: Float32Array): Uint32Array {
  const keys = new Float64Array(scores.length);
  const bits = new Int32Array(scores.buffer, scores.byteOffset, scores.length);
  for (let i = 0; i < keys.length; i++) {
    const value = bits[i]!;
    // The integers of negative numbers, but for the sign, rise where the numbers fall; -0 is 0.
    keys[i] = (value < 0 ? value ^ -0x8000_0000 : -value) * 65_536 + i;
  }
  keys.sort();
  const order = new Uint32Array(keys.length);
  for (let i = 0; i < order.length; i++)
    order[i] = keys[i]! - Math.floor(keys[i]! / 65_536) * 65_536;
  return order;
}

/** The value that exactly n - 1 others precede in descending order; reorders `values`. Hoare's
 *  selection (1961) around the middle value: linear for what arrives in any usual order. */
function nthGreatest(values: Float32Array, n: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i]! > pivot) i++;
      while (values[j]! < pivot) j--;
      if (i > j) break;
      const value = values[i]!;
      values[i++] = values[j]!;
      values[j--] = value;
    }
    if (n - 1 <= j) high = j;
    else if (n - 1 >= i) low = i;
    else break;
  }
  return values[n - 1]!;
}
