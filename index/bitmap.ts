/** A set of small integers, one bit each: which slots are alive, or pass a filter. */
export class Bitmap {
  /** Bit i is bit i % 32 of word i / 32; bits at `size` and beyond are 0. */
  readonly words: Uint32Array;
  readonly size: number;

  constructor(size: number) {
    this.size = size;
    this.words = new Uint32Array(Math.ceil(size / 32));
  }

  static full(size: number): Bitmap {
    return new Bitmap(size).invert();
  }

  has(i: number): boolean {
    return i < this.size && ((this.words[i >>> 5]! >>> (i & 31)) & 1) === 1;
  }

  add(i: number): void {
    if (i >= this.size) throw new RangeError(`bit ${i} of ${this.size}`);
    this.words[i >>> 5]! |= 1 << (i & 31);
  }

  delete(i: number): void {
    if (i < this.size) this.words[i >>> 5]! &= ~(1 << (i & 31));
  }

  /** Keeps what both have; this bitmap. */
  and(other: Bitmap): this {
    for (let i = 0; i < this.words.length; i++) this.words[i]! &= other.words[i] ?? 0;
    return this;
  }

  /** Adds what the other has, which is no larger; this bitmap. */
  or(other: Bitmap): this {
    for (let i = 0; i < other.words.length; i++) this.words[i]! |= other.words[i]!;
    return this;
  }

  /** Turns every bit over; this bitmap. */
  invert(): this {
    for (let i = 0; i < this.words.length; i++) this.words[i] = ~this.words[i]!;
    const rest = this.size & 31;
    if (rest > 0) this.words[this.words.length - 1]! &= (1 << rest) - 1;
    return this;
  }

  /** A copy with room for `size` bits, at least as many as now. */
  resized(size: number): Bitmap {
    const copy = new Bitmap(size);
    copy.words.set(this.words);
    return copy;
  }

  /** How many bits are set. */
  count(): number {
    let n = 0;
    for (let word of this.words) for (; word !== 0; word &= word - 1) n++;
    return n;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.words.length; i++)
      for (let word = this.words[i]!; word !== 0; word &= word - 1)
        yield i * 32 + 31 - Math.clz32(word & -word);
  }
}
