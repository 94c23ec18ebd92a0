/** Files as the service takes them. Pure. */

const BATCH_LINES = 200;
const BATCH_CHARS = 512 * 1024;
/** The service's own bound of a line, in bytes. */
const LINE_CHARS_MAX = 4 * 1024 * 1024;

/** Whether a file has a document a line.
 * @param {string} name */
export function isLines(name) {
  return /\.(ndjson|jsonl)$/i.test(name);
}

/** @param {string} name */
export function contentTypeOf(name) {
  if (/\.(md|markdown)$/i.test(name)) return "text/markdown";
  return /\.html?$/i.test(name) ? "text/html" : "text/plain";
}

/** Whole lines in parts of BATCH_LINES or about BATCH_CHARS, in bounded memory. `size` is in bytes;
 *  `before` counts the documents of earlier parts. Throws where a line has no end in sight.
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<{ text: string, size: number, before: number }, void, void>} */
export async function* batchesOf(stream) {
  /** @type {string[]} */
  let lines = [];
  let [chars, before] = [0, 0];
  const encoder = new TextEncoder();
  const take = () => {
    const text = lines.join("\n");
    const documents = lines.filter((line) => line.trim() !== "").length;
    const batch = { text, size: encoder.encode(text).length + 1, before };
    before += documents;
    [lines, chars] = [[], 0];
    return documents === 0 ? null : batch;
  };
  for await (const line of linesOf(stream)) {
    lines.push(line);
    chars += line.length;
    if (lines.length < BATCH_LINES && chars < BATCH_CHARS) continue;
    const batch = take();
    if (batch !== null) yield batch;
  }
  const last = take();
  if (last !== null) yield last;
}

/** @param {ReadableStream<Uint8Array>} stream
 *  @returns {AsyncGenerator<string, void, void>} */
async function* linesOf(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
      if (rest.length > LINE_CHARS_MAX) throw new Error("a line has more than 4 MiB");
      if (!done) continue;
      if (rest !== "") yield rest;
      return;
    }
  } finally {
    await reader.cancel().catch(() => {}); // the file may have become unreadable
  }
}
