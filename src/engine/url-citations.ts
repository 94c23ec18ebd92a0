/** The web pages that a backend's model says it drew on. */
import { cutText } from "../../index/cut.ts";
import { ANNOTATIONS_MAX, BACKEND_TEXT_CHARS_MAX } from "../limits.ts";
import type { UrlCitation } from "./engine.ts";

/** OpenAI's `annotations` of a message, in their order, the first ANNOTATIONS_MAX: those of type
 *  `url_citation` that a client can show. Others have no place in OpenAI's shape, and one whose
 *  address is no web page's would be a link that does something else. */
export function readCitations(value: unknown): UrlCitation[] {
  if (!Array.isArray(value)) return [];
  const read = value.slice(0, ANNOTATIONS_MAX).map(readCitation);
  return read.filter((one) => one !== null);
}

function readCitation(value: unknown): UrlCitation | null {
  const { type, url_citation } = fields(value);
  const { url, title, start_index, end_index } = fields(url_citation);
  if (type !== "url_citation" || typeof url !== "string") return null;
  if (url.length > BACKEND_TEXT_CHARS_MAX || !/^https?:\/\/\S+$/i.test(url)) return null;
  if (!isPlace(start_index) || !isPlace(end_index) || end_index < start_index) return null;
  const named = typeof title === "string" ? cutText(title, BACKEND_TEXT_CHARS_MAX) : "";
  return { url, title: named, start_index, end_index };
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
