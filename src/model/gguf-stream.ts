/** Streams a GGUF file: the header first, then every tensor in the file's order as panels of whole
 *  rows, through one small staging buffer. No tensor is ever held whole. */
import { GGUF_HEADER_BYTES_MAX, GGUF_PANEL_BYTES } from "../limits.ts";
import {
  type GgufHeader,
  HeaderIncomplete,
  invalidModel,
  parseHeader,
  type TensorInfo,
} from "./gguf.ts";

/** The headers of encoders, 0.7 MB with their vocabulary, are parsed once. */
const GGUF_FIRST_READ_BYTES = 1024 * 1024;

/** Consecutive rows of a tensor as they lie in the file, valid until the next panel is taken. */
export interface Panel {
  readonly tensor: TensorInfo;
  readonly row: number;
  readonly rows: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const NOTHING = new Uint8Array(0);

/** What a byte stream is read into, again and again. */
const READ_BYTES = 64 * 1024;

/** The bytes of a stream in order, as many at a time as are wanted. A byte stream, which the
 *  runtime's own are, is read into one buffer: with a fresh one for each read, 30 MB of them were
 *  seen to wait for the collector beside a model that fills the isolate. */
class ByteSource {
  /** Bytes handed out or skipped so far. */
  at = 0;
  private before: Uint8Array<ArrayBuffer> = NOTHING;
  private chunk: Uint8Array = NOTHING;
  private ended = false;
  private buffer: ArrayBufferLike = new ArrayBuffer(READ_BYTES);
  private readonly reader: ReadableStreamBYOBReader | null;
  private readonly plain: ReadableStreamDefaultReader<Uint8Array> | null;
  private readonly onRead: () => void;

  constructor(stream: ReadableStream<Uint8Array>, onRead: () => void) {
    this.onRead = onRead;
    this.reader = byteReader(stream);
    this.plain = this.reader === null ? stream.getReader() : null;
  }

  /** Fills `into` as far as the stream goes; the number of bytes written. */
  async read(into: Uint8Array): Promise<number> {
    let filled = Math.min(into.length, this.before.length);
    into.set(this.before.subarray(0, filled));
    if (filled < this.before.length) this.before = this.before.subarray(filled);
    else this.dropBefore();
    while (filled < into.length) {
      if (this.chunk.length === 0 && !(await this.next())) break;
      const part = this.chunk.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.chunk = this.chunk.subarray(part.length);
    }
    this.at += filled;
    return filled;
  }

  /** Lets go of the memory at once, where the collector would come for it after the weights. */
  private dropBefore(): void {
    if (this.before !== NOTHING) this.before.buffer.transfer(0);
    this.before = NOTHING;
  }

  /** Takes the next chunk; false at the end. The last one must be used up. */
  private async next(): Promise<boolean> {
    if (this.ended) return false;
    const { done, value } =
      this.reader === null
        ? await this.plain!.read()
        : await this.reader.read(new Uint8Array(this.buffer as ArrayBuffer));
    this.onRead();
    this.ended = done || value === undefined;
    if (done || value === undefined) return false; // the buffer is gone with the last read
    if (this.reader !== null) this.buffer = value.buffer;
    this.chunk = value;
    return true;
  }

  /** Puts bytes back in front of the rest; only what was read and not yet used, and once. Their
   *  buffer is the source's from now on. */
  unread(bytes: Uint8Array<ArrayBuffer>): void {
    this.before = bytes;
    this.at -= bytes.length;
  }

  cancel(): Promise<void> {
    return (this.reader ?? this.plain!).cancel();
  }
}

/** Null for a stream of values, which has no such reader. */
function byteReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}

/** Parses when the bytes at hand suffice, and otherwise reads a quarter more of them: each parse
 *  begins anew, which takes less time than what it saves in memory is worth. */
async function readHeader(source: ByteSource) {
  let bytes = new Uint8Array(GGUF_FIRST_READ_BYTES);
  let filled = 0;
  for (;;) {
    const wanted = bytes.length - filled;
    const got = await source.read(bytes.subarray(filled));
    filled += got;
    try {
      const header = parseHeader(bytes.subarray(0, filled));
      const rest = Math.min(header.dataOffset, filled);
      source.unread(bytes.slice(rest, filled));
      return { header, bytes };
    } catch (error) {
      if (!(error instanceof HeaderIncomplete)) throw error;
    }
    if (got < wanted) throw invalidModel(`the file ends inside its header, at byte ${filled}`);
    const length = Math.min(Math.ceil(1.25 * bytes.length), GGUF_HEADER_BYTES_MAX);
    bytes = new Uint8Array(bytes.buffer.transfer(length)); // a copy would leave the smaller one
  }
}

