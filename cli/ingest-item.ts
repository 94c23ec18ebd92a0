/** What an ingest sends, a line of NDJSON each, whatever it was read from. */
import { cutText } from "../index/cut.ts";
import { markdownBlocks } from "../index/markdown-blocks.ts";
import { TITLE_CHARS_MAX } from "../src/limits.ts";

/** A document on its way, or why there is none. */
export interface Item {
  /** Where it is from, as an error names it: a file, a file and its line, an address. */
  source: string;
  /** One JSON document without a line end; null: it cannot be sent, and `fault` says why. */
  line: string | null;
  fault: string | null;
  /** Of the source, read up to the end of this item: for the progress. */
  bytes: number;
}

export type TextType = "text/plain" | "text/markdown" | "text/html";

export function fault(source: string, why: string, bytes = 0): Item {
  return { source, line: null, fault: why, bytes };
}

/** Text as its bytes say, without a byte order mark. Throws TypeError where they are not UTF-8. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
}

/** A text as one document. A Markdown text's title is its first heading; a page's title the service
 *  reads. */
export function textItem(
  source: string,
  id: string,
  text: string,
  type: TextType,
  metadata: Record<string, string>,
  bytes: number,
): Item {
  if (text.trim() === "") return fault(source, "it is empty", bytes);
  const title = type === "text/markdown" ? firstHeading(text) : undefined;
  const content_type = type === "text/plain" ? undefined : type;
  const line = JSON.stringify({ id, title, text, content_type, metadata });
  return { source, line, fault: null, bytes };
}

function firstHeading(text: string): string | undefined {
  const heading = markdownBlocks(text).sections[0]?.heading_path.at(-1);
  return heading ? cutText(heading, TITLE_CHARS_MAX) : undefined;
}

/** The documents of a JSON text: an array of them, `{"documents": [...]}`, or one. */
export function* jsonItems(source: string, text: string, bytes: number): Generator<Item> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    yield fault(source, `it is not JSON: ${(error as Error).message}`, bytes);
    return;
  }
  const inner = (value as { documents?: unknown } | null)?.documents;
  const documents = Array.isArray(value) ? value : Array.isArray(inner) ? inner : [value];
  for (const [i, document] of documents.entries()) {
    const line = JSON.stringify(document);
    const name = documents.length === 1 ? source : `${source}: document ${i}`;
    yield {
      source: name,
      line,
      fault: null,
      bytes: Math.round((bytes * (i + 1)) / documents.length),
    };
  }
}

/** The lines of NDJSON that are not blank. `chunks` are bytes as they come. */
export async function* lineItems(
  source: string,
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<Item> {
  let [number, bytes, held] = [0, 0, 0];
  let parts: Uint8Array[] = [];
  const take = (): Item | null => {
    number++;
    const name = `${source}:${number}`;
    const length = held;
    const line = Buffer.concat(parts);
    parts = [];
    held = 0;
    if (length > lineBytesMax)
      return fault(name, `the line has more than ${lineBytesMax} bytes`, bytes);
    try {
      const text = decode(line).trim();
      return text === "" ? null : { source: name, line: text, fault: null, bytes };
    } catch {
      return fault(name, "the line is not UTF-8", bytes);
    }
  };
  const hold = (part: Uint8Array) => {
    held += part.length;
    bytes += part.length;
    if (held <= lineBytesMax) parts.push(part);
    else parts = []; // counted on, but not kept
  };
  for await (const chunk of chunks) {
    let at = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, at)) {
      hold(chunk.subarray(at, end));
      bytes++;
      at = end + 1;
      const item = take();
      if (item !== null) yield item;
    }
    if (at < chunk.length) hold(chunk.subarray(at));
  }
  if (held > 0) {
    const item = take();
    if (item !== null) yield item;
  }
}
