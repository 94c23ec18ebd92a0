/** The text that a page's bytes are, by the charset that they begin with, that the site says or
 *  that the page says of itself. */
import { Parser } from "htmlparser2";

/** How far into a page its meta element is looked for: as browsers do (HTML, 13.2.3.2). */
const PRESCAN_BYTES = 1_024;

const MARKS: [charset: string, mark: number[]][] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16be", [0xfe, 0xff]],
  ["utf-16le", [0xff, 0xfe]],
];

/** Without a byte order mark. `contentType` is the header's. A charset that nobody knows and bytes
 *  that are not of it are faults: they would be stored damaged. */
export function decodePage(
  bytes: Uint8Array,
  contentType: string,
  isHtml: boolean,
): { text: string } | { fault: string } {
  const [charset, whose] = charsetOf(bytes, contentType, isHtml);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: false });
  } catch {
    return { fault: `its charset ${charset}, which ${whose} names, is not known` };
  }
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    const named = whose === null ? "and it names no charset" : `which ${whose} names`;
    return { fault: `it is not ${charset}, ${named}` };
  }
}

/** And who names it; null: nobody does. */
function charsetOf(
  bytes: Uint8Array,
  contentType: string,
  isHtml: boolean,
): [charset: string, whose: string | null] {
  const begins = MARKS.find(([, mark]) => mark.every((byte, i) => bytes[i] === byte));
  if (begins !== undefined) return [begins[0], "its byte order mark"];
  const told = charsetIn(contentType);
  if (told !== null) return [told, "its header"];
  const meta = isHtml ? metaCharset(bytes.subarray(0, PRESCAN_BYTES)) : null;
  if (meta === null) return ["utf-8", null];
  // Whoever reads that as ASCII reads no UTF-16: the element is taken for UTF-8's.
  return [/^utf-16/i.test(meta) ? "utf-8" : meta, "its meta element"];
}

function charsetIn(contentType: string): string | null {
  return /charset\s*=\s*["']?([\w:.-]+)/i.exec(contentType)?.[1] ?? null;
}

/** `<meta charset=...>`, or `<meta http-equiv=content-type content="...; charset=...">`. */
function metaCharset(head: Uint8Array): string | null {
  let found: string | null = null;
  const parser = new Parser({
    onopentag(name, { charset, "http-equiv": field, content }) {
      if (name !== "meta") return;
      const typed = /^content-type$/i.test(field ?? "") ? charsetIn(content ?? "") : null;
      found ??= charset?.trim() || typed;
    },
  });
  parser.end(Buffer.from(head).toString("latin1"));
  return found;
}
