/** What a document is, in one hash: by it a document that comes again is known to be the same. */
import { createHash } from "node:crypto";
import type { PreparedDocument } from "./types.ts";

/** What a caller says of a document beside its id and its time. */
export type DocumentContent = Pick<
  PreparedDocument,
  "text" | "title" | "metadata" | "expires_at" | "content_type"
>;

/** SHA-256, 64 lower-case hexadecimal digits, of the content and of the vector that the caller
 *  brought, i8 [dim], or null where none was. The order of metadata's fields does not count. The
 *  vector counts as it is stored, so that a document that is exported has the digest of the one
 *  that came in. O(size), synchronous: the platform's own hash takes microseconds. */
export function documentDigest(content: DocumentContent, brought: Int8Array | null): string {
  const { text, title, metadata, expires_at, content_type } = content;
  const hash = createHash("sha256");
  hash.update(JSON.stringify([text, title, sorted(metadata), expires_at, content_type]));
  if (brought !== null) hash.update(brought);
  return hash.digest("hex");
}

/** The value with the fields of its objects in order. Its depth was bounded when it was parsed. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, inner]) => [name, sorted(inner)]));
}
