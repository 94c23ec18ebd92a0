/** One instance of wasm-kernels/ and its linear memory, as an arena. What the kernels are
 *  called with is checked by the classes that extend this one: `Kernels` for encoders,
 *  `DecoderKernels` for decoders. Offsets are bytes. A breach is a bug and throws (`assert`). */
import { assert } from "../errors.ts";
import { trackMemory } from "./linear-memory.ts";

type Kernel = (...args: number[]) => number;

const ARENA_START = 4096; // the module's own constants lie below
const PAGE_BYTES = 65536;
const GROWTH_BYTES_MIN = 1024 * 1024;

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly #bytesMax: number;
  readonly #kernels: Record<string, Kernel>;
  #top = ARENA_START;
  #peak = ARENA_START;

  /** Instantiates build/kernels.wasm with a memory of its own, which grows up to `bytesMax`. */
  protected constructor(module: WebAssembly.Module, bytesMax: number) {
    const { exports } = new WebAssembly.Instance(module, {});
    this.memory = exports.memory as WebAssembly.Memory;
    trackMemory(this.memory);
    this.#kernels = exports as unknown as Record<string, Kernel>;
    this.#bytesMax = bytesMax;
  }

  /** What linear memory may grow to. */
  get bytesMax(): number {
    return this.#bytesMax;
  }

  get bytesUsed(): number {
    return this.#top;
  }

  get bytesPeak(): number {
    return this.#peak;
  }

  /** Whether so many bytes can be had now. */
  hasRoom(bytes: number): boolean {
    return this.#top + Math.ceil(bytes / 16) * 16 <= this.#bytesMax;
  }

  /** Offset of `bytes` fresh bytes, 16-byte aligned, contents undefined; theirs until a release of
   *  an earlier mark. May grow memory: views made before are dead then. */
  alloc(bytes: number): number {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, `alloc of ${bytes} bytes`);
    const offset = this.#top;
    const top = offset + Math.ceil(bytes / 16) * 16;
    assert(
      this.hasRoom(bytes),
      `linear memory holds ${offset} bytes, ${bytes} more pass the limit of ${this.#bytesMax}`,
    );
    this.#grow(top);
    this.#top = top;
    this.#peak = Math.max(this.#peak, top);
    return offset;
  }

  /** Where the arena stands; `release` of it frees all that was allocated since. */
  mark(): number {
    return this.#top;
  }

  release(mark: number): void {
    assert(mark >= ARENA_START && mark <= this.#top, `release of ${mark} above ${this.#top}`);
    this.#top = mark;
  }

  f32(offset: number, length: number): Float32Array {
    this.range("f32 view", offset, length * 4);
    return new Float32Array(this.memory.buffer, offset, length);
  }

  i32(offset: number, length: number): Int32Array {
    this.range("i32 view", offset, length * 4);
    return new Int32Array(this.memory.buffer, offset, length);
  }

  i16(offset: number, length: number): Int16Array {
    this.range("i16 view", offset, length * 2);
    return new Int16Array(this.memory.buffer, offset, length);
  }

  i8(offset: number, length: number): Int8Array {
    this.range("i8 view", offset, length);
    return new Int8Array(this.memory.buffer, offset, length);
  }

  u8(offset: number, length: number): Uint8Array {
    this.range("u8 view", offset, length);
    return new Uint8Array(this.memory.buffer, offset, length);
  }

  /** Calls a kernel by its export's name. */
  protected call(name: string, ...args: number[]): number {
    return this.#kernels[name]!(...args);
  }

  #grow(top: number): void {
    const missing = top - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    const room = Math.max(missing, Math.min(GROWTH_BYTES_MIN, this.#bytesMax - top));
    this.memory.grow(Math.ceil(room / PAGE_BYTES));
  }

  /** Throws unless each size is a positive integer. */
  protected counts(what: string, ...counts: number[]): void {
    for (const count of counts)
      assert(Number.isInteger(count) && count > 0, `${what} got a size of ${count}`);
  }

  /** Throws unless `bytes` at `offset` are allocated. */
  protected range(what: string, offset: number, bytes: number): void {
    const fits = offset >= ARENA_START && offset + bytes <= this.#top;
    assert(fits && offset % 4 === 0, `${what}: ${bytes} bytes at ${offset} of ${this.#top}`);
  }
}
