/** Web pages as documents: the addresses that were named and, on request, those that they link to
 *  on the same origin. One request at a time, within robots.txt, with pauses. */
import { setTimeout as wait } from "node:timers/promises";
import { Parser } from "htmlparser2";
import robotsParser from "robots-parser";
import { DOCUMENT_LINE_BYTES_MAX } from "../src/limits.ts";
import { decodePage } from "./ingest-charset.ts";
import { fault, type Item, jsonItems, lineItems, textItem } from "./ingest-item.ts";
import {
  CLI_FILE_BYTES_MAX,
  CLI_PAGE_MS_MAX,
  CLI_PAGE_PAUSE_MS_MAX,
  CLI_PAGES_MAX,
  CLI_ROBOTS_BYTES_MAX,
} from "./limits.ts";
import { fetchAlong, leadsInward, leavesOrigin, RedirectRefusal } from "./redirects.ts";

const AGENT = "brink-ingest";

export interface CrawlOptions {
  /** How many links away from the first page; 0: that page alone. */
  depth: number;
  pagesMax: number;
  /** Between two requests, in ms, unless robots.txt asks for more. */
  pauseMs: number;
  prefix: string;
}

/** What a crawl could not take, for whoever asked for it. */
export interface CrawlNotes {
  /** Addresses that were linked to beyond `pagesMax`; CLI_PAGES_MAX of a crawl are counted. */
  linksLeftOut: number;
  /** Why no links of a page that was named were followed. */
  remarks: string[];
}

interface Page {
  url: string;
  depth: number;
}

/** The documents of the page at `start` and of those that it leads to, nearest first. Adds to
 *  `notes` as it ends. */
export async function* webItems(
  start: string,
  options: CrawlOptions,
  notes: CrawlNotes,
): AsyncGenerator<Item> {
  const first = addressOf(start, start)!;
  const { origin } = new URL(first);
  const { robots, refused } = options.depth > 0 ? await fetchRobots(origin) : ALLOWED;
  const pauseMs = Math.min(
    Math.max(options.pauseMs, 1000 * (robots?.getCrawlDelay(AGENT) ?? 0)),
    CLI_PAGE_PAUSE_MS_MAX,
  );
  const queue: Page[] = [{ url: first, depth: 0 }];
  const seen = new Set([first]);
  const leftOut = new Set<string>();
  for (let fetched = 0; queue.length > 0; fetched++) {
    const page = queue.shift()!;
    if (fetched > 0) await wait(pauseMs);
    const reply = await fetchPage(page);
    if (reply === null) continue;
    if ("fault" in reply) {
      yield fault(page.url, reply.fault);
      continue;
    }
    seen.add(reply.url);
    const links = reply.type === "text/html" ? readLinks(reply) : { index: true, links: [] };
    const named = page.depth === 0 && new URL(reply.url).origin === origin;
    if (links.index || page.depth === 0) yield* pageItems(reply, options.prefix, named);
    if (page.depth >= options.depth) continue;
    if (page.depth === 0 && links.links.length > 0) {
      const elsewhere = `it leads to ${reply.url}: name that to follow its links`;
      const why = new URL(reply.url).origin === origin ? refused : elsewhere;
      if (why !== null) notes.remarks.push(`${first}: ${why}`);
    }
    for (const url of links.links) {
      if (seen.has(url) || new URL(url).origin !== origin) continue;
      if (robots?.isDisallowed(url, AGENT)) continue;
      if (fetched + 1 + queue.length < options.pagesMax) {
        seen.add(url);
        queue.push({ url, depth: page.depth + 1 });
      } else if (leftOut.size < CLI_PAGES_MAX) leftOut.add(url);
    }
  }
  notes.linksLeftOut += leftOut.difference(seen).size; // what redirected there was read
}

interface Fetched {
  /** After redirects, without its fragment. */
  url: string;
  type: string;
  text: string;
  bytes: number;
}

const READ: Record<string, string> = {
  "text/html": "text/html",
  "application/xhtml+xml": "text/html",
  "text/markdown": "text/markdown",
  "text/x-markdown": "text/markdown",
  "text/plain": "text/plain",
  "application/json": "json",
  "application/x-ndjson": "lines",
  "application/ndjson": "lines",
  "application/jsonl": "lines",
};

