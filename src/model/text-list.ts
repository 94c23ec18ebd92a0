/** Many texts at the cost of their bytes. A vocabulary as 100,000 strings makes the heap grow by
 *  8 MB beside a model that fills the isolate, and they are read but two or three times. */

/** Texts in order; an array of strings is one. */
export interface TextList extends Iterable<string> {
  readonly length: number;
  at(i: number): string | undefined;
  entries(): IterableIterator<[number, string]>;
}

/** Texts that stay bytes, UTF-8, until they are asked for. `decode` gives a text or throws. */
export class PackedTexts implements TextList {
  readonly length: number;
  private readonly bytes: Uint8Array;
  private readonly starts: Uint32Array;
  private readonly ends: Uint32Array;
  private readonly decode: (bytes: Uint8Array, at: number) => string;

  /** Text i is bytes[starts[i]..ends[i]); the bytes must stay as they are. */
  constructor(
    bytes: Uint8Array,
    starts: Uint32Array,
    ends: Uint32Array,
    decode: (bytes: Uint8Array, at: number) => string,
  ) {
    this.length = starts.length;
    this.bytes = bytes;
    this.starts = starts;
    this.ends = ends;
    this.decode = decode;
  }

  at(i: number): string | undefined {
    if (i >= this.length) return undefined;
    const start = this.starts[i]!;
    return this.decode(this.bytes.subarray(start, this.ends[i]), start);
  }

  *entries(): IterableIterator<[number, string]> {
    for (let i = 0; i < this.length; i++) yield [i, this.at(i)!];
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!;
  }
}
