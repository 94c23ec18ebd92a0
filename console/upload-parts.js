/** Files as the service takes them. Pure. */

const BATCH_LINES = 200;
const BATCH_CHARS = 512 * 1024;
/** The service's own bound of a line. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
const LINE_END = 0x0a;

/** What the names of files that are taken end in. */
export const ENDINGS = [
  ...[".md", ".markdown", ".txt", ".text", ".html", ".htm", ".ndjson", ".jsonl"],
];

/** Why a file is not sent, and what to do about it. */
export class UnfitFile extends Error {}

/** Throws UnfitFile where the name ends in none of those that are taken: a list of files to choose
 *  from holds to them, and a file that is dropped does not.
 * @param {string} name */
export function checkName(name) {
  if (ENDINGS.some((ending) => name.toLowerCase().endsWith(ending))) return;
  throw new UnfitFile(
    `${name} is not taken: its name ends in none of ${ENDINGS.join(", ")}. ` +
      "Save its text as one of these, and send that.",
  );
}

/** The bytes as text, without a byte order mark. Throws UnfitFile where they are not UTF-8: with
 *  replacement characters in its letters' place a text would be stored damaged.
 * @param {ArrayBuffer | Uint8Array<ArrayBuffer>} bytes
 * @param {string} name of what they are */
export function textOf(bytes, name) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const advice = "Save the file anew with the encoding UTF-8, and send that.";
    throw new UnfitFile(`${name} is not UTF-8. ${advice}`, { cause });
  }
}

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
 *  `before` counts the documents of earlier parts. Throws where a line has no end in sight, and
 *  UnfitFile at one that is not UTF-8, after what stands before it.
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
  /** @type {unknown} */
  let fault = null;
  try {
    for await (const line of linesOf(stream)) {
      lines.push(line);
      chars += line.length;
      if (lines.length < BATCH_LINES && chars < BATCH_CHARS) continue;
      const batch = take();
      if (batch !== null) yield batch;
    }
  } catch (error) {
    if (!(error instanceof UnfitFile)) throw error;
    fault = error;
  }
  const last = take();
  if (last !== null) yield last;
  if (fault !== null) throw fault;
}

/** Cut at the line ends' bytes before they are read as text: a line that is not UTF-8 is known by
 *  its number, and none before it is lost.
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<string, void, void>} */
async function* linesOf(stream) {
  const reader = stream.getReader();
  let number = 0;
  let rest = new Uint8Array();
  const read = (/** @type {Uint8Array<ArrayBuffer>} */ line) => textOf(line, `line ${++number}`);
  try {
    for (;;) {
      const { done, value = new Uint8Array() } = await reader.read();
      const cuts = cutLines(value);
      const last = cuts.pop() ?? value;
      for (const line of cuts) {
        yield read(joined(rest, line));
        rest = new Uint8Array();
      }
      rest = joined(rest, last);
      if (rest.length > LINE_BYTES_MAX) throw new Error("a line has more than 4 MiB");
      if (!done) continue;
      if (rest.length > 0) yield read(rest);
      return;
    }
  } finally {
    await reader.cancel().catch(() => {}); // the file may have become unreadable
  }
}

/** Its whole lines, without their ends, and what follows the last of these.
 * @param {Uint8Array} bytes */
function cutLines(bytes) {
  const lines = [];
  let from = 0;
  for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, from)) {
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return [...lines, bytes.subarray(from)];
}

/** @param {Uint8Array} before
 *  @param {Uint8Array} after */
function joined(before, after) {
  const both = new Uint8Array(before.length + after.length);
  both.set(before);
  both.set(after, before.length);
  return both;
}
