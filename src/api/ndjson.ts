/** A body of NDJSON, line by line as it comes: of any length, in bounded memory. */
import { GatheredBytes } from "../../index/bytes.ts";
import { ServiceError } from "../errors.ts";
import { BODY_DRAIN_BYTES_MAX, DOCUMENT_LINE_BYTES_MAX } from "../limits.ts";
import { refuseCompressed } from "./body.ts";
import { received } from "./client-left.ts";
import type { ApiContext } from "./context.ts";

/** One line without its end. */
export interface Line {
  /** Null where the line cannot be read; `fault` then says why. */
  text: string | null;
  fault: ServiceError | null;
  /** In the body, with the line feed, which the last line may lack. */
  bytes: number;
}

const LINE_FEED = 10;

/** The lines of the request's body; see `linesOf`. Throws `unsupported_media_type` for a compressed
 *  body. */
export function readLines(c: ApiContext): AsyncGenerator<Line[], void, void> {
  refuseCompressed(c);
  return linesOf(c.req.raw.body);
}

/** The lines in order, in groups as they come. A line above DOCUMENT_LINE_BYTES_MAX
 *  (`body_too_large`) and one that is not UTF-8 (`invalid_json`) is a fault of its own and holds up
 *  no other. Nothing is read ahead of what is asked for, so that a slow reader slows the sender; a
 *  reader that stops early leaves a body that is read to its end or to BODY_DRAIN_BYTES_MAX, so
 *  that the sender sees the reply. */
export async function* linesOf(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Line[], void, void> {
  if (body === null) return;
  const reader = body.getReader();
  const open = new OpenLine();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await received(reader.read());
      ended = done;
      if (done) break;
      const lines = open.take(value);
      if (lines.length > 0) yield lines;
    }
    const last = open.close(0);
    if (last.bytes > 0) yield [last];
  } finally {
    if (!ended) await drain(reader);
  }
}

/** The line that is being read. */
class OpenLine {
  readonly #gathered = new GatheredBytes();
  #bytes = 0;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

  /** Adds what came; the lines that end in it. */
  take(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, at);
      if (end === -1) break;
      this.#add(chunk.subarray(at, end));
      lines.push(this.close(1));
      at = end + 1;
    }
    if (at < chunk.length) this.#add(chunk.subarray(at));
    return lines;
  }

  /** What is beyond the bound is counted and not kept. */
  #add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes <= DOCUMENT_LINE_BYTES_MAX) this.#gathered.append(part);
  }

  close(endBytes: number): Line {
    const bytes = this.#bytes;
    this.#bytes = 0;
    const line = this.#gathered.bytes;
    this.#gathered.clear();
    const read = { bytes: bytes + endBytes, fault: null, text: null };
    if (bytes > DOCUMENT_LINE_BYTES_MAX) {
      const message = `a line may have ${DOCUMENT_LINE_BYTES_MAX} bytes at most`;
      return { ...read, fault: new ServiceError("body_too_large", message) };
    }
    try {
      return { ...read, text: this.#decoder.decode(line) };
    } catch (cause) {
      const fault = new ServiceError("invalid_json", "the line is not valid UTF-8", { cause });
      return { ...read, fault };
    }
  }
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let left = BODY_DRAIN_BYTES_MAX;
  try {
    while (left > 0) {
      const { done, value } = await reader.read();
      if (done) return;
      left -= value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The sender went away, which is as good as the end.
  }
}