/** A GGUF file being read. Its panels can be taken once; `cancel` releases the stream early. */
export class GgufStream {
  header: Readonly<GgufHeader>;
  private readonly source: ByteSource;
  private readonly panelBytes: number;

  private headerBytes: Uint8Array<ArrayBuffer> | null;

  private constructor(
    { header, bytes }: { header: GgufHeader; bytes: Uint8Array<ArrayBuffer> },
    source: ByteSource,
    panelBytes: number,
  ) {
    this.header = header;
    this.headerBytes = bytes;
    this.source = source;
    this.panelBytes = panelBytes;
  }

  /** Reads the header. `onRead` is called at each read, then and later; what it throws is thrown.
   *  Errors: invalid_model_file, with the stream cancelled. */
  static async open(
    stream: ReadableStream<Uint8Array>,
    panelBytes = GGUF_PANEL_BYTES,
    onRead: () => void = () => {},
  ): Promise<GgufStream> {
    const source = new ByteSource(stream, onRead);
    try {
      return new GgufStream(await readHeader(source), source, panelBytes);
    } catch (error) {
      await source.cancel().catch(() => {});
      throw error;
    }
  }

  /** Lets go of the metadata, and of the header's bytes at once, in which the strings of a long
   *  array lie: whoever needed them has read them, and the weights are yet to come. */
  dropMetadata(): void {
    this.header = { ...this.header, metadata: new Map(), fieldSpans: new Map() };
    this.headerBytes?.buffer.transfer(0);
    this.headerBytes = null;
  }

  /** Every row of every tensor, in the file's order, `panelBytes` or fewer at a time; a tensor's
   *  panels but its last hold a multiple of `rowMultiple` rows. Errors: invalid_model_file for a
   *  file that ends early or late, or a row that no panel can hold. */
  async *panels(rowMultiple = 1): AsyncGenerator<Panel, void, void> {
    const staging = new Uint8Array(this.panelBytes);
    try {
      for (const tensor of this.header.tensors) {
        const fitting = Math.floor(staging.length / tensor.rowBytes / rowMultiple) * rowMultiple;
        if (fitting === 0)
          throw invalidModel(
            `tensor ${tensor.name} has rows of ${tensor.rowBytes} bytes, the limit is ` +
              `${Math.floor(staging.length / rowMultiple)}`,
          );
        await this.skipTo(this.header.dataOffset + tensor.offset, staging);
        for (let row = 0; row < tensor.rows; row += fitting) {
          const rows = Math.min(fitting, tensor.rows - row);
          const bytes = staging.subarray(0, rows * tensor.rowBytes);
          if ((await this.source.read(bytes)) < bytes.length)
            throw invalidModel(
              `the file ends at byte ${this.source.at}, inside tensor ${tensor.name}`,
            );
          yield { tensor, row, rows, bytes };
        }
      }
      await this.expectEnd(staging);
    } finally {
      await this.cancel();
    }
  }

  /** Releases the stream. */
  async cancel(): Promise<void> {
    await this.source.cancel().catch(() => {});
  }

  /** Passes the padding in front of a tensor, which the header bounds by the alignment. */
  private async skipTo(offset: number, staging: Uint8Array): Promise<void> {
    while (this.source.at < offset) {
      const got = await this.source.read(
        staging.subarray(0, Math.min(staging.length, offset - this.source.at)),
      );
      if (got === 0)
        throw invalidModel(`the file ends at byte ${this.source.at}, before its data ends`);
    }
  }

  private async expectEnd(staging: Uint8Array): Promise<void> {
    const { alignment, endOffset } = this.header;
    const paddedEnd = Math.ceil(endOffset / alignment) * alignment;
    await this.source.read(staging.subarray(0, Math.max(0, paddedEnd - this.source.at)));
    if (this.source.at < endOffset)
      throw invalidModel(`the file ends at byte ${this.source.at}, before its data ends`);
    if ((await this.source.read(staging.subarray(0, 1))) > 0)
      throw invalidModel(`the file goes on after byte ${paddedEnd}, where its last tensor ends`);
  }
}
