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

/** The bytes of a stream in order, as many at a time as are wanted. */
class ByteSource {
  /** Bytes handed out or skipped so far. */
  at = 0;
  private chunk: Uint8Array = new Uint8Array(0);
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.reader = stream.getReader();
  }

  /** Fills `into` as far as the stream goes; the number of bytes written. */
  async read(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      if (this.chunk.length === 0) {
        const { done, value } = await this.reader.read();
        if (done) break;
        this.chunk = value;
      }
      const part = this.chunk.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.chunk = this.chunk.subarray(part.length);
    }
    this.at += filled;
    return filled;
  }

  /** Puts bytes back in front of the rest; only what was read and not yet used. */
  unread(bytes: Uint8Array): void {
    const joined = new Uint8Array(bytes.length + this.chunk.length);
    joined.set(bytes);
    joined.set(this.chunk, bytes.length);
    this.chunk = joined;
    this.at -= bytes.length;
  }

  cancel(): Promise<void> {
    return this.reader.cancel();
  }
}

/** Parses when the bytes at hand suffice, and otherwise doubles them: at most twice the work of
 *  one parse, with no state to resume. */
async function readHeader(source: ByteSource): Promise<GgufHeader> {
  let bytes = new Uint8Array(GGUF_FIRST_READ_BYTES);
  let filled = 0;
  for (;;) {
    const wanted = bytes.length - filled;
    const got = await source.read(bytes.subarray(filled));
    filled += got;
    try {
      const header = parseHeader(bytes.subarray(0, filled));
      const rest = Math.min(header.dataOffset, filled);
      source.unread(bytes.subarray(rest, filled));
      return header;
    } catch (error) {
      if (!(error instanceof HeaderIncomplete)) throw error;
    }
    if (got < wanted) throw invalidModel(`the file ends inside its header, at byte ${filled}`);
    const grown = new Uint8Array(Math.min(2 * bytes.length, GGUF_HEADER_BYTES_MAX));
    grown.set(bytes);
    bytes = grown;
  }
}

/** A GGUF file being read. Its panels can be taken once; `cancel` releases the stream early. */
export class GgufStream {
  header: Readonly<GgufHeader>;
  private readonly source: ByteSource;
  private readonly panelBytes: number;

  private constructor(header: GgufHeader, source: ByteSource, panelBytes: number) {
    this.header = header;
    this.source = source;
    this.panelBytes = panelBytes;
  }

  /** Reads the header. Errors: invalid_model_file, with the stream cancelled. */
  static async open(
    stream: ReadableStream<Uint8Array>,
    panelBytes = GGUF_PANEL_BYTES,
  ): Promise<GgufStream> {
    const source = new ByteSource(stream);
    try {
      return new GgufStream(await readHeader(source), source, panelBytes);
    } catch (error) {
      await source.cancel().catch(() => {});
      throw error;
    }
  }

  /** Lets go of the metadata, which with a vocabulary of 50,000 tokens and their merges takes 20 MB
   *  of heap: whoever needed it has read it, and the weights are yet to come. */
  dropMetadata(): void {
    this.header = { ...this.header, metadata: new Map() };
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