/** Null: it is a linked page, and led to another origin, which is as little followed as a link. */
async function fetchPage({ url, depth }: Page): Promise<Fetched | { fault: string } | null> {
  try {
    const init = {
      headers: { "user-agent": AGENT, accept: `${Object.keys(READ).join(", ")};q=0.9` },
      signal: AbortSignal.timeout(CLI_PAGE_MS_MAX),
    };
    const reached = await fetchAlong(url, init, depth === 0 ? leadsInward : leavesOrigin);
    const { response } = reached;
    const header = response.headers.get("content-type") ?? "";
    const [type = ""] = header.toLowerCase().split(";");
    const kind = READ[type.trim()];
    if (!response.ok || kind === undefined) {
      await response.body?.cancel();
      if (!response.ok) return { fault: `the site answered ${response.status}` };
      return { fault: `it is ${type.trim() || "of no type"}, which is not read` };
    }
    const { bytes, whole } = await readBody(response, CLI_FILE_BYTES_MAX);
    if (!whole) return { fault: `it has more than ${CLI_FILE_BYTES_MAX} bytes` };
    const decoded = decodePage(bytes, header, kind === "text/html");
    if ("fault" in decoded) return decoded;
    const final = addressOf(reached.url, url)!;
    // Markdown is often served as plain text.
    const named = kind === "text/plain" && /\.(md|markdown)$/i.test(new URL(final).pathname);
    return {
      url: final,
      type: named ? "text/markdown" : kind,
      text: decoded.text,
      bytes: bytes.length,
    };
  } catch (error) {
    if (depth > 0 && error instanceof RedirectRefusal) return null;
    return { fault: `it cannot be fetched: ${causeOf(error)}` };
  }
}

/** Of what was thrown, which is an AggregateError without a message where a host has several
 *  addresses. */
function causeOf(error: unknown): string {
  const { message, code, name } = error as NodeJS.ErrnoException;
  return message || code || name;
}

/** The body, or its first `bytesMax` bytes where it is not `whole` with them. */
async function readBody(
  response: Response,
  bytesMax: number,
): Promise<{ bytes: Uint8Array; whole: boolean }> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    bytes += part.length;
    if (bytes > bytesMax) break; // leaving the loop cancels the body
  }
  const all = Buffer.concat(parts);
  return { bytes: all.subarray(0, bytesMax), whole: bytes <= bytesMax };
}

/** A page as a document, its id its address. Documents that a page holds have the ids that it
 *  gives them, and so replace whichever they like: only where it is the page that was `named`. */
async function* pageItems(page: Fetched, prefix: string, named: boolean): AsyncGenerator<Item> {
  const { url, type, text, bytes } = page;
  if (!named && (type === "json" || type === "lines"))
    yield fault(url, "it is JSON, whose documents are read only where its own address is named");
  else if (type === "json") yield* jsonItems(url, text, bytes);
  else if (type === "lines")
    yield* lineItems(url, once(Buffer.from(text)), DOCUMENT_LINE_BYTES_MAX);
  else {
    const kind = type as "text/plain" | "text/markdown" | "text/html";
    yield textItem(url, `${prefix}${url}`, text, kind, { url }, bytes);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What a page links to, and whether it wants to be kept: as its robots meta element and the links'
 *  rel say. */
function readLinks({ url, text }: Fetched): { index: boolean; links: string[] } {
  let [index, follow, base] = [true, true, url];
  const links: string[] = [];
  const parser = new Parser({
    onopentag(name, { href, rel, name: meta, content }) {
      if (name === "base" && href) base = URL.parse(href, url)?.href ?? base;
      if (name === "meta" && meta?.toLowerCase() === "robots") {
        index &&= !/\b(noindex|none)\b/i.test(content ?? "");
        follow &&= !/\b(nofollow|none)\b/i.test(content ?? "");
      }
      if (name !== "a" || !href || /\bnofollow\b/i.test(rel ?? "")) return;
      const link = addressOf(href, base);
      if (link !== null) links.push(link);
    },
  });
  parser.end(text);
  return { index, links: follow ? links : [] };
}

/** The address in one form, without fragment; null where it is no http or https one. */
export function addressOf(href: string, base: string): string | null {
  const url = URL.parse(href, base);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  url.hash = "";
  return url.href;
}

interface Robots {
  /** Null: the site has none, and all may be read. */
  robots: ReturnType<typeof robotsParser> | null;
  /** Why nothing may be read, where the site's rules do not say so; null otherwise. */
  refused: string | null;
}

const ALLOWED: Robots = { robots: null, refused: null };

/** One that cannot be reached, or that the site fails at, means that nothing may be read, and one
 *  that is not there (400 to 499) that all may (RFC 9309, 2.3.1.3 and 2.3.1.4). What one at another
 *  origin says stays unknown. */
async function fetchRobots(origin: string): Promise<Robots> {
  const url = `${origin}/robots.txt`;
  const refuse = (why: string) => ({
    robots: robotsParser(url, "User-agent: *\nDisallow: /"),
    refused: `no links were followed: ${url}: ${why}`,
  });
  try {
    const init = {
      headers: { "user-agent": AGENT },
      signal: AbortSignal.timeout(CLI_PAGE_MS_MAX),
    };
    const { response } = await fetchAlong(url, init, leavesOrigin);
    if (response.status >= 500) return refuse(`the site answered ${response.status}`);
    if (!response.ok) {
      await response.body?.cancel();
      return ALLOWED;
    }
    const { bytes, whole } = await readBody(response, CLI_ROBOTS_BYTES_MAX);
    const rules = whole ? bytes : bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1); // no half rule
    return { robots: robotsParser(url, new TextDecoder().decode(rules)), refused: null };
  } catch (error) {
    if (error instanceof RedirectRefusal) return refuse(error.message);
    return refuse(`it cannot be fetched: ${causeOf(error)}`);
  }
}
